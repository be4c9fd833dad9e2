// SPDX-License-Identifier: GPL-2.0
/*
 * vCPU objects: the vCPU fd, its run page, and the ioctls that get and set
 * state. Running is run.c's.
 */
#include <linux/anon_inodes.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/fpu/types.h>
#include "mvmm.h"
#include "compat.h"

static void limit_caps(struct mvmm_vcpu *vcpu)
{
	mvmm_cpuid_caps(&vcpu->cpuid, &vcpu->caps);
	vcpu->caps.cr4 &= mvmm_vendor.cr4;
	vcpu->caps.xcr0 &= mvmm_fpu_xcr0() | XFEATURE_MASK_FP;
	vcpu->caps.tsc_aux &= mvmm_vendor.rdtscp;
	vcpu->caps.phys_bits = min_t(u8, vcpu->caps.phys_bits, MVMM_GPA_BITS);
}

static long get_sregs(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	struct mvmm_sregs *s = arg;

	memset(s, 0, sizeof(*s));
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

static bool lma_consistent(const struct mvmm_sregs *s)
{
	bool lma = s->efer & EFER_LMA;

	return lma == (s->efer & EFER_LME && s->cr0 & X86_CR0_PG);
}

static long set_sregs(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	const struct mvmm_sregs *s = arg;
	const struct mvmm_guest_caps *caps = &vcpu->caps;

	if (s->reserved || s->cr8 > 15 || !mvmm_cr0_valid(s->cr0) ||
	    !mvmm_efer_valid(caps, s->efer) || !lma_consistent(s) ||
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

	memset(d, 0, sizeof(*d));
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

	memset(ev, 0, sizeof(*ev));
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
	return 0;
}

static long set_events(void *obj, void *arg)
{
	struct mvmm_vcpu *vcpu = obj;
	const struct mvmm_events *ev = arg;
	int ret = mvmm_events_check(ev);

	if (ret)
		return ret;
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
	limit_caps(vcpu);
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
		/* One in flight may have to wait again: see event.c */
		if (ev->irq_pending || in_flight(ev, MVMM_EVENT_IRQ))
			return -EBUSY;
		ev->irq_vector = in->vector;
		ev->irq_pending = true;
		return 0;
	case MVMM_EVENT_NMI:
		if (in->vector || in->has_error || in->payload)
			return -EINVAL;
		/* One in service and one latched, as on the CPU */
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

static long apic_access(void *obj, void *arg)
{
	return mvmm_apic_access(obj, arg);
}

static long get_apic(void *obj, void *arg)
{
	return mvmm_get_apic(obj, arg);
}

static long set_apic(void *obj, void *arg)
{
	return mvmm_set_apic(obj, arg);
}

static const struct mvmm_ioctl vcpu_ioctls[] = {
	MVMM_IOCTL(MVMM_VCPU_INJECT, struct mvmm_inject, payload, false,
		   inject),
	MVMM_IOCTL(MVMM_VCPU_GET_SREGS, struct mvmm_sregs, pdpte, true,
		   get_sregs),
	MVMM_IOCTL(MVMM_VCPU_SET_SREGS, struct mvmm_sregs, pdpte, false,
		   set_sregs),
	MVMM_IOCTL(MVMM_VCPU_GET_DREGS, struct mvmm_dregs, dr7, true,
		   get_dregs),
	MVMM_IOCTL(MVMM_VCPU_SET_DREGS, struct mvmm_dregs, dr7, false,
		   set_dregs),
	MVMM_IOCTL(MVMM_VCPU_GET_XSAVE, struct mvmm_xsave, addr, false,
		   get_xsave),
	MVMM_IOCTL(MVMM_VCPU_SET_XSAVE, struct mvmm_xsave, addr, false,
		   set_xsave),
	MVMM_IOCTL(MVMM_VCPU_GET_EVENTS, struct mvmm_events, pending_dbg, true,
		   get_events),
	MVMM_IOCTL(MVMM_VCPU_SET_EVENTS, struct mvmm_events, pending_dbg,
		   false, set_events),
	MVMM_IOCTL(MVMM_VCPU_GET_MSRS, struct mvmm_msrs, entries, false,
		   get_msrs),
	MVMM_IOCTL(MVMM_VCPU_SET_MSRS, struct mvmm_msrs, entries, false,
		   set_msrs),
	MVMM_IOCTL(MVMM_VCPU_GET_CPUID, struct mvmm_cpuid, entries, true,
		   get_cpuid),
	MVMM_IOCTL(MVMM_VCPU_SET_CPUID, struct mvmm_cpuid, entries, false,
		   set_cpuid),
	MVMM_IOCTL(MVMM_VCPU_GET_STATS, struct mvmm_stats, hw_exits, true,
		   get_stats),
	MVMM_IOCTL(MVMM_VCPU_APIC_ACCESS, struct mvmm_apic_access, data, true,
		   apic_access),
	MVMM_IOCTL(MVMM_VCPU_GET_APIC, struct mvmm_apic, regs, true, get_apic),
	MVMM_IOCTL(MVMM_VCPU_SET_APIC, struct mvmm_apic, regs, false,
		   set_apic),
};

static long get_times(void *obj, void *arg)
{
	struct mvmm_times *times = arg;

	times->reserved = 0;
	mvmm_get_times(obj, times);
	return 0;
}

/* These two work beside RUN */
static const struct mvmm_ioctl get_times_ioctl =
	MVMM_IOCTL(MVMM_VCPU_GET_TIMES, struct mvmm_times, steal, true,
		   get_times);

static long kick(struct mvmm_vcpu *vcpu)
{
	mvmm_request(vcpu, MVMM_REQ_KICK);
	return 0;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mvmm_vcpu *vcpu = file->private_data;
	long ret;

	if (vcpu->vm->mm != current->mm)
		return -EPERM;
	if (unlikely(cmd == MVMM_VCPU_KICK))
		return arg ? -EINVAL : kick(vcpu);
	if (unlikely(cmd == MVMM_VCPU_GET_TIMES))
		return mvmm_dispatch(&get_times_ioctl, 1, vcpu, cmd, arg);
	if (test_and_set_bit_lock(0, &vcpu->busy))
		return -EBUSY;
	if (likely(cmd == MVMM_VCPU_RUN))
		ret = arg ? -EINVAL : mvmm_vcpu_run(vcpu);
	else
		ret = mvmm_dispatch(vcpu_ioctls, ARRAY_SIZE(vcpu_ioctls), vcpu,
				    cmd, arg);
	clear_bit_unlock(0, &vcpu->busy);
	return ret;
}

static vm_fault_t run_page_fault(struct vm_fault *vmf)
{
	struct mvmm_vcpu *vcpu = vmf->vma->vm_file->private_data;

	if (vmf->pgoff)
		return VM_FAULT_SIGBUS;
	vmf->page = virt_to_page(vcpu->run);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct run_page_ops = {
	.fault = run_page_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vma->vm_ops = &run_page_ops;
	return 0;
}

static void vcpu_free(struct mvmm_vcpu *vcpu)
{
	struct mvmm_run *run = vcpu->run;

	if (vcpu->has_apic)
		mvmm_apic_destroy(vcpu);
	mvmm_slots_remove(vcpu);
	mvmm_fpu_free(vcpu->fpu);
	pgt_cache_drain(&vcpu->pgt_cache);
	mvmm_ops->vcpu_free(vcpu);
	/* A mapping of the run page holds the file, and so the vCPU */
	free_page((unsigned long)run);
}

/* It is in vm->vcpus no more */
static void destroy(struct mvmm_vcpu *vcpu)
{
	/* mvmm_send() */
	if (vcpu->has_apic)
		synchronize_rcu();
	vcpu_free(vcpu);
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct mvmm_vcpu *vcpu = file->private_data;
	struct mvmm_vm *vm = vcpu->vm;

	mutex_lock(&vm->lock);
	spin_lock(&vm->mmu_lock);
	mvmm_drain_pml(vm);
	WRITE_ONCE(vm->vcpus[vcpu->id], NULL);
	spin_unlock(&vm->mmu_lock);
	mutex_unlock(&vm->lock);
	destroy(vcpu);
	mvmm_vm_put(vm);
	return 0;
}

const struct file_operations mvmm_vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
	.llseek = noop_llseek,
};

/* SDM vol. 3, table 10-1 */
static void reset_regs(struct mvmm_regs *regs)
{
	*regs = (struct mvmm_regs){ .rip = 0xfff0, .rflags = 2, .rdx = 0x600 };
}

/**
 * mvmm_vcpu_reset() - INIT (SDM vol. 3, table 10-1)
 * @vcpu: it is busy for the caller
 *
 * What INIT leaves alone: FPU, MSRs, XCR0, and CR0's cache control.
 *
 * Context: may sleep, outside of a section.
 */
void mvmm_vcpu_reset(struct mvmm_vcpu *vcpu)
{
	static const struct mvmm_segment data = {
		.limit = 0xffff, .attr = 0x93 };
	struct mvmm_sregs s = {
		.es = data, .ss = data, .ds = data, .fs = data, .gs = data,
		.cs = { .base = 0xffff0000, .limit = 0xffff,
			.selector = 0xf000, .attr = 0x9b },
		.ldt = { .limit = 0xffff, .attr = 0x82 },
		.tr = { .limit = 0xffff, .attr = 0x8b },
		.gdt.limit = 0xffff, .idt.limit = 0xffff,
	};
	static const struct mvmm_events none;

	lapic_reset(&vcpu->apic, vcpu->id, true);
	vcpu->events = (struct mvmm_events_state){};
	atomic_andnot(MVMM_REQ_TRIPLE, &vcpu->requests);
	vcpu->unhalted = false;
	vcpu->pv.eoi = 0;
	vcpu->pv.eoi_offered = 0;
	vcpu->retire = 0;
	vcpu->shadow = 0;
	vcpu->cr0 = (vcpu->cr0 & (X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET;
	vcpu->cr2 = 0;
	vcpu->cr4 = 0;
	vcpu->efer = 0;
	memset(vcpu->dr, 0, sizeof(vcpu->dr));
	vcpu->dr6 = mvmm_dr_fixed(6, 0);
	mvmm_vcpu_load(vcpu);
	mvmm_ops->sync_crs(vcpu);
	mvmm_ops->set_state(vcpu, &s);
	mvmm_ops->set_events(vcpu, &none);
	mvmm_ops->set_dr7(vcpu, mvmm_dr_fixed(7, 0));
	mvmm_vcpu_put(vcpu);
	reset_regs(&vcpu->regs);
	mvmm_apic_refresh(vcpu);
}

/**
 * mvmm_vcpu_start() - SIPI after INIT: real mode at page @vector
 * @vcpu: it is busy for the caller
 * @vector: from the message
 */
void mvmm_vcpu_start(struct mvmm_vcpu *vcpu, u8 vector)
{
	struct mvmm_sregs s;

	mvmm_vcpu_load(vcpu);
	mvmm_ops->get_state(vcpu, &s);
	s.cs.selector = vector << 8;
	s.cs.base = vector << 12;
	mvmm_ops->set_state(vcpu, &s);
	mvmm_vcpu_put(vcpu);
	vcpu->regs.rip = 0;
}

static struct mvmm_vcpu *vcpu_alloc(struct mvmm_vm *vm, u32 id)
{
	struct mvmm_vcpu *vcpu = mvmm_ops->vcpu_alloc(vm);

	if (IS_ERR(vcpu))
		return vcpu;
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpuid = mvmm_default_cpuid;
	vcpu->tsc_offset = -vm->tsc_base;
	vcpu->has_apic = vm->has_apic;
	rcuwait_init(&vcpu->wait);
	mvmm_slots_add(vcpu);
	if (vm->has_apic) {
		mvmm_apic_init(vcpu);
		mvmm_cpuid_add_apic(&vcpu->cpuid);
	}
	limit_caps(vcpu);
	vcpu->xcr0 = 1;
	vcpu->dr6 = mvmm_dr_fixed(6, 0);
	vcpu->msr[MVMM_MSR_MISC_ENABLE] = MSR_IA32_MISC_ENABLE_FAST_STRING;
	vcpu->fpu = mvmm_fpu_alloc();
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->fpu || !vcpu->run) {
		vcpu_free(vcpu);
		return ERR_PTR(-ENOMEM);
	}
	reset_regs(&vcpu->run->regs);
	return vcpu;
}

/**
 * mvmm_vcpu_create() - MVMM_VM_CREATE_VCPU
 * @vm: the VM
 * @id: checked against MVMM_MAX_VCPUS
 *
 * Context: may sleep, takes vm->lock. Return: an fd, -EEXIST, -ENOMEM, -EMFILE.
 */
int mvmm_vcpu_create(struct mvmm_vm *vm, u32 id)
{
	struct mvmm_vcpu *vcpu;
	int ret;

	id = array_index_nospec(id, MVMM_MAX_VCPUS);
	mutex_lock(&vm->lock);
	if (vm->vcpus[id]) {
		ret = -EEXIST;
		goto unlock;
	}
	vcpu = vcpu_alloc(vm, id);
	if (IS_ERR(vcpu)) {
		ret = PTR_ERR(vcpu);
		goto unlock;
	}
	spin_lock(&vm->mmu_lock);
	WRITE_ONCE(vm->vcpus[id], vcpu);
	spin_unlock(&vm->mmu_lock);
	kref_get(&vm->kref);
	ret = anon_inode_getfd("mvmm-vcpu", &mvmm_vcpu_fops, vcpu,
			       O_RDWR | O_CLOEXEC);
	if (ret < 0) {
		spin_lock(&vm->mmu_lock);
		WRITE_ONCE(vm->vcpus[id], NULL);
		spin_unlock(&vm->mmu_lock);
		destroy(vcpu);
		mvmm_vm_put(vm);	/* not the last one: the caller's fd */
	} else {
		WRITE_ONCE(vm->nr_vcpus, max(vm->nr_vcpus, id + 1));
	}
unlock:
	mutex_unlock(&vm->lock);
	return ret;
}
