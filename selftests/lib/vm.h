/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small VM for the kselftests: memory, one vCPU, and a way to have the
 * guest's code in the same C file as the test that runs it.
 */
#ifndef MVMM_SELFTEST_VM_H
#define MVMM_SELFTEST_VM_H

#include <stdbool.h>
#include <stdint.h>
#include "libmvmm.h"

/*
 * The harness ends a test after 30 s. A machine that is busy with other work may
 * need more: the lab's watchdog, which knows of it, is the one that judges.
 */
#ifdef TEST_TIMEOUT_DEFAULT
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	600
#endif

#define MEM_SIZE	(4ul << 20)
/* Guest-physical layout; linear addresses are the same in every mode */
#define CODE		0x10000ul
#define STACK		0x20000ul	/* grows down from here */
#define GDT		0x30000ul
#define IDT		0x31000ul
#define TSS		0x32000ul
#define HANDLERS	0x33000ul	/* 256 stubs of 16 bytes */
#define EVENTS		0x35000ul	/* struct guest_events */
#define PAGE_TABLES	0x40000ul
#define DATA		0x100000ul
/* There is no memory from here on: MMIO */
#define VOID		0x10000000ul

#define CR4_PAE		(1ull << 5)
#define EFER_LME	(1ull << 8)

/* GUEST(name, "..."): position-independent guest code */
#define GUEST(name, text)						\
	asm(".pushsection .rodata\n"					\
	    #name ":\n" text "\n" #name "_end:\n"			\
	    ".code64\n.popsection\n");					\
	extern const char name[], name##_end[]
#define LOAD(vm, name) vm_load(vm, CODE, name, name##_end - name)

/* FAULTS("insn"): if the instruction faults, execution goes on after it */
#define FAULTS(insn) "lea 777f(%rip), %r15\n" insn "\n777: xor %r15d, %r15d\n"

/* Expects that these vectors have come, in this order, and no others */
#define CHECK_VECTORS(vm, ...) do {					\
	const uint64_t _vectors[] = { __VA_ARGS__ };			\
	struct guest_events *_got = (vm)->events;			\
	uint64_t _i;							\
									\
	ASSERT_EQ(ARRAY_SIZE(_vectors), _got->n);			\
	for (_i = 0; _i < _got->n; _i++)				\
		EXPECT_EQ(_vectors[_i], _got->ev[_i].vector);		\
} while (0)

enum mode { REAL16, PROT32, PAE32, LONG64 };

/* What the interrupt stubs of vm_set_mode(LONG64) record */
struct guest_events {
	uint64_t n;
	struct {
		uint64_t vector;
		uint64_t error_code;
		uint64_t rip;
	} ev[];
};

struct vm {
	int system, vm, vcpu;
	struct mvmm_run *run;
	char *mem;		/* MEM_SIZE bytes at gpa 0 */
	struct guest_events *events;	/* in @mem */
	struct mvmm_guest guest;
	/* the last access to a port or to MMIO that was completed */
	uint64_t io_address;
	uint64_t io_value;	/* the value written; the value to be read */
	unsigned int io_size;
	bool io_write;
	unsigned int io_count;
	char io_log[256];	/* bytes written to port 0xe9 */
	unsigned int io_log_len;
};

/* Returns 0 or -errno; on failure nothing is left to destroy */
int vm_create(struct vm *vm);
/* @flags: MVMM_VM_* */
int vm_create_flags(struct vm *vm, uint32_t flags);
/* The same with dirty rings of so many entries; 0: without */
int vm_create_ring(struct vm *vm, uint32_t flags, uint32_t entries);
void vm_destroy(struct vm *vm);
void vm_load(struct vm *vm, uint64_t gpa, const char *code, unsigned long len);
/* rip is CODE, rsp is STACK; paging maps everything one to one */
int vm_set_mode(struct vm *vm, enum mode mode);
/* Does the module have this feature (MVMM_FEATURE_*)? */
bool module_has(uint64_t feature);
/* Was the module built without this option? MVMM_WITHOUT names them */
bool built_without(const char *option);
/* Does VMX do this for guests here, and do the module's parameters let it? */
bool vmx_uses(const char *parameter);
/* Change a parameter of the module; false: it cannot be written */
bool write_parameter(const char *name, const char *value);
/* For a test, not for a fixture's setup: an option that the module may lack */
#define NEEDS(option)							\
	if (built_without(option))					\
		SKIP(return, "a module without " option)
/* Does the host's kernel trust its TSC? Guests are told */
bool host_tsc_is_stable(void);
/* RUN, again after -EINTR, so not for tests of kicks and signals */
int vm_run(struct vm *vm);
/* RUN until an exit that libmvmm does not complete; returns its reason */
int vm_run_to_exit(struct vm *vm);
int vm_set_rip(struct vm *vm, uint64_t rip);
/* For tests of what Bochs cannot do: see errata.rst */
bool vm_on_bochs(void);
bool vm_on_bochs_svm(void);

#endif
