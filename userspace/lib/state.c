// SPDX-License-Identifier: LGPL-2.1-or-later
/* All that a vCPU is, in one struct. */
#include <errno.h>
#include <string.h>
#include "libmvmm.h"

#define ENTRIES(array) (sizeof(array) / sizeof((array)[0]))

static int get_apic(int vcpu, struct mvmm_vcpu_state *s)
{
	int ret = mvmm_get_apic(vcpu, &s->apic);

	s->has_apic = !ret;
	/* The VM has no local APICs */
	return ret == -EINVAL ? 0 : ret;
}

static int get_msrs(int vcpu, struct mvmm_vcpu_state *s)
{
	int ret = mvmm_get_msr_list(vcpu, s->msr, ENTRIES(s->msr)), done;

	if (ret < 0)
		return ret;
	s->nr_msrs = ret;
	done = mvmm_get_msrs(vcpu, s->msr, ret);
	return done < 0 ? done : done != ret ? -EPROTO : 0;
}

static int get_cpuid(int vcpu, struct mvmm_vcpu_state *s)
{
	int ret = mvmm_get_vcpu_cpuid(vcpu, s->cpuid, ENTRIES(s->cpuid));

	if (ret < 0)
		return ret;
	s->nr_cpuid = ret;
	return 0;
}

int mvmm_save_vcpu(int vcpu, const struct mvmm_run *run,
		   struct mvmm_vcpu_state *s)
{
	int ret;

	memset(s, 0, sizeof(*s));
	/* First: it does an INIT that has come, which changes all the rest */
	ret = get_apic(vcpu, s);
	if (!ret)
		ret = get_cpuid(vcpu, s);
	if (!ret)
		ret = mvmm_get_sregs(vcpu, &s->sregs);
	if (!ret)
		ret = mvmm_get_dregs(vcpu, &s->dregs);
	if (!ret)
		ret = mvmm_get_xsave(vcpu, s->xsave, sizeof(s->xsave));
	if (!ret)
		ret = get_msrs(vcpu, s);
	if (!ret)
		ret = mvmm_get_events(vcpu, &s->events);
	s->regs = run->regs;
	s->retire = run->retire;
	s->set_cr = run->set_cr;
	s->cr_value = run->cr_value;
	return ret;
}

int mvmm_load_vcpu(int vcpu, struct mvmm_run *run, struct mvmm_vcpu_state *s)
{
	int ret, done;

	if (s->nr_msrs > ENTRIES(s->msr) || s->nr_cpuid > ENTRIES(s->cpuid))
		return -EINVAL;
	/* First: it decides what the others may contain */
	ret = mvmm_set_cpuid(vcpu, s->cpuid, s->nr_cpuid);
	if (!ret)
		ret = mvmm_set_sregs(vcpu, &s->sregs);
	if (!ret)
		ret = mvmm_set_dregs(vcpu, &s->dregs);
	if (!ret)
		ret = mvmm_set_xsave(vcpu, s->xsave, sizeof(s->xsave));
	done = ret ? 0 : mvmm_set_msrs(vcpu, s->msr, s->nr_msrs);
	if (!ret && done != (int)s->nr_msrs)
		ret = done < 0 ? done : -EINVAL;
	if (!ret && s->has_apic)
		ret = mvmm_set_apic(vcpu, &s->apic);
	if (!ret)
		ret = mvmm_set_events(vcpu, &s->events);
	run->regs = s->regs;
	run->retire = s->retire;
	run->set_cr = s->set_cr;
	run->cr_value = s->cr_value;
	return ret;
}
