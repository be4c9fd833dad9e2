// SPDX-License-Identifier: GPL-2.0
/*
 * The nested page-table walker: map, look up, split, zap, age. The caller holds the
 * lock that guards the table, for reading where others may map at the same time, and
 * flushes the TLB where it is told to. What is mapped is decided in mm/fault.c.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/vmstat.h>
#include <asm/io.h>
#include "pgtable.h"

static u64 *alloc_table(void)
{
	u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (table)
		INIT_LIST_HEAD(&virt_to_page(table)->lru);
	return table;
}

/* @n: 1: in use, -1: not any more. /proc/meminfo shows SecPageTables */
static void count_table(struct pgt *pgt, u64 *table, int n)
{
	atomic64_add(n, &pgt->nr_tables);
	mod_lruvec_page_state(virt_to_page(table), NR_SECONDARY_PAGETABLE, n);
}

/**
 * pgt_init() - make an empty table
 * @pgt: to be filled in
 * @fmt: the entries' format; must outlive @pgt
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int pgt_init(struct pgt *pgt, const struct pgt_format *fmt)
{
	pgt->fmt = fmt;
	atomic64_set(&pgt->nr_tables, 0);
	INIT_LIST_HEAD(&pgt->split);
	pgt->nr_split = 0;
	pgt->root = alloc_table();
	if (!pgt->root)
		return -ENOMEM;
	count_table(pgt, pgt->root, 1);
	return 0;
}

/**
 * pgt_destroy() - free the root; everything below it must be zapped
 * @pgt: the table; no CPU uses it any more
 */
void pgt_destroy(struct pgt *pgt)
{
	WARN_ON_ONCE(atomic64_read(&pgt->nr_tables) != 1);
	count_table(pgt, pgt->root, -1);
	free_page((unsigned long)pgt->root);
	pgt->root = NULL;
}

/**
 * pgt_cache_fill() - allocate as many tables as one pgt_map() can need
 * @cache: filled up
 * @fmt: the format of the nested table
 *
 * Context: may sleep. Return: 0 or -ENOMEM; tables already allocated stay in
 * @cache.
 */
int pgt_cache_fill(struct pgt_cache *cache, const struct pgt_format *fmt)
{
	while (cache->nr < fmt->levels - 1) {
		u64 *table = alloc_table();

		if (!table)
			return -ENOMEM;
		cache->tables[cache->nr++] = table;
	}
	return 0;
}

/**
 * pgt_cache_drain() - free what pgt_cache_fill() has allocated
 * @cache: left empty
 */
void pgt_cache_drain(struct pgt_cache *cache)
{
	while (cache->nr)
		free_page((unsigned long)cache->tables[--cache->nr]);
}

/**
 * pgt_find() - find the entry where the walk for an address ends
 * @pgt: the table
 * @gpa: guest-physical address
 * @level: out: the entry's level, from 1
 * @pte: out: what it was: a leaf or not present
 *
 * Return: the entry. The caller may pgt_set() it to a pgt_leaf() of that level, and
 * at level 1 its neighbours in the same table, too.
 */
u64 *pgt_find(const struct pgt *pgt, u64 gpa, int *level, u64 *pte)
{
	u64 *table = pgt->root;

	for (*level = pgt->fmt->levels; ; (*level)--) {
		u64 *entry = &table[pgt_index(gpa, *level)];

		*pte = READ_ONCE(*entry);
		if (!pgt_pte_present(pgt, *pte) ||
		    pgt_is_leaf(pgt, *pte, *level))
			return entry;
		table = pgt_table(*pte);
	}
}

/**
 * pgt_lookup() - find the leaf that maps an address
 * @pgt: the table
 * @gpa: guest-physical address
 * @level: out: the level at which the walk ended, from 1
 *
 * Return: the leaf, or 0 if @gpa is not mapped.
 */
u64 pgt_lookup(const struct pgt *pgt, u64 gpa, int *level)
{
	u64 pte;

	pgt_find(pgt, gpa, level, &pte);
	return pgt_pte_present(pgt, pte) ? pte : 0;
}

/* False: the CPU or another thread has changed the entry meanwhile */
static bool split_entry(struct pgt *pgt, u64 *ptep, u64 was, int level,
			u64 *table)
{
	u64 pte = was;
	int i;

	if (level == 2)
		pte = (pte & ~pgt->fmt->large) | pgt->fmt->exec;
	/* The CPU may set the D bit at any moment before the table is there */
	if (pte & pgt->fmt->write)
		pte |= pgt->fmt->dirty;
	for (i = 0; i < 512; i++)
		table[i] = pte + i * pgt_level_size(level - 1);
	if (pgt_set(ptep, was, virt_to_phys(table) | pgt->fmt->table))
		return true;
	clear_page(table);
	return false;
}

