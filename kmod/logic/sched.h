/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which vCPUs may run. Pure: nothing here sleeps, locks or allocates. The
 * caller holds one lock around every call, and does what the result says.
 *
 * Slot i stands for physical CPU i. Only a vCPU that holds a slot may be in
 * guest mode; those that wait for one sleep. What the caller has to do:
 *
 *   RUN begins		vsched_wake()
 *   HLT			vsched_charge(), vsched_block()
 *   guest entry	arm a timer for vsched_slice()
 *   timer or kick	vsched_charge(); if vsched_slice() is 0 then
 *			vsched_yield()
 *   while others wait	vsched_charge(), vsched_look(): is its thread there?
 *   pause-loop exit	vsched_charge(), vsched_pause()
 *   affinity changed	vsched_wake(), unless it is blocked
 *   policy, cap set	nothing but what follows; and at vsched_next()
 *   after each of these, until they return NULL:
 *			vsched_fill(): wake the thread, it may enter
 *			vsched_kick(): make the holder leave the guest
 *
 * A holder that leaves for userspace keeps its slot until its slice ends, then
 * the caller blocks it on behalf of its thread. From one that Linux does not run
 * vsched_miss() takes the slot when vsched_look() says so. Their threads call
 * vsched_wake() before they enter again. Documentation/scheduling.rst is about
 * the whole.
 */
#ifndef MVMM_SCHED_H
#define MVMM_SCHED_H

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/threads.h>
#include <linux/types.h>

#define VSCHED_WEIGHT_MIN	1
#define VSCHED_WEIGHT_DEFAULT	100	/* as cpu.weight of a cgroup */
#define VSCHED_WEIGHT_MAX	10000
#define VSCHED_CAP_MAX		6400	/* per cent of one CPU */
#define VSCHED_PATIENCE		500	/* slices */
#define VSCHED_LOOKS		4	/* at a holder, in a slice */
#define VSCHED_MAX_SLOTS	NR_CPUS

enum vsched_state {
	VSCHED_BLOCKED,		/* does not want to run */
	VSCHED_WAITING,		/* wants to run and has no slot */
	VSCHED_RUNNING,		/* holds a slot */
	VSCHED_NR_STATES,
};

/* Where a holder's thread is */
enum vsched_place {
	VSCHED_ON_CPU,		/* in the guest, or about to look at requests */
	VSCHED_OFF_CPU,		/* Linux does not run it */
	VSCHED_ELSEWHERE,	/* in userspace, or at work that may take long */
};

/**
 * struct vsched_vm - what all vCPUs of a VM share
 * @node: in vsched.vms
 * @uid: whose it is
 * @user: a VM of the same user, the same one for all of them
 * @wanted: if it is @user: weights of the user's VMs that want to run, together
 * @weight: VMs that compete get time in proportion to it
 * @cap: per cent of one CPU it may use at most, 0 for no limit
 * @budget: ticks left of the cap; negative: a debt
 * @refilled: when @budget was filled last
 * @vtime: virtual time, see sched_fair.c
 * @vrest: ticks left over, less than a whole unit of @vtime
 * @rank: @vtime when the turn began, see sched_gang.c
 * @nr: how many vCPUs are in each state
 */
struct vsched_vm {
	struct list_head node;
	u32 uid;
	struct vsched_vm *user;
	u64 wanted;
	u32 weight;
	u32 cap;
	s64 budget;
	u64 refilled;
	u64 vtime;
	u64 vrest;
	u64 rank;
	u32 nr[VSCHED_NR_STATES];
};

