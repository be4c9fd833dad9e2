// SPDX-License-Identifier: GPL-2.0
/* A small VM for the kselftests: see vm.h. */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "vm.h"

#define CR0_PE 1ull
#define CR0_NE (1ull << 5)
#define CR0_ET (1ull << 4)
#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_OSFXSR (1ull << 9)
#define EFER_LMA (1ull << 10)

static void *memory(void *ctx, uint64_t gpa, uint64_t len, uint32_t access)
{
	struct vm *vm = ctx;

	return gpa < MEM_SIZE && len <= MEM_SIZE - gpa ? vm->mem + gpa : NULL;
}

static void note(struct vm *vm, uint64_t address, void *data, unsigned int size,
		 bool write)
{
	vm->io_address = address;
	vm->io_size = size;
	vm->io_write = write;
	vm->io_count++;
	if (write) {
		vm->io_value = 0;
		memcpy(&vm->io_value, data, size);
	} else {
		memcpy(data, &vm->io_value, size);
	}
}

static void port(void *ctx, uint16_t number, void *data, unsigned int size,
		 bool write)
{
	struct vm *vm = ctx;

	if (number == 0xe9 && write && vm->io_log_len < sizeof(vm->io_log))
		vm->io_log[vm->io_log_len++] = *(char *)data;
	note(vm, number, data, size, write);
}

static void mmio(void *ctx, uint64_t gpa, void *data, unsigned int size,
		 bool write)
{
	note(ctx, gpa, data, size, write);
}

int vm_create(struct vm *vm)
{
	return vm_create_flags(vm, 0);
}

int vm_create_flags(struct vm *vm, uint32_t flags)
{
	return vm_create_ring(vm, flags, 0);
}

int vm_create_ring(struct vm *vm, uint32_t flags, uint32_t entries)
{
	int ret;

	memset(vm, 0, sizeof(*vm));
	vm->system = vm->vm = vm->vcpu = -1;
	vm->mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->mem == MAP_FAILED)
		return -errno;
	/*
	 * Since 6.7 the kernel aligns it for a huge page: where only small leaves are
	 * executed, the guest's code would split that, with faults of its own
	 */
	madvise(vm->mem, MEM_SIZE, MADV_NOHUGEPAGE);
	vm->events = (struct guest_events *)(vm->mem + EVENTS);
	ret = vm->system = mvmm_open(MVMM_DEVICE);
	if (ret >= 0)
		ret = vm->vm = mvmm_create_vm_flags(vm->system, flags);
	if (ret >= 0 && entries)
		ret = mvmm_enable_dirty_ring(vm->vm, entries);
	if (ret >= 0)
		ret = mvmm_add_region(vm->vm, 0, MEM_SIZE, vm->mem, 0);
	if (ret >= 0)
		ret = vm->vcpu = mvmm_create_vcpu(vm->vm, 0);
	if (ret >= 0)
		ret = mvmm_map_run(vm->vcpu, &vm->run);
	if (ret < 0)
		vm_destroy(vm);
	vm->guest = (struct mvmm_guest){
		.vcpu = vm->vcpu, .run = vm->run, .memory = memory,
		.port = port, .mmio = mmio, .ctx = vm,
		.cache = ret < 0 ? NULL : mvmm_decode_cache_new() };
	return ret < 0 ? ret : 0;
}

void vm_destroy(struct vm *vm)
{
	mvmm_decode_cache_free(vm->guest.cache);
	vm->guest.cache = NULL;
	if (vm->run)
		munmap(vm->run, 4096);
	if (vm->vcpu >= 0)
		close(vm->vcpu);
	if (vm->vm >= 0)
		close(vm->vm);
	if (vm->system >= 0)
		close(vm->system);
	munmap(vm->mem, MEM_SIZE);
	vm->run = NULL;
}

void vm_load(struct vm *vm, uint64_t gpa, const char *code, unsigned long len)
{
	memcpy(vm->mem + gpa, code, len);
}

static void make_tables(struct vm *vm, enum mode mode)
{
	uint64_t *tables = (uint64_t *)(vm->mem + PAGE_TABLES);
	uint32_t *directory = (uint32_t *)tables;
	int i;

	memset(tables, 0, 0x6000);
	if (mode == PROT32) {
		for (i = 0; i < 1024; i++)
			directory[i] = i << 22 | 0x87;
		return;
	}
	/* 0: PML4, 0x1000: PDPT, 0x2000 .. 0x5000: directories of 2 MiB pages */
	tables[0] = (PAGE_TABLES + 0x1000) | 7;
	for (i = 0; i < 4; i++)
		tables[512 + i] = (PAGE_TABLES + 0x2000 + i * 0x1000) |
				  (mode == PAE32 ? 1 : 7);
	for (i = 0; i < 2048; i++)
		tables[1024 + i] = (uint64_t)i << 21 | 0x87;
}

