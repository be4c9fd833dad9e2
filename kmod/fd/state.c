// SPDX-License-Identifier: GPL-2.0
/*
 * Reading and writing a vCPU's whole state (GET and SET), and events that
 * userspace injects. The vCPU is busy for the caller in all of these.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "cpu/fpu.h"
#include "cpu/tsc.h"
#include "fd.h"
#include "guest/guest.h"
#include "irq/apic.h"
#include "run/run.h"
#include "vendor.h"

#define MVMM_MAX_MSRS		256

static long get_sregs(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	struct mvmm_sregs *s = arg;

	mvmm_vcpu_load(vcpu);
	mvmm_ops->get_state(vcpu, s);
	mvmm_vcpu_put(vcpu);
	mvmm_apic_pull(vcpu);
	s->cr0 = vcpu->cr0;
	s->cr2 = vcpu->cr2;
	s->cr4 = vcpu->cr4;
	s->cr8 = vcpu->cr8;
	s->efer = vcpu->efer;
	s->xcr0 = vcpu->xcr0;
	return 0;
}

static long set_sregs(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	const struct mvmm_sregs *s = arg;
	const struct mvmm_guest_caps *caps = &vcpu->caps;
	bool long_mode = s->efer & EFER_LME && s->cr0 & X86_CR0_PG;

	if (s->reserved || s->cr8 > 15 || !mvmm_cr0_valid(s->cr0) ||
	    !mvmm_efer_valid(caps, s->efer) ||
	    !!(s->efer & EFER_LMA) != long_mode ||
	    !mvmm_cr4_valid(caps, s->cr4, s->efer) ||
	    !mvmm_xcr0_valid(caps, s->xcr0) ||
	    s->cr3 >> 63 || memchr_inv(s->gdt.reserved, 0, 6) ||
	    memchr_inv(s->idt.reserved, 0, 6))
		return -EINVAL;
	if (mvmm_uses_pae(s->cr0, s->cr4, s->efer) &&
	    !mvmm_pdptes_valid(s->pdpte, caps->phys_bits))
		return -EINVAL;

	vcpu->cr0 = s->cr0 | X86_CR0_ET;
	vcpu->cr2 = s->cr2;
	vcpu->cr4 = s->cr4;
	mvmm_apic_set_cr8(vcpu, s->cr8);
	vcpu->efer = s->efer;
	vcpu->xcr0 = s->xcr0;
	mvmm_vcpu_load(vcpu);
	mvmm_ops->sync_crs(vcpu);
	mvmm_ops->set_state(vcpu, s);
	mvmm_vcpu_put(vcpu);
	return 0;
}

static long get_dregs(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	struct mvmm_dregs *d = arg;

	memcpy(d->dr, vcpu->dr, sizeof(d->dr));
	d->dr6 = vcpu->dr6;
	mvmm_vcpu_load(vcpu);
	d->dr7 = mvmm_ops->get_dr7(vcpu);
	mvmm_vcpu_put(vcpu);
	return 0;
}

static long set_dregs(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	const struct mvmm_dregs *d = arg;

	if (d->reserved || d->dr6 >> 32 || d->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->dr, d->dr, sizeof(d->dr));
	vcpu->dr6 = mvmm_dr_fixed(6, d->dr6);
	mvmm_vcpu_load(vcpu);
	mvmm_ops->set_dr7(vcpu, mvmm_dr_fixed(7, d->dr7));
	mvmm_vcpu_put(vcpu);
	return 0;
}

static long get_xsave(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	struct mvmm_xsave *x = arg;

	if (x->len < mvmm_fpu_size())
		return -EINVAL;
	if (copy_to_user((void __user *)x->addr, vcpu->fpu, mvmm_fpu_size()))
		return -EFAULT;
	return 0;
}

static long set_xsave(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	const struct mvmm_xsave *x = arg;
	void *area;
	int ret = 0;

	if (x->len < mvmm_fpu_size())
		return -EINVAL;
	/* Check the copy, and keep the old area if that fails */
	area = mvmm_fpu_alloc();
	if (!area)
		return -ENOMEM;
	if (copy_from_user(area, (void __user *)x->addr, mvmm_fpu_size()))
		ret = -EFAULT;
	else
		ret = mvmm_fpu_check(area);
	if (!ret)
		swap(area, vcpu->fpu);
	mvmm_fpu_free(area);
	return ret;
}