/**
 * struct vsched_vcpu - one vCPU
 * @vm: its VM
 * @node: in vsched.waiting
 * @state: what it does
 * @slot: what it holds, or -1
 * @last: the slot that it held last, which it prefers, or -1; the caller may
 *	write it
 * @woke: it waits because it woke up, not because its slice ended
 * @competes: it waits, and the holders' slices have been limited for it
 * @uncontended: it got its slot when nobody else wanted it: its time is free
 * @overdue: it was chosen because it waited longer than vsched.patience: not
 *	preempted by @preempts
 * @filler: see sched_gang.c
 * @prio: above 0: its thread is of real time; a higher one is always first. The
 *	caller may write it unless the vCPU waits
 * @missed: it holds a slot, and Linux did not run its thread at so many looks in
 *	a row
 * @away: it waits, and Linux does not run its thread: it gets no slot
 * @since: when @state began
 * @began: when the slice of a holder began; the caller may write it, if one wakes up
 *	that has kept its slot
 * @until: when a holder has to come back; U64_MAX while nobody waits
 * @ran: ticks that were charged
 * @time: ticks in each state, up to @since
 * @longest_wait: ticks of the longest wait that has ended
 * @allowed: slots that it may hold
 */
struct vsched_vcpu {
	struct vsched_vm *vm;
	struct list_head node;
	enum vsched_state state;
	int slot;
	int last;
	bool woke;
	bool competes;
	bool uncontended;
	bool overdue;
	bool filler;
	bool away;
	u8 prio;
	u8 missed;
	u64 since;
	u64 began;
	u64 until;
	u64 ran;
	u64 time[VSCHED_NR_STATES];
	u64 longest_wait;
	DECLARE_BITMAP(allowed, VSCHED_MAX_SLOTS);
};

/**
 * struct vsched_slot - one physical CPU
 * @holder: the vCPU that may run there, or NULL
 * @clock: virtual time there, see sched_fair.c
 */
struct vsched_slot {
	struct vsched_vcpu *holder;
	u64 clock;
};

/**
 * struct vsched - the scheduler
 * @policy: chooses who is next
 * @slice: ticks that a holder may keep others waiting
 * @period: ticks between two refills of the caps
 * @patience: ticks; who has waited longer is next, whatever the policy says
 * @per_user: users, not VMs, compete as equals; weights are between a user's VMs.
 *	The caller may write it
 * @slots: by CPU number
 * @nr_slots: length of @slots
 * @idle: slots without a holder
 * @kick: slots whose holder has to leave the guest
 * @vms: all VMs
 * @waiting: vCPUs that wait, by @prio, of each the longest wait first
 * @nr_new: how many of them do not compete yet
 * @nr_capped: VMs that have a cap
 * @leader: the VM whose turn it is, see sched_gang.c
 * @turn_end: when that turn ends
 */
struct vsched {
	const struct vsched_policy *policy;
	u64 slice;
	u64 period;
	u64 patience;
	bool per_user;
	struct vsched_slot *slots;
	unsigned int nr_slots;
	DECLARE_BITMAP(idle, VSCHED_MAX_SLOTS);
	DECLARE_BITMAP(kick, VSCHED_MAX_SLOTS);
	struct list_head vms;
	struct list_head waiting;
	unsigned int nr_new;
	unsigned int nr_capped;
	struct vsched_vm *leader;
	u64 turn_end;
};

/* The caller's lock is held meanwhile: the tests count the steps */
#ifndef vsched_step
#define vsched_step() true
#endif
#define vsched_for_each_waiting(vcpu, s)				\
	for (vcpu = list_first_entry(&(s)->waiting, typeof(*vcpu), node); \
	     vsched_step() &&						\
	     !list_entry_is_head(vcpu, &(s)->waiting, node);		\
	     vcpu = list_next_entry(vcpu, node))
#define vsched_for_each_waiting_reverse(vcpu, s)			\
	for (vcpu = list_last_entry(&(s)->waiting, typeof(*vcpu), node); \
	     vsched_step() &&						\
	     !list_entry_is_head(vcpu, &(s)->waiting, node);		\
	     vcpu = list_prev_entry(vcpu, node))

