// SPDX-License-Identifier: GPL-2.0
/*
 * What exits, faults, and making VMs and vCPUs cost in TSC ticks, under mvmm or
 * KVM.
 *
 *   bench mvmm|kvm|host [OPERATION [TIMES]]
 *   bench fit mvmm|kvm
 *   bench launch OPERATION MARK COMMAND...
 *
 * Prints lines "operation unit figure". The guest measures what it does itself;
 * the figure is the median of its samples, or the mean for what is done once
 * per page. "host" measures the lower bound of both: the host's own page
 * faults. "fit" computes how many VMs fit into memory. "launch" starts a
 * command and measures until it prints MARK. Pictures and ratios are made by
 * bench/run.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>
#include "bench.h"

#define AREA_SIZE	(64ul << 20)
#define PAGES		(AREA_SIZE >> 12)
#define HUGE		(2ul << 20)

/* Guest code: stores rbp samples of @insn at (rdi), then writes to PORT_DONE */
#define GUEST(name, insn)						\
	asm(".pushsection .rodata\n"					\
	    ".globl " #name ", " #name "_end\n"			\
	    #name ":\n"							\
	    "1: lfence\n rdtsc\n shl $32, %rdx\n or %rdx, %rax\n"	\
	    "mov %rax, %r14\n"						\
	    insn "\n"							\
	    "lfence\n rdtsc\n shl $32, %rdx\n or %rdx, %rax\n"		\
	    "sub %r14, %rax\n mov %rax, (%rdi)\n add $8, %rdi\n"	\
	    "dec %ebp\n jnz 1b\n"					\
	    "mov $0xf0, %edx\n out %al, %dx\n"				\
	    #name "_end:\n.popsection\n");				\
	extern const char name[], name##_end[]

GUEST(nothing, "");
GUEST(cpuid, "xor %eax, %eax\n xor %ecx, %ecx\n cpuid");
GUEST(vmcall, "mov $-1, %eax\n vmcall");
GUEST(vmmcall, "mov $-1, %eax\n vmmcall");
GUEST(rdmsr, "mov $0x1a0, %ecx\n rdmsr");
GUEST(pio_out, "mov $0xf2, %edx\n out %al, %dx");
GUEST(pio_in, "mov $0xf2, %edx\n in %dx, %al");
GUEST(pio_string, "mov $0xf2, %edx\n mov $512, %ecx\n mov $0x100000, %esi\n"
		  "rep outsb");
GUEST(hlt_user, "hlt");
GUEST(mmio_write, "mov %eax, (%rbx)");
GUEST(mmio_far, "mov %eax, 0x12345678(%rbx)");
GUEST(mmio_read, "mov (%rbx), %eax");
GUEST(cr0_write, "xor $0x40000, %r8\n mov %r8, %cr0");
GUEST(cr4_write, "xor $0x40, %r8\n mov %r8, %cr4");
GUEST(irq_inject, "mov $0xf1, %edx\n out %al, %dx");
GUEST(doorbell_pio, "mov $0xf4, %edx\n out %al, %dx");
GUEST(page_write, "movb $1, (%rbx)\n add $4096, %rbx");
GUEST(page_read, "mov (%rbx), %al\n add $4096, %rbx");

/* Samples gaps in which the guest did not run: interrupts of the host */
asm(".pushsection .rodata\n"
    "irq_exit:\n"
    "rdtsc\n shl $32, %rdx\n or %rdx, %rax\n mov %rax, %r14\n"
    "1: rdtsc\n shl $32, %rdx\n or %rdx, %rax\n mov %rax, %r15\n"
    "sub %r14, %rax\n mov %r15, %r14\n cmp $100, %rax\n jb 1b\n"
    "mov %rax, (%rdi)\n add $8, %rdi\n dec %ebp\n jnz 1b\n"
    "mov $0xf0, %edx\n out %al, %dx\n"
    "irq_exit_end:\n.popsection\n");
extern const char irq_exit[], irq_exit_end[];

enum { ANON, HUGE_ANON, FILE_BACKED };
enum { FRESH, POPULATED, DROPPED };

struct sampled {
	const char *name;
	const char *code, *end;
	uint64_t rbx, r8;
	int samples;
	int divide;		/* units in a sample; 0: one */
	const char *unit;
	bool by_library;
};

static const struct sampled exits[] = {
	{ "nothing", CODE_OF(nothing) },
	{ "cpuid", CODE_OF(cpuid) },
	{ "rdmsr", CODE_OF(rdmsr) },
	{ "cr0_write", CODE_OF(cr0_write), .r8 = 0x80000031 },
	{ "cr4_write", CODE_OF(cr4_write), .r8 = 0x220 },
	{ "pio_out", CODE_OF(pio_out) },
	{ "pio_in", CODE_OF(pio_in) },
	{ "pio_out_lib", CODE_OF(pio_out), .by_library = true },
	{ "pio_string", CODE_OF(pio_string), .samples = 64, .divide = 512,
	  .unit = "ticks/byte" },
	{ "hlt_user", CODE_OF(hlt_user) },
	{ "mmio_write", CODE_OF(mmio_write), .rbx = VOID },
	{ "mmio_read", CODE_OF(mmio_read), .rbx = VOID },
	{ "irq_inject", CODE_OF(irq_inject) },
	{ "irq_exit", CODE_OF(irq_exit), .samples = 32 },
};

struct faulted {
	const char *name;
	int backing, state;
	bool read;
};

static const struct faulted faults[] = {
	{ "fault_fresh", ANON, FRESH, false },
	{ "fault_read_fresh", ANON, FRESH, true },
	{ "fault_populated", ANON, POPULATED, false },
	{ "fault_dropped", ANON, DROPPED, false },
	{ "fault_dropped_read", ANON, DROPPED, true },
	{ "fault_file", FILE_BACKED, POPULATED, false },
	{ "fault_file_read", FILE_BACKED, POPULATED, true },
	{ "fault_thp_fresh", HUGE_ANON, FRESH, false },
	{ "fault_thp_populated", HUGE_ANON, POPULATED, false },
};

static int failures;
const char *only;
static int repeat = 1;	/* how often each operation of exits[] is measured */

bool wanted(const char *name)
{
	return !only || !strcmp(only, name);
}

void say(const char *name, const char *unit, double value)
{
	printf("%s %s %.1f\n", name, unit, value);
	fflush(stdout);
}

void complain(const char *name, int error)
{
	printf("# %s failed: %s\n", name, strerror(-error));
	failures++;
}

/* ---- the machine ------------------------------------------------------ */

static void make_tables(char *mem)
{
	uint64_t *tables = (uint64_t *)(mem + TABLES);
	uint64_t *gdt = (uint64_t *)(mem + GDT), *idt = (uint64_t *)(mem + IDT);
	uint64_t handler = STACK;
	int i;

	tables[0] = (TABLES + 0x1000) | 7;
	for (i = 0; i < 4; i++)
		tables[512 + i] = (TABLES + 0x2000 + i * 0x1000) | 7;
	for (i = 0; i < 2048; i++)
		tables[1024 + i] = (uint64_t)i << 21 | 0xe7;
	gdt[1] = 0x00af9b000000ffffull;
	gdt[2] = 0x00cf93000000ffffull;
	gdt[3] = 0x00008b0000000067ull | (TSS & 0xffffff) << 16;
	memcpy(mem + handler, "\x48\xcf", 2);	/* iretq */
	idt[2 * IRQ_VECTOR] = (handler & 0xffff) | 8 << 16 | 0x8e00ull << 32 |
			      (handler >> 16) << 48;
}

static int make(struct machine *m, const struct monitor *monitor, int system,
		uint64_t size, int regions, bool apic)
{
	uint64_t each = size / regions;
	int ret, i;

	*m = (struct machine){ .monitor = monitor, .system = system,
			       .size = size, .apic = apic };
	m->mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->mem == MAP_FAILED)
		return -errno;
	madvise(m->mem, size, MADV_NOHUGEPAGE);
	make_tables(m->mem);
	ret = m->vm = monitor->create_vm(system, apic);
	for (i = 0; i < regions && ret >= 0; i++)
		ret = monitor->map(m->vm, i, i * each, m->mem + i * each,
				   each);
	if (ret >= 0)
		ret = m->vcpu = monitor->create_vcpu(m->vm, 0);
	if (ret >= 0)
		ret = monitor->prepare(m);
	return ret;
}

