// SPDX-License-Identifier: GPL-2.0
/*
 * What a nested page table says about writes: which of its tables were used, and
 * which leaves are dirty. The dirty log is made of that (mm/dirty.c).
 */
#include "pgtable.h"

/* The level 2 entry for an address, or the one above where the walk ends */
static u64 *find_level2(const struct pgt *pgt, u64 gpa, int *level)
{
	u64 *table = pgt->root, *entry;

	for (*level = pgt->fmt->levels; ; (*level)--) {
		entry = &table[pgt_index(gpa, *level)];
		if (*level == 2 || !pgt_pte_present(pgt, *entry) ||
		    pgt_is_leaf(pgt, *entry, *level))
			return entry;
		table = pgt_table(*entry);
	}
}

/**
 * pgt_used() - which tables has a CPU walked through since the last call?
 * @pgt: the nested table
 * @start: first guest-physical address
 * @end: one past the last; the range touches at most 64 tables of 4 KiB leaves
 *
 * Clears the A bits of the tables' entries. Until the caller has flushed, a CPU
 * may use a table without setting it again.
 *
 * Return: a bit for each 2 MiB that the range touches: there a table was used, or
 * that is not known: it is partly outside, a large leaf, or has no A bits.
 */
u64 pgt_used(struct pgt *pgt, u64 start, u64 end)
{
	u64 size = pgt_level_size(2), bit = pgt->fmt->accessed;
	u64 any = bit | pgt->fmt->large, at = start & -size;
	u64 used = 0, *entry = NULL;
	int i, level = 0;

	for (i = 0; at < end; at += size, i++) {
		entry = level == 2 && pgt_index(at, 2) ? entry + 1 :
				find_level2(pgt, at, &level);
		/* Nearly always; so it is where nothing is mapped */
		if (bit && !(*entry & any))
			continue;
		if (!bit || at < start || at + size > end ||
		    *entry & pgt->fmt->large ||
		    test_and_clear_bit(__ffs(bit), (unsigned long *)entry))
			used |= 1ULL << i;
	}
	return used;
}

#define LINE	8	/* entries in a cache line */

/* All bits that are set in a cache line of a table */
static u64 line_bits(const u64 *e)
{
	return e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7];
}

/* Level 1's part of clean_table(): nearly always there is nothing to do */
static unsigned long clean_leaves(struct pgt *pgt, u64 *table, int i, int last,
				  u64 base, pgt_leaf_fn fn, void *ctx)
{
	u64 bit = pgt->fmt->dirty ?: pgt->fmt->write, pte;
	unsigned long cleaned = 0;

	for (; i < last; i++) {
		if (!(i % LINE) && i + LINE <= last &&
		    !(line_bits(&table[i]) & bit)) {
			i += LINE - 1;
			continue;
		}
		pte = READ_ONCE(table[i]);
		if (likely(!(pte & bit)) || !pgt_pte_dirty(pgt, pte))
			continue;
		clear_bit(__ffs(bit), (unsigned long *)&table[i]);
		fn(ctx, base + i * PAGE_SIZE, pte, 1);
		cleaned++;
	}
	return cleaned;
}

static unsigned long clean_table(struct pgt *pgt, u64 *table, int level,
				 u64 base, u64 start, u64 end, pgt_leaf_fn fn,
				 void *ctx)
{
	u64 size = pgt_level_size(level);
	u64 bit = pgt->fmt->dirty ?: pgt->fmt->write;
	int i = start > base ? (start - base) / size : 0;
	int last = min_t(u64, 512, DIV_ROUND_UP(end - base, size));
	unsigned long cleaned = 0;

	if (level == 1)
		return clean_leaves(pgt, table, i, last, base, fn, ctx);
	for (; i < last; i++) {
		u64 at = base + i * size, pte = table[i];

		if (!pgt_pte_present(pgt, pte))
			continue;
		if (!pgt_is_leaf(pgt, pte, level)) {
			cleaned += clean_table(pgt, pgt_table(pte), level - 1,
					       at, start, end, fn, ctx);
		} else if (pgt_pte_dirty(pgt, pte)) {
			clear_bit(__ffs(bit), (unsigned long *)&table[i]);
			fn(ctx, at, pte, level);
			cleaned++;
		}
	}
	return cleaned;
}

/**
 * pgt_clean() - find what was written to since the last call
 * @pgt: the table
 * @start: first guest-physical address
 * @end: one past the last
 * @fn: called with each leaf that was written to
 * @ctx: for @fn
 *
 * Clears the D bits; on a CPU without D bits, the right to write. The caller
 * flushes if the result is not 0.
 *
 * Return: how many leaves were dirty.
 */
unsigned long pgt_clean(struct pgt *pgt, u64 start, u64 end, pgt_leaf_fn fn,
			void *ctx)
{
	return clean_table(pgt, pgt->root, pgt->fmt->levels, 0, start, end, fn,
			   ctx);
}