static long get_events(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	const struct mvmm_events_state *state = &vcpu->events;
	struct mvmm_events *ev = arg;

	if (vcpu->has_apic)
		mvmm_apic_collect(vcpu);
	mvmm_vcpu_load(vcpu);
	mvmm_ops->get_events(vcpu, ev);
	ev->shadow = vcpu->shadow;
	mvmm_vcpu_put(vcpu);
	ev->nmi_pending = state->nmi_pending;
	ev->irq_pending = state->irq_pending;
	ev->irq_vector = state->irq_vector;
	ev->inflight = state->inflight.valid;
	if (ev->inflight) {
		ev->type = state->inflight.type;
		ev->vector = state->inflight.vector;
		ev->has_error = state->inflight.has_error;
		ev->insn_len = state->inflight.insn_len;
		ev->error_code = state->inflight.error_code;
	}
	ev->eoi_pending = !!(atomic_read(&vcpu->requests) & MVMM_REQ_EOI);
	if (ev->eoi_pending)
		ev->eoi_vector = vcpu->apic.eoi_vector;
	ev->shutdown = !!(atomic_read(&vcpu->requests) & MVMM_REQ_TRIPLE);
	return 0;
}

static long set_events(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	const struct mvmm_events *ev = arg;
	int ret = mvmm_events_check(ev);

	if (ret)
		return ret;
	if (ev->eoi_pending && !vcpu->has_apic)
		return -EINVAL;
	mvmm_apic_pull(vcpu);
	vcpu->events = (struct mvmm_events_state){
		.nmi_pending = ev->nmi_pending,
		.irq_pending = ev->irq_pending,
		.irq_vector = ev->irq_vector,
		.inflight = {
			.valid = ev->inflight, .type = ev->type,
			.vector = ev->vector, .has_error = ev->has_error,
			.insn_len = ev->insn_len,
			.error_code = ev->error_code },
	};
	if (vcpu->has_apic)
		mvmm_apic_refresh(vcpu);
	if (ev->eoi_pending)
		vcpu->apic.eoi_vector = ev->eoi_vector;
	atomic_andnot(MVMM_REQ_EOI | MVMM_REQ_TRIPLE, &vcpu->requests);
	atomic_or((ev->eoi_pending ? MVMM_REQ_EOI : 0) |
		  (ev->shutdown ? MVMM_REQ_TRIPLE : 0), &vcpu->requests);
	mvmm_vcpu_load(vcpu);
	mvmm_ops->set_events(vcpu, ev);
	vcpu->shadow = ev->shadow;
	mvmm_vcpu_put(vcpu);
	return 0;
}

static long access_msrs(struct mvmm_vcpu *vcpu, const struct mvmm_msrs *m,
			bool write)
{
	struct mvmm_msr __user *user = (void __user *)m->entries;
	u32 i;

	if (m->nr > MVMM_MAX_MSRS)
		return -E2BIG;
	for (i = 0; i < m->nr; i++) {
		struct mvmm_msr msr;
		int ret;

		if (copy_from_user(&msr, &user[i], sizeof(msr)))
			return -EFAULT;
		if (msr.reserved)
			return -EINVAL;
		mvmm_vcpu_load(vcpu);
		ret = write ? mvmm_set_msr(vcpu, msr.index, msr.value) :
			      mvmm_get_msr(vcpu, msr.index, &msr.value);
		mvmm_vcpu_put(vcpu);
		if (ret)
			break;
		if (!write && put_user(msr.value, &user[i].value))
			return -EFAULT;
	}
	return i;
}

static long get_msrs(void *obj, void *arg)
{
	return access_msrs(obj, arg, false);
}

static long set_msrs(void *obj, void *arg)
{
	return access_msrs(obj, arg, true);
}

