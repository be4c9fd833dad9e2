// SPDX-License-Identifier: GPL-2.0
/* See loop.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/loop.h"

#define NS 1000000000ull

static void drain(void *fd, uint32_t events)
{
	uint64_t count;

	/* Both kinds of descriptor give 8 bytes, and do not block */
	if (read(*(int *)fd, &count, sizeof(count)) < 0)
		return;
}

int loop_init(struct loop *loop, struct vm_clock *clock)
{
	int ret;

	memset(loop, 0, sizeof(*loop));
	pthread_mutex_init(&loop->lock, NULL);
	pthread_cond_init(&loop->goes, NULL);
	loop->clock = clock;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->timerfd = timerfd_create(CLOCK_MONOTONIC,
				       TFD_CLOEXEC | TFD_NONBLOCK);
	loop->waker = (struct watch){ drain, &loop->wake, loop->wake, 0 };
	loop->tick = (struct watch){ drain, &loop->timerfd, loop->timerfd, 0 };
	ret = loop->epoll < 0 || loop->wake < 0 || loop->timerfd < 0 ? -errno :
	      loop_watch(loop, &loop->waker, EPOLLIN);
	if (!ret)
		ret = loop_watch(loop, &loop->tick, EPOLLIN);
	if (ret)
		loop_destroy(loop);
	return ret;
}

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool eventfd_take(int fd)
{
	uint64_t count;
	struct iovec iov = { &count, sizeof(count) };

	return preadv2(fd, &iov, 1, -1, RWF_NOWAIT) == sizeof(count);
}

void loop_destroy(struct loop *loop)
{
	close_fd(&loop->epoll);
	close_fd(&loop->wake);
	close_fd(&loop->timerfd);
	pthread_cond_destroy(&loop->goes);
	pthread_mutex_destroy(&loop->lock);
}

void loop_wake(struct loop *loop)
{
	eventfd_write(loop->wake, 1);
}

int loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };
	int op = !events ? EPOLL_CTL_DEL :
		 watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, i;

	if (events == watch->events)
		return 0;
	if (epoll_ctl(loop->epoll, op, watch->fd, &event))
		return -errno;
	watch->events = events;
	loop->removed += !events;
	/* What was reported before is not to be handled any more */
	for (i = 0; !events && i < loop->nr; i++)
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].events = 0;
	return 0;
}

void loop_set_timer(struct loop *loop, struct timer *timer, uint64_t when)
{
	struct timer **p = &loop->timers, *first = loop->timers;

	if (timer->when == when)
		return;
	if (timer->when) {
		while (*p != timer)
			p = &(*p)->next;
		*p = timer->next;
	}
	timer->when = when;
	if (when) {
		for (p = &loop->timers; *p && (*p)->when <= when; )
			p = &(*p)->next;
		timer->next = *p;
		*p = timer;
	}
	/* The loop may be waiting for the one that was the first */
	if (!loop->awake && (loop->timers != first || first == timer))
		loop_wake(loop);
}

/* Calls those that are due, and sets the timerfd to the next */
static void run_timers(struct loop *loop)
{
	struct itimerspec at = { 0 };
	struct timer *timer;
	uint64_t now;

	while (!loop->clock->stopped && (timer = loop->timers)) {
		now = vm_clock_now(loop->clock);
		if (timer->when > now) {
			uint64_t host = timer->when + loop->clock->offset;

			at.it_value.tv_sec = host / NS;
			at.it_value.tv_nsec = host % NS;
			break;
		}
		loop->timers = timer->next;
		timer->when = 0;
		timer->fn(timer->ctx);
	}
	loop->awake = false;
	/* A system call that most rounds of the loop do not need */
	if (at.it_value.tv_sec == loop->armed.tv_sec &&
	    at.it_value.tv_nsec == loop->armed.tv_nsec)
		return;
	loop->armed = at.it_value;
	timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void wait_parked(struct loop *loop, bool (*done)(void *ctx), void *ctx)
{
	while (loop->parked && !done(ctx)) {
		loop->awake = false;
		pthread_cond_wait(&loop->goes, &loop->lock);
	}
}

/* It was looked for in vain, and something came after @waited ns */
static void adapt(struct loop *loop, uint64_t waited)
{
	bool vain = waited > loop->poll_max;
	uint64_t poll = vain ? loop->poll / 2 : loop->poll * 2;

	if (poll < LOOP_POLL_MIN)
		poll = vain ? 0 : LOOP_POLL_MIN;
	loop->poll = poll < loop->poll_max ? poll : loop->poll_max;
}

/* Returns how many. Who looks has them sooner than who has to be woken */
static int wait_for_events(struct loop *loop)
{
	uint64_t begin = loop->poll_max ? host_ns() : 0;
	int n = 0;

	while (loop->poll && n <= 0 && host_ns() - begin < loop->poll)
		n = epoll_wait(loop->epoll, loop->batch, LOOP_BATCH, 0);
	if (n > 0)
		return n;
	n = epoll_wait(loop->epoll, loop->batch, LOOP_BATCH, -1);
	if (loop->poll_max)
		adapt(loop, host_ns() - begin);
	return n;
}

/* evening 11: the main thread: file descriptors and timers */
void loop_run(struct loop *loop, bool (*done)(void *ctx), void *ctx)
{
	unsigned int removed;
	int i, n;

	pthread_mutex_lock(&loop->lock);
	while (wait_parked(loop, done, ctx), run_timers(loop), !done(ctx)) {
		removed = loop->removed;
		pthread_mutex_unlock(&loop->lock);
		n = wait_for_events(loop);
		pthread_mutex_lock(&loop->lock);
		loop->awake = true;
		/*
		 * Another thread may have removed one of these before the lock
		 * came, or parked the loop. All are reported again
		 */
		loop->nr = n > 0 && removed == loop->removed &&
			   !loop->parked ? n : 0;
		for (i = 0; i < loop->nr; i++) {
			struct watch *watch = loop->batch[i].data.ptr;

			if (loop->batch[i].events)
				watch->fn(watch->ctx, loop->batch[i].events);
		}
		loop->nr = 0;
	}
	pthread_mutex_unlock(&loop->lock);
}
