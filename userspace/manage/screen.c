// SPDX-License-Identifier: GPL-2.0
/* See screen.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/machine.h"
#include "devices/input.h"
#include "display/image.h"
#include "display/keys.h"
#include "manage/screen.h"

/*
 * So long a key is down, and so long none is: a guest that reads its keyboard 50
 * times a second gets it, and a chip's buffer does not overflow
 */
#define KEY_US		20000
#define TYPE_MAX	4096
#define TYPE_TURN	64	/* in one go: others want to be heard, too */
#define CHORD_MAX	8
#define UTF_8		3	/* bytes of one of cp437()'s, at most */

static json_t *screendump(struct machine *m, const json_t *arguments,
			  struct error *error)
{
	const char *path = json_string_value(json_object_get(arguments,
							     "filename"));
	struct surface surface = { 0 };
	int ret;

	if (!path) {
		fail(error, STATUS_USAGE, "screendump needs a filename");
		return NULL;
	}
	ret = screen_draw(m, &surface, true) ?
	      fail(error, STATUS_USAGE, "this machine has no screen: --device vga") :
	      image_write(&surface, path, error);
	surface_free(&surface);
	return ret ? NULL : json_object();
}

static char *put_utf8(char *to, uint16_t code)
{
	if (code < 0x80) {
		*to++ = code;
	} else if (code < 0x800) {
		*to++ = 0xc0 | code >> 6;
		*to++ = 0x80 | (code & 0x3f);
	} else {
		*to++ = 0xe0 | code >> 12;
		*to++ = 0x80 | (code >> 6 & 0x3f);
		*to++ = 0x80 | (code & 0x3f);
	}
	return to;
}

/* Lines without the spaces at their ends */
static char *write_text(const struct screen_text *text)
{
	size_t columns = text->columns;
	char *all = malloc(text->rows * (UTF_8 * columns + 1) + 1), *to = all;
	unsigned int row, column;

	for (row = 0; all && row < text->rows; row++) {
		const uint8_t *cell = text->cell + 2 * row * columns;
		unsigned int len = columns;

		while (len && (!cell[2 * len - 2] || cell[2 * len - 2] == ' '))
			len--;
		for (column = 0; column < len; column++)
			to = put_utf8(to, cp437(cell[2 * column]));
		*to++ = '\n';
	}
	if (all)
		*to = 0;
	return all;
}

static json_t *read_text(struct machine *m, const json_t *arguments,
			 struct error *error)
{
	struct screen_text *text = malloc(sizeof(*text));
	int ret = text ? screen_text(m, text) : -1;
	json_t *answer = NULL;
	char *lines;

	if (ret) {
		free(text);
		/* Not now, or never: who waits may go on waiting */
		return json_pack("{s:b, s:b, s:s}", "text-mode", 0, "screen",
				 ret > 0, "text", "");
	}
	lines = write_text(text);
	if (lines)
		answer = json_pack("{s:b, s:b, s:s}", "text-mode", 1, "screen", 1,
				   "text", lines);
	if (!answer)
		fail(error, STATUS_OS, "no memory");
	free(lines);
	free(text);
	return answer;
}

/* ---- keys ------------------------------------------------------------------------- */

static void emit(struct machine *m, uint16_t code, bool down)
{
	struct input_report event = { EV_KEY, code, down };

	input_emit(m, &event, 1);
	usleep(KEY_US);
}

static int need_keyboard(struct machine *m, struct error *error)
{
	if (input_taken(m) & INPUT_KEYS)
		return 0;
	return fail(error, STATUS_USAGE,
		    "this machine has no keyboard: --device i8042");
}

static void press(struct machine *m, const uint16_t *code, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		emit(m, code[i], true);
	while (nr)
		emit(m, code[--nr], false);
}

/* {"keys": "ctrl-alt-del"}; the last dash may be the key */
static json_t *send_key(struct machine *m, const json_t *arguments,
			struct error *error)
{
	const char *at = json_string_value(json_object_get(arguments, "keys"));
	uint16_t code[CHORD_MAX];
	unsigned int nr = 0, len;

	if (need_keyboard(m, error))
		return NULL;
	while (at && *at && nr < CHORD_MAX) {
		len = strcspn(at + 1, "-") + 1;
		code[nr] = key_by_name(at, len);
		if (!code[nr++]) {
			fail(error, STATUS_USAGE, "%.*s is no key", (int)len,
			     at);
			return NULL;
		}
		at += len + (at[len] == '-');
	}
	if (!nr || *at) {
		fail(error, STATUS_USAGE, "a key, or up to %u joined by -",
		     CHORD_MAX);
		return NULL;
	}
	press(m, code, nr);
	return json_object();
}

static json_t *type(struct machine *m, const json_t *arguments,
		    struct error *error)
{
	const char *text = json_string_value(json_object_get(arguments,
							     "text"));
	uint16_t code[2] = { KEY_LEFTSHIFT };
	const char *at;
	bool shift;

	if (need_keyboard(m, error))
		return NULL;
	if (!text || strlen(text) > TYPE_MAX) {
		fail(error, STATUS_USAGE, "type needs a text of at most %u bytes",
		     TYPE_MAX);
		return NULL;
	}
	/* All of it, or nothing */
	for (at = text; *at; at++) {
		if (key_by_char(*at, &shift))
			continue;
		fail(error, STATUS_USAGE,
		     "byte %u is on no key of a US keyboard: 0x%02x",
		     (unsigned int)(at - text), (uint8_t)*at);
		return NULL;
	}
	for (at = text; *at && at < text + TYPE_TURN && !machine_ended(m); at++) {
		code[1] = key_by_char(*at, &shift);
		press(m, code + !shift, 1 + shift);
	}
	return json_pack("{s:I}", "typed", (json_int_t)(at - text));
}

static const struct {
	const char *name;
	json_t *(*execute)(struct machine *m, const json_t *arguments,
			   struct error *error);
} commands[] = { { "screendump", screendump }, { "screen-text", read_text },
		 { "send-key", send_key }, { "type", type } };

#define NR (sizeof(commands) / sizeof(commands[0]))

static unsigned int find(const char *command)
{
	unsigned int i;

	for (i = 0; i < NR && strcmp(commands[i].name, command); i++)
		;
	return i;
}

bool screen_has(const char *command)
{
	return find(command) < NR;
}

json_t *screen_execute(struct machine *m, const char *command,
		       const json_t *arguments, struct error *error)
{
	return commands[find(command)].execute(m, arguments, error);
}
