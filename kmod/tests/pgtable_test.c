// SPDX-License-Identifier: GPL-2.0
/* Nested page tables, in EPT's format with A and D bits, and in NPT's. */

static const struct pgt_format ept_format = {
	.levels = 4, .table = 7, .leaf = 5 | 6 << 3, .present = 7, .write = 2,
	.large = BIT(7), .accessed = BIT(8), .dirty = BIT(9),
};

static const struct pgt_format npt_format = {
	.levels = 5, .table = 7, .leaf = 5, .present = 1, .write = 2,
	.large = BIT(7), .accessed = BIT(5), .dirty = BIT(6),
};

struct pgt_test {
	struct pgt pgt;
	struct pgt_cache cache;
	struct list_head freed;
	u64 last_pte;
	int last_level;
	int leaves;
};

static unsigned long no_limit = ULONG_MAX;

static void count_leaf(void *ctx, u64 gpa, u64 pte, int level)
{
	struct pgt_test *t = ctx;

	t->last_pte = pte;
	t->last_level = level;
	t->leaves++;
}

static int init_with(struct kunit *test, const struct pgt_format *fmt)
{
	struct pgt_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	INIT_LIST_HEAD(&t->freed);
	test->priv = t;
	return pgt_init(&t->pgt, fmt) ?: pgt_cache_fill(&t->cache, fmt);
}

static int pgtable_ept_init(struct kunit *test)
{
	return init_with(test, &ept_format);
}

static int pgtable_npt_init(struct kunit *test)
{
	return init_with(test, &npt_format);
}

static void pgtable_test_exit(struct kunit *test)
{
	struct pgt_test *t = test->priv;

	pgt_zap(&t->pgt, 0, 1ULL << 48, count_leaf, t, &t->freed, &no_limit);
	pgt_free_tables(&t->freed);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->pgt.nr_tables), 1LL);
	pgt_destroy(&t->pgt);
	pgt_cache_drain(&t->cache);
}

static int map(struct pgt_test *t, u64 gpa, u64 pa, int level, bool write)
{
	pgt_cache_fill(&t->cache, t->pgt.fmt);
	return pgt_map(&t->pgt, gpa, pa, level,
		       write ? PGT_READ | PGT_WRITE : PGT_READ, &t->cache);
}

static void pgtable_map_lookup(struct kunit *test)
{
	static const u64 gpas[] = { 0, 1ULL << 12, 1ULL << 21, 1ULL << 30,
				    1ULL << 39, (1ULL << 48) - 4096 };
	struct pgt_test *t = test->priv;
	int i, level;
	u64 pte;

	for (i = 0; i < ARRAY_SIZE(gpas); i++) {
		KUNIT_EXPECT_EQ(test, pgt_lookup(&t->pgt, gpas[i], &level),
				0ULL);
		KUNIT_EXPECT_EQ(test, map(t, gpas[i], (i + 1) << 12, 1, i & 1),
				0);
	}
	for (i = 0; i < ARRAY_SIZE(gpas); i++) {
		pte = pgt_lookup(&t->pgt, gpas[i] + 0xabc, &level);
		KUNIT_EXPECT_EQ(test, level, 1);
		KUNIT_EXPECT_EQ(test, pte & PGT_ADDR_MASK, (i + 1ULL) << 12);
		KUNIT_EXPECT_EQ(test, !!(pte & 2), i & 1);
		KUNIT_EXPECT_EQ(test, pte & 0x7d,
				t->pgt.fmt->leaf);
	}
}

