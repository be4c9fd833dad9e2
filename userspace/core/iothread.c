// SPDX-License-Identifier: GPL-2.0
/* See iothread.h. */
#include <string.h>
#include "core/machine.h"

int iothreads_create(struct machine *m, struct error *error)
{
	while (m->iothreads < m->config.iothreads) {
		struct machine_iothread *is = &m->config.iothread[m->iothreads];
		struct loop *loop = &m->iothread[m->iothreads].loop;
		int ret = loop_init(loop, &m->clock);

		loop->poll_max = is->poll_max;
		if (ret) {
			iothreads_destroy(m);
			return fail(error, STATUS_OS,
				    "cannot make the loop of I/O thread %s: %s",
				    is->name, strerror(-ret));
		}
		m->iothreads++;
	}
	return 0;
}

void iothreads_destroy(struct machine *m)
{
	while (m->iothreads)
		loop_destroy(&m->iothread[--m->iothreads].loop);
}

static bool is_stopped(void *ctx)
{
	return ((struct iothread *)ctx)->stop;
}

static void *iothread_main(void *ctx)
{
	struct iothread *t = ctx;

	loop_run(&t->loop, is_stopped, t);
	return NULL;
}

void iothreads_start(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->iothreads; i++) {
		struct iothread *t = &m->iothread[i];

		t->started = machine_thread(m, &t->thread, iothread_main, t,
					    "io %s", m->config.iothread[i].name);
		if (!t->started)
			return;
	}
}

void iothreads_stop(struct machine *m)
{
	struct iothread *t;

	for (t = m->iothread; t < m->iothread + m->iothreads; t++) {
		if (!t->started)
			continue;
		pthread_mutex_lock(&t->loop.lock);
		t->stop = true;
		pthread_cond_signal(&t->loop.goes);
		pthread_mutex_unlock(&t->loop.lock);
		loop_wake(&t->loop);
		pthread_join(t->thread, NULL);
		t->started = t->stop = false;
	}
}
