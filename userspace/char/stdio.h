/* SPDX-License-Identifier: GPL-2.0 */
/* stdin and stdout as the guest's serial port or console (stdio.c). */
#ifndef MVMM_STDIO_H
#define MVMM_STDIO_H

#include "base/loop.h"
#include "char/chardev.h"

#define STDIO_RING 65536

struct ring {
	uint8_t bytes[STDIO_RING];
	unsigned int head, len;
};

/* What the user wants: by a key after Ctrl-A, or by SIGTERM */
enum stdio_event { STDIO_QUIT, STDIO_POWERDOWN, STDIO_SIGTERM, STDIO_FAILED };

/**
 * struct stdio - the console
 * @chardev: for the serial port or the console
 * @loop: serves it
 * @event: called with the loop's lock held. @error: errno of STDIO_FAILED, when
 *	stdout cannot be written
 * @ctx: its argument
 * @tty: stdin is a terminal: there are escapes
 * @escaped: the last byte was Ctrl-A
 * @closed: the input has ended
 * @dropped: the user was told that typed bytes get lost
 * @in_line: the guest's last line has not ended
 * @taking: the serial port takes bytes now
 * @is_socket: stdout is one
 * @is_file: stdout is one
 * @input: the watch of stdin
 * @output: of stdout, or of the same without blocking
 * @signal: of the eventfd by which SIGTERM and SIGWINCH come
 * @look: when to look next if mvmm is in the foreground
 * @in: typed bytes that the guest has not read yet
 * @out: what the guest sent and nobody has read yet
 */
struct stdio {
	struct chardev chardev;
	struct loop *loop;
	void (*event)(void *ctx, enum stdio_event event, int error);
	void *ctx;
	bool tty, escaped, closed, dropped, in_line;
	bool taking, is_socket, is_file;
	struct watch input, output, signal;
	struct timer look;
	struct ring in, out;
};

void stdio_init(struct stdio *stdio,
		void (*event)(void *ctx, enum stdio_event event, int error),
		void *ctx);
/*
 * Raw mode if stdin is a terminal and mvmm in its foreground. atexit() and all
 * fatal signals undo it. The first SIGTERM is an event, the second is fatal. 0,
 * or a negative errno.
 */
int stdio_start(struct stdio *stdio, struct loop *loop);
/* The terminal is as before. The rest of the output is lost */
void stdio_stop(struct stdio *stdio);
/* Only that of the terminal: async-signal-safe */
void stdio_restore(void);
/*
 * Who draws on the terminal: called when it becomes raw, and before it is restored,
 * also by signal handlers. NULL: nobody does
 */
void stdio_on_raw(void (*fn)(bool raw));
/* Nobody is waited for any more */
void stdio_discard(struct stdio *stdio);
/* Bytes of stdin: the escapes are taken out of those of a terminal */
void stdio_type(struct stdio *stdio, const uint8_t *typed, size_t len);

#endif
