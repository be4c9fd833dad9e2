// SPDX-License-Identifier: GPL-2.0
/*
 * What interrupts cost with local APICs in the kernel: timers, IPIs, and waking
 * from HLT. Guests are in x2APIC mode.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "bench.h"

#define HANDLERS	0x12000ul
#define CODE2		0x14000ul	/* code of the second vCPU */
#define MESSAGE_VECTOR	0x45
#define TIMER_VECTOR	0x41
#define THERE_VECTOR	0x42
#define SELF_VECTOR	0x43
#define BACK_VECTOR	0x44

/* Guest code without samples. Any part may change rax, rcx and rdx */
#define PLAIN(name, insns)						\
	asm(".pushsection .rodata\n"					\
	    #name ":\n" insns #name "_end:\n.popsection\n");		\
	extern const char name[], name##_end[]

#define WRMSR(msr, low, high)						\
	"mov $" #msr ", %ecx\n mov $" #low ", %eax\n mov $" #high ", %edx\n" \
	"wrmsr\n"
#define EOI WRMSR(0x80b, 0, 0)
#define TSC "rdtsc\n shl $32, %rdx\n or %rdx, %rax\n"
#define DONE "mov $0xf0, %edx\n out %al, %dx\n"

/* x2APIC mode, software enabled, the timer by TSC deadline */
PLAIN(apic_on,
      "mov $0x1b, %ecx\n rdmsr\n or $0xc00, %eax\n wrmsr\n"
      WRMSR(0x80f, 0x1ff, 0) WRMSR(0x832, 0x40041, 0) DONE);

PLAIN(on_timer, TSC "mov %rax, %r13\n" EOI "iretq\n");
PLAIN(on_there, "dec %ebp\n" EOI WRMSR(0x830, 0x44, 0) "iretq\n");
PLAIN(on_other, EOI "iretq\n");

/* Samples: from a deadline r8 ticks ahead to the handler's first instruction */
#define TIMED(wait)							\
	"1: " TSC "add %r8, %rax\n mov %rax, %r14\n"			\
	"mov %rax, %rdx\n shr $32, %rdx\n mov $0x6e0, %ecx\n"		\
	"xor %r13d, %r13d\n wrmsr\n sti\n" wait "cli\n"			\
	"sub %r14, %r13\n mov %r13, (%rdi)\n add $8, %rdi\n"		\
	"dec %ebp\n jnz 1b\n" DONE
PLAIN(timer_busy, TIMED("2: test %r13, %r13\n jz 2b\n"));
PLAIN(timer_hlt, TIMED("hlt\n"));

#define SAMPLED(insns)							\
	"1: " TSC "mov %rax, %r14\n" insns TSC				\
	"sub %r14, %rax\n mov %rax, (%rdi)\n add $8, %rdi\n"		\
	"dec %ebp\n jnz 1b\n" DONE
PLAIN(ipi_self, SAMPLED("sti\n" WRMSR(0x83f, 0x43, 0) "cli\n"));
PLAIN(message, SAMPLED("sti\n mov $0xf1, %edx\n out %al, %dx\n cli\n"));
PLAIN(ipi_there, SAMPLED(WRMSR(0x830, 0x42, 1) "sti\n hlt\n cli\n"));
/*
 * The second vCPU. The handler counts, since the next interrupt may come before
 * the handler's IRET
 */
PLAIN(ipi_back, "mov $0x28000, %esp\n"
		"1: test %ebp, %ebp\n jle 2f\n sti\n hlt\n cli\n jmp 1b\n"
		"2: " DONE);

static void set_gate(struct machine *m, int vector, const char *code,
		     const char *end)
{
	uint64_t *idt = (uint64_t *)(m->mem + IDT);
	uint64_t handler = HANDLERS + 0x100 * (vector - TIMER_VECTOR);

	memcpy(m->mem + handler, code, end - code);
	idt[2 * vector] = (handler & 0xffff) | 8 << 16 | 0x8e00ull << 32 |
			  (handler >> 16) << 48;
}

struct row {
	const char *name;
	const char *code, *end;
	uint64_t r8;
	bool two;		/* two vCPUs */
};

static void *run_second(void *second)
{
	struct machine *m = second;

	return (void *)(intptr_t)m->monitor->run(m);
}

static int take_both(struct machine *m, struct machine *second,
		     const struct row *row, int n)
{
	struct start start = { .rip = CODE2, .rbp = n, .rflags = 2 };
	pthread_t thread;
	void *theirs;
	int ret;

	if (!row->two)
		return take(m, row->code, row->end, 0, row->r8, n);
	ret = m->monitor->start(second, &start);
	if (!ret)
		ret = -pthread_create(&thread, NULL, run_second, second);
	if (ret)
		return ret;
	ret = take(m, row->code, row->end, 0, row->r8, n);
	pthread_join(thread, &theirs);
	return ret ? ret : (intptr_t)theirs;
}

static void measure_row(struct machine *m, struct machine *second,
			const struct row *row)
{
	enum { N = 201 };
	int ret;

	if (!wanted(row->name))
		return;
	ret = take_both(m, second, row, 20);
	if (!ret)
		ret = take_both(m, second, row, N);
	if (ret)
		complain(row->name, ret);
	else
		say(row->name, "ticks", median(m, N));
}

/* A message by an irqfd, which the client signals when the guest asks for it */
static void measure_message(struct machine *m)
{
	enum { N = 501 };
	int fd = eventfd(0, EFD_CLOEXEC), ret;

	if (!wanted("msix_inject"))
		return;
	set_gate(m, MESSAGE_VECTOR, CODE_OF(on_other));
	ret = m->monitor->message(m, MESSAGE_VECTOR, fd);
	m->message_fd = fd;
	if (!ret)
		ret = take(m, CODE_OF(message), 0, 0, 20);
	if (!ret)
		ret = take(m, CODE_OF(message), 0, 0, N);
	m->message_fd = 0;
	if (ret)
		complain("msix_inject", ret);
	else
		say("msix_inject", "ticks", median(m, N));
}

#define NO_MORE_KICKS	(1ull << 32)

static void *wait_for_kicks(void *fd)
{
	eventfd_t count = 0;

	while (count < NO_MORE_KICKS)
		eventfd_read((intptr_t)fd, &count);
	return NULL;
}

/*
 * A doorbell that wakes the thread which serves the queue. Where each one has
 * it: mvmm's virtio in an I/O BAR, QEMU's in memory
 */
static void measure_kick(struct machine *m)
{
	enum { N = 501 };
	bool in_memory = m->monitor == &kvm_monitor;
	int fd = eventfd(0, EFD_CLOEXEC), ret;
	pthread_t thread;

	if (!wanted("queue_kick"))
		return;
	ret = m->monitor->doorbell(m, in_memory ? DOORBELL : 0, PORT_DOORBELL,
				   fd);
	if (!ret)
		ret = -pthread_create(&thread, NULL, wait_for_kicks,
				      (void *)(intptr_t)fd);
	if (ret) {
		complain("queue_kick", ret);
		return;
	}
	if (in_memory)
		ret = take(m, CODE_OF(mmio_write), DOORBELL, 0, N);
	else
		ret = take(m, CODE_OF(doorbell_pio), 0, 0, N);
	if (ret)
		complain("queue_kick", ret);
	else
		say("queue_kick", "ticks", median(m, N));
	eventfd_write(fd, NO_MORE_KICKS);
	pthread_join(thread, NULL);
}

/*
 * Timers, IPIs and waking up, in a VM of their own with two vCPUs. These rows
 * come last because a lost wake-up, which an emulator's STI shadow may cause,
 * ends the program by alarm().
 */
void measure_interrupts(const struct monitor *monitor, int system)
{
	static const struct row rows[] = {
		{ "timer", CODE_OF(timer_busy), .r8 = 200000 },
		{ "hlt_wake", CODE_OF(timer_hlt), .r8 = 1000000 },
		{ "ipi_self", CODE_OF(ipi_self) },
		{ "ipi", CODE_OF(ipi_there), .two = true },
	};
	struct machine m, second;
	size_t i;
	int ret;

	ret = make_apic_machine(&m, monitor, system);
	if (ret >= 0)
		ret = add_vcpu(&second, &m);
	if (ret >= 0)
		ret = take(&m, CODE_OF(apic_on), 0, 0, 0);
	if (ret >= 0)
		ret = take(&second, CODE_OF(apic_on), 0, 0, 0);
	if (ret) {
		complain("interrupts", ret);
		return;
	}
	alarm(120);
	set_gate(&m, TIMER_VECTOR, CODE_OF(on_timer));
	set_gate(&m, THERE_VECTOR, CODE_OF(on_there));
	set_gate(&m, SELF_VECTOR, CODE_OF(on_other));
	set_gate(&m, BACK_VECTOR, CODE_OF(on_other));
	memcpy(m.mem + CODE2, ipi_back, ipi_back_end - ipi_back);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		measure_row(&m, &second, &rows[i]);
	measure_message(&m);
	measure_kick(&m);
	alarm(0);
	monitor->release(&second);
	close(second.vcpu);
	unmake_machine(&m);
}