static long get_msr_list(void *obj, void *arg)
{
	struct mvmm_msrs *m = arg;
	struct mvmm_msr __user *user = (void __user *)m->entries;
	u32 list[MVMM_MAX_STATE_MSRS], room = m->nr, i;

	m->nr = mvmm_list_msrs(obj, list);
	if (room < m->nr)
		return -ENOSPC;
	for (i = 0; i < m->nr; i++) {
		struct mvmm_msr msr = { .index = list[i] };

		if (copy_to_user(&user[i], &msr, sizeof(msr)))
			return -EFAULT;
	}
	return 0;
}

static long get_cpuid(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;

	return mvmm_copy_cpuid(&vcpu->cpuid, arg);
}

static long set_cpuid(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	const struct mvmm_cpuid *c = arg;
	struct mvmm_cpuid_table *table;
	int ret;

	if (c->nr > MVMM_MAX_CPUID)
		return -E2BIG;
	table = kzalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	table->nr = c->nr;
	ret = -EFAULT;
	if (copy_from_user(table->entry, (void __user *)c->entries,
			   c->nr * sizeof(table->entry[0])))
		goto out;
	ret = mvmm_cpuid_check(table);
	if (ret)
		goto out;
	vcpu->cpuid = *table;
	mvmm_limit_caps(vcpu);
	mvmm_vcpu_load(vcpu);
	mvmm_ops->sync_crs(vcpu);
	mvmm_vcpu_put(vcpu);
out:
	kfree(table);
	return ret;
}

static bool in_flight(const struct mvmm_events_state *ev, u8 type)
{
	return ev->inflight.valid && ev->inflight.type == type;
}

static long inject(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	const struct mvmm_inject *in = arg;
	struct mvmm_events_state *ev = &vcpu->events;

	if (in->reserved || in->reserved2 || in->has_error > 1 ||
	    (in->error_code && !in->has_error))
		return -EINVAL;
	switch (in->type) {
	case MVMM_EVENT_IRQ:
		if (in->has_error || in->payload)
			return -EINVAL;
		if (vcpu->has_apic && !lapic_takes_extint(&vcpu->apic))
			return -EAGAIN;
		/* mvmm_event_requeue() may need the place for one in flight */
		if (ev->irq_pending || in_flight(ev, MVMM_EVENT_IRQ))
			return -EBUSY;
		ev->irq_vector = in->vector;
		ev->irq_pending = true;
		return 0;
	case MVMM_EVENT_NMI:
		if (in->vector || in->has_error || in->payload)
			return -EINVAL;
		/* A CPU holds two NMIs: one is delivered, one is latched */
		if (ev->nmi_pending + in_flight(ev, MVMM_EVENT_NMI) >= 2)
			return -EBUSY;
		ev->nmi_pending++;
		return 0;
	case MVMM_EVENT_EXCEPTION:
		if (in->vector > 31 || in->vector == 2 ||
		    in->has_error != (mvmm_exception_has_error(in->vector) &&
				      vcpu->cr0 & X86_CR0_PE) ||
		    (in->payload && in->vector != 14))
			return -EINVAL;
		if (ev->inflight.valid)
			return -EBUSY;
		if (in->vector == 14)
			vcpu->cr2 = in->payload;
		mvmm_raise(vcpu, in->vector, in->error_code);
		return 0;
	default:
		return -EINVAL;
	}
}

static long get_stats(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	struct mvmm_stats *stats = arg;

	*stats = vcpu->stats;
	stats->nr_hw_exits = MVMM_STATS_HW_EXITS;
	return 0;
}

MVMM_HANDLER(apic_access, mvmm_apic_access)
MVMM_HANDLER(set_apic, mvmm_set_apic)

static long get_apic(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	struct mvmm_apic *state = arg;

	if (!vcpu->has_apic)
		return -EINVAL;
	/*
	 * An INIT or SIPI may have come: do it now. Outside of RUN the
	 * registers are in the run page, so a reset changes them there.
	 */
	mvmm_apic_collect(vcpu);
	if (vcpu->mp_state == MVMM_MP_RESET || vcpu->sipi) {
		vcpu->regs = vcpu->run->regs;
		mvmm_reset_and_start(vcpu);
		vcpu->run->regs = vcpu->regs;
		vcpu->run->retire = 0;
		vcpu->run->set_cr = 0;
	}
	if (vcpu->unhalted && vcpu->mp_state == MVMM_MP_HALTED) {
		vcpu->mp_state = MVMM_MP_RUNNABLE;
		vcpu->unhalted = false;
	}
	state->mp_state = vcpu->mp_state;
	if (vcpu->unhalted && vcpu->mp_state == MVMM_MP_RUNNABLE)
		state->mp_state = MVMM_MP_UNHALTED;
	state->apic_base = vcpu->apic.base;
	state->tsc_deadline = vcpu->apic.deadline;
	lapic_get(&vcpu->apic, mvmm_guest_tsc(vcpu), state->regs);
	return 0;
}