static void pgtable_large(struct kunit *test)
{
	struct pgt_test *t = test->priv;
	int level;
	u64 pte;

	KUNIT_EXPECT_EQ(test, map(t, 0x200000, 0x40000000, 2, true), 0);
	pte = pgt_lookup(&t->pgt, 0x2fffff, &level);
	KUNIT_EXPECT_EQ(test, level, 2);
	KUNIT_EXPECT_EQ(test, pte, 0x40000000ULL | 0x82 |
			t->pgt.fmt->leaf);
	KUNIT_EXPECT_EQ(test, map(t, 1ULL << 30, 2ULL << 30, 3, false), 0);
	pte = pgt_lookup(&t->pgt, (2ULL << 30) - 1, &level);
	KUNIT_EXPECT_EQ(test, level, 3);
	KUNIT_EXPECT_EQ(test, pte, 2ULL << 30 | 0x80 | t->pgt.fmt->leaf);
}

static void pgtable_bad_input(struct kunit *test)
{
	struct pgt_test *t = test->priv;
	struct pgt_cache empty = {};

	KUNIT_EXPECT_EQ(test, map(t, 0x1001, 0, 1, true), -EINVAL);
	KUNIT_EXPECT_EQ(test, map(t, 0, 0x800, 1, true), -EINVAL);
	KUNIT_EXPECT_EQ(test, map(t, 0x1000, 0, 2, true), -EINVAL);
	KUNIT_EXPECT_EQ(test, map(t, 0, 0x200000, 3, true), -EINVAL);
	KUNIT_EXPECT_EQ(test, map(t, 0, 0, 0, true), -EINVAL);
	KUNIT_EXPECT_EQ(test, map(t, 0, 0, 4, true), -EINVAL);
	KUNIT_EXPECT_EQ(test, pgt_map(&t->pgt, 0, 0, 1, PGT_READ, &empty),
			-ENOMEM);
	/* There is a table in the place of the large leaf */
	KUNIT_EXPECT_EQ(test, map(t, 0x1000, 0, 1, true), 0);
	KUNIT_EXPECT_EQ(test, map(t, 0, 0, 2, true), -EEXIST);
}

static void pgtable_split(struct kunit *test)
{
	struct pgt_test *t = test->priv;
	long tables;
	int level, i;
	u64 pte;

	KUNIT_EXPECT_EQ(test, map(t, 1ULL << 30, 4ULL << 30, 3, true), 0);
	tables = atomic64_read(&t->pgt.nr_tables);
	/* One that is mapped as before: the rest is in smaller leaves now */
	KUNIT_EXPECT_EQ(test, map(t, (1ULL << 30) + (7 << 21),
				  (4ULL << 30) + (7 << 21), 2, true), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->pgt.nr_tables), tables + 1);
	for (i = 0; i < 512; i += 73) {
		pte = pgt_lookup(&t->pgt, (1ULL << 30) + ((u64)i << 21),
				 &level);
		KUNIT_EXPECT_EQ(test, level, 2);
		KUNIT_EXPECT_EQ(test, pte & PGT_ADDR_MASK,
				(4ULL << 30) + ((u64)i << 21));
		KUNIT_EXPECT_TRUE(test, pte & 2 && pte & BIT(7));
	}
	/* Mapping a small leaf inside a large one splits that */
	KUNIT_EXPECT_EQ(test, map(t, 3ULL << 30, 8ULL << 30, 3, true), 0);
	KUNIT_EXPECT_EQ(test, map(t, (3ULL << 30) + 0x1000, 0x7000, 1, false),
			0);
	pte = pgt_lookup(&t->pgt, (3ULL << 30) + 0x2000, &level);
	KUNIT_EXPECT_EQ(test, pte & PGT_ADDR_MASK, (8ULL << 30) + 0x2000);
	pte = pgt_lookup(&t->pgt, (3ULL << 30) + 0x1000, &level);
	KUNIT_EXPECT_EQ(test, pte & PGT_ADDR_MASK, 0x7000ULL);
}

