/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A socket by which a running machine, or a switch, is told what to do: one JSON
 * object in a line, {"execute": NAME, "arguments": {...}}, and for each one line
 * back, {"return": ...} or {"error": {"desc": TEXT, "status": NUMBER}}, nearly as in
 * QEMU's QMP.
 */
#ifndef MVMM_CONTROL_H
#define MVMM_CONTROL_H

#include <jansson.h>
#include <pthread.h>
#include "base/error.h"

struct machine;

#define CONTROL_LINE	262144u	/* bytes of a request or an answer, at most */

/**
 * struct control - see above
 * @execute: does what a request says; NULL with @error
 * @ctx: its argument
 * @path: of the socket; NULL: there is none
 * @fd: listens
 * @stop: an eventfd: the thread is to return
 * @thread: answers, one client at a time
 */
struct control {
	json_t *(*execute)(void *ctx, const json_t *request,
			   struct error *error);
	void *ctx;
	const char *path;
	int fd, stop;
	pthread_t thread;
};

/*
 * Only the user may connect. The machine was created, and is destroyed after
 * control_stop(). 0, or -1 with @error, and there is nothing to stop
 */
int control_start(struct control *control, struct machine *machine,
		  const char *path, struct error *error);
/* The same for anything else; @ctx, where the machine is there */
int control_serve(struct control *control,
		  json_t *(*execute)(void *ctx, const json_t *request,
				     struct error *error),
		  void *ctx, const char *path, struct error *error);
void control_stop(struct control *control);
/* The other side: sends @request, which it takes. The answer, or NULL with @error */
json_t *control_ask(const char *path, json_t *request, struct error *error);

#endif
