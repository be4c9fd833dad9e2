// SPDX-License-Identifier: GPL-2.0
/* See display.h. */
#include <stdio.h>
#include <string.h>
#include "base/option.h"
#include "display/display.h"
#include "display/terminal/terminal.h"
#include "display/vnc/vnc.h"
#include "have.h"

#define PASSWORD { "password-file", OPTION_STRING,			\
	OPTION_AT(struct display, password_file),			\
	.help = "its first line is the password, of which 8 bytes count" }

static const struct option_spec vnc_options[] = { PASSWORD, OPTIONS_END };
static const struct option_spec web_options[] = {
	PASSWORD,
	{ "root", OPTION_STRING, OPTION_AT(struct display, root),
	  .help = "the directory of noVNC's files" },
	OPTIONS_END
};

static int parse_options(struct display *display, const char *kind, char *text,
			 const struct option_spec *options, struct error *error)
{
	struct error why = { 0 };

#ifndef HAVE_VNC
	return fail_without(error, "--display vnc, web", "vnc",
			    "libvncserver-dev");
#endif
	if (text && options_parse(options, display, text, false, &why))
		return fail(error, STATUS_USAGE, "--display %s: %s", kind,
			    why.text);
	return 0;
}

/* A port alone is one of this host's own */
static int set_web(struct display *display, const char *address,
		   struct error *error)
{
	uint64_t port;

	display->web = address ? address : WEB_ADDRESS;
	if (!address)
		return 0;
	if (*address == ':')
		address++;
	if (strchr(address, ':') && strncmp(address, "unix:", 5))
		return 0;
	if (!parse_number(address, &port, false) || port > 65535)
		return fail(error, STATUS_USAGE,
			    "--display web=%s: write PORT or HOST:PORT",
			    address);
	snprintf(display->port, sizeof(display->port), "127.0.0.1:%u",
		 (unsigned int)port);
	display->web = display->port;
	return 0;
}

static int set_terminal(struct display *display, struct error *error)
{
#ifndef HAVE_TERMINAL
	return fail_without(error, "--display terminal", "terminal",
			    "libncurses-dev");
#endif
	display->in_terminal = true;
	return 0;
}

int display_parse(struct display *display, char *text, struct error *error)
{
	char *kind = strsep(&text, ","), *address = kind;

	strsep(&address, "=");
	if (!strcmp(kind, "none") && !address && !text) {
		*display = (struct display){ 0 };
		return 0;
	}
	if (!strcmp(kind, "terminal") && !address && !text)
		return set_terminal(display, error);
	if (!strcmp(kind, "web"))
		return set_web(display, address, error) ||
		       parse_options(display, kind, text, web_options, error) ?
		       -1 : 0;
	if (strcmp(kind, "vnc"))
		return fail(error, STATUS_USAGE,
			    "--display %s: write none, terminal, vnc[=ADDRESS] or web[=PORT]",
			    kind);
	display->address = address ? address : VNC_ADDRESS;
	return parse_options(display, kind, text, vnc_options, error);
}

bool display_wanted(const struct display *display)
{
	return display->address || display->web || display->in_terminal;
}

static size_t put_nowhere(struct chardev *chardev, const uint8_t *bytes,
			  size_t len)
{
	return len;
}

static size_t take_nothing(struct chardev *chardev, uint8_t *bytes, size_t len)
{
	return 0;
}

static bool is_flushed(struct chardev *chardev)
{
	return true;
}

struct chardev *display_console(struct display *display,
				struct chardev *console)
{
	static const struct chardev_ops ops = { put_nowhere, take_nothing,
						is_flushed };

	if (!display->in_terminal)
		return console;
	display->typed = console;
	display->nothing.ops = &ops;
	return &display->nothing;
}

static int start_vnc(struct display *display, struct machine *machine,
		     struct error *error)
{
#ifdef HAVE_VNC
	struct vnc_config config = { display->address, display->web,
				     display->root, display->password_file };
	const char *colon;

	if (!display->address && !display->web)
		return 0;
	display->vnc = vnc_start(machine, &config, error);
	if (!display->vnc)
		return -1;
	if (display->web) {
		colon = strrchr(display->web, ':');
		fprintf(stderr, "mvmm run: the screen is at http://%.*s:%u/\n",
			(int)(colon - display->web), display->web,
			vnc_web_port(display->vnc));
	}
#endif
	return 0;
}

int display_start(struct display *display, struct machine *machine,
		  struct error *error)
{
	if (start_vnc(display, machine, error))
		return -1;
#ifdef HAVE_TERMINAL
	if (display->in_terminal) {
		display->terminal = terminal_start(machine, display->typed,
						   error);
		return display->terminal ? 0 : -1;
	}
#endif
	return 0;
}

void display_stop(struct display *display)
{
#ifdef HAVE_TERMINAL
	if (display->terminal)
		terminal_stop(display->terminal);
#endif
	display->terminal = NULL;
#ifdef HAVE_VNC
	if (display->vnc)
		vnc_stop(display->vnc);
#endif
	display->vnc = NULL;
}