/* No large leaf is executable, as where the CPU has iTLB multihit */
static void pgtable_small_ones_execute(struct kunit *test)
{
	const struct vmx_caps caps = { .ept_ad = true, .ept_2m = true,
				       .ept_1g = true, .nx_huge = true };
	const u64 exec = BIT(2), dirty = BIT(9), base = 1ULL << 30;
	struct pgt_test *t = test->priv;
	struct pgt_cache empty = {};
	struct pgt_format fmt;
	struct pgt pgt;
	int level, i;
	u64 pte;

	vmx_ept_format(&caps, &fmt);
	KUNIT_ASSERT_EQ(test, pgt_init(&pgt, &fmt), 0);
	pgt_cache_fill(&t->cache, &fmt);
	KUNIT_EXPECT_EQ(test, pgt_map(&pgt, base, base, 3,
				      PGT_READ | PGT_WRITE, &t->cache), 0);
	KUNIT_EXPECT_FALSE(test, pgt_lookup(&pgt, base, &level) & exec);
	KUNIT_EXPECT_EQ(test, pgt_split(&pgt, base + 0x201000, &empty), -ENOMEM);
	pgt_cache_fill(&t->cache, &fmt);
	KUNIT_EXPECT_EQ(test, pgt_split(&pgt, base + 0x201000, &t->cache), 0);
	/* All of these 2 MiB, the rest is in leaves of 2 MiB */
	for (i = 0; i < 512; i++) {
		u64 gpa = base + 0x200000 + ((u64)i << 12);

		pte = pgt_lookup(&pgt, gpa, &level);
		KUNIT_EXPECT_EQ(test, level, 1);
		/* What was written before the split is not lost */
		KUNIT_EXPECT_EQ(test, pte, gpa | 7 | 6 << 3 | BIT(6) | dirty);
	}
	for (i = 0; i < 512; i++) {
		pte = pgt_lookup(&pgt, base + ((u64)i << 21), &level);
		KUNIT_EXPECT_EQ(test, level, i == 1 ? 1 : 2);
		KUNIT_EXPECT_EQ(test, !!(pte & exec), i == 1);
	}
	/* It is small already */
	KUNIT_EXPECT_EQ(test, pgt_split(&pgt, base + 0x201000, &empty), 0);
	/* Splits are known, the oldest first, as long as any of it is mapped */
	KUNIT_EXPECT_EQ(test, pgt.nr_split, 1UL);
	pgt_cache_fill(&t->cache, &fmt);
	KUNIT_EXPECT_EQ(test, pgt_split(&pgt, base + 0x7ff000, &t->cache), 0);
	KUNIT_EXPECT_EQ(test, pgt.nr_split, 2UL);
	KUNIT_EXPECT_EQ(test, pgt_oldest_split(&pgt), base + 0x200000);
	pgt_zap(&pgt, base + 0x200000, base + 0x201000, count_leaf, t,
		&t->freed, &no_limit);
	KUNIT_EXPECT_EQ(test, pgt.nr_split, 2UL);
	pgt_zap(&pgt, base + 0x200000, base + 0x400000, count_leaf, t,
		&t->freed, &no_limit);
	KUNIT_EXPECT_EQ(test, pgt.nr_split, 1UL);
	KUNIT_EXPECT_EQ(test, pgt_oldest_split(&pgt), base + 0x600000);
	/* What was zapped comes back beside the rest of its GiB */
	pgt_find(&pgt, base + 0x200000, &level, &pte);
	KUNIT_EXPECT_EQ(test, level, 2);
	KUNIT_EXPECT_EQ(test, mvmm_level_beside(&pgt, pte, level, 1), 1);
	KUNIT_EXPECT_EQ(test, mvmm_level_beside(&pgt, pte, level, 3), 2);
	KUNIT_EXPECT_EQ(test, pgt_map(&pgt, base + 0x200000, base + 0x200000, 2,
				      PGT_READ, &empty), 0);
	KUNIT_EXPECT_EQ(test, pgt.nr_split, 1UL);
	/* A GiB in which nothing is mapped gets one leaf */
	pgt_find(&pgt, 2 * base, &level, &pte);
	KUNIT_EXPECT_EQ(test, mvmm_level_beside(&pgt, pte, level, 3), 3);
	pgt_cache_fill(&t->cache, &fmt);
	KUNIT_EXPECT_EQ(test, pgt_map(&pgt, 0, 0, 1, PGT_READ, &t->cache), 0);
	KUNIT_EXPECT_TRUE(test, pgt_lookup(&pgt, 0, &level) & exec);
	pgt_zap(&pgt, 0, 1ULL << 48, count_leaf, t, &t->freed, &no_limit);
	pgt_free_tables(&t->freed);
	KUNIT_EXPECT_EQ(test, pgt.nr_split, 0UL);
	pgt_destroy(&pgt);
	/* Without the bug large ones may be executed, and are not split */
	vmx_ept_format(&(struct vmx_caps){ .ept_2m = true }, &fmt);
	KUNIT_EXPECT_TRUE(test, pgt_leaf(&fmt, 0, 2, PGT_READ) & exec);
	KUNIT_EXPECT_TRUE(test, pgt_leaf(&fmt, 0, 1, PGT_READ) & exec);
	KUNIT_EXPECT_EQ(test, map(t, 0, 0, 2, true), 0);
	KUNIT_EXPECT_EQ(test, pgt_split(&t->pgt, 0, &t->cache), 0);
	pgt_lookup(&t->pgt, 0, &level);
	KUNIT_EXPECT_EQ(test, level, 2);
}

