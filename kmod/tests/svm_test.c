// SPDX-License-Identifier: GPL-2.0
/* SVM: negotiation with CPU generations by their CPUID; decoders; ASIDs. */

/* Leaf 0x8000000a of the emulators' models */
static const struct {
	const char *name;
	struct svm_cap_regs regs;
	const char *missing;
	bool nrips, decode_assists, flush_by_asid, clean_bits;
} svm_models[] = {
	{ "QEMU max, plain emulation", { 1, 0x10, 0, 0x10001 } },
	{ "QEMU max,npt=off", { 1, 0x10, 0, 0x10000 }, "nested paging (NPT)" },
	{ "QEMU EPYC with KVM", { 1, 0x10, 0, 0x9 }, NULL, true },
	{ "Bochs ryzen", { 1, 0x8000, 0, 0x1bcff }, NULL, true, true, true,
	  true },
	{ "no ASID for a guest", { 1, 1, 0, 1 },
	  "address space identifiers (ASIDs)" },
	{ "no leaf", { 0 }, "nested paging (NPT)" },
};

static void svm_generations(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(svm_models); i++) {
		struct missing_log log = {};
		struct svm_caps caps;
		int ret = svm_negotiate(&svm_models[i].regs, &caps,
					log_missing, &log);
		const char *name = svm_models[i].name;

		KUNIT_EXPECT_EQ_MSG(test, ret, svm_models[i].missing ?
				    -EOPNOTSUPP : 0, "%s", name);
		if (svm_models[i].missing) {
			KUNIT_EXPECT_TRUE_MSG(test, was_missing(&log,
					      svm_models[i].missing), "%s",
					      name);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, log.nr, 0, "%s", name);
		KUNIT_EXPECT_EQ(test, caps.max_asid,
				svm_models[i].regs.ebx - 1);
		KUNIT_EXPECT_EQ(test, caps.nrips, svm_models[i].nrips);
		KUNIT_EXPECT_EQ(test, caps.decode_assists,
				svm_models[i].decode_assists);
		KUNIT_EXPECT_EQ(test, caps.flush_by_asid,
				svm_models[i].flush_by_asid);
		KUNIT_EXPECT_EQ(test, caps.clean_bits,
				svm_models[i].clean_bits);
	}
}

static void svm_decoders(struct kunit *test)
{
	struct svm_cr_access cr;
	struct mvmm_exit exit;

	/* OUT DX, AL at port 0x3f8; IN EAX, imm8; REP INSW with 32-bit EDI */
	svm_decode_io(0x3f80010, &exit);
	KUNIT_EXPECT_EQ(test, exit.io.port, 0x3f8);
	KUNIT_EXPECT_EQ(test, exit.io.size, 1);
	KUNIT_EXPECT_EQ(test, exit.io.flags, 0);
	svm_decode_io(0x700041, &exit);
	KUNIT_EXPECT_EQ(test, exit.io.size, 4);
	KUNIT_EXPECT_EQ(test, exit.io.flags, MVMM_IO_IN);
	svm_decode_io(0xffff012d, &exit);
	KUNIT_EXPECT_EQ(test, exit.io.port, 0xffff);
	KUNIT_EXPECT_EQ(test, exit.io.size, 2);
	KUNIT_EXPECT_EQ(test, exit.io.addr_size, 4);
	KUNIT_EXPECT_EQ(test, exit.io.flags,
			MVMM_IO_IN | MVMM_IO_STRING | MVMM_IO_REP);
	svm_decode_io(0x00800214, &exit);
	KUNIT_EXPECT_EQ(test, exit.io.addr_size, 8);

	cr = svm_decode_cr(SVM_EXIT_WRITE_CR4, BIT_ULL(63) | 11, true);
	KUNIT_EXPECT_EQ(test, cr.cr, 4);
	KUNIT_EXPECT_TRUE(test, cr.write && cr.known);
	KUNIT_EXPECT_EQ(test, cr.reg, 11);
	cr = svm_decode_cr(SVM_EXIT_READ_CR0, BIT_ULL(63) | 3, false);
	KUNIT_EXPECT_EQ(test, cr.cr, 0);
	KUNIT_EXPECT_FALSE(test, cr.write || cr.known);
	/* LMSW: no MOV, so no register */
	cr = svm_decode_cr(SVM_EXIT_CR0_SEL_WRITE, 0, true);
	KUNIT_EXPECT_EQ(test, cr.cr, 0);
	KUNIT_EXPECT_TRUE(test, cr.write);
	KUNIT_EXPECT_FALSE(test, cr.known);

	KUNIT_EXPECT_EQ(test, svm_decode_npf(BIT_ULL(32) | 4),
			(u32)MVMM_ACCESS_READ);
	KUNIT_EXPECT_EQ(test, svm_decode_npf(BIT_ULL(32) | 7),
			(u32)MVMM_ACCESS_WRITE);
	KUNIT_EXPECT_EQ(test, svm_decode_npf(BIT_ULL(32) | 0x14),
			(u32)MVMM_ACCESS_EXEC);
	KUNIT_EXPECT_EQ(test, svm_decode_npf(BIT_ULL(33) | 6),
			(u32)(MVMM_ACCESS_WRITE | MVMM_ACCESS_PAGE_WALK));

	KUNIT_EXPECT_EQ(test, svm_segment_attrib(0xa09b), 0xa9b);
	KUNIT_EXPECT_EQ(test, svm_segment_attr(0xc93), 0xc093);
	KUNIT_EXPECT_EQ(test, svm_stats_index(SVM_EXIT_HLT), 0x78U);
	KUNIT_EXPECT_EQ(test, svm_stats_index(SVM_EXIT_NPF), 0xb0U);
	KUNIT_EXPECT_GE(test, svm_stats_index(SVM_EXIT_ERR),
			(unsigned int)MVMM_STATS_HW_EXITS);
}

