/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module for tests of the machine: ioctl() plays it, and each test has a
 * script that says what RUN returns.
 */
#ifndef MVMM_FAKE_MODULE_H
#define MVMM_FAKE_MODULE_H

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/vcpu.h"

#define WAIT 1	/* RUN waits until the script has an exit, or for a kick */

struct fake_vcpu {
	int fd;
	struct mvmm_run *run;
	bool kicked;
	uint8_t retired;		/* what the last RUN was to retire */
	unsigned int kicks, accesses, resets;
	unsigned int step;	/* how many RUNs have begun */
	struct mvmm_vcpu_state state;	/* what was set last */
};

static struct fake {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t features;
	uint32_t max_vcpus, vm_flags;
	unsigned int fail_at;		/* id of a vCPU that cannot be made */
	struct fake_vcpu vcpu[VCPUS_MAX];
	unsigned int nr;
	struct mvmm_msi msi;
	unsigned int msis;
	struct mvmm_apic_access access;
	bool lint0_closed;
	unsigned int injections, refusals;
	unsigned int busy;		/* exceptions that come too early, after one */
	uint8_t vector;
	struct mvmm_clock clock;	/* host_tsc: the last one set */
	unsigned int running, run_while_stopped;
	bool forgetful;			/* debug registers are not kept */
	bool amd;
	/* Fills in the exit of a vCPU and returns 0; or returns WAIT */
	int (*script)(unsigned int id, unsigned int step, struct mvmm_run *run);
} fake;

static int fake_create_vcpu(const struct mvmm_create_vcpu *create)
{
	struct fake_vcpu *v = &fake.vcpu[create->id];

	if (create->id == fake.fail_at) {
		errno = ENOMEM;
		return -1;
	}
	if (v->run)
		munmap(v->run, 4096);
	memset(v, 0, sizeof(*v));
	v->state.nr_msrs = 3;
	v->fd = memfd_create("vcpu", MFD_CLOEXEC);
	if (v->fd < 0 || ftruncate(v->fd, 4096))
		return -1;
	v->run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	fake.nr++;
	return v->fd;
}

static int fake_run(struct fake_vcpu *v)
{
	unsigned int step = v->step++;

	v->retired = v->run->retire;
	v->run->retire = 0;
	fake.run_while_stopped += fake.clock.flags & MVMM_CLOCK_STOPPED;
	fake.running++;
	while (!v->kicked) {
		if (!fake.script(v - fake.vcpu, step, v->run)) {
			fake.running--;
			return 0;
		}
		pthread_cond_wait(&fake.changed, &fake.lock);
	}
	fake.running--;
	v->kicked = false;
	v->run->exit_reason = MVMM_EXIT_INTR;
	v->run->can_inject = 1;
	errno = EINTR;
	return -1;
}

static int fake_inject(const struct mvmm_inject *inject)
{
	if (inject->type == MVMM_EVENT_EXCEPTION && fake.busy &&
	    fake.injections) {
		fake.busy--;
		errno = EBUSY;
		return -1;
	}
	if (fake.lint0_closed) {
		fake.refusals++;
		errno = EAGAIN;
		return -1;
	}
	fake.injections++;
	fake.vector = inject->vector;
	pthread_cond_broadcast(&fake.changed);
	return 0;
}

/* Keeps what it is given: @get: copies it out */
static int fake_keep(void *kept, void *arg, size_t size, bool get)
{
	uint32_t given = *(uint32_t *)arg;

	memcpy(get ? arg : kept, get ? kept : arg, size);
	if (get)
		*(uint32_t *)arg = given;
	return 0;
}