static void pgtable_zap(struct kunit *test)
{
	struct pgt_test *t = test->priv;
	unsigned long budget;
	int level, i;

	for (i = 0; i < 8; i++)
		map(t, i << 12, i << 12, 1, true);
	KUNIT_EXPECT_EQ(test, pgt_zap(&t->pgt, 2 << 12, 4 << 12, count_leaf,
				      t, &t->freed, &no_limit), 2UL);
	KUNIT_EXPECT_EQ(test, t->leaves, 2);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->freed));
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, !pgt_lookup(&t->pgt, i << 12, &level),
				i == 2 || i == 3);
	/* No more than asked for; the table stays while it has leaves */
	budget = 2;
	KUNIT_EXPECT_EQ(test, 2UL, pgt_zap(&t->pgt, 0, 0x200000, count_leaf, t,
					   &t->freed, &budget));
	KUNIT_EXPECT_EQ(test, 0UL, budget);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->freed));
	map(t, 0, 0, 1, true);
	map(t, 0x1000, 0x1000, 1, true);
	/* No leaves: nothing to flush */
	KUNIT_EXPECT_EQ(test, pgt_zap(&t->pgt, 1ULL << 40, 1ULL << 41,
				      count_leaf, t, &t->freed, &no_limit), 0UL);
	/* A large leaf that is only partly in the range is zapped as a whole */
	map(t, 0x400000, 0x400000, 2, true);
	pgt_zap(&t->pgt, 0x401000, 0x402000, count_leaf, t, &t->freed, &no_limit);
	KUNIT_EXPECT_EQ(test, t->last_level, 2);
	KUNIT_EXPECT_EQ(test, pgt_lookup(&t->pgt, 0x5ff000, &level), 0ULL);
	/* The range of a whole table: the table is freed, too */
	t->leaves = 0;
	pgt_zap(&t->pgt, 0, 0x200000, count_leaf, t, &t->freed, &no_limit);
	KUNIT_EXPECT_EQ(test, t->leaves, 6);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->freed));
}