/*
 * Random vCPUs on random CPUs, with a model of TLBs that keep everything until
 * they are told to drop it. A vCPU must never enter with an ASID under which
 * there are translations of another vCPU, or old ones of its own. Some entries
 * are refused: @late: by a CPU that has not executed TLB_CONTROL then.
 */
#define MODEL_CPUS	3
#define MODEL_VCPUS	5
#define MODEL_ASIDS	4

struct model_tlb {
	struct {
		int vcpu;		/* -1: nothing */
		unsigned int version;
	} entry[MODEL_ASIDS + 1];
};

static void model_clear(struct model_tlb *tlb, int first, int last)
{
	int i;

	for (i = first; i <= last; i++)
		tlb->entry[i].vcpu = -1;
}

static void run_model(struct kunit *test, bool by_asid, bool late, u32 seed)
{
	struct svm_asids asids[MODEL_CPUS] = {};
	struct model_tlb tlb[MODEL_CPUS];
	struct svm_tag tag[MODEL_VCPUS] = {};
	unsigned int version[MODEL_VCPUS] = {}, seen[MODEL_VCPUS] = {};
	int where[MODEL_VCPUS] = { -1, -1, -1, -1, -1 };
	unsigned int flushes = 0;
	struct rnd_state rnd;
	int i;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < MODEL_CPUS; i++) {
		svm_forget_asids(&asids[i]);
		model_clear(&tlb[i], 0, MODEL_ASIDS);
	}
	for (i = 0; i < 20000; i++) {
		int cpu = prandom_u32_state(&rnd) % MODEL_CPUS;
		int v = prandom_u32_state(&rnd) % MODEL_VCPUS;
		u32 what = prandom_u32_state(&rnd) % 100;
		bool refused = prandom_u32_state(&rnd) % 16 == 0;
		u8 control;

		if (what < 20)
			version[v]++;
		if (what == 99) {
			/* CPU off and on: the TLB keeps all */
			svm_forget_asids(&asids[cpu]);
			continue;
		}
		/* It seldom goes to another CPU */
		if (what < 90 && where[v] >= 0)
			cpu = where[v];
		control = svm_plan_flush(&asids[cpu], MODEL_ASIDS, by_asid,
					 &tag[v], where[v] != cpu,
					 seen[v] != version[v]);
		where[v] = cpu;
		seen[v] = version[v];
		KUNIT_ASSERT_TRUE(test, tag[v].asid >= 1 &&
				  tag[v].asid <= MODEL_ASIDS);
		if (refused && late)
			;
		else if (control == TLB_CONTROL_FLUSH_ALL_ASID)
			model_clear(&tlb[cpu], 0, MODEL_ASIDS);
		else if (control == TLB_CONTROL_FLUSH_ASID)
			model_clear(&tlb[cpu], tag[v].asid, tag[v].asid);
		if (refused) {
			svm_undo_flush(&asids[cpu], control, &tag[v]);
			continue;
		}
		flushes += control != TLB_CONTROL_DO_NOTHING;
		if (tlb[cpu].entry[tag[v].asid].vcpu >= 0) {
			KUNIT_ASSERT_EQ(test,
					tlb[cpu].entry[tag[v].asid].vcpu, v);
			KUNIT_ASSERT_EQ(test,
					tlb[cpu].entry[tag[v].asid].version,
					version[v]);
		}
		tlb[cpu].entry[tag[v].asid].vcpu = v;
		tlb[cpu].entry[tag[v].asid].version = version[v];
	}
	/* A flush at each entry would pass all of the above, too */
	KUNIT_EXPECT_LT(test, flushes, 20000U / 2);
}

static void svm_asids_against_a_model(struct kunit *test)
{
	u32 seed;

	for (seed = 1; seed <= 8; seed++) {
		run_model(test, false, false, seed);
		run_model(test, true, false, seed);
		run_model(test, false, true, seed);
		run_model(test, true, true, seed);
	}
}

static struct kunit_case svm_cases[] = {
	KUNIT_CASE(svm_generations),
	KUNIT_CASE(svm_decoders),
	KUNIT_CASE(svm_asids_against_a_model),
	{}
};

static struct kunit_suite svm_suite = {
	.name = "mvmm-svm",
	.test_cases = svm_cases,
};
