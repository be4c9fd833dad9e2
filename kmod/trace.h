/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: /sys/kernel/tracing/events/mvmm */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mvmm

#if !defined(MVMM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MVMM_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(mvmm_entry,
	TP_PROTO(u32 vcpu, u64 rip),
	TP_ARGS(vcpu, rip),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->rip = rip;
	),
	TP_printk("vcpu %u rip 0x%llx", __entry->vcpu, __entry->rip)
);

TRACE_EVENT(mvmm_exit,
	TP_PROTO(u32 vcpu, u32 reason, u64 qualification, u64 rip),
	TP_ARGS(vcpu, reason, qualification, rip),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u32, reason)
		__field(u64, qualification)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->reason = reason;
		__entry->qualification = qualification;
		__entry->rip = rip;
	),
	TP_printk("vcpu %u hw_reason %u qualification 0x%llx rip 0x%llx",
		  __entry->vcpu, __entry->reason, __entry->qualification,
		  __entry->rip)
);

TRACE_EVENT(mvmm_fault,
	TP_PROTO(u32 vcpu, u64 gpa, u64 gva, u32 access, u64 hva),
	TP_ARGS(vcpu, gpa, gva, access, hva),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u32, access)
		__field(u64, gpa)
		__field(u64, gva)
		__field(u64, hva)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->access = access;
		__entry->gpa = gpa;
		__entry->gva = gva;
		__entry->hva = hva;
	),
	TP_printk("vcpu %u gpa 0x%llx gva 0x%llx access %s%s%s%s hva 0x%llx",
		  __entry->vcpu, __entry->gpa, __entry->gva,
		  __entry->access & 1 ? "r" : "", __entry->access & 2 ? "w" : "",
		  __entry->access & 4 ? "x" : "", __entry->access & 8 ? "p" : "",
		  __entry->hva)
);

/* A decision of the scheduler: 0 blocked, 1 waits, 2 runs */
TRACE_EVENT(mvmm_sched,
	TP_PROTO(u64 vm, u32 vcpu, u8 from, u8 to, int slot),
	TP_ARGS(vm, vcpu, from, to, slot),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u32, vcpu)
		__field(u8, from)
		__field(u8, to)
		__field(int, slot)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->vcpu = vcpu;
		__entry->from = from;
		__entry->to = to;
		__entry->slot = slot;
	),
	TP_printk("vm %llu vcpu %u from %u to %u slot %d", __entry->vm,
		  __entry->vcpu, __entry->from, __entry->to, __entry->slot)
);

TRACE_EVENT(mvmm_inject,
	TP_PROTO(u32 vcpu, u8 type, u8 vector, u32 error_code),
	TP_ARGS(vcpu, type, vector, error_code),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u8, type)
		__field(u8, vector)
		__field(u32, error_code)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->type = type;
		__entry->vector = vector;
		__entry->error_code = error_code;
	),
	TP_printk("vcpu %u type %u vector %u error 0x%x", __entry->vcpu,
		  __entry->type, __entry->vector, __entry->error_code)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