int make_machine(struct machine *m, const struct monitor *monitor, int system,
		 uint64_t size, int regions)
{
	return make(m, monitor, system, size, regions, false);
}

int make_apic_machine(struct machine *m, const struct monitor *monitor,
		      int system)
{
	return make(m, monitor, system, MEM_SIZE, 1, true);
}

int add_vcpu(struct machine *second, const struct machine *m)
{
	int ret;

	*second = *m;
	ret = second->vcpu = m->monitor->create_vcpu(m->vm, 1);
	if (ret >= 0)
		ret = m->monitor->prepare(second);
	return ret < 0 ? ret : m->monitor->make_runnable(second);
}

void unmake_machine(struct machine *m)
{
	m->monitor->release(m);
	close(m->vcpu);
	close(m->vm);
	munmap(m->mem, m->size);
}

int take(struct machine *m, const char *code, const char *end, uint64_t rbx,
	 uint64_t r8, int n)
{
	/* Interrupts are on only where they are measured */
	bool irqs = code == irq_inject || code == irq_exit;
	struct start start = {
		.rip = CODE, .rbx = rbx, .rbp = n, .rdi = SAMPLES, .r8 = r8,
		.rflags = irqs ? 0x202 : 2 };
	int ret;

	memcpy(m->mem + CODE, code, end - code);
	ret = m->monitor->start(m, &start);
	return ret ? ret : m->monitor->run(m);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t median(struct machine *m, int n)
{
	uint64_t *samples = (uint64_t *)(m->mem + SAMPLES);

	qsort(samples, n, sizeof(*samples), compare);
	return samples[n / 2];
}

double mean(struct machine *m, int n)
{
	uint64_t *samples = (uint64_t *)(m->mem + SAMPLES);
	double sum = 0;
	int i;

	for (i = 0; i < n; i++)
		sum += samples[i];
	return sum / n;
}

/* ---- exits ------------------------------------------------------------ */

/* SVM's hypercall instruction differs from VMX's */
static bool has_svm(void)
{
	unsigned int a = 0x80000001, b, c = 0, d;

	asm("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
	return c & 4;
}

static void measure(struct machine *m, const struct sampled *s)
{
	int n = s->samples ? s->samples : 4000, ret, i;

	if (!wanted(s->name))
		return;
	m->by_library = s->by_library;
	/* First some that do not count, to warm up memory and caches */
	ret = take(m, s->code, s->end, s->rbx, s->r8, n < 100 ? n : 100);
	for (i = repeat; i && !ret; i--)
		ret = take(m, s->code, s->end, s->rbx, s->r8, n);
	if (ret)
		complain(s->name, ret);
	else
		say(s->name, s->unit ? s->unit : "ticks",
		    (double)median(m, n) / (s->divide ? s->divide : 1));
}

static void measure_hypercall(struct machine *m)
{
	struct sampled s = { "hypercall", CODE_OF(vmcall) };

	if (has_svm()) {
		s.code = vmmcall;
		s.end = vmmcall_end;
	}
	measure(m, &s);
}

/* Many copies of a write to MMIO, each to another address, and each run once */
static void measure_mmio_cold(struct machine *m)
{
	size_t one, len = 0;
	char code[16384], *disp;
	int i, n = 128, ret;

	if (!wanted("mmio_cold"))
		return;
	/* Without the end of the loop: dec, jnz, mov, out */
	one = memmem(mmio_far, mmio_far_end - mmio_far, "\xff\xcd", 2) -
	      (void *)mmio_far;
	for (i = 0; i < n; i++, len += one) {
		memcpy(code + len, mmio_far, one);
		disp = memmem(code + len, one, "\x78\x56\x34\x12", 4);
		memcpy(disp, &(int){ 8 * i }, 4);
	}
	memcpy(code + len, "\xba\xf0\0\0\0\xee", 6);
	ret = take(m, code, code + len + 6, VOID, 0, n);
	if (ret)
		complain("mmio_cold", ret);
	else
		say("mmio_cold", "ticks", median(m, n));
}

static void measure_doorbells(struct machine *m)
{
	struct sampled pio = { "ioeventfd_pio", CODE_OF(doorbell_pio) };
	struct sampled mmio = { "ioeventfd_mmio", CODE_OF(mmio_write),
				.rbx = DOORBELL };
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t count;

	if (!m->monitor->doorbell || only)
		return;
	if (!m->monitor->doorbell(m, 0, PORT_DOORBELL, fd)) {
		measure(m, &pio);
		if (read(fd, &count, 8) != 8 || count != 4100)
			complain("ioeventfd_pio's count", -EPROTO);
	}
	if (!m->monitor->doorbell(m, DOORBELL, 0, fd)) {
		measure(m, &mmio);
		if (read(fd, &count, 8) != 8 || count != 4100)
			complain("ioeventfd_mmio's count", -EPROTO);
	}
	close(fd);
}

/* ---- faults ----------------------------------------------------------- */

static char *get_area(const struct faulted *f)
{
	int fd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	size_t size = AREA_SIZE + HUGE;
	char *area;

	if (f->backing == FILE_BACKED) {
		fd = memfd_create("bench", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, size))
			return NULL;
		flags = MAP_SHARED;
	}
	area = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (fd >= 0)
		close(fd);
	if (area == MAP_FAILED)
		return NULL;
	/* What alignment leaves over is never unmapped: the process ends soon */
	area = (char *)(((uintptr_t)area + HUGE - 1) & -HUGE);
	if (f->backing != FILE_BACKED)
		madvise(area, AREA_SIZE, f->backing == HUGE_ANON ?
			MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (f->state == POPULATED)
		memset(area, 1, AREA_SIZE);
	return area;
}

static void put_area(char *area)
{
	munmap(area, AREA_SIZE);
}

static int touch(struct machine *m, bool read)
{
	return read ? take(m, page_read, page_read_end, AREA, 0, PAGES) :
		      take(m, page_write, page_write_end, AREA, 0, PAGES);
}

/* Ticks of the loop itself, on a page that is mapped */
static double touch_floor;

static void measure_fault(struct machine *m, const struct faulted *f)
{
	uint64_t before;
	char *area;
	int ret;

	if (!wanted(f->name))
		return;
	area = get_area(f);
	if (!area) {
		complain(f->name, -ENOMEM);
		return;
	}
	ret = m->monitor->map(m->vm, 1, AREA, area, AREA_SIZE);
	if (!ret && f->state == DROPPED) {
		ret = touch(m, f->read);
		madvise(area, AREA_SIZE, MADV_DONTNEED);
	}
	if (!ret)
		ret = touch(m, f->read);
	if (ret)
		complain(f->name, ret);
	else
		say(f->name, "ticks/page", mean(m, PAGES) - touch_floor);
	before = __rdtsc();
	ret = m->monitor->unmap(m->vm, 1, AREA, AREA_SIZE);
	if (!strcmp(f->name, "fault_populated"))
		say("teardown", "ticks/page",
		    (double)(__rdtsc() - before) / PAGES);
	put_area(area);
}

static void measure_touch(struct machine *m)
{
	struct faulted f = { "touch", ANON, POPULATED, false };
	char *area = get_area(&f);

	if (area && !m->monitor->map(m->vm, 1, AREA, area, AREA_SIZE)) {
		if (!touch(m, false) && !touch(m, false))
			touch_floor = mean(m, PAGES);
		m->monitor->unmap(m->vm, 1, AREA, AREA_SIZE);
	}
	put_area(area);
}

/* Reads the log, which must have @pages pages of the area; @ticks: the time */
static int get_log(struct machine *m, uint64_t pages, uint64_t *ticks)
{
	static uint64_t bitmap[PAGES / 64];
	uint64_t before = __rdtsc(), dirty = 0;
	size_t i;
	int ret = m->monitor->get_log(m->vm, 1, AREA, AREA_SIZE, bitmap);

	*ticks = __rdtsc() - before;
	for (i = 0; i < PAGES / 64; i++)
		dirty += __builtin_popcountll(bitmap[i]);
	return ret || dirty == pages ? ret : -EPROTO;
}

/*
 * In an area that is mapped and whose log is empty: a write to each page;
 * reading the log when all pages are in it, and when one is
 */
static void measure_dirty_log(struct machine *m)
{
	struct faulted f = { "dirty", ANON, POPULATED, false };
	double writes = 0;
	uint64_t all, one;
	char *area;
	int ret;

	if (!wanted("dirty_log"))
		return;
	area = get_area(&f);
	if (!area) {
		complain("dirty_log", -ENOMEM);
		return;
	}
	ret = m->monitor->map_logged(m->vm, 1, AREA, area, AREA_SIZE);
	if (!ret)
		ret = touch(m, false);
	if (!ret)
		ret = get_log(m, PAGES, &all);
	if (!ret)
		ret = touch(m, false);
	if (!ret) {
		writes = mean(m, PAGES) - touch_floor;
		ret = get_log(m, PAGES, &all);
	}
	if (!ret)
		ret = take(m, page_write, page_write_end, AREA, 0, 1);
	if (!ret)
		ret = get_log(m, 1, &one);
	if (ret) {
		complain("dirty_log", ret);
	} else {
		say("dirty_write", "ticks/page", writes);
		say("dirty_log_all", "ticks/page", (double)all / PAGES);
		say("dirty_log_one", "ticks", one);
	}
	m->monitor->unmap(m->vm, 1, AREA, AREA_SIZE);
	put_area(area);
}

/* The same touches by a process of the host */
static void measure_host_fault(const struct faulted *f)
{
	char *area;
	double sum = 0;
	size_t i;

	if (!wanted(f->name))
		return;
	area = get_area(f);
	if (!area) {
		complain(f->name, -ENOMEM);
		return;
	}
	if (f->state == DROPPED) {
		memset(area, 1, AREA_SIZE);
		madvise(area, AREA_SIZE, MADV_DONTNEED);
	}
	for (i = 0; i < AREA_SIZE; i += 4096) {
		uint64_t before = __rdtsc();

		if (f->read)
			*(volatile char *)(area + i);
		else
			*(volatile char *)(area + i) = 1;
		sum += __rdtsc() - before;
	}
	say(f->name, "ticks/page", sum / PAGES);
	put_area(area);
}

/* ---- objects ---------------------------------------------------------- */

/*
 * To measure work without waiting: ticks that the idle-priority process counts
 * are subtracted from the time.
 */
pid_t start_busy(volatile uint64_t **got)
{
	pid_t pid;

	*got = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (*got == MAP_FAILED)
		return -1;
	pid = fork();
	if (!pid) {
		uint64_t now, last = __rdtsc();

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 });
		for (;; last = now) {
			now = __rdtsc();
			/* A longer gap: another process ran */
			if (now - last < 300)
				**got += now - last;
		}
	}
	usleep(20000);
	return pid;
}

