// SPDX-License-Identifier: GPL-2.0
/* No screen, and nobody who is shown it. */
#include <string.h>
#include "boot/boot.h"
#include "display/display.h"
#include "manage/screen.h"
#include "without/without.h"

int display_parse(struct display *display, char *text, struct error *error)
{
	return left_out(error, "--display", "screen");
}

struct chardev *display_console(struct display *display,
				struct chardev *console)
{
	return console;
}

bool display_wanted(const struct display *display)
{
	return false;
}

int display_start(struct display *display, struct machine *machine,
		  struct error *error)
{
	return 0;
}

void display_stop(struct display *display)
{
}

uint64_t framebuffer_find(struct machine *m)
{
	return 0;
}

/* There is none, and so nobody asks for a mode */
void framebuffer_set(struct machine *m, unsigned int width, unsigned int height)
{
}

/* The control socket has these, to say so */
bool screen_has(const char *command)
{
	return !strncmp(command, "screen", 6) || !strcmp(command, "send-key") ||
	       !strcmp(command, "type");
}

json_t *screen_execute(struct machine *m, const char *command,
		       const json_t *arguments, struct error *error)
{
	left_out(error, command, "screen");
	return NULL;
}
