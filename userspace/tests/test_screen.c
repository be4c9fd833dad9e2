// SPDX-License-Identifier: GPL-2.0
/* What is asked for at a screen and a keyboard; pictures as files; keys. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "cmd/cmd.h"
#include "devices/input.h"
#include "display/image.h"
#include "display/keys.h"
#include "manage/control.h"
#include "manage/screen.h"
#include "tests/bare_screen.h"
#include "tests/vga_modes.h"

static char directory[] = "/tmp/mvmm-screen.XXXXXX", path[64], control_path[64];

static void put(unsigned int port, uint8_t value)
{
	outb(port, value);
}

static uint8_t get(unsigned int port)
{
	return inb(port);
}

/* ---- pictures ----------------------------------------------------------------- */

static size_t read_file(uint8_t *bytes, size_t room)
{
	FILE *file = fopen(path, "r");
	size_t len;

	assert_non_null(file);
	len = fread(bytes, 1, room, file);
	fclose(file);
	return len;
}

static uint32_t get_32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static const uint8_t *chunk(const uint8_t *at, const char *type)
{
	uint32_t len = get_32(at);

	assert_memory_equal(at + 4, type, 4);
	assert_int_equal(get_32(at + 8 + len), crc32(0, at + 4, len + 4));
	return at + 12 + len;
}

static void files(void **state)
{
	uint32_t pixel[] = { 0x123456, 0xffffff, 0, 0xff0000, 0x00ff00,
			     0x0000ff };
	static const uint8_t rows[] = { 0, 0x12, 0x34, 0x56, 0xff, 0xff, 0xff,
					0, 0, 0, 0, 0xff, 0, 0, 0, 0xff, 0, 0,
					0, 0xff };
	struct surface s = { pixel, 3, 2, 6, .end = 2 };
	uint8_t bytes[512], back[64];
	uLongf len = sizeof(back);
	const uint8_t *data, *at;

	snprintf(path, sizeof(path), "%s/a.png", directory);
	assert_int_equal(image_write(&s, path, &error), 0);
	read_file(bytes, sizeof(bytes));
	assert_memory_equal(bytes, "\x89PNG\r\n\x1a\n", 8);
	assert_memory_equal(bytes + 16, "\0\0\0\3\0\0\0\2\x8\2\0\0\0", 13);
	data = chunk(bytes + 8, "IHDR");
	at = chunk(data, "IDAT");
	chunk(at, "IEND");
	assert_int_equal(uncompress(back, &len, data + 8, get_32(data)), Z_OK);
	assert_int_equal(len, sizeof(rows));
	assert_memory_equal(back, rows, sizeof(rows));
	unlink(path);
	snprintf(path, sizeof(path), "%s/a.ppm", directory);
	assert_int_equal(image_write(&s, path, &error), 0);
	assert_int_equal(read_file(bytes, sizeof(bytes)), 11 + 18);
	assert_memory_equal(bytes, "P6\n3 2\n255\n\x12\x34\x56", 14);
	unlink(path);
	assert_int_equal(image_write(&s, "/nowhere/a.png", &error), -1);
	assert_non_null(strstr(error.text, "/nowhere/a.png"));
}

/* ---- keys ------------------------------------------------------------------------ */

static void names(void **state)
{
	bool shift;

	assert_int_equal(key_by_name("a", 1), KEY_A);
	assert_int_equal(key_by_name("delete", 3), KEY_DELETE);
	assert_int_equal(key_by_name("f11x", 3), KEY_F11);
	assert_int_equal(key_by_name("-", 1), KEY_MINUS);
	assert_int_equal(key_by_name("", 0), 0);
	assert_int_equal(key_by_name("hyper", 5), 0);
	assert_int_equal(key_by_char('Z', &shift), KEY_Z);
	assert_true(shift);
	assert_int_equal(key_by_char('/', &shift), KEY_SLASH);
	assert_false(shift);
	assert_int_equal(key_by_char(0, &shift), 0);
	assert_int_equal(key_by_char(0xe4, &shift), 0);
	assert_int_equal(key_by_keysym('~'), KEY_GRAVE);
	assert_int_equal(key_by_keysym(0xffbe), KEY_F1);
	assert_int_equal(key_by_keysym(0xffff), KEY_DELETE);
	assert_int_equal(key_by_keysym(0), 0);
	assert_int_equal(key_by_keysym(0x1000041), 0);
	assert_int_equal(cp437('A'), 'A');
	assert_int_equal(cp437(0xc9), 0x2554);
	assert_int_equal(cp437(0xff), 0xa0);
}

/* ---- commands ------------------------------------------------------------------------ */

static struct keyboard {
	struct device device;
	struct input input;
	char log[1024];
} keyboard;

static void note(struct device *device, const struct input_report *event)
{
	char *log = ((struct keyboard *)device)->log;
	size_t len = strlen(log);

	snprintf(log + len, sizeof(keyboard.log) - len, "%s%u ",
		 event->value ? "+" : "-", event->code);
}

static struct control control;

static int setup(void **state)
{
	if (bare_screen())
		return -1;
	keyboard = (struct keyboard){
		.device.machine = &m, .input = { &keyboard.device, INPUT_KEYS,
						 note } };
	input_register(&keyboard.input);
	return control_start(&control, &m, control_path, &error);
}

static int teardown(void **state)
{
	control_stop(&control);
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}

