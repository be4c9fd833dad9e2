/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vCPU for tests of libmvmm, without a module: ioctl() plays it, memory is an
 * array, and one device takes all other addresses.
 */
#ifndef MVMM_FAKE_GUEST_H
#define MVMM_FAKE_GUEST_H

#include <stdarg.h>
#include <string.h>
#include "libmvmm.h"

#define FAKE_MEMORY	0x10000
#define FAKE_ROM	0xf000		/* the last page cannot be written */
#define FAKE_DEVICE	0x100000	/* two pages */
#define FAKE_XSAVE	4096
#define CR0_PE		(1ull << 0)
#define CR0_WP		(1ull << 16)
#define CR0_PG		(1ull << 31)
#define CR4_PAE		(1ull << 5)
#define CR4_PKE		(1ull << 22)
#define EFER_LONG	0xd00		/* LME, LMA, NXE */

static struct fake {
	struct mvmm_guest guest;
	struct mvmm_run run;
	struct mvmm_sregs sregs;
	struct mvmm_events events;
	struct mvmm_dregs dregs;
	uint8_t xsave[FAKE_XSAVE];
	struct mvmm_inject injected;
	unsigned int injections, accesses;
	uint8_t memory[FAKE_MEMORY] __attribute__((aligned(4096)));
	uint8_t device[8192];
} fake;

int ioctl(int fd, unsigned long cmd, ...)
{
	struct mvmm_xsave *xsave;
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	xsave = arg;
	switch (cmd) {
	case MVMM_VCPU_GET_SREGS:
		memcpy(arg, &fake.sregs, sizeof(fake.sregs));
		break;
	case MVMM_VCPU_SET_SREGS:
		memcpy(&fake.sregs, arg, sizeof(fake.sregs));
		break;
	case MVMM_VCPU_GET_EVENTS:
		memcpy(arg, &fake.events, sizeof(fake.events));
		break;
	case MVMM_VCPU_SET_EVENTS:
		memcpy(&fake.events, arg, sizeof(fake.events));
		break;
	case MVMM_VCPU_GET_DREGS:
		memcpy(arg, &fake.dregs, sizeof(fake.dregs));
		break;
	case MVMM_VCPU_SET_DREGS:
		memcpy(&fake.dregs, arg, sizeof(fake.dregs));
		break;
	case MVMM_VCPU_GET_XSAVE:
		memcpy((void *)(uintptr_t)xsave->addr, fake.xsave, FAKE_XSAVE);
		break;
	case MVMM_VCPU_SET_XSAVE:
		memcpy(fake.xsave, (void *)(uintptr_t)xsave->addr, FAKE_XSAVE);
		break;
	case MVMM_VCPU_INJECT:
		fake.injected = *(struct mvmm_inject *)arg;
		fake.injections++;
		break;
	}
	return 0;
}

static void *fake_memory(void *ctx, uint64_t gpa, uint64_t len, uint32_t access)
{
	uint64_t end = access & MVMM_ACCESS_WRITE ? FAKE_ROM : FAKE_MEMORY;

	return gpa < end && len <= end - gpa ? fake.memory + gpa : NULL;
}

static void fake_port(void *ctx, uint16_t port, void *data, unsigned int size,
		      bool write)
{
	fake.accesses++;
	if (!write)
		memset(data, 0x5a, size);
}

static void fake_mmio(void *ctx, uint64_t gpa, void *data, unsigned int size,
		      bool write)
{
	uint64_t offset = gpa - FAKE_DEVICE;

	fake.accesses++;
	if (!size || size > 8)
		__builtin_trap();
	if (offset >= sizeof(fake.device) ||
	    size > sizeof(fake.device) - offset) {
		if (!write)
			memset(data, 0xff, size);
	} else if (write) {
		memcpy(fake.device + offset, data, size);
	} else {
		memcpy(data, fake.device + offset, size);
	}
}

/* Real mode; all segments flat, but with the limit of real mode */
static void fake_reset(void)
{
	struct mvmm_segment *s;

	memset(&fake, 0, sizeof(fake));
	fake.guest = (struct mvmm_guest){
		.run = &fake.run, .memory = fake_memory, .port = fake_port,
		.mmio = fake_mmio };
	fake.sregs.size = sizeof(fake.sregs);
	for (s = &fake.sregs.es; s <= &fake.sregs.gs; s++)
		*s = (struct mvmm_segment){ .limit = 0xffff, .attr = 0x93 };
	fake.run.exit_reason = MVMM_EXIT_MMIO;
	fake.run.regs.rflags = 2;
}

#endif
