/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC as a state machine: register accesses and the time go in,
 * effects come out. Pure. What connects it to other vCPUs, timers and threads
 * is irq/apic.c.
 */
#ifndef MVMM_LAPIC_H
#define MVMM_LAPIC_H

#include <linux/bitmap.h>
#include <linux/types.h>

/* Registers by their x2APIC number, which is the xAPIC's offset / 16 */
enum lapic_reg {
	LAPIC_ID = 0x02, LAPIC_VERSION = 0x03, LAPIC_TPR = 0x08,
	LAPIC_PPR = 0x0a, LAPIC_EOI = 0x0b, LAPIC_LDR = 0x0d, LAPIC_DFR = 0x0e,
	LAPIC_SVR = 0x0f, LAPIC_ISR = 0x10, LAPIC_TMR = 0x18, LAPIC_IRR = 0x20,
	LAPIC_ESR = 0x28, LAPIC_ICR = 0x30, LAPIC_ICR2 = 0x31,
	LAPIC_LVT = 0x32, LAPIC_TMICT = 0x38, LAPIC_TMCCT = 0x39,
	LAPIC_TDCR = 0x3e, LAPIC_SELF_IPI = 0x3f, LAPIC_NR_REGS = 0x40,
};

/* Local vector table, from LAPIC_LVT on */
enum lapic_lvt {
	LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PERF, LAPIC_LVT_LINT0,
	LAPIC_LVT_LINT1, LAPIC_LVT_ERROR, LAPIC_NR_LVT,
};

#define LAPIC_LVT_MASKED	(1u << 16)
#define LAPIC_SVR_ENABLED	(1u << 8)

/*
 * Delivery modes (SDM vol. 3, 11.6.1). LAPIC_UNHALT is reserved there; KVM uses
 * it to end another vCPU's HLT.
 */
enum lapic_mode {
	LAPIC_FIXED = 0, LAPIC_LOWEST = 1, LAPIC_SMI = 2, LAPIC_UNHALT = 3,
	LAPIC_NMI = 4, LAPIC_INIT = 5, LAPIC_SIPI = 6, LAPIC_EXTINT = 7,
};

enum lapic_shorthand {
	LAPIC_TO_DEST, LAPIC_TO_SELF, LAPIC_TO_ALL, LAPIC_TO_OTHERS,
};

/**
 * struct lapic_msg - an interrupt on its way
 * @dest: destination
 * @vector: 0 .. 255
 * @mode: enum lapic_mode
 * @shorthand: enum lapic_shorthand
 * @logical: @dest is a logical destination
 * @wide: @dest has 32 bits (x2APIC), not 8
 * @level: level-triggered
 */
struct lapic_msg {
	u32 dest;
	u8 vector;
	u8 mode;
	u8 shorthand;
	bool logical;
	bool wide;
	bool level;
};

/* What the caller has to do after a write: bits of its result */
#define LAPIC_DOES_IPI		(1 << 0)	/* send lapic_icr_msg() */
#define LAPIC_DOES_EOI		(1 << 1)	/* tell the I/O APIC */
#define LAPIC_DOES_TIMER	(1 << 2)	/* ask for the expiry again */

/**
 * struct lapic - a local APIC
 * @id: x2APIC id
 * @base: IA32_APIC_BASE
 * @tpr: task-priority register
 * @ldr: logical destination register, xAPIC mode
 * @dfr: destination format register
 * @svr: spurious-interrupt vector register
 * @esr: error status register: what a read returns
 * @errors: errors since ESR was last written
 * @tmict: timer: initial count
 * @tdcr: timer: divide configuration
 * @icr: interrupt command register
 * @lvt: local vector table
 * @deadline: IA32_TSC_DEADLINE
 * @timer_start: guest's TSC when the current count began; 0: not counting
 * @eoi_vector: set with LAPIC_DOES_EOI: which interrupt has ended
 * @isr: interrupts in service
 * @tmr: interrupts that are level-triggered
 * @irr: interrupts that are requested
 *
 * The timer counts at half the rate of the guest's TSC, as CPUID leaf 0x15
 * says.
 *
 * Only the vCPU's thread writes to it. lapic_matches(), lapic_enabled() and the
 * like also read it from other threads. An old value does no harm there: it is
 * as if the message had come earlier. @id and @base are changed by one store
 * each, so a reader sees the old or the new value, never a mixture.
 */
struct lapic {
	u32 id;
	u8 eoi_vector;
	u64 base;
	u32 tpr, ldr, dfr, svr, esr, errors, tmict, tdcr;
	u64 icr;
	u32 lvt[LAPIC_NR_LVT];
	u64 deadline, timer_start;
	DECLARE_BITMAP(isr, 256);
	DECLARE_BITMAP(tmr, 256);
	DECLARE_BITMAP(irr, 256);
};

#define LAPIC_BASE_BSP		(1ull << 8)
#define LAPIC_BASE_X2APIC	(1ull << 10)
#define LAPIC_BASE_ENABLED	(1ull << 11)
#define LAPIC_BASE_ADDRESS	0xfee00000ull

void lapic_reset(struct lapic *a, u32 id, bool keep_mode);
bool lapic_hw_enabled(const struct lapic *a);
bool lapic_enabled(const struct lapic *a);
bool lapic_is_x2(const struct lapic *a);
bool lapic_is_xapic(const struct lapic *a);
int lapic_set_base(struct lapic *a, u64 base);
int lapic_read(const struct lapic *a, u32 reg, u64 now, u64 *value);
int lapic_write(struct lapic *a, u32 reg, u64 value, u64 now);
u32 lapic_mmio_read(struct lapic *a, u32 offset, u64 now);
int lapic_mmio_write(struct lapic *a, u32 offset, u32 value, u64 now);
struct lapic_msg lapic_icr_msg(const struct lapic *a);
int lapic_msi_msg(u64 address, u32 data, struct lapic_msg *msg);
bool lapic_matches(const struct lapic *a, const struct lapic_msg *msg);
void lapic_accept(struct lapic *a, u8 vector, bool level);
u8 lapic_pending(const struct lapic *a);
u8 lapic_ppr(const struct lapic *a);
void lapic_ack(struct lapic *a, u8 vector);
bool lapic_eoi_is_silent(const struct lapic *a);
bool lapic_takes_extint(const struct lapic *a);
void lapic_set_deadline(struct lapic *a, u64 deadline);
bool lapic_uses_deadline(const struct lapic *a);
u64 lapic_timer_expiry(const struct lapic *a);
bool lapic_timer_due(const struct lapic *a, u64 now);
u64 lapic_timer_lead(u64 lead, s64 late, u64 most);
void lapic_tsc_moved(struct lapic *a, u64 by);
void lapic_timer_fire(struct lapic *a, u64 now);
void lapic_get(const struct lapic *a, u64 now, u32 regs[256]);
int lapic_set(struct lapic *a, const u32 regs[256], u64 base, u64 deadline,
	      u64 now);
bool lapic_in_page(u32 reg);
void lapic_to_page(const struct lapic *a, u32 *page);
void lapic_from_page(struct lapic *a, const u32 *page);
u16 lapic_intr_status(const struct lapic *a);
void lapic_eoi_exits(const struct lapic *a, u64 bitmap[4]);

#endif
