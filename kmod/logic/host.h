/* SPDX-License-Identifier: GPL-2.0 */
/* Whether the module may load on this host. Pure; what a CPU lacks: caps.c. */
#ifndef MVMM_LOGIC_HOST_H
#define MVMM_LOGIC_HOST_H

#include <linux/types.h>

/**
 * struct mvmm_host - what decides that
 * @fred: the kernel uses FRED, not only does the CPU have it: events come by
 *	another way than the IDT, which vmx/ and svm/ hand them to
 * @vendor: VMX or SVM is there, and built in
 * @closed: an Intel CPU, and this kernel keeps for KVM what VMX needs
 * @tsc: the kernel knows the TSC's rate; the module measures time by it
 */
struct mvmm_host {
	bool fred, vendor, closed, tsc;
};

enum mvmm_refusal { MVMM_HOST_IS_GOOD, MVMM_HOST_HAS_FRED, MVMM_HOST_IS_CLOSED,
		    MVMM_HOST_LACKS_VENDOR, MVMM_HOST_LACKS_TSC };

/* What is said first is what has to be mended first */
static inline enum mvmm_refusal mvmm_host_check(const struct mvmm_host *host)
{
	if (host->fred)
		return MVMM_HOST_HAS_FRED;
	if (!host->vendor)
		return host->closed ? MVMM_HOST_IS_CLOSED :
				      MVMM_HOST_LACKS_VENDOR;
	return host->tsc ? MVMM_HOST_IS_GOOD : MVMM_HOST_LACKS_TSC;
}

#endif
