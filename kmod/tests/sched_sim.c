// SPDX-License-Identifier: GPL-2.0
/*
 * A simulated machine for the scheduler's tests. It does what sched.h wants its
 * caller to do, and after each event checks the invariants. A tick is a
 * nanosecond.
 */

#define SLICE	6000000ULL
#define PERIOD	50000000ULL
#define MAX_SLOTS 8
#define MAX_VMS	8
#define MAX_VCPUS 24

struct sim_vcpu {
	struct vsched_vcpu v;
	unsigned long mask;
	u64 burst;	/* how long it is busy on average, 0: always */
	u64 sleep;
	u64 left;	/* until it blocks */
	u64 wake_at;
	u64 away;	/* how late Linux runs its thread when it has slept, */
	u64 odds;	/* once in so many times */
	u64 comes;	/* when Linux runs it */
	u64 entered;
	u64 deadline;	/* its slice's timer */
	bool waiting;
	bool throttled;
	u64 wait_from;
	u64 longest;
};

static struct sim {
	struct kunit *test;
	struct vsched s;
	struct vsched_slot slots[MAX_SLOTS];
	struct vsched_vm vms[MAX_VMS];
	struct sim_vcpu vcpus[MAX_VCPUS];
	int nr_vms, nr_vcpus;
	u64 now;
	u64 late;	/* timers are late by up to this much */
	u64 together, apart;	/* time of gangs that ran whole, or not */
} sim;

static const struct vsched_policy *const sched_policies[] = {
	&vsched_fair, &vsched_rr, &vsched_gang };

/* xorshift64*, Vigna 2016 */
static u64 sim_seed;

static u64 sim_random(u64 below)
{
	sim_seed ^= sim_seed >> 12;
	sim_seed ^= sim_seed << 25;
	sim_seed ^= sim_seed >> 27;
	return ((sim_seed * 0x2545f4914f6cdd1dULL) >> 33) % below;
}

/* ---- the caller's part -------------------------------------------------- */

static void sim_init(struct kunit *test, const struct vsched_policy *policy,
		     unsigned int nr_slots)
{
	memset(&sim, 0, offsetof(struct sim, vcpus));
	sim.nr_vms = 0;
	sim.nr_vcpus = 0;
	sim.now = 1;
	sim.late = 0;
	sim.together = 0;
	sim.apart = 0;
	sim.s.per_user = false;
	sim.test = test;
	vsched_init(&sim.s, policy, sim.slots, nr_slots, SLICE, PERIOD);
}

static struct vsched_vm *sim_vm_of(u32 weight, u32 uid)
{
	struct vsched_vm *vm = &sim.vms[sim.nr_vms++];

	vsched_vm_init(&sim.s, vm, uid);
	KUNIT_EXPECT_EQ(sim.test, vsched_set_weight(vm, weight), 0);
	return vm;
}

/* Of a user who has no other */
static struct vsched_vm *sim_vm(u32 weight)
{
	return sim_vm_of(weight, sim.nr_vms);
}

/* A vCPU that is always busy, may run on every CPU, and wakes at once */
static struct sim_vcpu *sim_vcpu(struct vsched_vm *vm)
{
	struct sim_vcpu *c = &sim.vcpus[sim.nr_vcpus++];

	c->mask = GENMASK(sim.s.nr_slots - 1, 0);
	c->burst = 0;
	c->sleep = 0;
	c->left = U64_MAX;
	c->wake_at = sim.now;
	c->away = 0;
	c->odds = 1;
	c->comes = 0;
	c->waiting = false;
	c->throttled = false;
	c->longest = 0;
	vsched_vcpu_init(&c->v, vm, sim.now);
	return c;
}

static struct sim_vcpu *of(struct vsched_vcpu *v)
{
	return container_of(v, struct sim_vcpu, v);
}

static void sim_enter(struct sim_vcpu *c)
{
	u64 slice = c->comes > sim.now ?
		    vsched_look(&sim.s, &c->v, VSCHED_ON_CPU, sim.now) :
		    vsched_slice(&sim.s, &c->v, sim.now);

	c->entered = sim.now;
	if (slice != U64_MAX && sim.late)
		slice += sim_random(sim.late);
	slice = min(slice, c->left);
	c->deadline = slice == U64_MAX ? U64_MAX : sim.now + slice;
}

static void sim_charge(struct sim_vcpu *c)
{
	u64 ran = sim.now - c->entered;

	vsched_charge(&sim.s, &c->v, ran, sim.now);
	if (c->left != U64_MAX)
		c->left -= ran;
	c->entered = sim.now;
}

/* The vCPU leaves the guest, for its timer or a kick */
static void sim_come_back(struct sim_vcpu *c)
{
	u64 next;

	sim_charge(c);
	if (c->comes > sim.now) {
		next = vsched_look(&sim.s, &c->v, VSCHED_OFF_CPU, sim.now);
		c->deadline = next == U64_MAX ? c->comes :
			      min(sim.now + next, c->comes);
		c->wake_at = c->comes;
		if (!next)
			vsched_miss(&sim.s, &c->v, sim.now);
	} else if (!c->left) {
		vsched_block(&sim.s, &c->v, sim.now);
		c->wake_at = sim.now + 1 + sim_random(2 * c->sleep);
	} else if (!vsched_slice(&sim.s, &c->v, sim.now)) {
		vsched_yield(&sim.s, &c->v, sim.now);
	} else {
		sim_enter(c);
	}
}

