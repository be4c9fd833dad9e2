/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmvmm: the ioctls of mvmm.h as functions, and the work that the kernel
 * leaves to userspace: walking the guest's page tables, and completing I/O and
 * MMIO exits.
 *
 * Every function that returns int returns 0 or more on success and a negative
 * errno on failure. No function prints, exits or keeps global state.
 */
#ifndef LIBMVMM_H
#define LIBMVMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "mvmm.h"

/* In the shared library nothing else is visible: see the Makefile */
#pragma GCC visibility push(default)

#define MVMM_DEVICE "/dev/mvmm"

/* ---- ioctls (ioctl.c) ------------------------------------------------- */

int mvmm_open(const char *device);
int mvmm_get_info(int system, struct mvmm_info *info);
/* Allocates *entries, which the caller frees. Returns the number of entries. */
int mvmm_get_cpuid(int system, struct mvmm_cpuid_entry **entries);
/* A VM without flags */
int mvmm_create_vm(int system);
/* @flags: MVMM_VM_* */
int mvmm_create_vm_flags(int system, uint32_t flags);
int mvmm_add_region(int vm, uint64_t gpa, uint64_t len, void *hva,
		    uint32_t flags);
int mvmm_set_region(int vm, uint64_t gpa, uint64_t len, void *hva,
		    uint32_t flags);
int mvmm_remove_region(int vm, uint64_t gpa, uint64_t len);
/* In one step, or not at all; @size of each entry is filled in */
int mvmm_change_regions(int vm, struct mvmm_region *remove, uint32_t nr_remove,
			struct mvmm_region *add, uint32_t nr_add);
int mvmm_ioeventfd(int vm, uint16_t port, unsigned int len, int fd,
		   uint32_t flags, uint64_t datamatch);
/* @bitmap: one bit for each 4096 bytes, in words of 64 bits */
int mvmm_get_dirty_log(int vm, uint64_t gpa, uint64_t len, uint64_t *bitmap);
int mvmm_peek_dirty_log(int vm, uint64_t gpa, uint64_t len, uint64_t *bitmap);
/* Before regions and vCPUs are made. @entries: as in struct mvmm_dirty_ring */
int mvmm_enable_dirty_ring(int vm, uint32_t entries);
/* munmap() it with entries * sizeof(**ring) */
int mvmm_map_dirty_ring(int vcpu, uint32_t entries,
			struct mvmm_dirty_gfn **ring);
/*
 * Takes up to @max addresses of pages out of a ring, and returns how many. @next: 0
 * before the first call. The pages are to be copied after the next reset.
 */
int mvmm_collect_dirty_ring(struct mvmm_dirty_gfn *ring, uint32_t entries,
			    uint32_t *next, uint64_t *gpas, int max);
/* Returns how many entries were emptied */
int mvmm_reset_dirty_rings(int vm);
/* -EINTR: call again; pages that are mapped already are skipped quickly */
int mvmm_prefault(int vm, uint64_t gpa, uint64_t len, uint32_t flags);
/* Returns how many vCPUs took the interrupt */
int mvmm_msi(int vm, uint64_t address, uint32_t data);
int mvmm_irqfd(int vm, int fd, uint32_t flags, uint64_t address,
	       uint32_t data);
