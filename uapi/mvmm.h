/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ABI of mvmm: ioctls, the run page and the errno contract.
 *
 * Every struct that an ioctl takes begins with its own size in bytes. A newer
 * caller may pass a longer struct if the part that this kernel does not know
 * is zero (-E2BIG otherwise). An older caller may pass a shorter one, down to
 * the first version (-EINVAL below that). Reserved fields are zero (-EINVAL
 * otherwise). Structs grow at the end only; zero keeps the old meaning.
 *
 * Where a struct is output only (MVMM_GET_INFO, MVMM_VM_GET_CLOCK, and of a
 * vCPU's GET_SREGS, DREGS, EVENTS, APIC, STATS and TIMES) the size is all that is
 * read of it, and a part that this kernel does not know becomes zero.
 *
 * Errno contract, for every ioctl unless its comment says otherwise:
 *
 *   EFAULT      a pointer does not point to accessible memory
 *   EINVAL      a value is out of range, misaligned or contradictory
 *   E2BIG       the struct is longer than known and its tail is not zero
 *   EOPNOTSUPP  this kernel does not know a flag bit
 *   ENOTTY      this object does not have an ioctl of that number, or the
 *               module was built without it: see MVMM_FEATURE_*
 *   EPERM       the VM belongs to another process (see MVMM_CREATE_VM)
 *   EBUSY       another thread uses the vCPU: in RUN, GET or SET
 *   ENOMEM      out of memory
 */
#ifndef _UAPI_MVMM_H
#define _UAPI_MVMM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MVMM_IOC 0xDA

/**
 * DOC: objects
 *
 * open("/dev/mvmm") gives the system fd. MVMM_CREATE_VM on it returns a VM fd,
 * MVMM_VM_CREATE_VCPU on that a vCPU fd. A vCPU keeps its VM alive; closing the
 * last fd destroys the VM. Objects have no other names than their fds. fds may
 * be closed in any order.
 */

/* ---- system fd -------------------------------------------------------- */

/* struct mvmm_info.features */
#define MVMM_FEATURE_VMX	(1ULL << 0)	/* Intel VMX and EPT */
#define MVMM_FEATURE_SVM	(1ULL << 1)	/* AMD SVM and NPT */
#define MVMM_FEATURE_TAGGED_TLB	(1ULL << 2)	/* VPID or ASID in use */
#define MVMM_FEATURE_NESTED_AD	(1ULL << 3)	/* nested accessed/dirty bits */
#define MVMM_FEATURE_FAULT_GVA	(1ULL << 4)	/* @mmio.gva is filled in */
#define MVMM_FEATURE_APIC	(1ULL << 5)	/* MVMM_VM_APIC is known */
/* The module can be built without these: see Documentation/options.rst */
/* MVMM_VM_SET_SCHED, MVMM_VCPU_GET_TIMES */
#define MVMM_FEATURE_SCHED	(1ULL << 6)
#define MVMM_FEATURE_PV		(1ULL << 7)	/* KVM's CPUID leaves and MSRs */
#define MVMM_FEATURE_IOEVENTFD	(1ULL << 8)	/* MVMM_VM_IOEVENTFD */
#define MVMM_FEATURE_IRQFD	(1ULL << 9)	/* MVMM_VM_IRQFD */
#define MVMM_FEATURE_DIRTY_LOG	(1ULL << 10)	/* MVMM_REGION_LOG_DIRTY */
#define MVMM_FEATURE_CLOCK	(1ULL << 11)	/* MVMM_VM_*_CLOCK */
#define MVMM_FEATURE_DIRTY_RING	(1ULL << 12)	/* MVMM_VM_ENABLE_DIRTY_RING */
/* A VM's TSC may have another rate than the host's: @tsc_khz of struct mvmm_clock */
#define MVMM_FEATURE_TSC_SCALING	(1ULL << 13)

/**
 * struct mvmm_info - what this host offers (MVMM_GET_INFO)
 * @size: in: sizeof(struct mvmm_info)
 * @max_vcpus: vCPUs per VM; vCPU ids are 0 .. max_vcpus - 1
 * @features: MVMM_FEATURE_* bits
 * @max_regions: memory regions per VM
 * @gpa_bits: width of a guest-physical address, in bits
 * @run_size: bytes to mmap from a vCPU fd at offset 0
 * @xsave_size: bytes of the XSAVE area of a vCPU
 * @xcr0: the XCR0 bits that a guest may set
 * @tsc_khz: rate of the guest's TSC, in kHz
 * @max_cpuid: CPUID entries that a vCPU can hold
 */
struct mvmm_info {
	__u32 size;
	__u32 max_vcpus;
	__u64 features;
	__u32 max_regions;
	__u32 gpa_bits;
	__u32 run_size;
	__u32 xsave_size;
	__u64 xcr0;
	__u32 tsc_khz;
	__u32 max_cpuid;
};

/* The subleaf index matters for this leaf */
#define MVMM_CPUID_SUBLEAF (1u << 0)

/**
 * struct mvmm_cpuid_entry - one CPUID leaf or subleaf
 * @leaf: EAX on input
 * @subleaf: ECX on input, with MVMM_CPUID_SUBLEAF; else 0
 * @flags: MVMM_CPUID_SUBLEAF or 0
 * @eax: result
 * @ebx: result
 * @ecx: result
 * @edx: result
 * @reserved: zero
 */
struct mvmm_cpuid_entry {
	__u32 leaf;
	__u32 subleaf;
	__u32 flags;
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
	__u32 reserved;
};

/**
 * struct mvmm_cpuid - a CPUID table (MVMM_GET_CPUID, MVMM_VCPU_*_CPUID)
 * @size: sizeof(struct mvmm_cpuid)
 * @nr: in: entries that fit at @entries; out: entries in the table
 * @entries: address of an array of struct mvmm_cpuid_entry
 */
struct mvmm_cpuid {
	__u32 size;
	__u32 nr;
	__u64 entries;
};

/*
 * Each vCPU has a local APIC, whose id is the vCPU's @id. All vCPUs but vCPU 0
 * wait for INIT and SIPI. HLT waits inside RUN.
 */
#define MVMM_VM_APIC (1u << 0)

/**
 * struct mvmm_create_vm - (MVMM_CREATE_VM)
 * @size: sizeof(struct mvmm_create_vm)
 * @flags: MVMM_VM_*
 */
struct mvmm_create_vm {
	__u32 size;
	__u32 flags;
};

/*
 * MVMM_GET_INFO: fills struct mvmm_info. Returns 0.
 */
#define MVMM_GET_INFO		_IO(MVMM_IOC, 0x00)
/*
 * MVMM_GET_CPUID: the default policy: what the host has and a guest can use.
 * Returns 0; -ENOSPC with @nr filled in: the array is too short.
 */
#define MVMM_GET_CPUID		_IO(MVMM_IOC, 0x01)
/*
 * MVMM_CREATE_VM: returns a VM fd. The VM belongs to the caller's address
 * space: any ioctl from another address space (after fork, or with an fd that
 * was sent elsewhere) fails with -EPERM. -EBUSY: another VMM owns the CPU's
 * virtualization extension.
 */
#define MVMM_CREATE_VM		_IO(MVMM_IOC, 0x02)

/* ---- VM fd ------------------------------------------------------------ */

/*
 * Guest writes become MMIO exits; reads and fetches go to memory. Of guest page
 * tables there see MVMM_EXIT_MEMORY_FAULT, EROFS
 */
#define MVMM_REGION_READONLY (1u << 0)
/*
 * Log the pages that the guest writes to: see MVMM_VM_GET_DIRTY_LOG, and
 * MVMM_VM_ENABLE_DIRTY_RING. The region has at most 8 TiB (-EINVAL)
 */
#define MVMM_REGION_LOG_DIRTY (1u << 1)

/**
 * struct mvmm_region - guest-physical memory backed by the caller's mapping
 * @size: sizeof(struct mvmm_region)
 * @flags: MVMM_REGION_*
 * @gpa: first guest-physical address, a multiple of 4096
 * @len: bytes, a multiple of 4096, not 0
 * @hva: first address of the backing in the caller, a multiple of 4096, not 0
 *
 * The mapping at @hva may change at any time (munmap, mprotect, madvise,
 * swap): the guest sees the change at once. A guest access that the mapping
 * does not allow ends RUN with MVMM_EXIT_MEMORY_FAULT.
 */
struct mvmm_region {
	__u32 size;
	__u32 flags;
	__u64 gpa;
	__u64 len;
	__u64 hva;
};

/**
 * struct mvmm_regions - some regions go, others come (MVMM_VM_CHANGE_REGIONS)
 * @size: sizeof(struct mvmm_regions)
 * @flags: zero
 * @nr_remove: entries at @remove, at most max_regions
 * @nr_add: entries at @add, the same
 * @remove: address of an array of struct mvmm_region, as for
 *	MVMM_VM_REMOVE_REGION
 * @add: the same, as for MVMM_VM_ADD_REGION
 */
struct mvmm_regions {
	__u32 size;
	__u32 flags;
	__u32 nr_remove;
	__u32 nr_add;
	__u64 remove;
	__u64 add;
};

/*
 * The log keeps what it says. A later call without this clears it, for a part of
 * the region at a time: right before the part is read
 */
#define MVMM_DIRTY_LOG_KEEP (1u << 0)

/**
 * struct mvmm_dirty_log - pages of a region that the guest wrote to
 * @size: sizeof(struct mvmm_dirty_log)
 * @flags: MVMM_DIRTY_LOG_KEEP or 0
 * @gpa: in a region with MVMM_REGION_LOG_DIRTY: a multiple of 64 pages after its
 *	first address
 * @len: bytes, a multiple of 4096, not 0, all in that region
 * @bitmap: address of a bitmap in words of 64 bits, one bit for each page of
 *	4096 bytes; a set bit: the guest wrote to the page since the log was
 *	cleared there
 *
 * The log does not contain what the caller itself writes to the memory.
 */
struct mvmm_dirty_log {
	__u32 size;
	__u32 flags;
	__u64 gpa;
	__u64 len;
	__u64 bitmap;
};

#define MVMM_MIN_DIRTY_RING	256
#define MVMM_MAX_DIRTY_RING	65536
/* Where a vCPU's fd has its ring, for mmap */
#define MVMM_DIRTY_RING_OFFSET	0x10000

/**
 * struct mvmm_dirty_ring - (MVMM_VM_ENABLE_DIRTY_RING)
 * @size: sizeof(struct mvmm_dirty_ring)
 * @entries: of each vCPU's ring: a power of two, MVMM_MIN_DIRTY_RING to
 *	MVMM_MAX_DIRTY_RING
 */
struct mvmm_dirty_ring {
	__u32 size;
	__u32 entries;
};

/* struct mvmm_dirty_gfn.flags */
#define MVMM_DIRTY_GFN_DIRTY	(1u << 0)	/* set by the kernel: filled in */
#define MVMM_DIRTY_GFN_RESET	(1u << 1)	/* set by userspace: collected */

/**
 * struct mvmm_dirty_gfn - an entry of a dirty ring, shared with the kernel
 * @flags: MVMM_DIRTY_GFN_*; 0: empty
 * @reserved: zero
 * @gpa: first guest-physical address of a page that the vCPU has written to, or
 *	is about to
 *
 * Userspace goes through the ring from entry 0, and from the last entry to entry 0
 * again. It reads @flags (acquire), and if MVMM_DIRTY_GFN_DIRTY is set, @gpa; then
 * it sets MVMM_DIRTY_GFN_RESET (release). See mvmm_collect_dirty_ring() of libmvmm.
 */
struct mvmm_dirty_gfn {
	__u32 flags;
	__u32 reserved;
	__u64 gpa;
};

/**
 * struct mvmm_reset_dirty_rings - (MVMM_VM_RESET_DIRTY_RINGS)
 * @size: sizeof(struct mvmm_reset_dirty_rings)
 * @flags: zero
 */
struct mvmm_reset_dirty_rings {
	__u32 size;
	__u32 flags;
};

/*
 * Map the pages writable, so that the first write does not fault either. Where
 * the CPU keeps no dirty bits (no MVMM_FEATURE_NESTED_AD) the dirty log counts
 * this as a write. Pages that are logged in rings are mapped as without it.
 */
#define MVMM_PREFAULT_WRITE (1u << 0)

/**
 * struct mvmm_prefault - bring guest memory in before the guest needs it
 * @size: sizeof(struct mvmm_prefault)
 * @flags: MVMM_PREFAULT_WRITE or 0
 * @gpa: in: first guest-physical address, a multiple of 4096; out, on success
 *	and -EINTR: the first address that is left to do
 * @len: in: bytes, a multiple of 4096; out: bytes left
 */
struct mvmm_prefault {
	__u32 size;
	__u32 flags;
	__u64 gpa;
	__u64 len;
};

#define MVMM_IOEVENTFD_DEASSIGN		(1u << 0)
#define MVMM_IOEVENTFD_DATAMATCH	(1u << 1)

/**
 * struct mvmm_ioeventfd - an OUT that signals an eventfd instead of exiting
 * @size: sizeof(struct mvmm_ioeventfd)
 * @flags: MVMM_IOEVENTFD_DEASSIGN: remove it; MVMM_IOEVENTFD_DATAMATCH: signal
 *	only if the value written is @datamatch
 * @port: 0 .. 65535
 * @len: only for an OUT of 1, 2 or 4 bytes; 0: for any
 * @fd: the eventfd; to remove it, the same eventfd
 * @reserved: zero
 * @datamatch: zero without MVMM_IOEVENTFD_DATAMATCH
 */
struct mvmm_ioeventfd {
	__u32 size;
	__u32 flags;
	__u32 port;
	__u32 len;
	__s32 fd;
	__u32 reserved;
	__u64 datamatch;
};

/**
 * struct mvmm_msi - a message-signalled interrupt, as a device writes it
 * @size: sizeof(struct mvmm_msi)
 * @flags: zero
 * @address: SDM vol. 3, 11.11.1: 0xfee00000, destination id in bits 12 .. 19,
 *	redirection hint in bit 3, logical destination in bit 2
 * @data: 11.11.2: vector, delivery mode in bits 8 .. 10, level in bit 14,
 *	trigger mode in bit 15
 * @reserved: zero
 */
struct mvmm_msi {
	__u32 size;
	__u32 flags;
	__u64 address;
	__u32 data;
	__u32 reserved;
};

#define MVMM_IRQFD_DEASSIGN (1u << 0)

/**
 * struct mvmm_irqfd - a signal of an eventfd becomes an interrupt
 * @size: sizeof(struct mvmm_irqfd)
 * @flags: MVMM_IRQFD_DEASSIGN: remove it
 * @fd: the eventfd; to remove it, the same eventfd
 * @data: as in struct mvmm_msi
 * @address: as in struct mvmm_msi
 */
struct mvmm_irqfd {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 data;
	__u64 address;
};

/**
 * struct mvmm_vm_sched - how much of the CPUs a VM gets where VMs compete
 * @size: sizeof(struct mvmm_vm_sched)
 * @weight: 1 .. 10000: VMs that compete get time in proportion to it, all vCPUs
 *	of a VM together. 100 before the first call
 * @cap: the most that the VM may have, in per cent of one CPU, up to 6400; 0:
 *	no limit
 * @reserved: zero
 */
struct mvmm_vm_sched {
	__u32 size;
	__u32 weight;
	__u32 cap;
	__u32 reserved;
};

/* The VM's time stands, and RUN fails with -EAGAIN */
#define MVMM_CLOCK_STOPPED (1u << 0)

/**
 * struct mvmm_clock - the time of a VM (MVMM_VM_GET_CLOCK, MVMM_VM_SET_CLOCK)
 * @size: sizeof(struct mvmm_clock)
 * @flags: MVMM_CLOCK_STOPPED or 0
 * @tsc: the guest's TSC, of a vCPU that has not written to its own; what
 *	another adds to it is its IA32_TSC_ADJUST (MSR 0x3b)
 * @kvmclock: the VM's clock in ns: what the guest reads with the help of
 *	MSR_KVM_SYSTEM_TIME_NEW
 * @host_tsc: the host's TSC when these were so, as if it had stood while the host
 *	was suspended; for SET 0: now
 * @realtime: out: the host's CLOCK_REALTIME in ns, at the time of the call
 * @tsc_khz: rate of the guest's TSC, at first the host's; for SET 0: as it is.
 *	One that is neither the present nor the host's needs MVMM_FEATURE_TSC_SCALING,
 *	and is from 1/64 to 64 times the host's. What CPUID says of the rate is up to userspace
 * @reserved: zero
 */
struct mvmm_clock {
	__u32 size;
	__u32 flags;
	__u64 tsc;
	__u64 kvmclock;
	__u64 host_tsc;
	__u64 realtime;
	__u32 tsc_khz;
	__u32 reserved;
};

/**
 * struct mvmm_create_vcpu - (MVMM_VM_CREATE_VCPU)
 * @size: sizeof(struct mvmm_create_vcpu)
 * @flags: zero
 * @id: 0 .. max_vcpus - 1, at most 254, not in use; it is the guest's initial
 *	APIC id. Ids above 255, which only x2APIC has, are not supported
 * @reserved: zero
 */
struct mvmm_create_vcpu {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
};

/*
 * MVMM_VM_ADD_REGION: returns 0; -EEXIST: it overlaps a region; -ENOSPC: the VM
 * has max_regions already.
 */
#define MVMM_VM_ADD_REGION	_IO(MVMM_IOC, 0x20)
/*
 * MVMM_VM_REMOVE_REGION: removes the region with exactly this @gpa and @len
 * (@hva and @flags are ignored). Returns 0; -ENOENT: there is no such region.
 */
#define MVMM_VM_REMOVE_REGION	_IO(MVMM_IOC, 0x21)
/*
 * MVMM_VM_CREATE_VCPU: returns a vCPU fd; -EEXIST: the vCPU id @id is in use.
 * The vCPU is in the state that the SDM gives after RESET (vol. 3, 10.1.1).
 */
#define MVMM_VM_CREATE_VCPU	_IO(MVMM_IOC, 0x22)
/*
 * MVMM_VM_GET_DIRTY_LOG: fills @bitmap and clears the log. Returns 0; -ENOENT:
 * no region has all of the range, or the one that has it has no log, or the VM has
 * dirty rings; -EFAULT: @bitmap cannot be written; the log loses nothing, but may
 * then have pages too many. Needs MVMM_FEATURE_DIRTY_LOG.
 */
#define MVMM_VM_GET_DIRTY_LOG	_IO(MVMM_IOC, 0x23)
/*
 * MVMM_VM_PREFAULT: maps the range as faults of the guest would. Nothing is
 * pinned: what the host takes away again faults as usual. Returns 0; -EINTR: a
 * signal came: call again with what is left; -ENOENT: a part is in no region
 * (with MVMM_PREFAULT_WRITE also: in a read-only one); -EFAULT: the caller's
 * mapping refuses the access; -EHWPOISON: the memory there is broken.
 */
#define MVMM_VM_PREFAULT	_IO(MVMM_IOC, 0x24)
/*
 * MVMM_VM_IOEVENTFD: returns 0; -EBADF, -EINVAL: @fd is not an eventfd; -EEXIST:
 * there is one for this port, length and value; -ENOENT: there is none to
 * remove; -ENOSPC: the VM has 1024 already. OUTS always exits. Needs
 * MVMM_FEATURE_IOEVENTFD.
 */
#define MVMM_VM_IOEVENTFD	_IO(MVMM_IOC, 0x25)
/*
 * MVMM_VM_MSI: returns how many vCPUs took the interrupt, 0 if none did;
 * -EINVAL also: the VM has no local APICs, or @address is not in their range.
 */
#define MVMM_VM_MSI		_IO(MVMM_IOC, 0x26)
/*
 * MVMM_VM_IRQFD: each signal of @fd sends the message. If @fd has one already, it
 * has the new one then; no signal is lost. Closing the last fd of the eventfd
 * removes it, too. Returns 0; -EBADF, -EINVAL: @fd is not an eventfd; -ENOENT:
 * there is none to remove; -ENOSPC: the VM has 1024 already; -EINVAL also: as for
 * MVMM_VM_MSI. Needs MVMM_FEATURE_IRQFD.
 */
#define MVMM_VM_IRQFD		_IO(MVMM_IOC, 0x27)
/*
 * MVMM_VM_SET_SCHED: may be called at any time. Returns 0; -EPERM also: a weight
 * over 100 needs CAP_SYS_NICE. Needs MVMM_FEATURE_SCHED.
 */
#define MVMM_VM_SET_SCHED	_IO(MVMM_IOC, 0x28)
/*
 * MVMM_VM_GET_CLOCK: one moment of the VM's time; while it stands, that at which
 * it was stopped. Returns 0.
 */
#define MVMM_VM_GET_CLOCK	_IO(MVMM_IOC, 0x29)
/*
 * MVMM_VM_SET_CLOCK: of all vCPUs at once: their differences stay. A TSC
 * deadline is a value of the guest's TSC: it comes when that gets there. With
 * @host_tsc as GET gave it the time goes on, or is stopped, as if there had been
 * no call between; with 0 it continues at @tsc and @kvmclock. When a stopped
 * time goes on, the guest is told (PVCLOCK_GUEST_STOPPED), so that its watchdogs
 * do not complain. Returns 0; -EBUSY: a vCPU is in RUN, or a GET or SET;
 * -EINVAL: @host_tsc is more than a second in the future, @tsc_khz is out of range,
 * or @reserved is not zero; -EOPNOTSUPP: unknown @flags, or another @tsc_khz without
 * MVMM_FEATURE_TSC_SCALING.
 */
#define MVMM_VM_SET_CLOCK	_IO(MVMM_IOC, 0x2a)
/*
 * MVMM_VM_SET_REGION: gives the region with exactly this @gpa and @len the new
 * @flags and @hva. The guest may run, and has memory there all the time; when
 * this returns, the new ones hold. A log that was kept before goes on; a new one
 * is empty. Returns 0; -ENOENT: there is no such region; else as
 * MVMM_VM_ADD_REGION.
 */
#define MVMM_VM_SET_REGION	_IO(MVMM_IOC, 0x2b)
/*
 * MVMM_VM_CHANGE_REGIONS: removes and adds regions in one step, or does nothing.
 * The guest may run: where there is memory before and after, there is memory all
 * the time, and it never sees some of the new and then some of the old. A region
 * that is removed and added again, with the same @gpa and @len and a log both
 * times, keeps the log. Returns 0; -ENOENT: one of those to remove is not there,
 * or twice in the array; -EEXIST: those to add overlap each other, or regions
 * that stay; -ENOSPC: they would be more than max_regions; -E2BIG also: an array
 * has more entries than that; -EINVAL also: the @size of an entry.
 */
#define MVMM_VM_CHANGE_REGIONS	_IO(MVMM_IOC, 0x2c)
/*
 * MVMM_VM_ENABLE_DIRTY_RING: what vCPUs write to in regions with
 * MVMM_REGION_LOG_DIRTY is listed in a ring of each vCPU, instead of bitmaps: for
 * guests that write to few pages. The ring is mapped (MAP_SHARED) from the vCPU's
 * fd at MVMM_DIRTY_RING_OFFSET. Until its entry is reset, a page may be listed more
 * than once; it may be listed right before the guest writes to it. When a ring has
 * no room for much more, RUN returns MVMM_EXIT_DIRTY_RING_FULL until entries were
 * reset. Returns 0; -EINVAL: a number of @entries that a ring cannot have; -EBUSY:
 * the VM has regions, or has had vCPUs. Needs MVMM_FEATURE_DIRTY_RING.
 */
#define MVMM_VM_ENABLE_DIRTY_RING _IO(MVMM_IOC, 0x2d)
/*
 * MVMM_VM_RESET_DIRTY_RINGS: of each ring, the entries up to the first one without
 * MVMM_DIRTY_GFN_RESET are emptied, and the next write to their pages is listed
 * again. Collect, reset, and only then copy the pages: what is written before the
 * reset is not listed a second time. Before a vCPU is closed its ring has to be
 * collected and reset. Returns how many entries; -EINVAL: the VM has no rings;
 * -EINTR: a fatal signal. Needs MVMM_FEATURE_DIRTY_RING.
 */
#define MVMM_VM_RESET_DIRTY_RINGS _IO(MVMM_IOC, 0x2e)

/* ---- vCPU fd ---------------------------------------------------------- */

/*
 * struct mvmm_regs: the general registers, part of the run page.
 *
 * While RUN is not executing, the registers are in the run page: read and write
 * them there. RUN takes one copy when it begins.
 */
struct mvmm_regs {
	__u64 rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	__u64 r8, r9, r10, r11, r12, r13, r14, r15;
	__u64 rip, rflags;
};

/* struct mvmm_run.exit_reason */
#define MVMM_EXIT_INTR		1	/* with -EINTR: signal, kick, immediate_exit */
#define MVMM_EXIT_IO		2	/* IN, OUT, INS, OUTS: see @io */
#define MVMM_EXIT_MMIO		3	/* an address that is no memory: @mmio */
/*
 * HLT; rip points to it. With local APICs only if nothing but userspace can end
 * the HLT: interrupts are off and the VM has one vCPU.
 */
#define MVMM_EXIT_HLT		4
#define MVMM_EXIT_SHUTDOWN	5	/* triple fault */
#define MVMM_EXIT_IRQ_WINDOW	6	/* asked for by @irq_window */
#define MVMM_EXIT_MEMORY_FAULT	7	/* the backing refused: @fault */
#define MVMM_EXIT_ENTRY_FAILED	8	/* the CPU refused the state: @entry */
#define MVMM_EXIT_ERROR		9	/* the VM is stopped: @error */
#define MVMM_EXIT_CR		10	/* MOV CR, LMSW, SMSW to decode: @cr */
#define MVMM_EXIT_EOI		11	/* end of a level-triggered interrupt: @eoi */
#define MVMM_EXIT_TASK_SWITCH	12	/* to another TSS, by hardware: @task */
#define MVMM_EXIT_DIRTY_RING_FULL 13	/* see MVMM_VM_ENABLE_DIRTY_RING */

/* struct mvmm_run.exit_flags */
/* The exit came while an event was delivered: MVMM_VCPU_GET_EVENTS has it */
#define MVMM_EXIT_FLAG_IN_DELIVERY (1u << 0)

#define MVMM_IO_IN		(1u << 0)
#define MVMM_IO_STRING		(1u << 1)
#define MVMM_IO_REP		(1u << 2)
/*
 * String forms: the CPU does not report prefixes; addr_size and gva are those
 * of an instruction without prefixes.
 */
#define MVMM_IO_DECODE		(1u << 3)

/* struct mvmm_run.task.source */
#define MVMM_TASK_CALL		0
#define MVMM_TASK_IRET		1
#define MVMM_TASK_JMP		2
/*
 * A task gate of the IDT. The event is in flight, but for INT n, INT3 and INTO on a
 * CPU that does not report their length (SVM): these are at rip.
 */
#define MVMM_TASK_GATE		3

/* struct mvmm_run.set_cr */
#define MVMM_SET_CR0		1
#define MVMM_SET_CR4		2

#define MVMM_ACCESS_READ	(1u << 0)
#define MVMM_ACCESS_WRITE	(1u << 1)
#define MVMM_ACCESS_EXEC	(1u << 2)
/* The CPU's page walk accessed one of the guest's paging structures */
#define MVMM_ACCESS_PAGE_WALK	(1u << 3)

/**
 * struct mvmm_paging - how the guest translates and decodes
 * @cr0: as the guest reads it, except TS
 * @cr3: root of the paging structures
 * @cr4: as the guest reads it
 * @efer: IA32_EFER
 * @pdpte: as in struct mvmm_sregs
 * @cs_base: base of CS; 0 in 64-bit code
 * @cs_attr: as in struct mvmm_segment
 * @cpl: current privilege level, 0 .. 3
 * @reserved: zero
 * @pkru: PKRU; it has an effect while CR4.PKE is set
 */
struct mvmm_paging {
	__u64 cr0, cr3, cr4, efer;
	__u64 pdpte[4];
	__u64 cs_base;
	__u16 cs_attr;
	__u8 cpl;
	__u8 reserved;
	__u32 pkru;
};

/**
 * struct mvmm_run - the run page, shared with the kernel
 * @immediate_exit: in: not 0: RUN completes @retire and returns -EINTR without
 *	entering the guest. The kernel does not change it.
 * @irq_window: in: not 0: RUN returns MVMM_EXIT_IRQ_WINDOW as soon as the guest
 *	can take an interrupt, and LINT0 passes it on
 * @retire: in: userspace has executed the instruction at rip, which has this
 *	many bytes (0 .. 15; 0: none): RUN advances rip, ends the STI and MOV SS
 *	shadow, clears RFLAGS.RF and raises the single-step trap if RFLAGS.TF is
 *	set. The kernel writes 0 when it has done so.
 * @set_cr: in: the instruction of @retire writes @cr_value to a control
 *	register: MVMM_SET_*, or 0. If the architecture forbids the value the
 *	guest gets #GP instead. The kernel writes 0 when it is done.
 * @reserved0: zero
 * @exit_reason: out: MVMM_EXIT_*
 * @exit_flags: out: MVMM_EXIT_FLAG_*
 * @can_inject: out: the guest would take an external interrupt at the next
 *	entry
 * @insn_len: out: bytes of the instruction at rip if the CPU reports them (IO,
 *	HLT), else 0
 * @irq_pending: out: an external interrupt that was injected still waits
 * @extint: out: the local APIC passes on the PIC's interrupts (LINT0 is
 *	ExtINT), or there is no local APIC: MVMM_EVENT_IRQ may be injected
 * @reserved1: zero
 * @cr_value: in: for @set_cr
 * @regs: the general registers, in and out
 * @io: MVMM_EXIT_IO
 * @io.port: port number
 * @io.size: 1, 2 or 4 bytes
 * @io.flags: MVMM_IO_*
 * @io.addr_size: 2, 4 or 8 bytes, width of rcx, rsi, rdi (string forms)
 * @io.reserved: zero
 * @io.gva: linear address of the (first) datum of a string form
 * @mmio: MVMM_EXIT_MMIO
 * @mmio.gpa: guest-physical address
 * @mmio.gva: the linear address of the access; 0 where the CPU does not report
 *	it (see MVMM_FEATURE_FAULT_GVA), and for the local APIC's page
 * @mmio.access: MVMM_ACCESS_*
 * @mmio.reserved: zero
 * @fault: MVMM_EXIT_MEMORY_FAULT
 * @fault.gpa: guest-physical address
 * @fault.hva: address in the owner's mapping, 0 if no region is there
 * @fault.access: MVMM_ACCESS_*
 * @fault.error: a positive errno: why the host could not give the page; EHWPOISON:
 *	its memory is broken; EROFS: the CPU's own page walk has to write there,
 *	and the region is read-only
 * @entry: MVMM_EXIT_ENTRY_FAILED, diagnostics in the CPU's own codes
 * @entry.hw_reason: basic exit reason (SDM vol. 3, appendix C) or exit code
 *	(APM vol. 2, appendix C), or 0
 * @entry.hw_error: VM-instruction error (SDM vol. 3, 31.4), or 0
 * @entry.qualification: exit qualification
 * @cr: MVMM_EXIT_CR: the guest reads or writes a control register, and the CPU
 *	does not report the general register (SVM without decode assists)
 * @cr.cr: 0 or 4
 * @cr.write: not 0: a write, to be completed by @set_cr; 0: a read
 * @cr.reserved: zero
 * @cr.value: the register's present value, as the guest reads it
 * @eoi: MVMM_EXIT_EOI, for the I/O APIC
 * @eoi.vector: vector of the interrupt that has ended
 * @eoi.reserved: zero
 * @task: MVMM_EXIT_TASK_SWITCH: nothing has been saved, checked or loaded yet
 * @task.selector: of the new TSS
 * @task.source: MVMM_TASK_*
 * @task.reserved: zero
 * @error: MVMM_EXIT_ERROR; later RUNs fail with -EIO
 * @error.hw_reason: raw exit code, a diagnostic
 * @error.reserved: zero
 * @error.qualification: raw exit qualification
 * @error.text: what happened, a string with a 0 at its end
 * @reserved3: space to grow, zero
 * @paging: out: filled in with exits whose completion needs the instruction at
 *	rip or guest memory: MMIO, CR, TASK_SWITCH and the string forms of IO
 *
 * Every exit is restartable: rip points to the instruction that exited, and no
 * part of it has been executed. Userspace completes it in @regs and sets
 * @retire.
 */
struct mvmm_run {
	__u8 immediate_exit;
	__u8 irq_window;
	__u8 retire;
	__u8 set_cr;
	__u8 reserved0[4];

	__u32 exit_reason;
	__u32 exit_flags;
	__u8 can_inject;
	__u8 insn_len;
	__u8 irq_pending;
	__u8 extint;
	__u8 reserved1[4];
	__u64 cr_value;

	struct mvmm_regs regs;

	union {
		struct {
			__u16 port;
			__u8 size;
			__u8 flags;
			__u8 addr_size;
			__u8 reserved[3];
			__u64 gva;
		} io;
		struct {
			__u64 gpa;
			__u64 gva;
			__u32 access;
			__u32 reserved;
		} mmio;
		struct {
			__u64 gpa;
			__u64 hva;
			__u32 access;
			__u32 error;
		} fault;
		struct {
			__u32 hw_reason;
			__u32 hw_error;
			__u64 qualification;
		} entry;
		struct {
			__u8 cr;
			__u8 write;
			__u8 reserved[6];
			__u64 value;
		} cr;
		struct {
			__u8 vector;
			__u8 reserved[7];
		} eoi;
		struct {
			__u16 selector;
			__u8 source;
			__u8 reserved[5];
		} task;
		struct {
			__u32 hw_reason;
			__u32 reserved;
			__u64 qualification;
			char text[112];
		} error;
		__u8 reserved3[256];
	};
	struct mvmm_paging paging;
};

/**
 * struct mvmm_segment - a segment register with its hidden part
 * @base: linear base
 * @limit: limit in bytes, after granularity
 * @selector: visible part
 * @attr: descriptor bits 40..47 in 0..7 and 52..55 in 12..15, as in SDM
 *	vol. 3, table 25-2; P (bit 7) clear means the segment is not usable
 */
struct mvmm_segment {
	__u64 base;
	__u32 limit;
	__u16 selector;
	__u16 attr;
};

/**
 * struct mvmm_table - GDTR or IDTR
 * @base: linear base
 * @limit: limit in bytes
 * @reserved: zero
 */
struct mvmm_table {
	__u64 base;
	__u16 limit;
	__u16 reserved[3];
};

/**
 * struct mvmm_sregs - segments and control registers
 * @size: sizeof(struct mvmm_sregs)
 * @reserved: zero
 * @es: segment register; the first six are in the order of their encoding
 * @cs: segment register
 * @ss: segment register
 * @ds: segment register
 * @fs: segment register
 * @gs: segment register
 * @ldt: LDTR
 * @tr: task register
 * @gdt: GDTR
 * @idt: IDTR
 * @cr0: as the guest reads it
 * @cr2: page-fault linear address
 * @cr3: root of the guest's paging structures
 * @cr4: as the guest reads it
 * @cr8: task priority, 0 .. 15
 * @efer: IA32_EFER; LMA must equal LME and CR0.PG
 * @xcr0: XCR0, a subset of mvmm_info.xcr0
 * @pdpte: the four PDPTEs that the CPU keeps while PAE paging is in use; else
 *	ignored. All zero on a CPU that reads them from memory (SVM).
 */
struct mvmm_sregs {
	__u32 size;
	__u32 reserved;
	struct mvmm_segment es, cs, ss, ds, fs, gs, ldt, tr;
	struct mvmm_table gdt, idt;
	__u64 cr0, cr2, cr3, cr4, cr8;
	__u64 efer;
	__u64 xcr0;
	__u64 pdpte[4];
};

/**
 * struct mvmm_dregs - debug registers
 * @size: sizeof(struct mvmm_dregs)
 * @reserved: zero
 * @dr: DR0 .. DR3
 * @dr6: DR6
 * @dr7: DR7
 */
struct mvmm_dregs {
	__u32 size;
	__u32 reserved;
	__u64 dr[4];
	__u64 dr6;
	__u64 dr7;
};

/**
 * struct mvmm_xsave - the XSAVE area, in the standard (not compacted) form
 * @size: sizeof(struct mvmm_xsave)
 * @len: bytes at @addr, at least mvmm_info.xsave_size
 * @addr: address of the area
 */
struct mvmm_xsave {
	__u32 size;
	__u32 len;
	__u64 addr;
};

/**
 * struct mvmm_msr - one MSR
 * @index: MSR number
 * @reserved: zero
 * @value: its value
 */
struct mvmm_msr {
	__u32 index;
	__u32 reserved;
	__u64 value;
};

/**
 * struct mvmm_msrs - a list of MSRs
 * @size: sizeof(struct mvmm_msrs)
 * @nr: entries at @entries, at most 256 (see also MVMM_VCPU_GET_MSR_LIST)
 * @entries: address of an array of struct mvmm_msr
 */
struct mvmm_msrs {
	__u32 size;
	__u32 nr;
	__u64 entries;
};

/* Types of events, in the SDM's encoding (vol. 3, table 25-17) */
#define MVMM_EVENT_IRQ		0	/* external interrupt */
#define MVMM_EVENT_NMI		2
#define MVMM_EVENT_EXCEPTION	3	/* fault or trap of hardware */
#define MVMM_EVENT_SOFT_INT	4	/* INT n */
#define MVMM_EVENT_PRIV_TRAP	5	/* INT1 */
#define MVMM_EVENT_SOFT_EXC	6	/* INT3, INTO */

#define MVMM_SHADOW_STI		(1u << 0)
#define MVMM_SHADOW_MOV_SS	(1u << 1)

/**
 * struct mvmm_events - everything about events that is not in registers
 * @size: sizeof(struct mvmm_events)
 * @shadow: MVMM_SHADOW_* that holds interrupts off for one instruction
 * @nmi_masked: not 0: NMIs are blocked until IRET
 * @nmi_pending: NMIs that wait, 0 .. 2
 * @irq_pending: not 0: an external interrupt of @irq_vector waits
 * @irq_vector: its vector
 * @inflight: not 0: an event is in flight: it goes before all others
 * @type: MVMM_EVENT_* of the event in flight
 * @vector: its vector
 * @has_error: not 0: it pushes @error_code
 * @insn_len: bytes of the instruction that raised a software event
 * @eoi_pending: not 0: the next RUN returns MVMM_EXIT_EOI for @eoi_vector. 0 in
 *	VMs without local APICs
 * @eoi_vector: its vector
 * @shutdown: not 0: the next RUN returns MVMM_EXIT_SHUTDOWN
 * @reserved: zero
 * @error_code: its error code
 * @pending_dbg: pending debug exceptions, laid out like DR6 (SDM vol. 3,
 *	25.4.2)
 */
struct mvmm_events {
	__u32 size;
	__u8 shadow;
	__u8 nmi_masked;
	__u8 nmi_pending;
	__u8 irq_pending;
	__u8 irq_vector;
	__u8 inflight;
	__u8 type;
	__u8 vector;
	__u8 has_error;
	__u8 insn_len;
	__u8 eoi_pending;
	__u8 eoi_vector;
	__u8 shutdown;
	__u8 reserved[3];
	__u32 error_code;
	__u64 pending_dbg;
};

/**
 * struct mvmm_inject - raise an event (MVMM_VCPU_INJECT)
 * @size: sizeof(struct mvmm_inject)
 * @type: MVMM_EVENT_IRQ, MVMM_EVENT_NMI or MVMM_EVENT_EXCEPTION
 * @vector: 0 .. 255 for an IRQ, 0 .. 31 but 2 for an exception; else 0
 * @has_error: exceptions only: 1 pushes @error_code. Must be 1 for the vectors
 *	that push one (SDM vol. 3, table 6-1), but 0 in real mode; 0 for others
 * @reserved: zero
 * @error_code: exceptions only
 * @reserved2: zero
 * @payload: #PF: the new CR2; else zero
 */
struct mvmm_inject {
	__u32 size;
	__u8 type;
	__u8 vector;
	__u8 has_error;
	__u8 reserved;
	__u32 error_code;
	__u32 reserved2;
	__u64 payload;
};

/* Only what INIT changes, not what RESET does */
#define MVMM_RESET_INIT (1u << 0)

/**
 * struct mvmm_reset - RESET, or INIT (MVMM_VCPU_RESET)
 * @size: sizeof(struct mvmm_reset)
 * @flags: MVMM_RESET_INIT or 0
 */
struct mvmm_reset {
	__u32 size;
	__u32 flags;
};

/**
 * struct mvmm_apic_access - a guest's access to its xAPIC page
 * @size: sizeof(struct mvmm_apic_access)
 * @offset: in the page, 0 .. 4095
 * @write: 0 or 1
 * @reserved: zero
 * @data: in: the value to write; out: the value read. Always the 32 bits of a
 *	register, whatever the size of the guest's access
 */
struct mvmm_apic_access {
	__u32 size;
	__u16 offset;
	__u8 write;
	__u8 reserved;
	__u32 data;
};

/* struct mvmm_apic.mp_state */
#define MVMM_MP_RUNNABLE	0
#define MVMM_MP_HALTED		1	/* in HLT */
#define MVMM_MP_INIT		2	/* waits for SIPI */
#define MVMM_MP_UNHALTED	3	/* runnable; its next HLT ends at once */

/**
 * struct mvmm_apic - the local APIC
 * @size: sizeof(struct mvmm_apic)
 * @mp_state: MVMM_MP_*
 * @apic_base: IA32_APIC_BASE
 * @tsc_deadline: IA32_TSC_DEADLINE, 0: not armed
 * @regs: the register page up to 0x3ff, as xAPIC lays it out (SDM vol. 3, table
 *	11-1); x2APIC's ICR of 64 bits has its upper half at 0x310; what the next
 *	write to ESR makes it show is at 0x284
 */
struct mvmm_apic {
	__u32 size;
	__u32 mp_state;
	__u64 apic_base;
	__u64 tsc_deadline;
	__u32 regs[256];
};

/**
 * struct mvmm_times - how a vCPU has spent its time since its creation, in ns
 * @size: sizeof(struct mvmm_times)
 * @reserved: out: zero
 * @run: with a slot, the right to run on a physical CPU: in the guest, and in
 *	userspace as long as its slice lasts or no other vCPU wants the CPU
 * @wait: in RUN without a slot: others had them, or the slot was taken because
 *	Linux did not run the thread
 * @block: in HLT, before SIPI, or outside of RUN
 * @steal: lost time as reported to the guest (KVM's steal time)
 * @longest_wait: the longest of the waits that have ended; @wait contains it
 */
struct mvmm_times {
	__u32 size;
	__u32 reserved;
	__u64 run;
	__u64 wait;
	__u64 block;
	__u64 steal;
	__u64 longest_wait;
};

/* Index: VMX's exit reason, or SVM's exit code; codes from 0x400 on at 0xb0 */
#define MVMM_STATS_HW_EXITS 184

/**
 * struct mvmm_stats - counters of a vCPU since its creation
 * @size: sizeof(struct mvmm_stats)
 * @nr_hw_exits: out: entries used in @hw_exits
 * @entries: VM entries
 * @exits_to_user: RUNs that returned
 * @faults: pages brought in on a nested page fault
 * @fault_retries: faults repeated because the mapping changed meanwhile
 * @injections: events injected
 * @flush_memory: flushes of the VM's nested translations
 * @flush_vcpu: flushes of this vCPU's own translations
 * @migrations: moves to another CPU
 * @hw_exits: exits by the CPU's own exit reason or code: a diagnostic
 * @slow_faults: of @faults, those that the host's fault handler was called for
 */
struct mvmm_stats {
	__u32 size;
	__u32 nr_hw_exits;
	__u64 entries;
	__u64 exits_to_user;
	__u64 faults;
	__u64 fault_retries;
	__u64 injections;
	__u64 flush_memory;
	__u64 flush_vcpu;
	__u64 migrations;
	__u64 hw_exits[MVMM_STATS_HW_EXITS];
	__u64 slow_faults;
};

/*
 * MVMM_VCPU_RUN: no argument (0). Runs the guest until an exit that userspace
 * must handle. Returns 0 with @exit_reason; -EINTR: a signal is pending, the
 * vCPU was kicked, immediate_exit is set, or the kernel wanted the thread for
 * work of its own (the guest's state is consistent: call again); -EBUSY:
 * another thread is in RUN or a GET/SET; -EIO: the VM is stopped (see
 * MVMM_EXIT_ERROR); -EAGAIN: its time is (see MVMM_VM_SET_CLOCK); -EINVAL:
 * @retire is over 15, @set_cr is unknown or set without @retire, or a reserved
 * input is not zero.
 * RUN does not change the signal mask. So that no signal is lost that arrives
 * just before RUN, let its handler set immediate_exit, or use MVMM_VCPU_KICK.
 * If a second or more passes between -EINTR and the next call (SIGSTOP, a
 * debugger), the guest is told (PVCLOCK_GUEST_STOPPED). Its time has gone on.
 */
#define MVMM_VCPU_RUN		_IO(MVMM_IOC, 0x40)
/*
 * MVMM_VCPU_KICK: no argument (0). From any thread: the RUN in progress, or
 * else the next one, returns -EINTR, once. Does not wait for that. Returns 0.
 */
#define MVMM_VCPU_KICK		_IO(MVMM_IOC, 0x41)
/*
 * MVMM_VCPU_INJECT: returns 0; -EBUSY: an event of that type waits already, or
 * for an exception: any event is in flight. The event is delivered as soon as
 * the guest can take it. With a local APIC an IRQ comes from the PIC, through
 * the pin LINT0; -EAGAIN: LINT0 does not pass it on (@extint is 0).
 */
#define MVMM_VCPU_INJECT	_IO(MVMM_IOC, 0x42)
/*
 * MVMM_VCPU_APIC_ACCESS: does the access of an MMIO exit on the page that
 * IA32_APIC_BASE names. The caller decodes the instruction, and sets @retire.
 * Returns 0; -EINVAL also: the VM has no local APICs.
 */
#define MVMM_VCPU_APIC_ACCESS	_IO(MVMM_IOC, 0x43)
/*
 * The vCPU's state. GET fills the struct, SET takes all of it; both return 0,
 * or -EBUSY while RUN is in progress. SET checks what the module itself relies
 * on (-EINVAL); what only the CPU checks ends in MVMM_EXIT_ENTRY_FAILED.
 * GET_MSRS and SET_MSRS return how many entries were done: they stop at the
 * first MSR that a guest could not access, but for IA32_TSC_ADJUST; -E2BIG: more
 * than 256.
 *
 * Others may have sent interrupts to the vCPU, INIT and SIPI too: GET_APIC does
 * what they ask for, so it comes before the other GETs and before @regs of the
 * run page are read. Of the SETs SET_CPUID comes first: it decides what the
 * others may contain. SET_APIC comes behind MVMM_VM_SET_CLOCK and SET_MSRS: its
 * timer is compared with the guest's TSC at once. The order of the rest does not
 * matter.
 */
#define MVMM_VCPU_GET_SREGS	_IO(MVMM_IOC, 0x50)
#define MVMM_VCPU_SET_SREGS	_IO(MVMM_IOC, 0x51)
#define MVMM_VCPU_GET_DREGS	_IO(MVMM_IOC, 0x52)
#define MVMM_VCPU_SET_DREGS	_IO(MVMM_IOC, 0x53)
#define MVMM_VCPU_GET_XSAVE	_IO(MVMM_IOC, 0x54)
#define MVMM_VCPU_SET_XSAVE	_IO(MVMM_IOC, 0x55)
#define MVMM_VCPU_GET_EVENTS	_IO(MVMM_IOC, 0x56)
#define MVMM_VCPU_SET_EVENTS	_IO(MVMM_IOC, 0x57)
#define MVMM_VCPU_GET_MSRS	_IO(MVMM_IOC, 0x58)
#define MVMM_VCPU_SET_MSRS	_IO(MVMM_IOC, 0x59)
#define MVMM_VCPU_GET_CPUID	_IO(MVMM_IOC, 0x5a)
/*
 * MVMM_VCPU_SET_CPUID: replaces the table. -E2BIG: over max_cpuid entries;
 * -EINVAL: a leaf twice, or unknown flags. A feature that the table has and
 * MVMM_GET_CPUID has not is visible to the guest, but cannot be enabled. The
 * APIC id in leaves 1 and 0xb is always the vCPU's own.
 */
#define MVMM_VCPU_SET_CPUID	_IO(MVMM_IOC, 0x5b)
#define MVMM_VCPU_GET_STATS	_IO(MVMM_IOC, 0x5c)
/* -EINVAL also: the VM has no local APICs */
#define MVMM_VCPU_GET_APIC	_IO(MVMM_IOC, 0x5d)
#define MVMM_VCPU_SET_APIC	_IO(MVMM_IOC, 0x5e)
/* Works while the vCPU is in RUN: never -EBUSY. Needs MVMM_FEATURE_SCHED */
#define MVMM_VCPU_GET_TIMES	_IO(MVMM_IOC, 0x5f)
/*
 * MVMM_VCPU_GET_MSR_LIST: takes struct mvmm_msrs: @index of the MSRs that have
 * to be saved, since no other call has their values. It depends on CPUID. @nr:
 * in: entries that fit; out: entries in the list. Returns 0; -ENOSPC with @nr
 * filled in: the array is too short.
 */
#define MVMM_VCPU_GET_MSR_LIST	_IO(MVMM_IOC, 0x60)
/*
 * MVMM_VCPU_RESET: the state that the SDM gives after RESET, as of a new vCPU, or
 * after INIT (vol. 3, table 10-1; but x87 as after FNINIT); @regs of the run page
 * too. vCPU 0 runs, with local APICs the others wait for SIPI. What others have
 * sent before is lost. The CPUID table, the VM's time and the counters stay.
 * Returns 0; -EOPNOTSUPP: unknown @flags.
 */
#define MVMM_VCPU_RESET		_IO(MVMM_IOC, 0x61)

#endif /* _UAPI_MVMM_H */
