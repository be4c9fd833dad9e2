/* SPDX-License-Identifier: GPL-2.0 */
/* A switch in a thread of a test, and a directory for its sockets. */
#ifndef MVMM_SWITCH_THREAD_H
#define MVMM_SWITCH_THREAD_H

#include <stdlib.h>
#include <unistd.h>
#include "net/switch/server.h"

static char directory[] = "/tmp/mvmm-switch.XXXXXX";
static struct switch_server *server;
static pthread_t thread;

static inline void *server_main(void *ctx)
{
	switch_run(server);
	return NULL;
}

/* The switch's thread ends; from here on a round of its loop is a step of the test */
static inline void take_over(void)
{
	pthread_mutex_lock(&server->loop.lock);
	server->ended = true;
	pthread_mutex_unlock(&server->loop.lock);
	loop_wake(&server->loop);
	pthread_join(thread, NULL);
}

static inline int make_directory(void **state)
{
	return !mkdtemp(directory) || setenv("XDG_RUNTIME_DIR", directory, 1);
}

static inline int remove_directory(void **state)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/mvmm/switch", directory);
	rmdir(name);
	snprintf(name, sizeof(name), "%s/mvmm", directory);
	rmdir(name);
	return rmdir(directory);
}

#endif
