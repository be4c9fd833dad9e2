/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One guest, two monitors: what the measurements need from mvmm and from KVM.
 * mvmm.c and kvm.c are clients of the two, as small as possible.
 */
#ifndef MVMM_BENCH_H
#define MVMM_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Guest-physical layout; below 4 GiB linear addresses are the same */
#define MEM_SIZE	(4ul << 20)
#define CODE		0x10000ul
#define STACK		0x20000ul	/* grows down from here */
#define GDT		0x30000ul
#define IDT		0x31000ul
#define TSS		0x32000ul
#define TABLES		0x40000ul
#define DATA		0x100000ul
#define SAMPLES		0x200000ul	/* MAX_SAMPLES of 8 bytes */
#define AREA		0x40000000ul	/* memory for measuring faults */
#define VOID		0xe0000000ul	/* no memory: MMIO */
#define DOORBELL	0xe0001000ul	/* an ioeventfd */

#define MAX_SAMPLES	32768

#define PORT_DONE	0xf0
#define PORT_IRQ	0xf1	/* a write asks for an interrupt of IRQ_VECTOR */
#define PORT_DATA	0xf2
#define PORT_DOORBELL	0xf4	/* an ioeventfd */
#define IRQ_VECTOR	0x40

struct machine {
	const struct monitor *monitor;
	char *mem;		/* @size bytes at gpa 0, at least MEM_SIZE */
	uint64_t size;
	int system, vm, vcpu;
	void *run;
	bool apic;		/* local APICs in the kernel */
	bool done;
	bool by_library;	/* libmvmm completes port I/O too */
	int doorbell_fd;	/* the client itself signals it, if at all */
	int message_fd;		/* if not 0, PORT_IRQ signals it */
	void *private;		/* for the monitor */
};

struct start {
	uint64_t rip, rbx, rcx, rbp, rdi, r8;
	uint64_t rflags;
};

/* All return 0 or more, or -errno */
struct monitor {
	const char *name;
	int (*open)(void);		/* the system fd */
	int (*create_vm)(int system, bool apic);
	int (*create_vcpu)(int vm, int id);
	/* @region: number of the region, for KVM */
	int (*map)(int vm, int region, uint64_t gpa, void *hva, uint64_t len);
	int (*unmap)(int vm, int region, uint64_t gpa, uint64_t len);
	/* the same, and log the pages that the guest writes to */
	int (*map_logged)(int vm, int region, uint64_t gpa, void *hva,
			  uint64_t len);
	/* a bit for each page; the log is empty afterwards */
	int (*get_log)(int vm, int region, uint64_t gpa, uint64_t len,
		       uint64_t *bitmap);
	/* a vCPU's run page, CPUID, and what else a guest needs */
	int (*prepare)(struct machine *m);
	void (*release)(struct machine *m);
	/* lets a second vCPU run without INIT and SIPI */
	int (*make_runnable)(struct machine *m);
	/* sets 64-bit mode, paging with TABLES, descriptor tables as above */
	int (*start)(struct machine *m, const struct start *start);
	/* runs until the guest writes to PORT_DONE */
	int (*run)(struct machine *m);
	int (*get_state)(struct machine *m);
	int (*set_state)(struct machine *m);
	/* at @gpa, or if that is 0 at @port */
	int (*doorbell)(struct machine *m, uint64_t gpa, uint16_t port, int fd);
	/* a signal of @fd is a message to vCPU 0's local APIC */
	int (*message)(struct machine *m, int vector, int fd);
};

extern const struct monitor mvmm_monitor, kvm_monitor;

/* ---- bench.c ---------------------------------------------------------- */

/* Guest code that other files run too */
#define CODE_OF(name) name, name##_end
extern const char nothing[], nothing_end[], cpuid[], cpuid_end[];
extern const char doorbell_pio[], doorbell_pio_end[];
extern const char mmio_write[], mmio_write_end[];
extern const char page_write[], page_write_end[];

extern const char *only;	/* this operation, if not NULL */
bool wanted(const char *name);
void say(const char *name, const char *unit, double value);
void complain(const char *name, int error);

/* Its memory is in 4 KiB pages, not touched yet, and in equal regions */
int make_machine(struct machine *m, const struct monitor *monitor, int system,
		 uint64_t size, int regions);
int make_apic_machine(struct machine *m, const struct monitor *monitor,
		      int system);
/* A second vCPU of @m's VM, with its own run page and state */
int add_vcpu(struct machine *second, const struct machine *m);
void unmake_machine(struct machine *m);
/* Runs @code, which takes @n samples and leaves them at SAMPLES */
int take(struct machine *m, const char *code, const char *end, uint64_t rbx,
	 uint64_t r8, int n);
/* Of the samples of the last take() */
uint64_t median(struct machine *m, int n);
double mean(struct machine *m, int n);
/*
 * Starts a process that uses the CPU while nobody else wants it, and counts its
 * ticks in **got. Returns its pid, to be killed by the caller; -1: it failed
 */
pid_t start_busy(volatile uint64_t **got);

/* ---- interrupts.c ----------------------------------------------------- */

void measure_interrupts(const struct monitor *monitor, int system);

/* ---- scale.c ---------------------------------------------------------- */

void measure_kernel_per_vm(const struct monitor *monitor, int system);
void measure_scales(const struct monitor *monitor, int system);
void count_vms(const struct monitor *monitor);
int launch(const char *operation, const char *mark, char **command);

#endif
