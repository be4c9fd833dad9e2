/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A chardev on a file descriptor (stream.c): a file, a pseudo terminal, a UNIX
 * socket. Nothing is kept here: bytes that the other end does not read, or that
 * the guest does not, wait in the kernel, and so does who sends them.
 */
#ifndef MVMM_STREAM_H
#define MVMM_STREAM_H

#include "base/error.h"
#include "base/loop.h"
#include "char/chardev.h"

struct stream;

/**
 * struct stream_ops - of a kind of stream; the loop's lock is held
 * @start: 0, or a negative errno; NULL: there is nothing more to do
 * @lost: the descriptor is not used any more. @error: errno, 0: it has ended
 * @close: frees it
 */
struct stream_ops {
	int (*start)(struct stream *stream);
	void (*lost)(struct stream *stream, int error);
	void (*close)(struct stream *stream);
};

/**
 * struct stream - begins each kind's struct
 * @chardev: for a port; @chardev.is_open while there is a descriptor
 * @ops: of its kind
 * @loop: serves it; NULL: it has not been started
 * @watch: of the descriptor
 * @reads: bytes come from there, too
 * @wants_in: the guest wants to know of them
 * @wants_out: it waits until it can send
 * @path: by which others find it
 */
struct stream {
	struct chardev chardev;
	const struct stream_ops *ops;
	struct loop *loop;
	struct watch watch;
	bool reads, wants_in, wants_out;
	char *path;
};

/* NULL with @error */
struct stream *stream_file(const char *path, struct error *error);
struct stream *stream_pty(struct error *error);
struct stream *stream_unix(const char *path, struct error *error);
/* From here on @loop serves it. 0, or -1 with @error */
int stream_start(struct stream *stream, struct loop *loop, struct error *error);
/* No port uses it any more. NULL: nothing happens */
void stream_close(struct stream *stream);

/* ---- for the kinds ------------------------------------------------------- */

/* In place of malloc(): size bytes that begin with it. NULL: no memory */
struct stream *stream_new(size_t size, const struct stream_ops *ops,
			  const char *path);
/* Not blocking. -1: there is none now. The lock is held, or there is no loop */
void stream_use(struct stream *stream, int fd);

#endif