/* @cap: in per cent of one CPU, 0: no cap */
int mvmm_set_sched(int vm, uint32_t weight, uint32_t cap);
int mvmm_get_clock(int vm, struct mvmm_clock *clock);
int mvmm_set_clock(int vm, struct mvmm_clock *clock);
int mvmm_create_vcpu(int vm, uint32_t id);
/* Maps the run page, which is one page: munmap() it with the page size */
int mvmm_map_run(int vcpu, struct mvmm_run **run);
int mvmm_run(int vcpu);
int mvmm_kick(int vcpu);
int mvmm_reset(int vcpu, uint32_t flags);
int mvmm_get_sregs(int vcpu, struct mvmm_sregs *sregs);
int mvmm_set_sregs(int vcpu, struct mvmm_sregs *sregs);
int mvmm_get_dregs(int vcpu, struct mvmm_dregs *dregs);
int mvmm_set_dregs(int vcpu, struct mvmm_dregs *dregs);
int mvmm_get_events(int vcpu, struct mvmm_events *events);
int mvmm_set_events(int vcpu, struct mvmm_events *events);
int mvmm_get_xsave(int vcpu, void *area, uint32_t len);
int mvmm_set_xsave(int vcpu, const void *area, uint32_t len);
/* Both return how many MSRs were read or written */
int mvmm_get_msrs(int vcpu, struct mvmm_msr *msrs, uint32_t nr);
int mvmm_set_msrs(int vcpu, const struct mvmm_msr *msrs, uint32_t nr);
/* Returns how many MSRs are a part of the state: their indices are in @msrs */
int mvmm_get_msr_list(int vcpu, struct mvmm_msr *msrs, uint32_t nr);
/* Returns the number of entries, of which at most @nr fit */
int mvmm_get_vcpu_cpuid(int vcpu, struct mvmm_cpuid_entry *entries,
			uint32_t nr);
int mvmm_set_cpuid(int vcpu, const struct mvmm_cpuid_entry *entries,
		   uint32_t nr);
int mvmm_get_stats(int vcpu, struct mvmm_stats *stats);
int mvmm_get_times(int vcpu, struct mvmm_times *times);
int mvmm_inject_irq(int vcpu, uint8_t vector);
int mvmm_inject_nmi(int vcpu);
int mvmm_inject_exception(int vcpu, uint8_t vector, bool has_error,
			  uint32_t error_code, uint64_t payload);
/* @offset: in the xAPIC page; @data: the value to write, or the value read */
int mvmm_apic_access(int vcpu, uint16_t offset, uint32_t *data, bool write);
int mvmm_get_apic(int vcpu, struct mvmm_apic *apic);
int mvmm_set_apic(int vcpu, struct mvmm_apic *apic);

/* ---- a whole vCPU (state.c) ------------------------------------------- */

/**
 * struct mvmm_vcpu_state - all that a vCPU is, but for its id
 * @has_apic: it has a local APIC
 * @retire: of the run page, as the next three
 * @set_cr: the same
 * @nr_msrs: entries of @msr in use
 * @nr_cpuid: entries of @cpuid in use
 * @cr_value: of the run page
 * @regs: the same
 * @sregs: segments and control registers
 * @dregs: debug registers
 * @events: pending events
 * @apic: if @has_apic
 * @msr: from MVMM_VCPU_GET_MSR_LIST
 * @cpuid: the CPUID table
 * @xsave: in the standard form
 */
struct mvmm_vcpu_state {
	bool has_apic;
	uint8_t retire, set_cr;
	uint32_t nr_msrs, nr_cpuid;
	uint64_t cr_value;
	struct mvmm_regs regs;
	struct mvmm_sregs sregs;
	struct mvmm_dregs dregs;
	struct mvmm_events events;
	struct mvmm_apic apic;
	struct mvmm_msr msr[64];
	struct mvmm_cpuid_entry cpuid[128];
	uint64_t xsave[512];
};

/*
 * Between RUNs. The time is the VM's: stop it before (mvmm_set_clock()). The
 * vCPU to load is a new one, of a VM of the same kind
 */
int mvmm_save_vcpu(int vcpu, const struct mvmm_run *run,
		   struct mvmm_vcpu_state *state);
int mvmm_load_vcpu(int vcpu, struct mvmm_run *run,
		   struct mvmm_vcpu_state *state);

/* ---- what completion needs to know of a guest ------------------------- */

/**
 * struct mvmm_guest - one vCPU and the way to its memory and devices
 * @vcpu: vCPU fd
 * @run: the run page of @vcpu
 * @memory: returns the address of [gpa, gpa + len) if all of it is memory in
 *	which @access (MVMM_ACCESS_READ or _WRITE) is allowed, else NULL: then
 *	@mmio does the access. What the guest may only read is ROM.
 * @port: does an access to an I/O port; @data has @size bytes
 * @mmio: does an access to a guest-physical address that is not RAM
 * @ctx: first argument of @memory, @port and @mmio
 * @ram: address of a part of RAM without holes or ROM, or NULL; saves most
 *	calls of @memory
 * @ram_gpa: guest-physical address of @ram
 * @ram_size: bytes at @ram
 * @cache: decoded instructions of this vCPU, or NULL; not shared with others
 */
