/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmvmm: the ioctls of mvmm.h as functions, and what userspace must do
 * itself: walk the guest's page tables and complete I/O and MMIO exits.
 *
 * Every function that returns int returns 0 or more on success and a negative
 * errno on failure. Nothing here prints, exits or keeps global state.
 */
#ifndef LIBMVMM_H
#define LIBMVMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "mvmm.h"

#define MVMM_DEVICE "/dev/mvmm"

/* ---- ioctls (ioctl.c) ------------------------------------------------- */

int mvmm_open(const char *device);
int mvmm_get_info(int system, struct mvmm_info *info);
/* Allocates *entries; the caller frees it. Returns how many there are. */
int mvmm_get_cpuid(int system, struct mvmm_cpuid_entry **entries);
int mvmm_create_vm(int system);
/* MVMM_VM_*; the other is without any */
int mvmm_create_vm_flags(int system, uint32_t flags);
int mvmm_add_region(int vm, uint64_t gpa, uint64_t len, void *hva,
		    uint32_t flags);
int mvmm_remove_region(int vm, uint64_t gpa, uint64_t len);
int mvmm_ioeventfd(int vm, uint16_t port, unsigned int len, int fd,
		   uint32_t flags, uint64_t datamatch);
/* A bit for each 4096 bytes, in words of 64 */
int mvmm_get_dirty_log(int vm, uint64_t gpa, uint64_t len, uint64_t *bitmap);
/* -EINTR: call again; what is there already takes no time */
int mvmm_prefault(int vm, uint64_t gpa, uint64_t len, uint32_t flags);
/* Returns how many vCPUs took it */
int mvmm_msi(int vm, uint64_t address, uint32_t data);
int mvmm_irqfd(int vm, int fd, uint32_t flags, uint64_t address,
	       uint32_t data);
/* The cap is in per cent of one CPU, 0: none */
int mvmm_set_sched(int vm, uint32_t weight, uint32_t cap);
int mvmm_create_vcpu(int vm, uint32_t id);
/* Maps the run page; munmap() it with the info's run_size */
int mvmm_map_run(int vcpu, struct mvmm_run **run);
int mvmm_run(int vcpu);
int mvmm_kick(int vcpu);
int mvmm_get_sregs(int vcpu, struct mvmm_sregs *sregs);
int mvmm_set_sregs(int vcpu, struct mvmm_sregs *sregs);
int mvmm_get_dregs(int vcpu, struct mvmm_dregs *dregs);
int mvmm_set_dregs(int vcpu, struct mvmm_dregs *dregs);
int mvmm_get_events(int vcpu, struct mvmm_events *events);
int mvmm_set_events(int vcpu, struct mvmm_events *events);
int mvmm_get_xsave(int vcpu, void *area, uint32_t len);
int mvmm_set_xsave(int vcpu, const void *area, uint32_t len);
/* Return how many were done */
int mvmm_get_msrs(int vcpu, struct mvmm_msr *msrs, uint32_t nr);
int mvmm_set_msrs(int vcpu, const struct mvmm_msr *msrs, uint32_t nr);
int mvmm_set_cpuid(int vcpu, const struct mvmm_cpuid_entry *entries,
		   uint32_t nr);
int mvmm_get_stats(int vcpu, struct mvmm_stats *stats);
int mvmm_get_times(int vcpu, struct mvmm_times *times);
int mvmm_inject_irq(int vcpu, uint8_t vector);
int mvmm_inject_nmi(int vcpu);
int mvmm_inject_exception(int vcpu, uint8_t vector, bool has_error,
			  uint32_t error_code, uint64_t payload);
/* @data is written or filled in; @offset is in the xAPIC page */
int mvmm_apic_access(int vcpu, uint16_t offset, uint32_t *data, bool write);
int mvmm_get_apic(int vcpu, struct mvmm_apic *apic);
int mvmm_set_apic(int vcpu, struct mvmm_apic *apic);

/* ---- a guest, as the completion code sees it -------------------------- */

/**
 * struct mvmm_guest - one vCPU and the way to its memory and devices
 * @vcpu: vCPU fd
 * @run: its run page
 * @memory: returns the address of [gpa, gpa + len) if it is all RAM, else NULL
 * @port: performs an access to an I/O port; @data is size bytes
 * @mmio: performs an access to a guest-physical address that is no RAM
 * @ctx: first argument of the three
 * @ram: address of RAM without holes, or NULL; spares most calls of @memory
 * @ram_gpa: where it is for the guest
 * @ram_size: bytes of it
 * @cache: remembers decoded instructions, or NULL; one vCPU's only
 */
struct mvmm_guest {
	int vcpu;
	struct mvmm_run *run;
	void *(*memory)(void *ctx, uint64_t gpa, uint64_t len);
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

/* NULL: out of memory. What is found in it is compared with the bytes at rip. */
struct mvmm_decode_cache *mvmm_decode_cache_new(void);
void mvmm_decode_cache_free(struct mvmm_decode_cache *cache);

/* ---- translation (walk.c) --------------------------------------------- */

/**
 * struct mvmm_page_fault - why a translation failed, for the guest
 * @gva: CR2
 * @error_code: of #PF
 */
struct mvmm_page_fault {
	uint64_t gva;
	uint32_t error_code;
};

/*
 * Translates a linear address by the guest's paging mode, and sets accessed
 * and dirty bits as the CPU would. -EFAULT: the guest gets @fault.
 */
int mvmm_translate(struct mvmm_guest *guest, const struct mvmm_paging *paging,
		   uint64_t gva, uint32_t access, uint64_t *gpa,
		   struct mvmm_page_fault *fault);
/*
 * Reads or writes linear memory; what is no RAM goes to guest->mmio. The
 * accesses must not cross a page where devices are. -EFAULT: as above.
 */
int mvmm_access(struct mvmm_guest *guest, const struct mvmm_paging *paging,
		uint64_t gva, void *data, unsigned int size, bool write,
		struct mvmm_page_fault *fault);

/* ---- completion (io.c, mmio.c, cr.c) ---------------------------------- */

/*
 * Completes the MVMM_EXIT_IO in the run page. A REP form does at most a page's
 * worth and leaves rip at the instruction if more is to come.
 */
int mvmm_complete_io(struct mvmm_guest *guest);
/*
 * Completes the MVMM_EXIT_MMIO in the run page: decodes the instruction at rip
 * and executes it. -ENOTSUP: an instruction that is not known; @run->regs are
 * untouched then.
 */
int mvmm_complete_mmio(struct mvmm_guest *guest);
/* Completes the MVMM_EXIT_CR in the run page. -ENOTSUP: as above. */
int mvmm_complete_cr(struct mvmm_guest *guest);
/* Whichever of the three the exit asks for. -EOPNOTSUPP: none of them */
int mvmm_complete(struct mvmm_guest *guest);

/* ---- names (names.c) -------------------------------------------------- */

const char *mvmm_exit_name(uint32_t reason);

#endif