/**
 * struct vsched_policy - how to choose
 * @name: for people
 * @pick: who gets an idle slot? One for whom vsched_eligible() is true, of the
 *	highest prio; the caller has made sure that there is one
 * @slice_end: when does a holder's slice end, if others wait?
 * @preempts: above 0: the waiter should have the holder's slot before its slice
 *	ends; of several holders the one with the largest result loses it. May
 *	be NULL
 * @charge: the vCPU ran for @ran ticks while others waited. May be NULL
 * @enqueue: the vCPU begins to wait, or has slept with a slot that others begin to
 *	want. May be NULL
 */
struct vsched_policy {
	const char *name;
	struct vsched_vcpu *(*pick)(struct vsched *s, int slot, u64 now);
	u64 (*slice_end)(const struct vsched *s, const struct vsched_vcpu *holder);
	s64 (*preempts)(const struct vsched *s,
			const struct vsched_vcpu *waiter,
			const struct vsched_vcpu *holder);
	void (*charge)(struct vsched *s, struct vsched_vcpu *vcpu, u64 ran);
	void (*enqueue)(struct vsched *s, struct vsched_vcpu *vcpu);
};

extern const struct vsched_policy vsched_fair;
extern const struct vsched_policy vsched_rr;
extern const struct vsched_policy vsched_gang;

void vsched_init(struct vsched *s, const struct vsched_policy *policy,
		 struct vsched_slot *slots, unsigned int nr_slots, u64 slice,
		 u64 period);
void vsched_vm_init(struct vsched *s, struct vsched_vm *vm, u32 uid);
void vsched_vm_remove(struct vsched *s, struct vsched_vm *vm);
void vsched_vcpu_init(struct vsched_vcpu *vcpu, struct vsched_vm *vm, u64 now);
void vsched_set_policy(struct vsched *s, const struct vsched_policy *policy);
int vsched_set_weight(struct vsched_vm *vm, u32 weight);
int vsched_set_cap(struct vsched *s, struct vsched_vm *vm, u32 cap, u64 now);

void vsched_wake(struct vsched *s, struct vsched_vcpu *vcpu,
		 const unsigned long *allowed, u64 now);
void vsched_block(struct vsched *s, struct vsched_vcpu *vcpu, u64 now);
void vsched_yield(struct vsched *s, struct vsched_vcpu *vcpu, u64 now);
void vsched_miss(struct vsched *s, struct vsched_vcpu *vcpu, u64 now);
struct vsched_vcpu *vsched_pause(struct vsched *s, struct vsched_vcpu *vcpu,
				 u64 now);
void vsched_charge(struct vsched *s, struct vsched_vcpu *vcpu, u64 ran,
		   u64 now);
u64 vsched_slice(struct vsched *s, struct vsched_vcpu *vcpu, u64 now);
u64 vsched_look(struct vsched *s, struct vsched_vcpu *vcpu,
		enum vsched_place place, u64 now);
struct vsched_vcpu *vsched_fill(struct vsched *s, u64 now);
struct vsched_vcpu *vsched_kick(struct vsched *s, u64 now);
u64 vsched_next(struct vsched *s, u64 now);
u64 vsched_time(const struct vsched_vcpu *vcpu, enum vsched_state state,
		u64 now);

/* For the policies */
bool vsched_throttled(struct vsched *s, struct vsched_vm *vm, u64 now);
bool vsched_eligible(struct vsched *s, struct vsched_vcpu *vcpu, int slot,
		     u64 now);
u64 vsched_slice_end(const struct vsched *s, const struct vsched_vcpu *holder);
void vsched_compete_again(struct vsched *s, struct vsched_vcpu *vcpu);
u64 vsched_worth(const struct vsched *s, const struct vsched_vm *vm, u64 ticks);
void vsched_fair_enqueue(struct vsched *s, struct vsched_vcpu *vcpu);
void vsched_fair_charge(struct vsched *s, struct vsched_vcpu *vcpu, u64 ran);

#endif
