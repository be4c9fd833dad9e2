// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU scheduler: single decisions, shares against a reference, and random
 * machines (sched_sim.c).
 */

/* ---- single decisions --------------------------------------------------- */

static void sched_ranges(struct kunit *test)
{
	struct vsched_vm *vm;
	struct sim_vcpu *c;
	int i;

	sim_init(test, &vsched_fair, 2);
	vm = sim_vm(VSCHED_WEIGHT_MAX);
	KUNIT_EXPECT_EQ(test, vsched_set_weight(vm, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, vsched_set_weight(vm, 10001), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm->weight, 10000U);
	/* Many short runs cost as much as a long one */
	c = sim_vcpu(vm);
	for (i = 0; i < 20000; i++)
		vsched_fair_charge(&sim.s, &c->v, 1);
	KUNIT_EXPECT_EQ(test, vm->vtime, 2ULL);
	KUNIT_EXPECT_EQ(test, vsched_set_weight(vm, 1), 0);
	KUNIT_EXPECT_EQ(test, vsched_set_cap(&sim.s, vm, 6401, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, vsched_set_cap(&sim.s, vm, 6400, 1), 0);
	KUNIT_EXPECT_EQ(test, vsched_set_cap(&sim.s, vm, 0, 1), 0);
}

/*
 * A vCPU that is alone has no slice and pays nothing; it is kicked when another
 * one wakes
 */
static void sched_alone(struct kunit *test)
{
	struct sim_vcpu *a, *b;
	int i;

	for (i = 0; i < ARRAY_SIZE(sched_policies); i++) {
		sim_init(test, sched_policies[i], 1);
		a = sim_vcpu(sim_vm(1));
		b = sim_vcpu(sim_vm(100));
		vsched_wake(&sim.s, &a->v, &a->mask, 1);
		KUNIT_EXPECT_PTR_EQ(test, vsched_fill(&sim.s, 1), &a->v);
		KUNIT_EXPECT_EQ(test, vsched_slice(&sim.s, &a->v, 1), U64_MAX);
		KUNIT_EXPECT_NULL(test, vsched_kick(&sim.s, 1));
		vsched_wake(&sim.s, &b->v, &b->mask, 1 + 10 * SLICE);
		KUNIT_EXPECT_NULL(test, vsched_fill(&sim.s, 1 + 10 * SLICE));
		KUNIT_EXPECT_PTR_EQ(test, vsched_kick(&sim.s, 1 + 10 * SLICE),
				    &a->v);
		KUNIT_EXPECT_NULL(test, vsched_kick(&sim.s, 1 + 10 * SLICE));
		vsched_charge(&sim.s, &a->v, 10 * SLICE, 1 + 10 * SLICE);
		KUNIT_EXPECT_EQ(test, a->v.vm->vtime, 0ULL);
		KUNIT_EXPECT_EQ(test, a->v.ran, 10 * SLICE);
		/* Its slice ended long ago */
		KUNIT_EXPECT_EQ(test, vsched_slice(&sim.s, &a->v,
						   1 + 10 * SLICE), 0ULL);
		vsched_block(&sim.s, &a->v, 1 + 10 * SLICE);
		KUNIT_EXPECT_PTR_EQ(test, vsched_fill(&sim.s, 1 + 10 * SLICE),
				    &b->v);
		KUNIT_EXPECT_EQ(test, a->v.time[VSCHED_RUNNING], 10 * SLICE);
	}
}

/*
 * A vCPU has slept while it kept its slot: when another wants that, it has a slice
 * from when it woke up, and has saved up no more than by a sleep without the slot
 */
static void sched_rested(struct kunit *test)
{
	u64 now = 1 + 10 * SLICE;
	struct sim_vcpu *a, *b;

	sim_init(test, &vsched_fair, 1);
	a = sim_vcpu(sim_vm(100));
	b = sim_vcpu(sim_vm(100));
	vsched_wake(&sim.s, &a->v, &a->mask, 1);
	KUNIT_EXPECT_PTR_EQ(test, vsched_fill(&sim.s, 1), &a->v);
	/* Meanwhile others have been busy on its other CPUs */
	sim.s.slots[0].clock = 50 * SLICE;
	a->v.began = now;
	vsched_wake(&sim.s, &b->v, &b->mask, now);
	KUNIT_EXPECT_NULL(test, vsched_fill(&sim.s, now));
	KUNIT_EXPECT_PTR_EQ(test, vsched_kick(&sim.s, now), &a->v);
	KUNIT_EXPECT_EQ(test, vsched_slice(&sim.s, &a->v, now), SLICE);
	KUNIT_EXPECT_EQ(test, a->v.vm->vtime,
			sim.s.slots[0].clock - SLICE / 100);
	vsched_block(&sim.s, &a->v, now + SLICE);
	KUNIT_EXPECT_EQ(test, a->v.time[VSCHED_RUNNING], now - 1 + SLICE);
}

/* On a CPU with two VMs a third one wakes in the middle of a slice */
static void sched_wakeup(struct kunit *test)
{
	struct sim_vcpu *c[3];
	int i, k;

	for (i = 0; i < ARRAY_SIZE(sched_policies); i++) {
		sim_init(test, sched_policies[i], 1);
		for (k = 0; k < 3; k++)
			c[k] = sim_vcpu(sim_vm(100));
		c[2]->wake_at = U64_MAX;
		sim_run(20 * SLICE + SLICE / 3);
		c[2]->wake_at = sim.now;
		sim_run(1);
		KUNIT_EXPECT_EQ(test, c[2]->v.state == VSCHED_RUNNING,
				sched_policies[i] == &vsched_fair);
		/* Its sleep is worth a slice at most */
		sim_run(30 * SLICE);
		KUNIT_EXPECT_LE(test, c[2]->v.ran, 11 * SLICE + SLICE / 2);
		KUNIT_EXPECT_GE(test, c[2]->v.ran, 9 * SLICE);
	}
}

static void sched_affinity(struct kunit *test)
{
	struct sim_vcpu *a, *b;

	sim_init(test, &vsched_fair, 2);
	a = sim_vcpu(sim_vm(100));
	b = sim_vcpu(sim_vm(100));
	sim_run(1);
	KUNIT_EXPECT_EQ(test, a->v.slot, 0);
	KUNIT_EXPECT_EQ(test, b->v.slot, 1);
	/* @b runs, and may use slot 0 only: it goes there, and @a to slot 1 */
	b->mask = 1;
	vsched_wake(&sim.s, &b->v, &b->mask, sim.now);
	sim_settle();
	sim_run(2 * SLICE);
	KUNIT_EXPECT_EQ(test, b->v.slot, 0);
	KUNIT_EXPECT_EQ(test, a->v.slot, 1);
	KUNIT_EXPECT_EQ(test, vsched_slice(&sim.s, &a->v, sim.now), U64_MAX);
	/* A vCPU that wakes gets the slot that it had before, if it is idle */
	vsched_block(&sim.s, &a->v, sim.now);
	vsched_block(&sim.s, &b->v, sim.now);
	vsched_wake(&sim.s, &a->v, &a->mask, sim.now);
	KUNIT_EXPECT_PTR_EQ(test, vsched_fill(&sim.s, sim.now), &a->v);
	KUNIT_EXPECT_EQ(test, a->v.slot, 1);
}

static void sched_pause_loop(struct kunit *test)
{
	struct sim_vcpu *a, *a2, *b;
	struct vsched_vcpu *to;
	u64 left;

	sim_init(test, &vsched_fair, 1);
	a = sim_vcpu(sim_vm(100));
	b = sim_vcpu(sim_vm(100));
	a2 = sim_vcpu(a->v.vm);
	sim_run(SLICE / 4);
	KUNIT_EXPECT_EQ(test, a->v.state, VSCHED_RUNNING);
	left = vsched_slice(&sim.s, &a->v, sim.now);
	to = vsched_pause(&sim.s, &a->v, sim.now);
	KUNIT_EXPECT_PTR_EQ(test, to, &a2->v);
	KUNIT_EXPECT_EQ(test, vsched_slice(&sim.s, &a2->v, sim.now), left);
	KUNIT_EXPECT_EQ(test, a->v.state, VSCHED_WAITING);
	sim_enter(a2);
	sim_check();
	/* No vCPU of @b's VM waits */
	sim_run(SLICE);
	KUNIT_EXPECT_EQ(test, b->v.state, VSCHED_RUNNING);
	KUNIT_EXPECT_NULL(test, vsched_pause(&sim.s, &b->v, sim.now));
	/* A VM that pauses all the time still gets its half */
	for (left = 0; left < 400; left++) {
		sim_run(SLICE / 7);
		to = sim.slots[0].holder;
		to = vsched_pause(&sim.s, to, sim.now);
		if (to)
			sim_enter(of(to));
	}
	KUNIT_EXPECT_LE(test, sim_ran(a->v.vm), sim.now / 2 + 2 * SLICE);
	KUNIT_EXPECT_GE(test, sim_ran(a->v.vm), sim.now / 2 - 2 * SLICE);
}

static void sched_removal(struct kunit *test)
{
	struct sim_vcpu *c[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(sched_policies); i++) {
		sim_init(test, sched_policies[i], 1);
		c[0] = sim_vcpu(sim_vm(100));
		c[1] = sim_vcpu(sim_vm(100));
		c[2] = sim_vcpu(c[1]->v.vm);
		c[2]->wake_at = U64_MAX;
		sim_run(SLICE / 2);
		KUNIT_EXPECT_EQ(test, c[0]->v.state, VSCHED_RUNNING);
		KUNIT_EXPECT_EQ(test, c[1]->v.state, VSCHED_WAITING);
		vsched_block(&sim.s, &c[2]->v, sim.now);
		vsched_block(&sim.s, &c[0]->v, sim.now);
		c[0]->wake_at = U64_MAX;
		vsched_vm_remove(&sim.s, c[0]->v.vm);
		KUNIT_EXPECT_TRUE(test, sim.s.leader != c[0]->v.vm);
		memset(c[0]->v.vm, 0xa5, sizeof(*c[0]->v.vm));
		KUNIT_EXPECT_PTR_EQ(test, vsched_fill(&sim.s, sim.now),
				    &c[1]->v);
		vsched_wake(&sim.s, &c[2]->v, &c[2]->mask, sim.now);
		vsched_block(&sim.s, &c[2]->v, sim.now);
		KUNIT_EXPECT_TRUE(test, list_empty(&sim.s.waiting));
		vsched_block(&sim.s, &c[1]->v, sim.now);
		vsched_set_cap(&sim.s, c[1]->v.vm, 50, sim.now);
		vsched_vm_remove(&sim.s, c[1]->v.vm);
		KUNIT_EXPECT_EQ(test, sim.s.nr_capped, 0U);
		KUNIT_EXPECT_TRUE(test, list_empty(&sim.s.vms));
		KUNIT_EXPECT_NULL(test, vsched_fill(&sim.s, sim.now));
		KUNIT_EXPECT_NULL(test, vsched_kick(&sim.s, sim.now));
		KUNIT_EXPECT_EQ(test, vsched_next(&sim.s, sim.now), U64_MAX);
	}
}

/*
 * A vCPU that was chosen because it had waited for so long keeps its slot for a
 * slice, whoever wakes meanwhile
 */
static void sched_patience(struct kunit *test)
{
	struct sim_vcpu *a, *b;

	sim_init(test, &vsched_gang, 1);
	sim.s.patience = 10 * SLICE;
	a = sim_vcpu(sim_vm(10000));
	sim_vcpu(a->v.vm);
	b = sim_vcpu(sim_vm(1));
	b->wake_at = 50 * SLICE;
	sim_run(70 * SLICE);
	KUNIT_EXPECT_GE(test, b->v.ran, SLICE);
	KUNIT_EXPECT_LE(test, b->v.ran, 3 * SLICE);
	KUNIT_EXPECT_LE(test, b->longest, 12 * SLICE);
}

/* Linux runs the threads of some late: nobody waits for them for long */
static void sched_looks(struct kunit *test)
{
	struct sim_vcpu *a, *b;
	int n, i;

	for (n = 1; n <= 4; n++) {
		sim_init(test, sched_policies[n % 3], 1);
		a = sim_vcpu(sim_vm(100));
		for (i = 0; i < n; i++) {
			b = sim_vcpu(sim_vm(100));
			b->away = 20 * SLICE;
			b->odds = 1;
		}
		sim_run(400 * SLICE);
		/* For the looks at each of them, and for a slice when it comes */
		KUNIT_EXPECT_LE(test, a->longest, 2 * n * SLICE);
		KUNIT_EXPECT_GE(test, a->longest, SLICE);
		KUNIT_EXPECT_GE(test, a->v.ran, (400 - 40 * n) * SLICE);
	}
	sim_init(test, &vsched_fair, 1);
	a = sim_vcpu(sim_vm(100));
	sim_run(1);
	/* Nobody waits */
	KUNIT_EXPECT_EQ(test, vsched_look(&sim.s, &a->v, VSCHED_OFF_CPU,
					  sim.now), U64_MAX);
	sim_vcpu(sim_vm(100));
	sim_run(1);
	/* A thread that has been seen meanwhile may be missed again */
	for (i = 0; i < 2 * VSCHED_LOOKS - 1; i++)
		KUNIT_EXPECT_EQ(test, vsched_look(&sim.s, &a->v,
						  i == VSCHED_LOOKS - 1 ?
						  VSCHED_ON_CPU : VSCHED_OFF_CPU,
						  sim.now), SLICE / 4);
	KUNIT_EXPECT_EQ(test, vsched_look(&sim.s, &a->v, VSCHED_OFF_CPU,
					  sim.now), 0ULL);
	/* A new slot, new looks */
	vsched_miss(&sim.s, &a->v, sim.now);
	vsched_wake(&sim.s, &a->v, &a->mask, sim.now);
	vsched_block(&sim.s, &sim.vcpus[1].v, sim.now);
	KUNIT_EXPECT_PTR_EQ(test, vsched_fill(&sim.s, sim.now), &a->v);
	KUNIT_EXPECT_EQ(test, a->v.missed, 0);
	sim_wake(&sim.vcpus[1]);
	sim_settle();
	/* From userspace it comes back when its slice is over, or is too late */
	KUNIT_EXPECT_EQ(test, vsched_look(&sim.s, &a->v, VSCHED_ELSEWHERE,
					  sim.now), SLICE / 4);
	KUNIT_EXPECT_EQ(test, vsched_look(&sim.s, &a->v, VSCHED_ELSEWHERE,
					  sim.now + 2 * SLICE), 0ULL);
}

/* Threads of real time wait for each other only */
static void sched_prio(struct kunit *test)
{
	struct sim_vcpu *busy, *fifo[2];
	int i, k;
	u64 ran;

	for (i = 0; i < ARRAY_SIZE(sched_policies); i++) {
		sim_init(test, sched_policies[i], 1);
		busy = sim_vcpu(sim_vm(10000));
		sim_vcpu(busy->v.vm);
		for (k = 0; k < 2; k++) {
			fifo[k] = sim_vcpu(sim_vm(1));
			fifo[k]->v.prio = 1;
			fifo[k]->wake_at = 100 * SLICE + SLICE / 3;
		}
		sim_run(100 * SLICE + SLICE / 3);
		/* One has the slot at once, and both do not give it back */
		ran = sim_ran(busy->v.vm);
		KUNIT_EXPECT_EQ(test, fifo[0]->v.state, VSCHED_RUNNING);
		sim_run(1000 * SLICE);
		KUNIT_EXPECT_EQ(test, sim_ran(busy->v.vm), ran);
		for (k = 0; k < 2; k++) {
			KUNIT_EXPECT_GE(test, fifo[k]->v.ran, 499 * SLICE);
			KUNIT_EXPECT_LE(test, fifo[k]->longest, 2 * SLICE);
			vsched_block(&sim.s, &fifo[k]->v, sim.now);
			fifo[k]->wake_at = U64_MAX;
		}
		sim_settle();
		sim_run(20 * SLICE);
		KUNIT_EXPECT_GE(test, sim_ran(busy->v.vm), ran + 18 * SLICE);
		/* A higher one is before lower ones, wherever it stands */
		fifo[1]->v.prio = 2;
		fifo[1]->wake_at = sim.now + 2;
		fifo[0]->wake_at = sim.now + 1;
		sim_run(3);
		KUNIT_EXPECT_EQ(test, fifo[1]->v.state, VSCHED_RUNNING);
	}
	/* Of two slots it takes that of where its thread is */
	for (i = 0; i < 2; i++) {
		sim_init(test, &vsched_fair, 2);
		sim_vcpu(sim_vm(100));
		sim_vcpu(sim_vm(100));
		sim_run(SLICE / 2);
		fifo[0] = sim_vcpu(sim_vm(100));
		fifo[0]->v.prio = 1;
		fifo[0]->v.last = i;
		sim_run(1);
		KUNIT_EXPECT_EQ(test, fifo[0]->v.slot, i);
	}
	/* It waits for no second look at a thread that Linux does not run */
	for (i = 0; i < 2; i++) {
		sim_init(test, &vsched_fair, 1);
		busy = sim_vcpu(sim_vm(100));
		sim_run(SLICE / 2);
		fifo[0] = sim_vcpu(sim_vm(100));
		fifo[0]->v.prio = i;
		vsched_wake(&sim.s, &fifo[0]->v, &fifo[0]->mask, sim.now);
		KUNIT_EXPECT_PTR_EQ(test, vsched_kick(&sim.s, sim.now),
				    &busy->v);
		KUNIT_EXPECT_EQ(test, vsched_look(&sim.s, &busy->v,
						  VSCHED_OFF_CPU, sim.now),
				i ? 0 : SLICE / 4);
		if (!i)
			continue;
		/* When that one is away, it is as without it */
		vsched_block(&sim.s, &busy->v, sim.now);
		vsched_fill(&sim.s, sim.now);
		vsched_wake(&sim.s, &busy->v, &busy->mask, sim.now);
		vsched_miss(&sim.s, &fifo[0]->v, sim.now);
		vsched_fill(&sim.s, sim.now);
		KUNIT_EXPECT_EQ(test, vsched_look(&sim.s, &busy->v,
						  VSCHED_OFF_CPU, sim.now),
				SLICE / 4);
	}
}

/* ---- shares ------------------------------------------------------------- */

#define CPU	((u64)1000000)	/* millionths of a CPU */

/*
 * Water-filling, computed without the scheduler: each VM gets CPUs in
 * proportion to its weight. One that would get more than it can use gets what
 * it can use, and the rest is divided again among the others.
 */
static void reference(int nr, const u32 *weight, const u64 *limit, u64 cpus,
		      u64 *share)
{
	bool again = true;
	u64 weights;
	int i;

	for (i = 0; i < nr; i++)
		share[i] = U64_MAX;
	while (again) {
		again = false;
		weights = 0;
		for (i = 0; i < nr; i++)
			if (share[i] == U64_MAX)
				weights += weight[i];
		for (i = 0; i < nr; i++) {
			if (share[i] != U64_MAX ||
			    limit[i] * weights > cpus * weight[i])
				continue;
			share[i] = limit[i];
			cpus -= limit[i];
			again = true;
			break;
		}
	}
	for (i = 0; i < nr; i++)
		if (share[i] == U64_MAX)
			share[i] = cpus * weight[i] / weights;
}

/*
 * Compares the VMs [first, first + nr), which have @cpus CPUs of their own,
 * with the reference. Error: 2 % and two slices at most.
 */
static void expect_shares(int first, int nr, unsigned int cpus,
			  const u64 *before, u64 ticks)
{
	u64 limit[MAX_VMS], share[MAX_VMS], ran, want, error;
	u32 weight[MAX_VMS];
	int i;

	for (i = 0; i < nr; i++) {
		struct vsched_vm *vm = &sim.vms[first + i];
		u64 vcpus = vm->nr[VSCHED_WAITING] + vm->nr[VSCHED_RUNNING];

		weight[i] = vm->weight;
		limit[i] = min_t(u64, vcpus, cpus) * CPU;
		if (vm->cap)
			limit[i] = min(limit[i], vm->cap * CPU / 100);
	}
	reference(nr, weight, limit, cpus * CPU, share);
	for (i = 0; i < nr; i++) {
		ran = sim_ran(&sim.vms[first + i]) - before[first + i];
		want = share[i] * ticks / CPU;
		error = max(ran, want) - min(ran, want);
		KUNIT_EXPECT_TRUE_MSG(sim.test,
				      error <= ticks / 50 + 2 * SLICE,
				      "VM %d of %d, weight %u cap %u on %u CPUs: %llu instead of %llu ppm\n",
				      i, nr, weight[i], sim.vms[first + i].cap,
				      cpus, ran * CPU / ticks,
				      share[i]);
	}
}

static void run_and_expect(unsigned int cpus, unsigned int slices)
{
	u64 before[MAX_VMS];
	int i;

	sim_run(20 * SLICE);
	for (i = 0; i < sim.nr_vms; i++)
		before[i] = sim_ran(&sim.vms[i]);
	sim_run(slices * SLICE);
	expect_shares(0, sim.nr_vms, cpus, before, slices * SLICE);
}

static void sched_share_examples(struct kunit *test)
{
	static const int many[][2] = {	/* weight, vCPUs */
		{ 50, 1 }, { 25, 3 }, { 200, 1 }, { 100, 1 }, { 800, 3 },
		{ 25, 3 } };
	int i, k;

	/* 1:2:4 on two CPUs: the third can use one CPU, the others share 1:2 */
	sim_init(test, &vsched_fair, 2);
	for (i = 1; i <= 4; i *= 2)
		sim_vcpu(sim_vm(i));
	run_and_expect(2, 300);
	/* The third gets a second vCPU, but no credit for the time before */
	sim_vcpu(&sim.vms[2]);
	run_and_expect(2, 300);

	/* Heavy VMs have a right to whole CPUs, beside many light vCPUs */
	sim_init(test, &vsched_fair, 5);
	for (i = 0; i < ARRAY_SIZE(many); i++)
		for (k = many[i][1], sim_vm(many[i][0]); k > 0; k--)
			sim_vcpu(&sim.vms[i]);
	run_and_expect(5, 600);

	/* The weight is the VM's, however many vCPUs it has */
	sim_init(test, &vsched_fair, 1);
	sim_vm(100);
	for (i = 0; i < 4; i++)
		sim_vcpu(&sim.vms[0]);
	sim_vcpu(sim_vm(100));
	run_and_expect(1, 300);

	/*
	 * The weights that differ most: the light VM is due less than a slice
	 */
	sim_init(test, &vsched_fair, 1);
	sim_vcpu(sim_vm(1));
	sim_vcpu(sim_vm(10000));
	run_and_expect(1, 300);
	KUNIT_EXPECT_LE(test, sim_ran(&sim.vms[0]), 2 * SLICE);

	/* A VM that was alone for a long time has no debt */
	sim_init(test, &vsched_fair, 1);
	sim_vcpu(sim_vm(1));
	sim_run(10000 * SLICE);
	sim_vcpu(sim_vm(1));
	sim_vcpu(sim_vm(1));
	run_and_expect(1, 100);
}

/* Linux does not run a thread for long: the others' shares and waits stay */
static void sched_away(struct kunit *test)
{
	struct sim_vcpu *a, *b, *c;
	int i;

	for (i = 0; i < 3; i += 2) {
		sim_init(test, sched_policies[i], 1);
		c = sim_vcpu(sim_vm(100));
		c->away = U64_MAX / 2;
		a = sim_vcpu(sim_vm(100));
		b = sim_vcpu(sim_vm(200));
		sim_run(600 * SLICE);
		KUNIT_EXPECT_EQ(test, c->v.away, true);
		KUNIT_EXPECT_LE(test, a->v.ran, 202 * SLICE);
		KUNIT_EXPECT_GE(test, a->v.ran, 198 * SLICE);
		KUNIT_EXPECT_GE(test, b->v.ran, 396 * SLICE);
		/* To one that comes now they owe little */
		a->longest = 0;
		sim_vcpu(sim_vm(100));
		sim_run(100 * SLICE);
		KUNIT_EXPECT_LE(test, a->longest, 6 * SLICE);
	}
}

/* Shares are right also if Linux runs a thread late each second time */
static void sched_shares_late(struct kunit *test)
{
	struct sim_vcpu *c;
	int i, quarters;

	sim_seed = 6;
	for (quarters = 4; quarters <= 8; quarters += 2) {
		sim_init(test, &vsched_fair, 1);
		for (i = 0; i < 2; i++) {
			c = sim_vcpu(sim_vm(i ? 300 : 100));
			c->away = quarters * SLICE / 4;
			c->odds = 2;
		}
		run_and_expect(1, 2000);
	}
}

/* A user's VMs have together what one VM of another user has */
static void sched_users(struct kunit *test)
{
	static const u32 weight[] = { 100, 100, 200, 100 };
	static const u32 due[][4] = { { 200, 200, 400, 200 },
				      { 125, 125, 250, 500 },
				      { 0, 167, 333, 500 } };
	u64 before[4], ran;
	int i, k;

	sim_init(test, &vsched_fair, 1);
	for (i = 0; i < 4; i++)
		sim_vcpu(sim_vm_of(weight[i], i == 3));
	for (k = 0; k < 3; k++) {
		sim.s.per_user = k;
		if (k == 2) {
			/* The first one is what the others of its user refer to */
			vsched_block(&sim.s, &sim.vcpus[0].v, sim.now);
			sim.vcpus[0].wake_at = U64_MAX;
			vsched_vm_remove(&sim.s, &sim.vms[0]);
			sim_settle();
		}
		sim_run(50 * SLICE);
		for (i = 0; i < 4; i++)
			before[i] = sim_ran(&sim.vms[i]);
		sim_run(1000 * SLICE);
		for (i = 0; i < 4; i++) {
			ran = sim_ran(&sim.vms[i]) - before[i];
			KUNIT_EXPECT_LE(test, ran, (due[k][i] + 8) * SLICE);
			KUNIT_EXPECT_GE(test, ran + 8 * SLICE,
					due[k][i] * SLICE);
		}
	}
	/* A weight is changed, and what sleeps does not count */
	KUNIT_EXPECT_EQ(test, sim.vms[1].user->wanted, 300ULL);
	vsched_set_weight(&sim.vms[1], 50);
	KUNIT_EXPECT_EQ(test, sim.vms[1].user->wanted, 250ULL);
	vsched_block(&sim.s, &sim.vcpus[2].v, sim.now);
	vsched_set_weight(&sim.vms[2], 1);
	KUNIT_EXPECT_EQ(test, sim.vms[1].user->wanted, 50ULL);
}

static void sched_shares(struct kunit *test)
{
	int round, vm, i, nr;
	unsigned int slots;

	sim_seed = 1;
	for (round = 0; round < 60; round++) {
		slots = 1 + sim_random(4);
		sim_init(test, &vsched_fair, slots);
		nr = 2 + sim_random(4);
		for (vm = 0; vm < nr; vm++) {
			sim_vm((25 << sim_random(5)) + sim_random(25));
			for (i = sim_random(4); i >= 0; i--)
				sim_vcpu(&sim.vms[vm]);
		}
		run_and_expect(slots, 120);
	}
}

/* Two groups of VMs, on CPUs of their own: their virtual times differ */
static void sched_shares_apart(struct kunit *test)
{
	u64 before[MAX_VMS];
	int round, vm, i;

	sim_seed = 2;
	for (round = 0; round < 20; round++) {
		sim_init(test, &vsched_fair, 3);
		for (vm = 0; vm < 6; vm++) {
			sim_vm((25 << sim_random(5)) * (vm < 3 ? 1 : 10));
			for (i = sim_random(2); i >= 0; i--)
				sim_vcpu(&sim.vms[vm])->mask =
					vm < 3 ? GENMASK(1, 0) : BIT(2);
		}
		/*
		 * One VM of each group wakes late: at its group's virtual time
		 */
		for (i = 0; i < sim.nr_vcpus; i++)
			if (sim.vcpus[i].v.vm == &sim.vms[0] ||
			    sim.vcpus[i].v.vm == &sim.vms[5])
				sim.vcpus[i].wake_at = 100 * SLICE;
		sim_run(120 * SLICE);
		for (i = 0; i < sim.nr_vms; i++)
			before[i] = sim_ran(&sim.vms[i]);
		sim_run(120 * SLICE);
		expect_shares(0, 3, 2, before, 120 * SLICE);
		expect_shares(3, 3, 1, before, 120 * SLICE);
	}
}

static void sched_caps(struct kunit *test)
{
	int round, vm, i, nr;
	unsigned int slots;
	u64 ran, most;

	sim_seed = 3;
	for (round = 0; round < 60; round++) {
		slots = 1 + sim_random(4);
		sim_init(test, sched_policies[round % 3], slots);
		sim.late = SLICE / 2;
		nr = 1 + sim_random(4);
		/*
		 * No cap is near a whole CPU for each vCPU: such a VM could not
		 * make up for the bursts of others.
		 */
		for (vm = 0; vm < nr; vm++) {
			sim_vm(100);
			i = 1 + sim_random(4);
			vsched_set_cap(&sim.s, &sim.vms[vm],
				       5 + sim_random(45 * i), sim.now);
			while (i--)
				sim_vcpu(&sim.vms[vm]);
		}
		/* Under the fair policy the shares are right, too */
		if (round % 3 == 0)
			run_and_expect(slots, 150);
		else
			sim_run(150 * SLICE);
		for (vm = 0; vm < nr; vm++) {
			most = sim.now * sim.vms[vm].cap / 100;
			ran = sim_ran(&sim.vms[vm]);
			/* A full bucket, and slices that it owes at the end */
			KUNIT_EXPECT_LE(test, ran, most + 4 * SLICE +
					2 * PERIOD * sim.vms[vm].cap / 100);
		}
	}
}

/* A cap's bucket */
static void sched_bucket(struct kunit *test)
{
	struct sim_vcpu *a, *a2, *b;
	u64 ran;

	/* A cap is set while the vCPU runs alone; sleep saves up no time */
	sim_init(test, &vsched_fair, 1);
	a = sim_vcpu(sim_vm(100));
	sim_run(SLICE);
	vsched_set_cap(&sim.s, a->v.vm, 10, sim.now);
	sim_settle();
	ran = a->v.ran;
	sim_run(10 * PERIOD);
	KUNIT_EXPECT_LE(test, a->v.ran - ran, PERIOD + PERIOD / 10);
	vsched_block(&sim.s, &a->v, sim.now);
	a->wake_at = sim.now + 100 * PERIOD;
	ran = a->v.ran;
	sim_run(101 * PERIOD);
	KUNIT_EXPECT_LE(test, a->v.ran - ran, 3 * PERIOD / 10);

	/* Only a throttled VM waits: the holder is kicked at its refill */
	sim_init(test, &vsched_rr, 1);
	a = sim_vcpu(sim_vm(100));
	a2 = sim_vcpu(a->v.vm);
	b = sim_vcpu(sim_vm(100));
	vsched_set_cap(&sim.s, a->v.vm, 10, sim.now);
	sim_run(PERIOD / 10);
	KUNIT_EXPECT_EQ(test, a2->v.state, VSCHED_WAITING);
	a->wake_at = U64_MAX;
	vsched_block(&sim.s, &a->v, sim.now);
	sim_settle();
	KUNIT_EXPECT_EQ(test, b->v.state, VSCHED_RUNNING);
	KUNIT_EXPECT_EQ(test, vsched_slice(&sim.s, &b->v, sim.now), U64_MAX);
	sim_run(PERIOD);
	KUNIT_EXPECT_GE(test, a2->v.ran, SLICE / 2);

	/* A vCPU that blocks needs no kick any longer; the other one does */
	sim_init(test, &vsched_fair, 2);
	a = sim_vcpu(sim_vm(100));
	b = sim_vcpu(sim_vm(100));
	sim_run(SLICE);
	vsched_set_cap(&sim.s, a->v.vm, 10, sim.now);
	vsched_set_cap(&sim.s, b->v.vm, 10, sim.now);
	vsched_block(&sim.s, &a->v, sim.now);
	KUNIT_EXPECT_PTR_EQ(test, vsched_kick(&sim.s, sim.now), &b->v);
	KUNIT_EXPECT_NULL(test, vsched_kick(&sim.s, sim.now));
}

/* After a time with another policy the shares are right, for new VMs, too */
static void sched_switch(struct kunit *test)
{
	int i;

	for (i = 1; i < ARRAY_SIZE(sched_policies); i++) {
		sim_init(test, &vsched_fair, 2);
		sim_vcpu(sim_vm(100));
		sim_vcpu(sim_vm(10));
		sim_vcpu(&sim.vms[1]);
		sim_run(1000 * SLICE);
		vsched_set_policy(&sim.s, sched_policies[i]);
		sim_settle();
		sim_vcpu(sim_vm(50));
		sim_vcpu(&sim.vms[2]);
		sim_run(10 * SLICE);
		vsched_set_policy(&sim.s, &vsched_fair);
		sim_settle();
		run_and_expect(2, 200);
	}
}

/* Gangs of equal size get shares by weight, and always run together */
static void sched_gangs(struct kunit *test)
{
	int round, vm, i, size;
	unsigned int slots;

	sim_seed = 4;
	for (round = 0; round < 20; round++) {
		size = 1 + sim_random(3);
		slots = size * (1 + sim_random(2));
		sim_init(test, &vsched_gang, slots);
		for (vm = 0; vm < 4; vm++) {
			sim_vm(100 + sim_random(100));
			for (i = 0; i < size; i++)
				sim_vcpu(&sim.vms[vm]);
		}
		run_and_expect(slots, 150);
		KUNIT_EXPECT_EQ(test, sim.apart, 0ULL);
	}
	/* Two equal gangs take turns */
	sim_init(test, &vsched_gang, 4);
	for (vm = 0; vm < 2; vm++)
		for (i = 0, sim_vm(100); i < 4; i++)
			sim_vcpu(&sim.vms[vm]);
	sim_run(100 * SLICE);
	for (i = 0; i < sim.nr_vcpus; i++)
		KUNIT_EXPECT_LE(test, sim.vcpus[i].longest, SLICE);
	/* Shares are right even if a VM of one vCPU leaves a slot idle */
	sim_init(test, &vsched_gang, 2);
	sim_vcpu(sim_vm(100));
	for (i = 0, sim_vm(100); i < 2; i++)
		sim_vcpu(&sim.vms[1]);
	sim_run(300 * SLICE);
	KUNIT_EXPECT_GE(test, sim.vcpus[0].v.ran, 195 * SLICE);
	KUNIT_EXPECT_LE(test, sim.vcpus[0].v.ran, 205 * SLICE);
	KUNIT_EXPECT_GE(test, sim.together, 295 * SLICE);
}

/* ---- with the caller's lock held ----------------------------------------- */

enum { CROWD = 10000 };

/* What the caller does after an event; how many waiting vCPUs that looked at */
static u64 steps_of_settle(void)
{
	while (vsched_fill(&sim.s, sim.now) || vsched_kick(&sim.s, sim.now))
		;
	vsched_next(&sim.s, sim.now);
	return vsched_steps;
}

/* With many vCPUs that wait: a choice looks at all of them once, no more */
static void sched_steps(struct kunit *test)
{
	struct vsched_vcpu *crowd, *a, *b;
	unsigned long all = GENMASK(3, 0);
	int i;

	crowd = kunit_kcalloc(test, CROWD, sizeof(*crowd), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, crowd);
	sim_init(test, &vsched_fair, 4);
	for (i = 0; i < 4; i++)
		sim_vm(100);
	for (i = 0; i < CROWD; i++) {
		vsched_vcpu_init(&crowd[i], &sim.vms[i % 4], sim.now);
		/* One that comes looks at nobody, and is looked at */
		vsched_steps = 0;
		vsched_wake(&sim.s, &crowd[i], &all, sim.now);
		KUNIT_EXPECT_LE(test, steps_of_settle(), 12ULL);
	}
	sim.now += SLICE;
	for (i = 0; i < 100; i++) {
		a = sim.slots[i % 4].holder;
		vsched_charge(&sim.s, a, SLICE, sim.now);
		vsched_steps = 0;
		if (i % 2)
			vsched_block(&sim.s, a, sim.now);
		else
			vsched_yield(&sim.s, a, sim.now);
		KUNIT_EXPECT_LE(test, steps_of_settle(), CROWD + 20ULL);
		b = sim.slots[i % 4].holder;
		KUNIT_EXPECT_TRUE(test, b && b->state == VSCHED_RUNNING);
		/* Who leaves the line looks at nobody */
		vsched_steps = 0;
		vsched_block(&sim.s, list_last_entry(&sim.s.waiting,
						     struct vsched_vcpu, node),
			     sim.now);
		KUNIT_EXPECT_LE(test, steps_of_settle(), 2ULL);
	}
}

/* ---- random machines ---------------------------------------------------- */

enum { BUSY, SLEEPY, WILD };

/* The longest wait that each policy promises */
static u64 bound(const struct vsched_policy *policy, int kind, u64 n)
{
	if (policy == &vsched_rr)
		return n * SLICE;
	if (kind == BUSY)
		return (n + 1) * SLICE;
	if (kind == SLEEPY && policy == &vsched_fair)
		return (3 * n + 1) * SLICE;
	return sim.s.patience + (n + 1) * SLICE;
}

static void expect_bounds(const struct vsched_policy *policy, int kind)
{
	int i, k, n;

	for (i = 0; i < sim.nr_vcpus; i++) {
		for (k = 0, n = 0; k < sim.nr_vcpus; k++)
			n += !!(sim.vcpus[i].mask & sim.vcpus[k].mask);
		KUNIT_EXPECT_TRUE_MSG(sim.test, sim.vcpus[i].longest <=
				      bound(policy, kind, n),
				      "%s, kind %d: %d of %d waited %llu us, n %d\n",
				      policy->name, kind, i, sim.nr_vcpus,
				      sim.vcpus[i].longest / 1000, n);
	}
}

static void random_machine(const struct vsched_policy *policy, int kind)
{
	int vm, i, nr = 2 + sim_random(4);
	struct sim_vcpu *c;

	for (vm = 0; vm < nr; vm++) {
		sim_vm(kind == WILD ? 1 + sim_random(10000) : 100);
		if (kind == WILD && !sim_random(3))
			vsched_set_cap(&sim.s, &sim.vms[vm],
				       1 + sim_random(150), sim.now);
		for (i = kind == WILD ? sim_random(3) : 0; i >= 0; i--) {
			c = sim_vcpu(&sim.vms[vm]);
			if (sim_random(2))
				c->mask = 1 + sim_random(c->mask);
			if (kind == WILD && !sim_random(3)) {
				c->away = 1 + sim_random(5 * SLICE);
				c->odds = 1 + sim_random(3);
			}
			if (kind == BUSY || !sim_random(3))
				continue;
			c->burst = 1 + sim_random(3 * SLICE);
			c->sleep = 1 + sim_random(3 * SLICE);
		}
	}
}

/* One of the calls that may come at any time */
static void random_event(void)
{
	struct vsched_vm *vm = &sim.vms[sim_random(sim.nr_vms)];
	struct sim_vcpu *c = &sim.vcpus[sim_random(sim.nr_vcpus)];
	struct vsched_vcpu *to;

	if (c->v.state == VSCHED_RUNNING)
		sim_charge(c);
	switch (sim_random(6)) {
	case 0:
		vsched_set_weight(vm, 1 + sim_random(10000));
		break;
	case 1:
		vsched_set_cap(&sim.s, vm, sim_random(150), sim.now);
		break;
	case 2:		/* another vCPU in its place */
		vsched_block(&sim.s, &c->v, sim.now);
		memset(&c->v.node, 0xa5, sizeof(c->v.node));
		c->v.vm->nr[VSCHED_BLOCKED]--;
		vsched_vcpu_init(&c->v, c->v.vm, sim.now);
		c->wake_at = sim.now + sim_random(SLICE);
		break;
	case 3:
		c->mask = 1 + sim_random(GENMASK(sim.s.nr_slots - 1, 0));
		if (c->v.state != VSCHED_BLOCKED)
			vsched_wake(&sim.s, &c->v, &c->mask, sim.now);
		break;
	case 4:
		if (c->v.state != VSCHED_RUNNING)
			break;
		to = vsched_pause(&sim.s, &c->v, sim.now);
		if (to)
			sim_enter(of(to));
		break;
	case 5:
		if (c->v.state == VSCHED_RUNNING)
			vsched_yield(&sim.s, &c->v, sim.now);
		break;
	}
	sim_settle();
	sim_check();
}

static void random_machines(struct kunit *test,
			    const struct vsched_policy *policy)
{
	int round, i;

	sim_seed = 5;
	for (round = 0; round < 2000; round++) {
		sim_init(test, policy, 1 + sim_random(4));
		sim.s.patience = 4 * SLICE;
		random_machine(policy, round % 3);
		/* The bounds hold only as long as no such call comes */
		for (i = 0; i < 24; i++)
			sim_step(U64_MAX - 1);
		expect_bounds(policy, round % 3);
		for (i = 0; i < 6; i++) {
			if (i == 3)
				vsched_set_policy(&sim.s, sched_policies[round % 3]);
			random_event();
			sim_step(U64_MAX - 1);
		}
	}
}

static void sched_random_fair(struct kunit *test)
{
	random_machines(test, &vsched_fair);
}

static void sched_random_rr(struct kunit *test)
{
	random_machines(test, &vsched_rr);
}

static void sched_random_gang(struct kunit *test)
{
	random_machines(test, &vsched_gang);
}

static struct kunit_case sched_cases[] = {
	KUNIT_CASE(sched_ranges),
	KUNIT_CASE(sched_alone),
	KUNIT_CASE(sched_rested),
	KUNIT_CASE(sched_wakeup),
	KUNIT_CASE(sched_affinity),
	KUNIT_CASE(sched_pause_loop),
	KUNIT_CASE(sched_removal),
	KUNIT_CASE(sched_patience),
	KUNIT_CASE(sched_looks),
	KUNIT_CASE(sched_prio),
	KUNIT_CASE(sched_share_examples),
	KUNIT_CASE(sched_users),
	KUNIT_CASE(sched_shares),
	KUNIT_CASE(sched_shares_late),
	KUNIT_CASE(sched_away),
	KUNIT_CASE(sched_shares_apart),
	KUNIT_CASE(sched_caps),
	KUNIT_CASE(sched_bucket),
	KUNIT_CASE(sched_switch),
	KUNIT_CASE(sched_gangs),
	KUNIT_CASE(sched_steps),
	KUNIT_CASE(sched_random_fair),
	KUNIT_CASE(sched_random_rr),
	KUNIT_CASE(sched_random_gang),
	{}
};

static struct kunit_suite sched_suite = {
	.name = "mvmm-sched",
	.test_cases = sched_cases,
};