static void sim_wake(struct sim_vcpu *c)
{
	c->left = c->burst ? 1 + sim_random(2 * c->burst) : U64_MAX;
	vsched_wake(&sim.s, &c->v, &c->mask, sim.now);
}

static void sim_settle(void)
{
	struct vsched_vcpu *v;

	for (;;) {
		v = vsched_fill(&sim.s, sim.now);
		if (v) {
			/* Its thread slept */
			if (of(v)->waiting && of(v)->away && !sim_random(of(v)->odds))
				of(v)->comes = sim.now + of(v)->away;
			sim_enter(of(v));
			continue;
		}
		v = vsched_kick(&sim.s, sim.now);
		if (!v)
			break;
		sim_come_back(of(v));
	}
}

/* ---- invariants --------------------------------------------------------- */

static void sim_check_vcpu(struct sim_vcpu *c)
{
	struct vsched_vcpu *v = &c->v;
	bool waits = v->state == VSCHED_WAITING;
	bool throttled = vsched_throttled(&sim.s, v->vm, sim.now) || v->away;

	KUNIT_EXPECT_EQ(sim.test, v->slot >= 0, v->state == VSCHED_RUNNING);
	KUNIT_EXPECT_EQ(sim.test, list_empty(&v->node), !waits);
	if (v->slot >= 0) {
		KUNIT_EXPECT_PTR_EQ(sim.test, sim.slots[v->slot].holder, v);
		/* Its thread looks when it comes */
		KUNIT_EXPECT_TRUE(sim.test, c->mask & BIT(v->slot) ||
				  c->comes > sim.now);
	}
	/* No slot is idle that this vCPU could use */
	if (waits && !throttled)
		KUNIT_EXPECT_EQ(sim.test, c->mask & *sim.s.idle, 0UL);
	if (c->waiting)
		c->longest = max(c->longest, sim.now - c->wait_from);
	if (waits && !c->waiting)
		c->wait_from = sim.now;
	if (c->throttled)
		c->wait_from = max(c->wait_from, v->vm->refilled);
	c->waiting = waits && !throttled;
	c->throttled = throttled;
}

static void sim_check(void)
{
	unsigned int slot, held = 0, new = 0, nr[VSCHED_NR_STATES] = {};
	int i;

	for (i = 0; i < sim.nr_vcpus; i++) {
		sim_check_vcpu(&sim.vcpus[i]);
		nr[sim.vcpus[i].v.state]++;
		new += sim.vcpus[i].v.state == VSCHED_WAITING &&
		       !sim.vcpus[i].v.competes;
	}
	for (slot = 0; slot < sim.s.nr_slots; slot++) {
		KUNIT_EXPECT_EQ(sim.test, !sim.slots[slot].holder,
				test_bit(slot, sim.s.idle));
		held += !!sim.slots[slot].holder;
	}
	KUNIT_EXPECT_EQ(sim.test, held, nr[VSCHED_RUNNING]);
	KUNIT_EXPECT_EQ(sim.test, new, sim.s.nr_new);
	for (i = 0; i < sim.nr_vms; i++) {
		nr[VSCHED_RUNNING] -= sim.vms[i].nr[VSCHED_RUNNING];
		nr[VSCHED_WAITING] -= sim.vms[i].nr[VSCHED_WAITING];
	}
	KUNIT_EXPECT_EQ(sim.test, nr[VSCHED_RUNNING], 0U);
	KUNIT_EXPECT_EQ(sim.test, nr[VSCHED_WAITING], 0U);
}

/* Adds to the time in which all vCPUs of a VM that could run did, or did not */
static void sim_count_gangs(u64 ticks)
{
	int i;

	for (i = 0; i < sim.nr_vms; i++) {
		u32 *nr = sim.vms[i].nr;

		if (!nr[VSCHED_RUNNING])
			continue;
		if (!nr[VSCHED_WAITING] ||
		    nr[VSCHED_RUNNING] == sim.s.nr_slots)
			sim.together += ticks;
		else
			sim.apart += ticks;
	}
}

/* Handles the next event, if there is one up to @end; returns if there was */
static bool sim_step(u64 end)
{
	u64 at, next = vsched_next(&sim.s, sim.now);
	struct sim_vcpu *c, *who = NULL;
	int i;

	for (i = 0; i < sim.nr_vcpus; i++) {
		c = &sim.vcpus[i];
		at = c->v.state == VSCHED_RUNNING ? c->deadline :
		     c->v.state == VSCHED_BLOCKED || c->v.away ?
		     c->wake_at : U64_MAX;
		if (at < next) {
			next = at;
			who = c;
		}
	}
	at = min(max(next, sim.now), end);
	sim_count_gangs(at - sim.now);
	sim.now = at;
	if (next > end)
		return false;
	if (who && who->v.state == VSCHED_RUNNING)
		sim_come_back(who);
	else if (who)
		sim_wake(who);
	sim_settle();
	sim_check();
	return true;
}

static void sim_run(u64 ticks)
{
	u64 end = sim.now + ticks;
	int i;

	while (sim_step(end))
		;
	for (i = 0; i < sim.nr_vcpus; i++)
		if (sim.vcpus[i].v.state == VSCHED_RUNNING)
			sim_charge(&sim.vcpus[i]);
	sim_check();
}

static u64 sim_ran(const struct vsched_vm *vm)
{
	u64 ran = 0;
	int i;

	for (i = 0; i < sim.nr_vcpus; i++)
		if (sim.vcpus[i].v.vm == vm)
			ran += sim.vcpus[i].v.ran;
	return ran;
}
