/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine without vCPUs, for tests of devices: buses, interrupt lines, a loop
 * and a clock that stands, which the test moves on. ioctl() plays the module.
 */
#ifndef MVMM_BARE_H
#define MVMM_BARE_H

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "core/machine.h"

static struct machine m;
static struct error error;

/* The lines: a level and the edges up, of each; the messages */
static struct {
	bool up[IRQ_LINES];
	unsigned int edges[IRQ_LINES];
	struct mvmm_msi msi;
	unsigned int msis;
	bool msi_refused;
	struct mvmm_ioeventfd doorbell;	/* the last one */
	unsigned int doorbells;		/* that are assigned */
	struct mvmm_irqfd irqfd;	/* the last one */
	unsigned int irqfds;		/* that are assigned */
	bool irqfd_refused;
} noted;

/* The other end of the serial port */
static struct {
	struct chardev chardev;
	char sent[64];
	unsigned int len;
	bool closed;		/* nothing can be sent */
	char typed[64];
	unsigned int first, end;
} wire;

static int note_irqfd(const struct mvmm_irqfd *irqfd)
{
	bool off = irqfd->flags & MVMM_IRQFD_DEASSIGN;

	if (noted.irqfd_refused && !off) {
		errno = ENOSPC;
		return -1;
	}
	noted.irqfd = *irqfd;
	noted.irqfds += off ? -1 : 1;
	return 0;
}

/* Those of another kernel's module, if a test plays that: vhost's */
static int (*other_ioctl)(unsigned long cmd, void *arg);
static int other_fd;	/* of the last one */

/* The module's memory, if a test plays that */
static int (*memory_ioctl)(unsigned long cmd, void *arg);

int ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	if (other_ioctl && _IOC_TYPE(cmd) != MVMM_IOC) {
		other_fd = fd;
		return other_ioctl(cmd, arg);
	}
	if (cmd == MVMM_VM_IOEVENTFD) {
		noted.doorbell = *(struct mvmm_ioeventfd *)arg;
		if (noted.doorbell.flags & MVMM_IOEVENTFD_DEASSIGN)
			noted.doorbells--;
		else
			noted.doorbells++;
	}
	if (memory_ioctl && (cmd == MVMM_VM_ADD_REGION ||
			     cmd == MVMM_VM_REMOVE_REGION ||
			     cmd == MVMM_VM_CHANGE_REGIONS ||
			     cmd == MVMM_VM_GET_DIRTY_LOG))
		return memory_ioctl(cmd, arg);
	if (cmd == MVMM_VM_IRQFD)
		return note_irqfd(arg);
	if (cmd == MVMM_VCPU_GET_MSR_LIST)
		((struct mvmm_msrs *)arg)->nr = 0;
	if (cmd == MVMM_VCPU_SET_MSRS)
		return ((struct mvmm_msrs *)arg)->nr;
	if (cmd != MVMM_VM_MSI)
		return 0;
	noted.msi = *(struct mvmm_msi *)arg;
	noted.msis++;
	return !noted.msi_refused;
}

static void note_line(void *ctx, unsigned int line, bool up)
{
	noted.up[line] = up;
	noted.edges[line] += up;
}

static size_t wire_put(struct chardev *chardev, const uint8_t *bytes,
		       size_t len)
{
	size_t i;

	for (i = 0; i < len && !wire.closed; i++)
		wire.sent[wire.len++ % sizeof(wire.sent)] = bytes[i];
	return i;
}

static size_t wire_take(struct chardev *chardev, uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len && wire.first != wire.end; i++)
		bytes[i] = wire.typed[wire.first++];
	return i;
}

static bool wire_is_flushed(struct chardev *chardev)
{
	return true;
}

static void bare_stop(void)
{
	if (!m.loop.clock)
		return;
	devices_destroy(&m);
	bus_destroy(&m.ports);
	bus_destroy(&m.mmio);
	loop_destroy(&m.loop);
	m.loop.clock = NULL;
}

/* Without devices */
static void bare_start(void)
{
	static const struct chardev_ops ops = { wire_put, wire_take,
						wire_is_flushed };

	bare_stop();
	memset(&m, 0, sizeof(m));
	memset(&noted, 0, sizeof(noted));
	memset(&wire, 0, sizeof(wire));
	error = (struct error){ 0 };
	wire.chardev.ops = &ops;
	wire.chardev.is_open = true;
	m.console = m.serial = &wire.chardev;
	m.vm = -1;
	pthread_mutex_init(&m.end_lock, NULL);
	pthread_mutex_init(&m.irqs.lock, NULL);
	pthread_cond_init(&m.wake, NULL);
	m.irqs.changed = note_line;
	bus_init(&m.ports, "port", 0xffff);
	bus_init(&m.mmio, "address", ~0ull);
	vm_clock_init(&m.clock, 1000000000000);
	if (loop_init(&m.loop, &m.clock))
		__builtin_trap();
}

static inline void bare_device_with(const char *name, const char *options)
{
	if (!device_create(&m, name, options, &error))
		__builtin_trap();
}

static inline void bare_device(const char *name)
{
	bare_device_with(name, NULL);
}

static inline void outs(uint64_t port, uint64_t value, unsigned int size)
{
	bus_access(&m.ports, port, &value, size, true);
}

static inline void outb(uint64_t port, uint8_t value)
{
	outs(port, value, 1);
}

static inline uint64_t ins(uint64_t port, unsigned int size)
{
	uint64_t value = 0;

	bus_access(&m.ports, port, &value, size, false);
	return value;
}

static inline uint8_t inb(uint64_t port)
{
	return ins(port, 1);
}

/* A register of the MC146818, or a byte of its RAM */
static inline uint8_t rtc_get(uint8_t index)
{
	outb(0x70, index);
	return inb(0x71);
}

static inline void rtc_put(uint8_t index, uint8_t value)
{
	outb(0x70, index);
	outb(0x71, value);
}

/* What the loop would do now. Returns when it would look again, 0: never */
static inline uint64_t run_timers(void)
{
	struct timer *timer;

	pthread_mutex_lock(&m.loop.lock);
	while ((timer = m.loop.timers) && timer->when <= m.clock.stopped_at) {
		m.loop.timers = timer->next;
		timer->when = 0;
		timer->fn(timer->ctx);
	}
	pthread_mutex_unlock(&m.loop.lock);
	return timer ? timer->when : 0;
}

#endif
