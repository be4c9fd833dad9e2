/* SPDX-License-Identifier: GPL-2.0 */
/* A qemu-nbd of mvmm's own, for one disk and one connection. */
#ifndef MVMM_SERVER_H
#define MVMM_SERVER_H

#include <sys/types.h>
#include "block/block.h"

/**
 * struct server - see above
 * @argv: how it is called
 * @image: the last of these, which is its own
 * @format: the same
 * @secret: the same: where the key is, or NULL
 * @path: of the image
 * @read_only: it is not written to
 * @pid: 0: there is no process
 * @errors: what it says on stderr, -1: nothing
 */
struct server {
	const char *argv[12];
	char *path, *image, *format, *secret;
	bool read_only;
	pid_t pid;
	int errors;
};

/* What it is to serve. 0, or -1. Then server_destroy() */
int server_init(struct server *server, const struct block_config *config,
		struct error *error);
void server_destroy(struct server *server);
/* Starts it. Returns a socket that is connected to it, or -1 */
int server_start(struct server *server, struct error *error);
/*
 * Ends it, whose connection is closed already: then it ends by itself. It is
 * asked to after @ms, and killed 2 s later. 0: it ended well, or there was none
 */
int server_stop(struct server *server, unsigned int ms);
/* @connection failed: what the server says of it is in @error. Ends it. -1 */
int server_failed(struct server *server, const char *path,
		  const char *connection, struct error *error);

#endif
