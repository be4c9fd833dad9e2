/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An event loop: a thread that waits for file descriptors, timers in VM time,
 * and calls of other threads. Each loop has a lock, which it holds while it
 * calls; a device belongs to one loop, and its lock guards the device.
 */
#ifndef MVMM_LOOP_H
#define MVMM_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>
#include "base/clock.h"

/**
 * struct watch - a file descriptor that a loop waits for
 * @fn: called with the lock held, and the events
 * @ctx: its argument
 * @fd: the descriptor, -1: none
 * @events: EPOLLIN, EPOLLOUT; 0: not waited for now
 */
struct watch {
	void (*fn)(void *ctx, uint32_t events);
	void *ctx;
	int fd;
	uint32_t events;
};

/**
 * struct timer - a moment in VM time
 * @fn: called with the lock held, not before that moment
 * @ctx: its argument
 * @when: ns; 0: not set
 * @next: in the loop's list
 */
struct timer {
	void (*fn)(void *ctx);
	void *ctx;
	uint64_t when;
	struct timer *next;
};

/*
 * The shortest period that a guest gets of a timer that goes on by itself: each
 * needs the host's CPU, and --cap does not count it
 */
#define TIMER_FLOOR_NS 200000

#define LOOP_BATCH 16
#define LOOP_POLL_MIN 4000	/* ns: less is not worth it */

/**
 * struct loop - see above
 * @lock: guards the rest, and the loop's devices
 * @clock: of the VM
 * @epoll: waits for all watches
 * @wake: eventfd: something has changed
 * @timerfd: set to the first timer
 * @waker: the watch of @wake
 * @tick: the watch of @timerfd
 * @armed: what @timerfd is set to; 0: not at all
 * @timers: sorted by their time
 * @batch: events that were not handled yet
 * @nr: how many
 * @removed: how many watches were removed so far
 * @awake: its thread calls, with the lock, and looks at the timers before it waits
 * @poll_max: an I/O thread looks for so many ns at most before it sleeps
 * @poll: the same at present, which follows from what was of use
 * @parked: of an I/O thread: it calls nothing, since the machine is paused
 * @goes: signalled when it is to go on, or to look at @done
 */
struct loop {
	pthread_mutex_t lock;
	struct vm_clock *clock;
	int epoll, wake, timerfd;
	struct watch waker, tick;
	struct timespec armed;
	struct timer *timers;
	struct epoll_event batch[LOOP_BATCH];
	int nr;
	unsigned int removed;
	bool awake;
	uint64_t poll_max, poll;
	bool parked;
	pthread_cond_t goes;
};

/* 0, or a negative errno; then there is nothing to destroy */
int loop_init(struct loop *loop, struct vm_clock *clock);
void loop_destroy(struct loop *loop);
/* Sets it to -1, which is none */
void close_fd(int *fd);
/*
 * Takes what an eventfd has counted; false: nothing. Does not wait, even if
 * another process has it, too, and has switched O_NONBLOCK off
 */
bool eventfd_take(int fd);
/*
 * Until @done(@ctx), which is asked with the lock held before each wait. The
 * caller's thread is the loop's
 */
void loop_run(struct loop *loop, bool (*done)(void *ctx), void *ctx);
/* Makes it look at its timers and at @done again. Any thread, any lock */
void loop_wake(struct loop *loop);

/* The lock is held by the callers of the following */

/*
 * Waits for @events of @watch->fd, 0: for none. 0, or a negative errno: -EPERM,
 * the descriptor is a file, which is always ready.
 */
int loop_watch(struct loop *loop, struct watch *watch, uint32_t events);
/* @when: VM time; 0: no more */
void loop_set_timer(struct loop *loop, struct timer *timer, uint64_t when);

#endif