static int one_life(const struct monitor *monitor, int system)
{
	int vm = monitor->create_vm(system, false), vcpu;

	if (vm < 0)
		return vm;
	vcpu = monitor->create_vcpu(vm, 0);
	if (vcpu < 0)
		return vcpu;
	close(vcpu);
	close(vm);
	return 0;
}

static void measure_lives(const struct monitor *monitor, int system)
{
	enum { N = 10 };
	volatile uint64_t *got;
	uint64_t ticks, before;
	int i, ret;
	pid_t pid;

	if (!wanted("vm_lifecycle"))
		return;
	ret = one_life(monitor, system);
	pid = start_busy(&got);
	if (pid < 0) {
		complain("vm_lifecycle", -errno);
		return;
	}
	before = *got;
	ticks = __rdtsc();
	for (i = 0; i < N && !ret; i++)
		ret = one_life(monitor, system);
	ticks = __rdtsc() - ticks - (*got - before);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (ret)
		complain("vm_lifecycle", ret);
	else
		say("vm_lifecycle", "ticks", (double)ticks / N);
}

static void measure_vcpu_lives(struct machine *m)
{
	enum { N = 15 };
	uint64_t ticks[N];
	int i, vm, vcpu;

	if (!wanted("vcpu_lifecycle"))
		return;
	for (i = 0; i < N; i++) {
		uint64_t before;

		/* KVM does not give a vCPU id a second time in a VM */
		vm = m->monitor->create_vm(m->system, false);
		before = __rdtsc();
		vcpu = m->monitor->create_vcpu(vm, 0);
		if (vcpu < 0) {
			complain("vcpu_lifecycle", vcpu);
			if (vm >= 0)
				close(vm);
			return;
		}
		close(vcpu);
		ticks[i] = __rdtsc() - before;
		close(vm);
	}
	qsort(ticks, N, sizeof(ticks[0]), compare);
	say("vcpu_lifecycle", "ticks", ticks[N / 2]);
}

