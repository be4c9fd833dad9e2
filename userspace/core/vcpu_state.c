// SPDX-License-Identifier: GPL-2.0
/* A vCPU's state as a table of fields: see struct mvmm_vcpu_state. */
#include <stdlib.h>
#include <string.h>
#include "core/machine.h"

#define V(member)	FIELD(struct mvmm_vcpu_state, member)
#define VS(member)	FIELD_ARRAY(struct mvmm_vcpu_state, member)
#define SEGMENT(name)							\
	V(sregs.name.base), V(sregs.name.limit), V(sregs.name.selector), \
	V(sregs.name.attr)
#define TABLE(name)	V(sregs.name.base), V(sregs.name.limit)

static const struct field msr_fields[] = {
	FIELD(struct mvmm_msr, index), FIELD(struct mvmm_msr, value), FIELDS_END
};

static const struct field cpuid_fields[] = {
	FIELD(struct mvmm_cpuid_entry, leaf),
	FIELD(struct mvmm_cpuid_entry, subleaf),
	FIELD(struct mvmm_cpuid_entry, flags),
	FIELD(struct mvmm_cpuid_entry, eax),
	FIELD(struct mvmm_cpuid_entry, ebx),
	FIELD(struct mvmm_cpuid_entry, ecx),
	FIELD(struct mvmm_cpuid_entry, edx), FIELDS_END
};

const struct field vcpu_fields[] = {
	V(regs.rax), V(regs.rcx), V(regs.rdx), V(regs.rbx), V(regs.rsp),
	V(regs.rbp), V(regs.rsi), V(regs.rdi), V(regs.r8), V(regs.r9),
	V(regs.r10), V(regs.r11), V(regs.r12), V(regs.r13), V(regs.r14),
	V(regs.r15), V(regs.rip), V(regs.rflags),
	V(retire), V(set_cr), V(cr_value),
	SEGMENT(es), SEGMENT(cs), SEGMENT(ss), SEGMENT(ds), SEGMENT(fs),
	SEGMENT(gs), SEGMENT(ldt), SEGMENT(tr), TABLE(gdt), TABLE(idt),
	V(sregs.cr0), V(sregs.cr2), V(sregs.cr3), V(sregs.cr4), V(sregs.cr8),
	V(sregs.efer), V(sregs.xcr0), VS(sregs.pdpte),
	VS(dregs.dr), V(dregs.dr6), V(dregs.dr7),
	V(events.shadow), V(events.nmi_masked), V(events.nmi_pending),
	V(events.irq_pending), V(events.irq_vector), V(events.inflight),
	V(events.type), V(events.vector), V(events.has_error),
	V(events.insn_len), V(events.eoi_pending), V(events.eoi_vector),
	V(events.shutdown), V(events.error_code), V(events.pending_dbg),
	V(has_apic), V(apic.mp_state), V(apic.apic_base), V(apic.tsc_deadline),
	VS(apic.regs),
	V(nr_msrs), FIELD_STRUCTS(struct mvmm_vcpu_state, msr, msr_fields),
	V(nr_cpuid), FIELD_STRUCTS(struct mvmm_vcpu_state, cpuid, cpuid_fields),
	VS(xsave), FIELDS_END
};

json_t *vcpu_save(struct vcpu *v, struct error *error)
{
	struct mvmm_vcpu_state *state = calloc(1, sizeof(*state));
	json_t *saved = NULL;
	int ret;

	if (!state) {
		fail(error, STATUS_OS, "no memory");
		return NULL;
	}
	ret = mvmm_save_vcpu(v->fd, v->run, state);
	if (ret)
		fail(error, STATUS_VM, "vCPU %u cannot be saved: %s", v->id,
		     strerror(-ret));
	else
		saved = fields_save(vcpu_fields, state);
	if (!ret && !saved)
		fail(error, STATUS_OS, "no memory");
	free(state);
	return saved;
}

int vcpu_load(struct vcpu *v, const json_t *saved, struct error *error)
{
	struct mvmm_vcpu_state *state = calloc(1, sizeof(*state));
	struct error why = { 0 };
	int ret;

	if (!state)
		return fail(error, STATUS_OS, "no memory");
	if (fields_load(vcpu_fields, state, saved, &why)) {
		free(state);
		return fail(error, STATUS_DATA, "vCPU %u: %s", v->id, why.text);
	}
	ret = mvmm_load_vcpu(v->fd, v->run, state);
	free(state);
	return ret ? fail(error, STATUS_DATA,
			  "the module refused the state of vCPU %u: %s", v->id,
			  strerror(-ret)) : 0;
}