/* mvmm NAME control_path WHAT */
static int command(const char *name, const char *what, const char *option)
{
	char *argv[] = { (char *)name, control_path, (char *)what,
			 (char *)option, NULL };

	return cmd_screen(option ? 4 : 3, argv);
}

static void type_row(unsigned int row, const char *text)
{
	uint32_t at = 0xb8000 + 160 * row;
	uint8_t attr = 7;

	for (; *text; text++) {
		bus_access(&m.mmio, at++, (void *)text, 1, true);
		bus_access(&m.mmio, at++, &attr, 1, true);
	}
}

static void *type_later(void *ctx)
{
	usleep(150000);
	pthread_mutex_lock(&m.loop.lock);
	pthread_mutex_unlock(&m.loop.lock);
	type_row(7, "boot: linux");
	return NULL;
}

static void screens(void **state)
{
	static uint8_t bytes[720 * 400 * 3 + 64];
	pthread_t thread;

	mode_set(&mode_03, put, get);
	type_row(3, "  Welcome to \xc9\xcd\xbb   ");
	assert_int_equal(command("mvmm wait-screen", "^  Welcome to ╔═╗$",
				 NULL), 0);
	assert_int_equal(command("mvmm wait-screen", "Nobody", "-t1"),
			 STATUS_VM);
	assert_int_equal(command("mvmm wait-screen", "(", NULL), STATUS_USAGE);
	pthread_create(&thread, NULL, type_later, NULL);
	assert_int_equal(command("mvmm wait-screen", "boot: *linux$", NULL), 0);
	pthread_join(thread, NULL);
	snprintf(path, sizeof(path), "%s/a.ppm", directory);
	assert_int_equal(command("mvmm screenshot", path, NULL), 0);
	assert_int_equal(read_file(bytes, sizeof(bytes)), 15 + 720 * 400 * 3);
	assert_memory_equal(bytes, "P6\n720 400\n255\n", 15);
	unlink(path);
	assert_int_equal(command("mvmm screenshot", "/nowhere/a.png", NULL),
			 STATUS_OS);
	/* No text is shown: it waits, in vain */
	mode_set(&mode_12, put, get);
	assert_int_equal(command("mvmm wait-screen", "linux", "-t1"),
			 STATUS_VM);
}

static void no_screen(void **state)
{
	pthread_mutex_lock(&m.loop.lock);
	m.screen = NULL;
	pthread_mutex_unlock(&m.loop.lock);
	assert_int_equal(command("mvmm wait-screen", "linux", NULL),
			 STATUS_USAGE);
	assert_int_equal(command("mvmm screenshot", path, NULL), STATUS_USAGE);
}

static void typed(const char *expected)
{
	assert_string_equal(keyboard.log, expected);
	keyboard.log[0] = 0;
}

static void keyboards(void **state)
{
	assert_int_equal(command("mvmm key", "ctrl-alt-del", NULL), 0);
	typed("+29 +56 +111 -111 -56 -29 ");
	assert_int_equal(command("mvmm key", "ctrl--", NULL), 0);
	typed("+29 +12 -12 -29 ");
	assert_int_equal(command("mvmm type", "a/B", "-e"), 0);
	typed("+30 -30 +53 -53 +42 +48 -48 -42 +28 -28 ");
	assert_int_equal(command("mvmm key", "ctrl-nothing", NULL),
			 STATUS_USAGE);
	assert_int_equal(command("mvmm key", "a-b-c-d-e-f-g-h-i", NULL),
			 STATUS_USAGE);
	assert_int_equal(command("mvmm key", "", NULL), STATUS_USAGE);
	assert_int_equal(command("mvmm type", "a\xe4", NULL), STATUS_USAGE);
	assert_int_equal(command("mvmm type", "aä", NULL), STATUS_USAGE);
	typed("");
	input_unregister(&keyboard.input);
	assert_int_equal(command("mvmm key", "a", NULL), STATUS_USAGE);
	assert_int_equal(command("mvmm type", "a", NULL), STATUS_USAGE);
}

/* Others come between two turns of a long text */
static void in_turns(void **state)
{
	json_t *answer, *text = json_pack("{s:s}", "text",
		"0123456789012345678901234567890123456789012345678901234567890123456");

	answer = screen_execute(&m, "type", text, &error);
	assert_int_equal(json_integer_value(json_object_get(answer, "typed")),
			 64);
	json_decref(answer);
	json_decref(text);
	keyboard.log[0] = 0;
	/* All of it, all the same */
	assert_int_equal(command("mvmm type",
		"                                                                abc",
		NULL), 0);
	assert_non_null(strstr(keyboard.log,
			       " +57 -57 +30 -30 +48 -48 +46 -46 "));
}

/* Who asks wrongly is told so */
static void wrong(void **state)
{
	static const char *const all[] = { "screendump", "send-key", "type" };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		assert_true(screen_has(all[i]));
		assert_null(screen_execute(&m, all[i], NULL, &error));
		assert_int_equal(error.status, STATUS_USAGE);
	}
	assert_false(screen_has("raid-status"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(names),
		cmocka_unit_test_setup_teardown(screens, setup, teardown),
		cmocka_unit_test_setup_teardown(no_screen, setup, teardown),
		cmocka_unit_test_setup_teardown(keyboards, setup, teardown),
		cmocka_unit_test_setup_teardown(in_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong, setup, teardown),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(control_path, sizeof(control_path), "%s/control", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