/* What a process with a large VM has to wait for when it ends */
static void measure_close(struct machine *m)
{
	int vcpu[63], vm, ret, i;
	const int n = sizeof(vcpu) / sizeof(vcpu[0]);
	uint64_t before;

	if (!wanted("vcpus_close"))
		return;
	vm = ret = m->monitor->create_vm(m->system, true);
	for (i = 0; i < n && ret >= 0; i++)
		vcpu[i] = ret = m->monitor->create_vcpu(vm, i);
	before = __rdtsc();
	while (i)
		if (vcpu[--i] >= 0)
			close(vcpu[i]);
	if (vm >= 0)
		close(vm);
	if (ret < 0)
		complain("vcpus_close", ret);
	else
		say("vcpus_close", "kticks", (__rdtsc() - before) / 1000.0);
}

static void measure_call(struct machine *m, const char *name,
			 int (*fn)(struct machine *m))
{
	enum { N = 1001 };
	uint64_t ticks[N];
	int i;

	if (!wanted(name))
		return;
	for (i = 0; i < N; i++) {
		uint64_t before = __rdtsc();
		int ret = fn(m);

		ticks[i] = __rdtsc() - before;
		if (ret) {
			complain(name, ret);
			return;
		}
	}
	qsort(ticks, N, sizeof(ticks[0]), compare);
	say(name, "ticks", ticks[N / 2]);
}