static int fake_msrs(struct fake_vcpu *v, struct mvmm_msrs *list,
		     unsigned long cmd)
{
	struct mvmm_msr *msr = (void *)(uintptr_t)list->entries;
	uint32_t i;

	if (cmd == MVMM_VCPU_GET_MSR_LIST) {
		list->nr = v->state.nr_msrs;
		for (i = 0; i < list->nr; i++)
			msr[i] = (struct mvmm_msr){ .index = 0x100 + i };
		return 0;
	}
	for (i = 0; i < list->nr; i++)
		if (cmd == MVMM_VCPU_GET_MSRS && msr[i].index == 0x179)
			msr[i].value = fake.amd ? 0x102 : 0x1000102;
		else if (cmd == MVMM_VCPU_GET_MSRS)
			msr[i].value = v->state.msr[i].value;
		else
			v->state.msr[i] = msr[i];
	return list->nr;
}

static int fake_cpuid(struct fake_vcpu *v, struct mvmm_cpuid *list, bool get)
{
	void *entries = (void *)(uintptr_t)list->entries;

	if (get)
		list->nr = v->state.nr_cpuid;
	else
		v->state.nr_cpuid = list->nr;
	memcpy(get ? entries : v->state.cpuid, get ? v->state.cpuid : entries,
	       list->nr * sizeof(v->state.cpuid[0]));
	return 0;
}

static int fake_vcpu_call(struct fake_vcpu *v, unsigned long cmd, void *arg)
{
	struct mvmm_vcpu_state *s = &v->state;
	struct mvmm_xsave *x = arg;

	switch (cmd) {
	case MVMM_VCPU_GET_SREGS:
	case MVMM_VCPU_SET_SREGS:
		return fake_keep(&s->sregs, arg, sizeof(s->sregs),
				 cmd == MVMM_VCPU_GET_SREGS);
	case MVMM_VCPU_SET_DREGS:
		if (fake.forgetful)
			return 0;
		/* fall through */
	case MVMM_VCPU_GET_DREGS:
		return fake_keep(&s->dregs, arg, sizeof(s->dregs),
				 cmd == MVMM_VCPU_GET_DREGS);
	case MVMM_VCPU_GET_EVENTS:
	case MVMM_VCPU_SET_EVENTS:
		return fake_keep(&s->events, arg, sizeof(s->events),
				 cmd == MVMM_VCPU_GET_EVENTS);
	case MVMM_VCPU_GET_APIC:
	case MVMM_VCPU_SET_APIC:
		if (!fake.vm_flags) {
			errno = EINVAL;
			return -1;
		}
		return fake_keep(&s->apic, arg, sizeof(s->apic),
				 cmd == MVMM_VCPU_GET_APIC);
	case MVMM_VCPU_GET_XSAVE:
		memcpy((void *)(uintptr_t)x->addr, s->xsave, x->len);
		return 0;
	case MVMM_VCPU_SET_XSAVE:
		memcpy(s->xsave, (void *)(uintptr_t)x->addr, x->len);
		return 0;
	case MVMM_VCPU_GET_MSR_LIST:
	case MVMM_VCPU_GET_MSRS:
	case MVMM_VCPU_SET_MSRS:
		return fake_msrs(v, arg, cmd);
	case MVMM_VCPU_GET_CPUID:
	case MVMM_VCPU_SET_CPUID:
		return fake_cpuid(v, arg, cmd == MVMM_VCPU_GET_CPUID);
	case MVMM_VCPU_RESET:
		v->state = (struct mvmm_vcpu_state){ .nr_msrs = s->nr_msrs };
		memset(&v->run->regs, 0, sizeof(v->run->regs));
		v->resets++;
		return 0;
	case MVMM_VCPU_RUN:
		return fake_run(v);
	case MVMM_VCPU_KICK:
		v->kicked = true;
		v->kicks++;
		pthread_cond_broadcast(&fake.changed);
		return 0;
	case MVMM_VCPU_INJECT:
		return fake_inject(arg);
	case MVMM_VCPU_APIC_ACCESS:
		v->accesses++;
		fake.access = *(struct mvmm_apic_access *)arg;
		((struct mvmm_apic_access *)arg)->data = 0x44332211;
		return 0;
	default:
		return 0;
	}
}