static void pgtable_dirty_and_young(struct kunit *test)
{
	static const struct pgt_format no_ad = {
		.levels = 4, .table = 7, .leaf = 0x35, .present = 7,
		.write = 2 };
	struct pgt_test *t = test->priv;
	const struct pgt_format *fmt = t->pgt.fmt;
	struct pgt plain = { .fmt = &no_ad };
	u64 *table = t->pgt.root;
	int i;

	KUNIT_EXPECT_FALSE(test, pgt_pte_dirty(&t->pgt, fmt->leaf | 2));
	KUNIT_EXPECT_TRUE(test, pgt_pte_dirty(&t->pgt,
					      fmt->leaf | 2 | fmt->dirty));
	KUNIT_EXPECT_FALSE(test, pgt_pte_dirty(&t->pgt,
					       fmt->leaf | fmt->dirty));
	/* Without D bits a writable leaf counts as written */
	KUNIT_EXPECT_TRUE(test, pgt_pte_dirty(&plain, 0x37));
	KUNIT_EXPECT_FALSE(test, pgt_pte_dirty(&plain, 0x35));

	map(t, 0x3000, 0x3000, 1, true);
	KUNIT_EXPECT_FALSE(test, pgt_age(&t->pgt, 0, 0x10000, true));
	/* What the CPU does at an access */
	for (i = fmt->levels; i > 1; i--)
		table = pgt_table(table[0]);
	table[3] |= fmt->accessed;
	KUNIT_EXPECT_TRUE(test, pgt_age(&t->pgt, 0, 0x10000, false));
	KUNIT_EXPECT_TRUE(test, pgt_age(&t->pgt, 0x3000, 0x4000, true));
	KUNIT_EXPECT_FALSE(test, pgt_age(&t->pgt, 0, 0x10000, true));
}

/* The entry of the table of 4 KiB leaves */
static u64 *pde(struct pgt *pgt, u64 gpa)
{
	u64 *table = pgt->root;
	int level;

	for (level = pgt->fmt->levels; level > 2; level--)
		table = pgt_table(table[pgt_index(gpa, level)]);
	return &table[pgt_index(gpa, 2)];
}