/* An unknown ioctl: what every trip to the kernel costs at least */
static int no_ioctl(struct machine *m)
{
	return ioctl(m->vcpu, _IO('?', 0), 0) == -1 ? 0 : -EPROTO;
}

static void measure_all(const struct monitor *monitor)
{
	struct machine m;
	int system = monitor->open(), ret;
	size_t i;

	ret = system < 0 ? system :
			   make_machine(&m, monitor, system, MEM_SIZE, 1);
	if (ret < 0) {
		complain(monitor->name, ret);
		return;
	}
	for (i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		measure(&m, &exits[i]);
	measure_hypercall(&m);
	measure_mmio_cold(&m);
	measure_doorbells(&m);
	if (!only)
		measure_touch(&m);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		measure_fault(&m, &faults[i]);
	measure_dirty_log(&m);
	measure_call(&m, "ioctl_nothing", no_ioctl);
	measure_call(&m, "state_get", monitor->get_state);
	measure_call(&m, "state_set", monitor->set_state);
	measure_vcpu_lives(&m);
	measure_close(&m);
	measure_lives(monitor, system);
	unmake_machine(&m);
	measure_kernel_per_vm(monitor, system);
	if (!only)
		measure_scales(monitor, system);
	measure_interrupts(monitor, system);
}

static const struct monitor *monitor_named(const char *name)
{
	if (!strcmp(name, "mvmm"))
		return &mvmm_monitor;
	return strcmp(name, "kvm") ? NULL : &kvm_monitor;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	size_t i;

	if (argc > 4 && !strcmp(what, "launch"))
		return launch(argv[2], argv[3], argv + 4);
	if (argc == 3 && !strcmp(what, "fit") && monitor_named(argv[2])) {
		count_vms(monitor_named(argv[2]));
		return failures ? 1 : 0;
	}
	only = argc > 2 ? argv[2] : NULL;
	repeat = argc > 3 ? atoi(argv[3]) : 1;
	if (monitor_named(what)) {
		measure_all(monitor_named(what));
	} else if (!strcmp(what, "host")) {
		for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
			measure_host_fault(&faults[i]);
	} else {
		fprintf(stderr, "usage: bench mvmm|kvm|host [OPERATION [TIMES]]\n       bench fit mvmm|kvm\n       bench launch OPERATION MARK COMMAND...\n");
		return 2;
	}
	return failures ? 1 : 0;
}
