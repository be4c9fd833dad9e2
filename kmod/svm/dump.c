// SPDX-License-Identifier: GPL-2.0
/* Writes a VMCB to the kernel log, in words, when an exit cannot be handled. */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/bitops.h>
#include <linux/ratelimit.h>
#include <asm/page_types.h>
#include <asm/svm.h>
#include "svm.h"

static const struct {
	u64 code;	/* one is -1, of a width that kernels disagree on */
	const char *name;
} codes[] = { SVM_EXIT_REASONS };

static const char *code_name(u32 code)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(codes); i++)
		if ((u32)codes[i].code == code)
			return codes[i].name;
	return "?";
}

static void dump_segment(const char *name, const struct vmcb_seg *s)
{
	pr_warn("  %-4s sel 0x%04x base 0x%016llx limit 0x%08x attrib 0x%03x\n",
		name, s->selector, s->base, s->limit, s->attrib);
}

static void dump_guest(const struct vmcb_save_area *save)
{
	pr_warn(" guest: rip 0x%llx rsp 0x%llx rax 0x%llx rflags 0x%llx cpl %u\n",
		save->rip, save->rsp, save->rax, save->rflags, save->cpl);
	pr_warn("  cr0 0x%llx cr2 0x%llx cr3 0x%llx cr4 0x%llx efer 0x%llx\n",
		save->cr0, save->cr2, save->cr3, save->cr4, save->efer);
	dump_segment("es", &save->es);
	dump_segment("cs", &save->cs);
	dump_segment("ss", &save->ss);
	dump_segment("ds", &save->ds);
	dump_segment("fs", &save->fs);
	dump_segment("gs", &save->gs);
	dump_segment("ldtr", &save->ldtr);
	dump_segment("tr", &save->tr);
	pr_warn("  gdtr 0x%llx:0x%x idtr 0x%llx:0x%x dr6 0x%llx dr7 0x%llx\n",
		save->gdtr.base, save->gdtr.limit, save->idtr.base,
		save->idtr.limit, save->dr6, save->dr7);
}

static void dump_controls(const struct vmcb_control_area *control)
{
	pr_warn(" controls: cr 0x%08x dr 0x%08x exceptions 0x%08x 0x%08x 0x%08x\n",
		control->intercepts[INTERCEPT_CR],
		control->intercepts[INTERCEPT_DR],
		control->intercepts[INTERCEPT_EXCEPTION],
		control->intercepts[INTERCEPT_WORD3],
		control->intercepts[INTERCEPT_WORD4]);
	pr_warn("  asid %u tlb %u clean 0x%x nested cr3 0x%llx tsc offset 0x%llx\n",
		control->asid, control->tlb_ctl, control->clean,
		control->nested_cr3, control->tsc_offset);
	pr_warn("  int_ctl 0x%x int_state 0x%x entry event 0x%x error 0x%x\n",
		control->int_ctl, control->int_state, control->event_inj,
		control->event_inj_err);
}

/** svm_dump() - log the VMCB, at a limited rate */
void svm_dump(struct svm_vcpu *svm)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 2);
	const struct vmcb_control_area *control = &svm->vmcb->control;

	if (!__ratelimit(&limit))
		return;
	pr_warn("vCPU %u: last exit 0x%x %s, info 0x%llx 0x%llx, event 0x%x\n",
		svm->vcpu.id, (u32)control->exit_code,
		code_name(control->exit_code), control->exit_info_1,
		control->exit_info_2, control->exit_int_info);
	dump_guest(&svm->vmcb->save);
	dump_controls(control);
}
