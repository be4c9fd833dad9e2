/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One guest, two monitors: what the measurements need of mvmm and of KVM.
 * Each is driven by a client as thin as it can be.
 */
#ifndef MVMM_BENCH_H
#define MVMM_BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* Guest-physical layout; linear addresses below 4 GiB are the same */
#define MEM_SIZE	(4ul << 20)
#define CODE		0x10000ul
#define STACK		0x20000ul	/* grows down from here */
#define GDT		0x30000ul
#define IDT		0x31000ul
#define TSS		0x32000ul
#define TABLES		0x40000ul
#define DATA		0x100000ul
#define SAMPLES		0x200000ul	/* MAX_SAMPLES of 8 bytes */
#define AREA		0x40000000ul	/* what the faults are measured on */
#define VOID		0xe0000000ul	/* no memory: MMIO */
#define DOORBELL	0xe0001000ul	/* an ioeventfd */

#define MAX_SAMPLES	32768

#define PORT_DONE	0xf0
#define PORT_IRQ	0xf1	/* asks for an interrupt of IRQ_VECTOR */
#define PORT_DATA	0xf2
#define PORT_DOORBELL	0xf4	/* an ioeventfd */
#define IRQ_VECTOR	0x40

struct machine {
	const struct monitor *monitor;
	char *mem;		/* MEM_SIZE bytes at gpa 0 */
	int system, vm, vcpu;
	void *run;
	bool done;
	int bell;		/* an eventfd, where it is rung by hand */
	void *private;		/* the monitor's */
};

struct start {
	uint64_t rip, rbx, rcx, rbp, rdi, r8;
	uint64_t rflags;
};

/* All return 0 or more, or -errno */
struct monitor {
	const char *name;
	int (*open)(void);		/* the system fd */
	int (*create_vm)(int system);
	int (*create_vcpu)(int vm);
	int (*map)(int vm, int slot, uint64_t gpa, void *hva, uint64_t len);
	int (*unmap)(int vm, int slot, uint64_t gpa, uint64_t len);
	/* of a vCPU: the run page, CPUID, what else a guest needs */
	int (*prepare)(struct machine *m);
	void (*release)(struct machine *m);
	/* 64-bit mode, paging by TABLES, descriptor tables as above */
	int (*start)(struct machine *m, const struct start *start);
	/* until the guest writes to PORT_DONE */
	int (*run)(struct machine *m);
	int (*get_state)(struct machine *m);
	int (*set_state)(struct machine *m);
	/* @gpa 0: the port */
	int (*doorbell)(struct machine *m, uint64_t gpa, uint16_t port, int fd);
};

extern const struct monitor mvmm_monitor, kvm_monitor;

#endif
