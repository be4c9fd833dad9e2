// SPDX-License-Identifier: GPL-2.0
/* See reload.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "manage/reload.h"

#define KICK_NS	1000000		/* VM time between two kicks, on average */

static unsigned int about(unsigned int *seed, unsigned int mean)
{
	return 1 + rand_r(seed) % (2 * mean - 1);
}

/* No RUN is in between, so that nothing may differ */
static int reload_vcpu(struct reload *r, struct vcpu *v)
{
	const uint8_t *before = (const uint8_t *)&r->before;
	const uint8_t *after = (const uint8_t *)&r->after;
	int ret = mvmm_save_vcpu(v->fd, v->run, &r->before);
	size_t i;

	if (!ret)
		ret = mvmm_reset(v->fd, 0);
	if (!ret)
		ret = mvmm_load_vcpu(v->fd, v->run, &r->before);
	if (!ret)
		ret = mvmm_save_vcpu(v->fd, v->run, &r->after);
	for (i = 0; !ret && i < sizeof(r->before); i++)
		if (before[i] != after[i]) {
			machine_end(r->machine, STATUS_VM,
				    "vCPU %u is not as before: byte %zu of its state was 0x%02x, and is 0x%02x",
				    v->id, i, before[i], after[i]);
			return -EPROTO;
		}
	if (ret)
		machine_end(r->machine, STATUS_VM,
			    "vCPU %u cannot be read, reset and written: %s",
			    v->id, strerror(-ret));
	return ret;
}

/*
 * All of them, while none of the others sends this one anything: RESET forgets
 * what was sent. This one stands with the others, but at its exit, before it is
 * completed.
 */
static void after_run(void *ctx, struct vcpu *v)
{
	struct reload *r = ctx;
	struct machine *m = r->machine;
	unsigned int i;

	if (!r->left[v->id])
		r->left[v->id] = about(&r->seed[v->id], r->every);
	if (--r->left[v->id])
		return;
	pthread_mutex_lock(&m->loop.lock);
	if (!machine_pausing(m) && !machine_ended(m)) {
		m->standing++;
		machine_pause(m);
		for (i = 0; i < m->nr_vcpus && !machine_ended(m); i++)
			if (reload_vcpu(r, &m->vcpu[i]))
				break;
		r->done++;
		machine_resume(m);
		m->standing--;
	}
	pthread_mutex_unlock(&m->loop.lock);
}

static void kick(void *ctx)
{
	struct reload *r = ctx;
	struct machine *m = r->machine;
	unsigned int *seed = &r->seed[VCPUS_MAX];

	mvmm_kick(m->vcpu[rand_r(seed) % m->nr_vcpus].fd);
	loop_set_timer(&m->loop, &r->kicker,
		       vm_clock_now(&m->clock) + about(seed, KICK_NS));
}

void reload_init(struct reload *r, struct machine_config *config,
		 struct machine *m, unsigned int every)
{
	unsigned int i;

	if (!every)
		return;
	r->machine = m;
	r->every = every;
	r->kicker = (struct timer){ kick, r, 0, NULL };
	for (i = 0; i <= VCPUS_MAX; i++)
		r->seed[i] = i + 1;
	config->after_run = after_run;
	config->after_run_ctx = r;
}

void reload_start(struct reload *r)
{
	if (r->every)
		kick(r);
}