/* Each write is found once, and nothing else; with D bits and without */
static void pgtable_clean(struct kunit *test)
{
	struct pgt_test *t = test->priv;
	const struct pgt_format *fmt = t->pgt.fmt;
	struct pgt_format no_d = *fmt;
	int level, i;
	u64 *entry, pte;

	map(t, 0x3000, 0x3000, 1, true);
	map(t, 0x4000, 0x4000, 1, true);
	map(t, 0x5000, 0x5000, 1, false);
	map(t, 0x40000000, 0x200000, 2, true);
	KUNIT_EXPECT_EQ(test, 0UL, pgt_clean(&t->pgt, 0, 1ULL << 40,
					     count_leaf, t));
	/* What the CPU does at a write */
	*pgt_find(&t->pgt, 0x4000, &level, &pte) |= fmt->dirty;
	*pgt_find(&t->pgt, 0x40000000, &level, &pte) |= fmt->dirty;
	KUNIT_EXPECT_EQ(test, 2, level);
	KUNIT_EXPECT_EQ(test, 0UL, pgt_clean(&t->pgt, 0, 0x4000, count_leaf,
					     t));
	KUNIT_EXPECT_EQ(test, 2UL, pgt_clean(&t->pgt, 0, 1ULL << 40,
					     count_leaf, t));
	KUNIT_EXPECT_EQ(test, 2, t->last_level);
	KUNIT_EXPECT_EQ(test, 0UL, pgt_clean(&t->pgt, 0, 1ULL << 40,
					     count_leaf, t));
	entry = pgt_find(&t->pgt, 0x4000, &level, &pte);
	KUNIT_EXPECT_TRUE(test, *entry & fmt->write);
	KUNIT_EXPECT_FALSE(test, *entry & fmt->dirty);

	/* The table of the first 2 MiB was used; there is none elsewhere */
	KUNIT_EXPECT_EQ(test, 0ULL, pgt_used(&t->pgt, 0, 0x1000000));
	*pde(&t->pgt, 0) |= fmt->accessed;
	/* Partly in the range: it keeps its bit */
	KUNIT_EXPECT_EQ(test, 1ULL, pgt_used(&t->pgt, 0x1000, 0x200000));
	KUNIT_EXPECT_EQ(test, 1ULL, pgt_used(&t->pgt, 0, 0x1ff000));
	KUNIT_EXPECT_EQ(test, 1ULL, pgt_used(&t->pgt, 0, 0x1000000));
	KUNIT_EXPECT_EQ(test, 0ULL, pgt_used(&t->pgt, 0, 0x1000000));
	/* Over the end of a table of level 2, and a large leaf */
	*pde(&t->pgt, 0) |= fmt->accessed;
	KUNIT_EXPECT_EQ(test, 4ULL, pgt_used(&t->pgt, 0x3fc00000, 0x40400000));
	KUNIT_EXPECT_EQ(test, 1ULL, pgt_used(&t->pgt, 0, 0x200000));
	/* Nothing is mapped: no reason for a flush. A leaf of 1 GiB */
	KUNIT_EXPECT_EQ(test, 0ULL, pgt_used(&t->pgt, 0x80000000, 0x80400000));
	map(t, 0xc0000000, 0xc0000000, 3, true);
	KUNIT_EXPECT_EQ(test, 6ULL, pgt_used(&t->pgt, 0xbfe00000, 0xc0400000));
	*pgt_find(&t->pgt, 0xc0000000, &level, &pte) = 0;

	/* Each place of a line of entries, at the edges of a range too */
	pgt_clean(&t->pgt, 0, 1ULL << 40, count_leaf, t);
	for (i = 0; i < 512; i++)
		map(t, i * 0x1000, i * 0x1000, 1, true);
	for (i = 0; i < 512; i++) {
		u64 at = i * 0x1000;

		*pgt_find(&t->pgt, at, &level, &pte) |= fmt->dirty;
		KUNIT_EXPECT_EQ(test, 0UL, pgt_clean(&t->pgt, 0, at, count_leaf,
						     t));
		KUNIT_EXPECT_EQ(test, 0UL, pgt_clean(&t->pgt, at + 0x1000,
						     0x200000, count_leaf, t));
		KUNIT_EXPECT_EQ(test, 1UL, i % 2 ?
				pgt_clean(&t->pgt, at, at + 0x1000, count_leaf, t) :
				pgt_clean(&t->pgt, 0, 0x200000, count_leaf, t));
	}
	for (i = 0; i < 512; i++)
		if (i < 3 || i > 5)
			*pgt_find(&t->pgt, i * 0x1000, &level, &pte) = 0;
	*pgt_find(&t->pgt, 0x5000, &level, &pte) &= ~fmt->write;
	entry = pgt_find(&t->pgt, 0x4000, &level, &pte);

	/* Without D bits pgt_clean() makes the leaves read-only */
	no_d.dirty = 0;
	t->pgt.fmt = &no_d;
	KUNIT_EXPECT_EQ(test, 3UL, pgt_clean(&t->pgt, 0, 1ULL << 40,
					     count_leaf, t));
	KUNIT_EXPECT_FALSE(test, *entry & fmt->write);
	KUNIT_EXPECT_EQ(test, 0UL, pgt_clean(&t->pgt, 0, 1ULL << 40,
					     count_leaf, t));
	t->pgt.fmt = fmt;
}

/* ---- several at a time ------------------------------------------------ */

#define MAPPERS	4
#define PLACES	512

struct mapper {
	struct pgt *pgt;
	struct completion *go, done;
	int failed;
};

/* In as many tables as can be: each is wanted by all at about the same time */
static u64 nth_place(int i)
{
	return ((u64)(i % 8) << 39) + ((u64)(i / 8) << 21);
}

static int map_places(void *arg)
{
	struct mapper *m = arg;
	struct pgt_cache cache = {};
	int i, ret;

	wait_for_completion(m->go);
	for (i = 0; i < PLACES; i++) {
		ret = pgt_cache_fill(&cache, m->pgt->fmt) ?:
		      pgt_map(m->pgt, nth_place(i), nth_place(i), 1, PGT_READ,
			      &cache);
		m->failed += ret && ret != -EAGAIN;
		cond_resched();
	}
	pgt_cache_drain(&cache);
	/* It must not be in our code any more when we go */
	kthread_complete_and_exit(&m->done, 0);
}