/*
 * Interrupt handlers, which record vector, error code and rip, and return.
 * make_idt() writes 256 stubs "push $vector; jmp stub_common".
 */
asm(".pushsection .rodata\n"
    "stub_common:\n"
    /* Stack: vector, error code (of the CPU or the stub), rip */
    "push %rax\n"
    "push %rbx\n"
    "push %rcx\n"
    "mov $0x35000, %rbx\n"
    "mov (%rbx), %rax\n"
    "lea (%rax,%rax,2), %rcx\n"
    "mov 24(%rsp), %rax\n"
    "mov %rax, 8(%rbx,%rcx,8)\n"
    "mov 32(%rsp), %rax\n"
    "mov %rax, 16(%rbx,%rcx,8)\n"
    "mov 40(%rsp), %rax\n"
    "mov %rax, 24(%rbx,%rcx,8)\n"
    "incq (%rbx)\n"
    "test %r15, %r15\n"
    "jz 1f\n"
    "mov %r15, 40(%rsp)\n"
    "xor %r15, %r15\n"
    "1:\n"
    "pop %rcx\n"
    "pop %rbx\n"
    "pop %rax\n"
    "add $16, %rsp\n"
    "iretq\n"
    "stub_common_end:\n"
    ".popsection\n");
extern const char stub_common[], stub_common_end[];

static bool pushes_error(int vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 ||
	       vector == 21;
}

