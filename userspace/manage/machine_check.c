// SPDX-License-Identifier: GPL-2.0
/*
 * The host takes away a page whose memory is broken. A guest that touches it gets the
 * machine check that a CPU would raise: its kernel ends the program that had the page,
 * and goes on. If the page breaks only then, SIGBUS comes first: base/guard.c.
 */
#include <errno.h>
#include "core/machine.h"
#include "manage/machine_check.h"

#define CR4_MCE		(1u << 6)
#define VECTOR_MC	18

/* IA32_MCG_CAP: software recovers. AMD's CPUs say so elsewhere */
#define MCG_CAP		0x179
#define INTEL_RECOVERY	(1u << 24)

/* IA32_MCG_STATUS (SDM vol. 3, 16.3.1.2) */
#define MCG_STATUS	0x17a
#define RIPV		(1u << 0)	/* the guest can go on where it was */
#define EIPV		(1u << 1)	/* what it did there is the cause */
#define MCIP		(1u << 2)

/* A bank (SDM vol. 3, 16.3.2; APM vol. 2, 9.3.2) */
#define BANK_STATUS	0x405
#define BANK_ADDR	0x406
#define BANK_MISC	0x407
/* Valid, uncorrected, enabled, MISC and ADDR are valid; a read of data failed */
#define READ_FAILED	(0xbcull << 56 | 0x134)
/* Signaled, action required (SDM vol. 3, 16.6.2) */
#define INTEL_ACTION	(3ull << 55)
/* What was read is poison: the next one who needs it cannot go on */
#define AMD_POISON	(1ull << 43)
/* ADDR is a physical address, of a page */
#define MISC_PAGE	(2u << 6 | 12)

static int raise_check(struct vcpu *v, struct mvmm_msr *msrs, uint32_t nr)
{
	struct mvmm_msr status = { .index = MCG_STATUS };
	struct mvmm_sregs sregs;
	int ret;

	/* A CPU that does not expect it would shut down */
	if (mvmm_get_sregs(v->fd, &sregs) || !(sregs.cr4 & CR4_MCE) ||
	    mvmm_get_msrs(v->fd, &status, 1) != 1 || status.value & MCIP)
		return -EHWPOISON;
	/* First: it may have to be tried again */
	ret = mvmm_inject_exception(v->fd, VECTOR_MC, false, 0, 0);
	if (ret)
		return ret;
	return mvmm_set_msrs(v->fd, msrs, nr) == (int)nr ? 0 : -EIO;
}

static void tell_others(struct vcpu *v)
{
	struct machine *m = v->machine;
	unsigned int i;

	for (i = 0; i < m->nr_vcpus; i++) {
		if (i == v->id)
			continue;
		__atomic_store_n(&m->vcpu[i].check_due, true, __ATOMIC_RELEASE);
		mvmm_kick(m->vcpu[i].fd);
	}
}

int machine_check(struct vcpu *v, bool own)
{
	unsigned long long gpa = v->run->fault.gpa & ~4095ull;
	struct mvmm_msr cap = { .index = MCG_CAP };
	bool intel = mvmm_get_msrs(v->fd, &cap, 1) == 1 &&
		     cap.value & INTEL_RECOVERY;
	struct mvmm_msr msrs[] = {
		{ .index = MCG_STATUS, .value = MCIP | RIPV | (own ? EIPV : 0) },
		{ .index = BANK_STATUS,
		  .value = READ_FAILED | (intel ? INTEL_ACTION : AMD_POISON) },
		{ .index = BANK_ADDR, .value = gpa },
		{ .index = BANK_MISC, .value = MISC_PAGE },
	};
	int ret = raise_check(v, msrs, own ? 4 : 1);

	if (!own || ret)
		return ret;
	/* On Intel's CPUs all are told, and wait for each other */
	if (intel)
		tell_others(v);
	machine_warn(v->machine, "the guest's memory at 0x%llx is broken: the guest was told",
		     gpa);
	return 0;
}
