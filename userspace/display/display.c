// SPDX-License-Identifier: GPL-2.0
/* See display.h. */
#include <string.h>
#include "core/option.h"
#include "display/display.h"
#include "display/vnc/vnc.h"
#include "have.h"

static const struct option_spec options[] = {
	{ "password-file", OPTION_STRING,
	  OPTION_AT(struct display, password_file),
	  .help = "its first line is the password, of which 8 bytes count" },
	OPTIONS_END
};

int display_parse(struct display *display, char *text, struct error *error)
{
	char *kind = strsep(&text, ","), *address = kind;
	struct error why = { 0 };

	strsep(&address, "=");
	*display = (struct display){ 0 };
	if (!strcmp(kind, "none") && !address && !text)
		return 0;
	if (strcmp(kind, "vnc"))
		return fail(error, STATUS_USAGE,
			    "--display %s: write none, or vnc[=ADDRESS]", kind);
#ifndef HAVE_VNC
	return fail(error, STATUS_USAGE,
		    "--display vnc: this mvmm was built without libvncserver: install libvncserver-dev, and build it again");
#endif
	display->address = address ? address : VNC_ADDRESS;
	if (text && options_parse(options, display, text, false, &why))
		return fail(error, STATUS_USAGE, "--display vnc: %s", why.text);
	return 0;
}

int display_start(struct display *display, struct machine *machine,
		  struct error *error)
{
#ifdef HAVE_VNC
	if (display->address) {
		display->vnc = vnc_start(machine, display->address,
					 display->password_file, error);
		return display->vnc ? 0 : -1;
	}
#endif
	return 0;
}

void display_stop(struct display *display)
{
#ifdef HAVE_VNC
	if (display->vnc)
		vnc_stop(display->vnc);
#endif
	display->vnc = NULL;
}