static long reset(void *obj, void *arg)
{
	const struct mvmm_reset *how = arg;
	struct mvmm_vcpu *vcpu = obj;

	if (how->flags & ~MVMM_RESET_INIT)
		return -EOPNOTSUPP;
	if (vcpu->has_apic)
		mvmm_apic_collect(vcpu);
	vcpu->sipi = 0;
	mvmm_vcpu_reset(vcpu, how->flags & MVMM_RESET_INIT);
	vcpu->run->regs = vcpu->regs;
	vcpu->run->retire = 0;
	vcpu->run->set_cr = 0;
	return 0;
}

/* tour 8: all that a vCPU is */

static const struct mvmm_ioctl vcpu_ioctls[] = {
	MVMM_IOCTL(MVMM_VCPU_INJECT, inject, payload, IN, inject),
	MVMM_IOCTL(MVMM_VCPU_GET_SREGS, sregs, pdpte, OUT, get_sregs),
	MVMM_IOCTL(MVMM_VCPU_SET_SREGS, sregs, pdpte, IN, set_sregs),
	MVMM_IOCTL(MVMM_VCPU_GET_DREGS, dregs, dr7, OUT, get_dregs),
	MVMM_IOCTL(MVMM_VCPU_SET_DREGS, dregs, dr7, IN, set_dregs),
	MVMM_IOCTL(MVMM_VCPU_GET_XSAVE, xsave, addr, IN, get_xsave),
	MVMM_IOCTL(MVMM_VCPU_SET_XSAVE, xsave, addr, IN, set_xsave),
	MVMM_IOCTL(MVMM_VCPU_GET_EVENTS, events, pending_dbg, OUT, get_events),
	MVMM_IOCTL(MVMM_VCPU_SET_EVENTS, events, pending_dbg, IN, set_events),
	MVMM_IOCTL(MVMM_VCPU_GET_MSRS, msrs, entries, IN, get_msrs),
	MVMM_IOCTL(MVMM_VCPU_SET_MSRS, msrs, entries, IN, set_msrs),
	MVMM_IOCTL(MVMM_VCPU_GET_MSR_LIST, msrs, entries, INOUT, get_msr_list),
	MVMM_IOCTL(MVMM_VCPU_GET_CPUID, cpuid, entries, INOUT, get_cpuid),
	MVMM_IOCTL(MVMM_VCPU_SET_CPUID, cpuid, entries, IN, set_cpuid),
	MVMM_IOCTL(MVMM_VCPU_GET_STATS, stats, hw_exits, OUT, get_stats),
	MVMM_IOCTL(MVMM_VCPU_APIC_ACCESS, apic_access, data, INOUT,
		   apic_access),
	MVMM_IOCTL(MVMM_VCPU_GET_APIC, apic, regs, OUT, get_apic),
	MVMM_IOCTL(MVMM_VCPU_SET_APIC, apic, regs, IN, set_apic),
	MVMM_IOCTL(MVMM_VCPU_RESET, reset, flags, IN, reset),
};

/**
 * mvmm_vcpu_state_ioctl() - an ioctl that gets or sets a part of a vCPU's state
 * @vcpu: busy for the caller
 * @cmd: from the caller
 * @arg: address of the caller's struct
 *
 * Context: may sleep. Return: as mvmm_dispatch().
 */
long mvmm_vcpu_state_ioctl(struct mvmm_vcpu *vcpu, unsigned int cmd,
			   unsigned long arg)
{
	mvmm_assert_busy(vcpu);
	return mvmm_dispatch(vcpu_ioctls, ARRAY_SIZE(vcpu_ioctls), vcpu, cmd,
			     arg);
}
