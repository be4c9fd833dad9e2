/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O threads: each runs a loop of its own, for devices that are not to wait
 * for the main thread. They run while machine_run() does; before and afterwards
 * there is one thread.
 */
#ifndef MVMM_IOTHREAD_H
#define MVMM_IOTHREAD_H

#include "base/error.h"
#include "base/loop.h"

struct machine;

#define MACHINE_IOTHREADS	16

/**
 * struct iothread - see above
 * @loop: its
 * @thread: runs the loop
 * @started: it does
 * @stop: it is to return; with the loop's lock
 */
struct iothread {
	struct loop loop;
	pthread_t thread;
	bool started, stop;
};

/* Loops only. -1 with @error, and there is nothing to destroy */
int iothreads_create(struct machine *m, struct error *error);
void iothreads_destroy(struct machine *m);
/* If one cannot be started the machine ends */
void iothreads_start(struct machine *m);
/* Waits for them; no loop's lock is held */
void iothreads_stop(struct machine *m);

#endif