/* The entry for @gpa at @level: makes tables and splits leaves on the way */
static u64 *walk_to(struct pgt *pgt, u64 gpa, int level,
		    struct pgt_cache *cache)
{
	u64 *table = pgt->root, *new, *ptep, pte;
	int l = pgt->fmt->levels;

	for (;;) {
		ptep = &table[pgt_index(gpa, l)];
		if (l == level)
			return ptep;
		pte = READ_ONCE(*ptep);
		if (pgt_pte_present(pgt, pte) && !pgt_is_leaf(pgt, pte, l)) {
			table = pgt_table(pte);
			l--;
			continue;
		}
		if (!cache->nr)
			return NULL;
		/* Whoever is first, the next round finds what is there */
		new = cache->tables[cache->nr - 1];
		if (pgt_pte_present(pgt, pte) ?
		    split_entry(pgt, ptep, pte, l, new) :
		    pgt_set(ptep, pte, virt_to_phys(new) | pgt->fmt->table)) {
			count_table(pgt, new, 1);
			cache->nr--;
		}
	}
}

/** pgt_leaf() - the entry that maps @pa with a leaf at @level */
u64 pgt_leaf(const struct pgt_format *fmt, u64 pa, int level,
	     enum pgt_prot prot)
{
	return pa | fmt->leaf | (prot & PGT_WRITE ? fmt->write : 0) |
	       (level > 1 ? fmt->large : fmt->exec);
}

static int map_leaf(struct pgt *pgt, u64 gpa, u64 pa, int level,
		    enum pgt_prot prot, struct pgt_cache *cache, bool replace)
{
	u64 *ptep, was;

	if (level < 1 || level > 3 || ((gpa | pa) & (pgt_level_size(level) - 1)))
		return -EINVAL;
	ptep = walk_to(pgt, gpa, level, cache);
	if (!ptep)
		return -ENOMEM;
	was = READ_ONCE(*ptep);
	if (pgt_pte_present(pgt, was) && !pgt_is_leaf(pgt, was, level))
		return -EEXIST;
	if (pgt_pte_present(pgt, was) && !replace)
		return -EAGAIN;
	return pgt_set(ptep, was, pgt_leaf(pgt->fmt, pa, level, prot)) ?
	       0 : -EAGAIN;
}

/* tour 29: nested page tables, both formats */

/**
 * pgt_map() - map one leaf
 * @pgt: the table
 * @gpa: guest-physical address, aligned to the leaf
 * @pa: host-physical address, aligned to the leaf
 * @level: 1: 4 KiB, 2: 2 MiB, 3: 1 GiB
 * @prot: PGT_READ, or PGT_READ | PGT_WRITE; fmt->exec says what about execution
 * @cache: new tables are taken from here
 *
 * A larger leaf in the way is split. The pieces map what it mapped, so that needs no
 * flush. A leaf at @level is replaced: the caller flushes if it was present and had
 * another address or more rights.
 *
 * Return: 0; -EINVAL: misaligned, or a bad level; -EEXIST: there is a table in
 * the leaf's place (zap the range first); -ENOMEM: @cache is empty; -EAGAIN: the
 * entry has changed meanwhile.
 */
int pgt_map(struct pgt *pgt, u64 gpa, u64 pa, int level, enum pgt_prot prot,
	    struct pgt_cache *cache)
{
	return map_leaf(pgt, gpa, pa, level, prot, cache, true);
}

/**
 * pgt_add() - map one leaf where nothing is mapped
 * @pgt: the table
 * @gpa: guest-physical address, aligned to the leaf
 * @pa: host-physical address, aligned to the leaf
 * @level: as for pgt_map()
 * @prot: the same
 * @cache: the same
 *
 * As pgt_map(), but a leaf that is there stays: another may have mapped it meanwhile,
 * and its guest have written there. Return: as pgt_map(); then -EAGAIN.
 */
int pgt_add(struct pgt *pgt, u64 gpa, u64 pa, int level, enum pgt_prot prot,
	    struct pgt_cache *cache)
{
	return map_leaf(pgt, gpa, pa, level, prot, cache, false);
}

/**
 * pgt_split() - let the guest execute an address that is mapped
 * @pgt: the table
 * @gpa: guest-physical address
 * @cache: new tables are taken from here
 *
 * Splits a large leaf that must not be executed. That needs no flush: with the
 * fault the CPU has forgotten the leaf, which no CPU has fetched through.
 *
 * Return: 0; -ENOMEM: @cache is empty.
 */