#define FAKE_TSC_KHZ 2000000

/* Its time goes on by 1000 from call to call, if it is not stopped */
static int fake_get_clock(struct mvmm_clock *clock)
{
	if (!fake.clock.flags)
		fake.clock.tsc += 1000;
	*clock = fake.clock;
	clock->host_tsc = 1000000;
	clock->tsc_khz = clock->tsc_khz ?: FAKE_TSC_KHZ;
	return 0;
}

static int fake_set_clock(const struct mvmm_clock *clock)
{
	if (fake.running) {
		errno = EBUSY;
		return -1;
	}
	if (clock->tsc_khz && clock->tsc_khz != FAKE_TSC_KHZ &&
	    !(fake.features & MVMM_FEATURE_TSC_SCALING)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	fake.clock = *clock;
	return 0;
}

static int fake_call(int fd, unsigned long cmd, void *arg)
{
	unsigned int i;

	/* A number may have been that of a vCPU, which is closed now */
	for (i = 0; i < VCPUS_MAX && _IOC_NR(cmd) >= _IOC_NR(MVMM_VCPU_RUN); i++)
		if (fake.vcpu[i].fd == fd)
			return fake_vcpu_call(&fake.vcpu[i], cmd, arg);
	switch (cmd) {
	case MVMM_GET_INFO:
		((struct mvmm_info *)arg)->features = fake.features;
		((struct mvmm_info *)arg)->max_vcpus = fake.max_vcpus;
		((struct mvmm_info *)arg)->tsc_khz = FAKE_TSC_KHZ;
		return 0;
	case MVMM_CREATE_VM:
		fake.vm_flags = ((struct mvmm_create_vm *)arg)->flags;
		return memfd_create("vm", MFD_CLOEXEC);
	case MVMM_VM_CREATE_VCPU:
		return fake_create_vcpu(arg);
	case MVMM_VM_GET_CLOCK:
		return fake_get_clock(arg);
	case MVMM_VM_SET_CLOCK:
		return fake_set_clock(arg);
	case MVMM_VM_MSI:
		fake.msi = *(struct mvmm_msi *)arg;
		fake.msis++;
		pthread_cond_broadcast(&fake.changed);
		return 1;
	case MVMM_VM_SET_SCHED:
		/* As for a user who is not root */
		errno = EPERM;
		return ((struct mvmm_vm_sched *)arg)->weight > 100 ? -1 : 0;
	default:
		return 0;
	}
}

int ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *arg;
	int ret;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	pthread_mutex_lock(&fake.lock);
	ret = fake_call(fd, cmd, arg);
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

/* A module with local APICs for 64 vCPUs, in which nothing fails */
static void fake_start(void)
{
	unsigned int i;

	memset(&fake, 0, sizeof(fake));
	pthread_mutex_init(&fake.lock, NULL);
	pthread_cond_init(&fake.changed, NULL);
	fake.features = MVMM_FEATURE_APIC;
	fake.max_vcpus = fake.fail_at = VCPUS_MAX;
	for (i = 0; i < VCPUS_MAX; i++)
		fake.vcpu[i].fd = -1;
}

static void fake_stop(void)
{
	unsigned int i;

	for (i = 0; i < VCPUS_MAX; i++)
		if (fake.vcpu[i].run)
			munmap(fake.vcpu[i].run, 4096);
}

/* For a script: the guest accesses a port */
static inline void fake_io(struct mvmm_run *run, uint16_t port,
			   unsigned int size, bool in, uint16_t value)
{
	run->exit_reason = MVMM_EXIT_IO;
	run->io.port = port;
	run->io.size = size;
	run->io.flags = in ? MVMM_IO_IN : 0;
	run->insn_len = 1;
	run->can_inject = 0;
	run->regs.rax = value;
}

static inline void out(struct mvmm_run *run, uint16_t port, uint8_t value)
{
	fake_io(run, port, 1, false, value);
}

#endif