static void pgtable_together(struct kunit *test)
{
	struct pgt_test *t = test->priv;
	struct mapper m[MAPPERS] = {};
	DECLARE_COMPLETION_ONSTACK(go);
	struct task_struct *thread;
	long tables;
	int i, level;

	for (i = 0; i < MAPPERS; i++) {
		m[i].pgt = &t->pgt;
		m[i].go = &go;
		init_completion(&m[i].done);
		thread = kthread_run(map_places, &m[i], "pgtable/%d", i);
		if (IS_ERR(thread)) {
			complete_all(&go);
			while (i--)
				wait_for_completion(&m[i].done);
			KUNIT_FAIL(test, "no thread");
			return;
		}
	}
	complete_all(&go);
	for (i = 0; i < MAPPERS; i++) {
		wait_for_completion(&m[i].done);
		KUNIT_EXPECT_EQ(test, m[i].failed, 0);
	}
	for (i = 0; i < PLACES; i++)
		KUNIT_EXPECT_EQ(test, pgt_lookup(&t->pgt, nth_place(i), &level),
				pgt_leaf(t->pgt.fmt, nth_place(i), 1, PGT_READ));
	/* As many tables as one alone would have made */
	tables = atomic64_read(&t->pgt.nr_tables);
	pgt_zap(&t->pgt, 0, 1ULL << 48, count_leaf, t, &t->freed, &no_limit);
	pgt_free_tables(&t->freed);
	for (i = 0; i < PLACES; i++)
		map(t, nth_place(i), nth_place(i), 1, false);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->pgt.nr_tables), tables);
}

/* An entry that has changed since it was looked at stays as it is */
static void pgtable_set(struct kunit *test)
{
	struct pgt_test *t = test->priv;
	u64 *entry, was, now;
	int level;

	map(t, 0x3000, 0x3000, 1, false);
	entry = pgt_find(&t->pgt, 0x3000, &level, &was);
	*entry |= t->pgt.fmt->accessed;
	now = *entry;
	KUNIT_EXPECT_FALSE(test, pgt_set(entry, was, was | t->pgt.fmt->write));
	KUNIT_EXPECT_EQ(test, *entry, now);
	KUNIT_EXPECT_TRUE(test, pgt_set(entry, now, was));
	KUNIT_EXPECT_EQ(test, *entry, was);
	/* Nor does one come in the place of another's leaf, which has its D bit */
	*entry |= t->pgt.fmt->write | t->pgt.fmt->dirty;
	now = *entry;
	KUNIT_EXPECT_EQ(test, pgt_add(&t->pgt, 0x3000, 0x3000, 1, PGT_READ,
				      &t->cache), -EAGAIN);
	KUNIT_EXPECT_EQ(test, *entry, now);
	KUNIT_EXPECT_EQ(test, pgt_add(&t->pgt, 0x4000, 0x4000, 1, PGT_READ,
				      &t->cache), 0);
}

static struct kunit_case pgtable_cases[] = {
	KUNIT_CASE(pgtable_map_lookup),
	KUNIT_CASE(pgtable_large),
	KUNIT_CASE(pgtable_bad_input),
	KUNIT_CASE(pgtable_split),
	KUNIT_CASE(pgtable_small_ones_execute),
	KUNIT_CASE(pgtable_zap),
	KUNIT_CASE(pgtable_dirty_and_young),
	KUNIT_CASE(pgtable_clean),
	KUNIT_CASE(pgtable_together),
	KUNIT_CASE(pgtable_set),
	{}
};

static struct kunit_suite pgtable_suite = {
	.name = "mvmm-pgtable-ept",
	.init = pgtable_ept_init,
	.exit = pgtable_test_exit,
	.test_cases = pgtable_cases,
};

static struct kunit_suite pgtable_npt_suite = {
	.name = "mvmm-pgtable-npt",
	.init = pgtable_npt_init,
	.exit = pgtable_test_exit,
	.test_cases = pgtable_cases,
};