int pgt_split(struct pgt *pgt, u64 gpa, struct pgt_cache *cache)
{
	struct page *page;
	u64 *entry, pte;
	int level;

	if (!pgt->fmt->exec)
		return 0;
	pgt_find(pgt, gpa, &level, &pte);
	if (level == 1)
		return 0;
	entry = walk_to(pgt, gpa, 1, cache);
	if (!entry)
		return -ENOMEM;
	page = virt_to_page(entry);
	set_page_private(page, gpa & -pgt_level_size(2));
	list_add_tail(&page->lru, &pgt->split);
	pgt->nr_split++;
	return 0;
}

/**
 * pgt_oldest_split() - the large leaf that was split first of those that still are
 * @pgt: the table; its nr_split is not 0
 *
 * Return: the first of its 2 MiB. To zap them all ends the split.
 */
u64 pgt_oldest_split(const struct pgt *pgt)
{
	return page_private(list_first_entry(&pgt->split, struct page, lru));
}

/* In leaves: what a table costs that pgt_zap() finds nearly empty */
#define TABLE_COST	16UL

static unsigned long zap_table(struct pgt *pgt, u64 *table, int level, u64 base,
			       u64 start, u64 end, pgt_leaf_fn fn, void *ctx,
			       struct list_head *freed, unsigned long *budget)
{
	u64 size = pgt_level_size(level);
	int i = start > base ? (start - base) / size : 0;
	unsigned long zapped = 0;

	for (; i < 512 && base + i * size < end && *budget; i++) {
		u64 at = base + i * size, pte = table[i];

		if (!pgt_pte_present(pgt, pte))
			continue;
		if (pgt_is_leaf(pgt, pte, level)) {
			--*budget;
			/*
			 * xchg: the CPU may set the D bit at any moment before
			 */
			pte = xchg(&table[i], 0);
			fn(ctx, at, pte, level);
			zapped++;
			continue;
		}
		zapped += zap_table(pgt, pgt_table(pte), level - 1, at, start,
				    end, fn, ctx, freed, budget);
		if (start <= at && at + size <= end && *budget) {
			struct page *page = virt_to_page(pgt_table(pte));

			WRITE_ONCE(table[i], 0);
			pgt->nr_split -= !list_empty(&page->lru);
			list_move(&page->lru, freed);
			count_table(pgt, pgt_table(pte), -1);
			/*
			 * Counts as an entry: a CPU may have cached the table.
			 * To look through it has cost something.
			 */
			zapped++;
			*budget -= min(*budget, TABLE_COST);
		}
	}
	return zapped;
}

/**
 * pgt_zap() - remove every leaf that touches a range
 * @pgt: the table
 * @start: first guest-physical address
 * @end: one past the last; a large leaf that is partly in the range goes too
 * @fn: called with each leaf that is removed
 * @ctx: for @fn
 * @freed: tables that lie wholly in the range are put on this list
 * @budget: in: how many leaves may be removed; out: how many were not. 0: there
 *	may be more: call again
 *
 * If the result is not 0 the caller flushes. After that it passes @freed to
 * pgt_free_tables(). Context: any, if @fn allows it: the walk does not sleep.
 *
 * Return: how many entries were removed.
 */
unsigned long pgt_zap(struct pgt *pgt, u64 start, u64 end, pgt_leaf_fn fn,
		      void *ctx, struct list_head *freed, unsigned long *budget)
{
	return zap_table(pgt, pgt->root, pgt->fmt->levels, 0, start, end, fn, ctx,
			 freed, budget);
}

static bool age_table(struct pgt *pgt, u64 *table, int level, u64 base,
		      u64 start, u64 end, bool clear)
{
	u64 size = pgt_level_size(level), bit = pgt->fmt->accessed;
	int i = start > base ? (start - base) / size : 0;
	bool young = false;

	for (; i < 512 && base + i * size < end; i++) {
		u64 pte = table[i];

		if (!pgt_pte_present(pgt, pte))
			continue;
		if (!pgt_is_leaf(pgt, pte, level)) {
			young |= age_table(pgt, pgt_table(pte), level - 1,
					   base + i * size, start, end, clear);
		} else if (pte & bit) {
			young = true;
			if (clear)
				clear_bit(__ffs(bit), (unsigned long *)&table[i]);
		}
	}
	return young;
}

/**
 * pgt_age() - was a range used since the last call with @clear?
 * @pgt: the table, of a format with accessed bits
 * @start: first guest-physical address
 * @end: one past the last
 * @clear: clear the accessed bits; without a flush, since age is only a hint
 *
 * Return: true if it was.
 */
bool pgt_age(struct pgt *pgt, u64 start, u64 end, bool clear)
{
	return age_table(pgt, pgt->root, pgt->fmt->levels, 0, start, end, clear);
}

/**
 * pgt_free_tables() - after the flush: free the tables that pgt_zap() removed
 * @freed: left empty
 */
void pgt_free_tables(struct list_head *freed)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, freed, lru)
		__free_page(page);
	INIT_LIST_HEAD(freed);
}