struct mvmm_guest {
	int vcpu;
	struct mvmm_run *run;
	void *(*memory)(void *ctx, uint64_t gpa, uint64_t len, uint32_t access);
	void (*port)(void *ctx, uint16_t port, void *data, unsigned int size,
		     bool write);
	void (*mmio)(void *ctx, uint64_t gpa, void *data, unsigned int size,
		     bool write);
	void *ctx;
	void *ram;
	uint64_t ram_gpa, ram_size;
	struct mvmm_decode_cache *cache;
};

/* ---- decoded instructions (insn.c) ------------------------------------ */

/*
 * NULL: out of memory. An entry is used only if its bytes are those at rip, so
 * that guest code may change.
 */
struct mvmm_decode_cache *mvmm_decode_cache_new(void);
void mvmm_decode_cache_free(struct mvmm_decode_cache *cache);

/* ---- translation (walk.c) --------------------------------------------- */

/**
 * struct mvmm_exception - the exception that the guest gets
 * @vector: 14 (#PF), and what else the instruction can raise
 * @has_error: there is an error code; in real mode there is none
 * @error_code: the error code
 * @address: for CR2
 */
struct mvmm_exception {
	uint8_t vector;
	bool has_error;
	uint32_t error_code;
	uint64_t address;
};

/*
 * Translates a linear address in the guest's paging mode, and sets accessed and
 * dirty bits as the CPU would: atomically, since other vCPUs change them, too.
 * -EFAULT: the guest is to get @exception.
 */
int mvmm_translate(struct mvmm_guest *guest, const struct mvmm_paging *paging,
		   uint64_t gva, uint32_t access, uint64_t *gpa,
		   struct mvmm_exception *exception);
/*
 * Reads or writes at a linear address; accesses outside memory go to
 * guest->mmio, in two parts if they cross into another page, each part by at
 * most 8 bytes at a time. -EFAULT: as above, and nothing was accessed.
 */
int mvmm_access(struct mvmm_guest *guest, const struct mvmm_paging *paging,
		uint64_t gva, void *data, unsigned int size, bool write,
		struct mvmm_exception *exception);

/* ---- completion (io.c, mmio.c, cr.c, task.c) -------------------------- */

/*
 * Completes the MVMM_EXIT_IO in the run page. A REP form does at most 4096
 * transfers, and leaves rip at the instruction if some remain.
 */
int mvmm_complete_io(struct mvmm_guest *guest);
/*
 * Completes the MVMM_EXIT_MMIO in the run page: decodes the instruction at rip
 * and executes it. -ENOTSUP: the table does not have the instruction, or the
 * access belongs to the delivery of an event; guest->run->regs are unchanged,
 * and no device was accessed.
 */
int mvmm_complete_mmio(struct mvmm_guest *guest);
/* Completes the MVMM_EXIT_CR in the run page. -ENOTSUP: as above. */
int mvmm_complete_cr(struct mvmm_guest *guest);
/*
 * Completes the MVMM_EXIT_TASK_SWITCH in the run page: writes the old TSS, loads
 * the new one. -ENOTSUP: as above.
 */
int mvmm_complete_task(struct mvmm_guest *guest);
/* Completes an exit of these four kinds. -EOPNOTSUPP: it is of another kind */
int mvmm_complete(struct mvmm_guest *guest);

/* ---- names (names.c) -------------------------------------------------- */

const char *mvmm_exit_name(uint32_t reason);
/*
 * What KVM's tracepoints call the exit that hw_exits[@index] of struct mvmm_stats
 * counts. @features: of struct mvmm_info. NULL: it has no name
 */
const char *mvmm_hw_exit_name(uint64_t features, uint32_t index);
/* The instruction at rip, for messages: its bytes and its text (insn.c) */
void mvmm_describe_insn(struct mvmm_guest *guest, char *text, size_t size);

#pragma GCC visibility pop

#endif