static void make_idt(struct vm *vm)
{
	unsigned char *stub = (unsigned char *)vm->mem + HANDLERS;
	uint64_t *idt = (uint64_t *)(vm->mem + IDT);
	int i;

	for (i = 0; i < 256; i++, stub += 16) {
		uint64_t at = HANDLERS + i * 16;
		unsigned char *p = stub;
		int32_t jump;

		if (!pushes_error(i)) {
			*p++ = 0x6a;	/* push $0 */
			*p++ = 0;
		}
		*p++ = 0x68;		/* push $vector */
		memcpy(p, &i, 4);
		p += 4;
		*p++ = 0xe9;		/* jmp common */
		jump = (HANDLERS + 0x1000) - (at + (p - stub) + 4);
		memcpy(p, &jump, 4);
		idt[2 * i] = (at & 0xffff) | 0x8ull << 16 | 0x8e00ull << 32 |
			     (at >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = at >> 32;
	}
	vm_load(vm, HANDLERS + 0x1000, stub_common,
		stub_common_end - stub_common);
	vm->events->n = 0;
}

static void make_gdt(struct vm *vm, enum mode mode)
{
	uint64_t *gdt = (uint64_t *)(vm->mem + GDT);

	gdt[0] = 0;
	gdt[1] = mode == LONG64 ? 0x00af9b000000ffffull : 0x00cf9b000000ffffull;
	gdt[2] = 0x00cf93000000ffffull;
	/* TSS at TSS, 0x67 bytes, 64-bit or 32-bit busy */
	gdt[3] = 0x0000890000000067ull | (TSS & 0xffffff) << 16;
	gdt[4] = 0;
}

static const struct mvmm_segment code_seg[] = {
	[REAL16] = { .base = 0, .limit = 0xffff, .attr = 0x9b },
	[PROT32] = { .limit = ~0u, .selector = 8, .attr = 0xc09b },
	[PAE32] = { .limit = ~0u, .selector = 8, .attr = 0xc09b },
	[LONG64] = { .limit = ~0u, .selector = 8, .attr = 0xa09b },
};

int vm_set_mode(struct vm *vm, enum mode mode)
{
	struct mvmm_segment data = { .limit = ~0u, .selector = 16,
				     .attr = 0xc093 };
	struct mvmm_segment tr = { .base = TSS, .limit = 0x67, .selector = 24,
				   .attr = 0x8b };
	struct mvmm_sregs s;
	int ret, i;

	ret = mvmm_get_sregs(vm->vcpu, &s);
	if (ret)
		return ret;
	s.cr0 = CR0_ET;
	s.cr4 = s.efer = 0;
	s.cs = code_seg[mode];
	if (mode == REAL16) {
		/* As in real mode: a base is 16 times the selector */
		data = (struct mvmm_segment){ .limit = 0xffff, .attr = 0x93 };
		s.cs.base = CODE;
		s.cs.selector = CODE >> 4;
		s.idt = (struct mvmm_table){ .limit = 0x3ff };
	} else {
		make_gdt(vm, mode);
		make_tables(vm, mode);
		s.cr0 |= CR0_PE | CR0_NE | CR0_PG;
		s.cr3 = PAGE_TABLES;
		s.gdt = (struct mvmm_table){ .base = GDT, .limit = 39 };
		s.tr = tr;
		s.cr4 = CR4_OSFXSR;
	}
	if (mode == PROT32)
		s.cr4 |= CR4_PSE;
	if (mode == PAE32) {
		s.cr4 |= CR4_PAE;
		s.cr3 = PAGE_TABLES + 0x1000;
		for (i = 0; i < 4; i++)
			s.pdpte[i] = (PAGE_TABLES + 0x2000 + i * 0x1000) | 1;
	}
	if (mode == LONG64) {
		s.cr4 |= CR4_PAE;
		s.efer = EFER_LME | EFER_LMA;
		make_idt(vm);
		s.idt = (struct mvmm_table){ .base = IDT, .limit = 4095 };
	}
	s.ds = s.es = s.ss = s.fs = s.gs = data;
	ret = mvmm_set_sregs(vm->vcpu, &s);
	memset(&vm->run->regs, 0, sizeof(vm->run->regs));
	vm->run->regs.rip = mode == REAL16 ? 0 : CODE;
	vm->run->regs.rsp = mode == REAL16 ? 0xfff0 : STACK;
	vm->run->regs.rflags = 2;
	return ret;
}

int vm_run(struct vm *vm)
{
	int ret;

	/* The kernel may have wanted the thread: see MVMM_VCPU_RUN */
	do {
		ret = mvmm_run(vm->vcpu);
	} while (ret == -EINTR);
	return ret;
}

int vm_run_to_exit(struct vm *vm)
{
	int ret;

	for (;;) {
		ret = vm_run(vm);
		if (ret)
			return ret;
		ret = mvmm_complete(&vm->guest);
		if (ret == -EOPNOTSUPP)
			return vm->run->exit_reason;
		if (ret)
			return ret;
	}
}

int vm_set_rip(struct vm *vm, uint64_t rip)
{
	vm->run->regs.rip = rip;
	vm->run->retire = 0;
	return 0;
}

bool vm_on_bochs(void)
{
	unsigned int eax, ebx, ecx = 0, edx;
	char id[6] = "";
	int fd;

	/* QEMU's ACPI tables have the same name, but CPUID names QEMU */
	__get_cpuid(1, &eax, &ebx, &ecx, &edx);
	fd = open("/sys/firmware/acpi/tables/FACP", O_RDONLY);
	if (fd < 0)
		return false;
	if (pread(fd, id, sizeof(id), 10) != sizeof(id))
		id[0] = 0;
	close(fd);
	return !(ecx & 1u << 31) && !memcmp(id, "BOCHS ", sizeof(id));
}

bool module_has(uint64_t feature)
{
	struct mvmm_info info;
	int system = mvmm_open(MVMM_DEVICE), ret;

	if (system < 0)
		return false;
	ret = mvmm_get_info(system, &info);
	close(system);
	return !ret && info.features & feature;
}

bool built_without(const char *option)
{
	const char *list = getenv("MVMM_WITHOUT");
	size_t n = strlen(option);

	for (; list && *list; list += strcspn(list, " ")) {
		list += strspn(list, " ");
		if (strcspn(list, " ") == n && !strncmp(list, option, n))
			return true;
	}
	return false;
}

bool vm_on_bochs_svm(void)
{
	return module_has(MVMM_FEATURE_SVM) && vm_on_bochs();
}

bool host_tsc_is_stable(void)
{
	char list[256] = "";
	int fd = open("/sys/devices/system/clocksource/clocksource0/available_clocksource",
		      O_RDONLY);

	if (fd < 0)
		return false;
	if (read(fd, list, sizeof(list) - 1) < 0)
		list[0] = 0;
	close(fd);
	/* tsc-early comes before tsc */
	return strstr(list, "tsc");
}

bool vmx_uses(const char *parameter)
{
	char path[80], on = 'N';
	int fd;

	snprintf(path, sizeof(path), "/sys/module/mvmm/parameters/%s",
		 parameter);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	if (read(fd, &on, 1) != 1)
		on = 'N';
	close(fd);
	return (on == 'Y' || on == '1') && module_has(MVMM_FEATURE_VMX);
}

bool write_parameter(const char *name, const char *value)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/module/mvmm/parameters/%s", name);
	fd = open(path, O_WRONLY);
	n = fd < 0 ? -1 : write(fd, value, strlen(value));
	if (fd >= 0)
		close(fd);
	return n == strlen(value);
}
