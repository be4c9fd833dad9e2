/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Nested page tables: one walker for every format whose tables have 512 entries
 * of 8 bytes. What an entry's bits mean is data: EPT and NPT are one struct
 * pgt_format each. Pure: no locks, no TLB, no hardware.
 *
 * Several may look and map at a time, each entry by pgt_set(). Who removes, cleans or
 * changes the list of splits is alone, but for mvmm_peek_guest(), which looks.
 */
#ifndef MVMM_PGTABLE_H
#define MVMM_PGTABLE_H

#include <linux/list.h>
#include <linux/types.h>
#include <asm/io.h>

#define PGT_MAX_LEVELS	5
#define PGT_ADDR_MASK	GENMASK_ULL(51, 12)

enum pgt_prot {
	PGT_READ = 1,
	PGT_WRITE = 2,
};

/**
 * struct pgt_format - the meaning of an entry's bits
 * @levels: levels of tables: 4 or 5
 * @table: the bits of an entry that points to a table, without the address
 * @leaf: the bits that every leaf has
 * @exec: what leaves need besides to be executed, if large ones must not be:
 *	those at level 1 have it
 * @present: an entry is valid if any of these bits is set
 * @write: this bit of a leaf allows writes
 * @large: this bit marks a leaf above level 1
 * @accessed: the CPU sets this bit on use; 0: it has no such bit
 * @dirty: the CPU sets this bit on a write; 0: it has no such bit
 * @max_leaf: level of the largest leaf: 1, 2 or 3
 */
struct pgt_format {
	int levels;
	u64 table;
	u64 leaf;
	u64 exec;
	u64 present;
	u64 write;
	u64 large;
	u64 accessed;
	u64 dirty;
	int max_leaf;
};

/**
 * struct pgt - one nested page table
 * @root: the top table
 * @fmt: its format
 * @nr_tables: tables in use, the root included; several may add to it
 * @split: tables that pgt_split() has made, the oldest first
 * @nr_split: how many
 */
struct pgt {
	u64 *root;
	const struct pgt_format *fmt;
	atomic64_t nr_tables;
	struct list_head split;
	unsigned long nr_split;
};

/**
 * struct pgt_cache - empty tables, allocated before pgt_map() needs them
 * @tables: the tables
 * @nr: how many there are
 *
 * pgt_map() runs under a lock that does not sleep, and cannot allocate.
 */
struct pgt_cache {
	u64 *tables[PGT_MAX_LEVELS];
	int nr;
};

/* Called for each leaf that pgt_zap() removes or pgt_clean() finds dirty */
typedef void (*pgt_leaf_fn)(void *ctx, u64 gpa, u64 pte, int level);

static inline u64 pgt_level_size(int level)
{
	return 1ULL << (12 + 9 * (level - 1));
}

static inline u64 *pgt_table(u64 pte)
{
	return phys_to_virt(pte & PGT_ADDR_MASK);
}

static inline int pgt_index(u64 gpa, int level)
{
	return (gpa >> (12 + 9 * (level - 1))) & 511;
}

static inline bool pgt_is_leaf(const struct pgt *pgt, u64 pte, int level)
{
	return level == 1 || (pte & pgt->fmt->large);
}

static inline bool pgt_pte_present(const struct pgt *pgt, u64 pte)
{
	return pte & pgt->fmt->present;
}

/* Can the guest have written through this leaf? */
static inline bool pgt_pte_dirty(const struct pgt *pgt, u64 pte)
{
	u64 bit = pgt->fmt->dirty ?: pgt->fmt->write;

	return (pte & pgt->fmt->write) && (pte & bit);
}

/**
 * pgt_set() - change an entry, unless it has changed
 * @entry: it
 * @was: what the caller has found there
 * @pte: what it becomes
 *
 * Others may map at the same time, and the CPU sets bits. Return: false if it was
 * not @was any more.
 */
static inline bool pgt_set(u64 *entry, u64 was, u64 pte)
{
	return try_cmpxchg64(entry, &was, pte);
}

int pgt_init(struct pgt *pgt, const struct pgt_format *fmt);
void pgt_destroy(struct pgt *pgt);
int pgt_cache_fill(struct pgt_cache *cache, const struct pgt_format *fmt);
void pgt_cache_drain(struct pgt_cache *cache);
u64 pgt_lookup(const struct pgt *pgt, u64 gpa, int *level);
int pgt_map(struct pgt *pgt, u64 gpa, u64 pa, int level, enum pgt_prot prot,
	    struct pgt_cache *cache);
int pgt_add(struct pgt *pgt, u64 gpa, u64 pa, int level, enum pgt_prot prot,
	    struct pgt_cache *cache);
int pgt_split(struct pgt *pgt, u64 gpa, struct pgt_cache *cache);
u64 pgt_oldest_split(const struct pgt *pgt);
unsigned long pgt_zap(struct pgt *pgt, u64 start, u64 end, pgt_leaf_fn fn,
		      void *ctx, struct list_head *freed, unsigned long *budget);
u64 *pgt_find(const struct pgt *pgt, u64 gpa, int *level, u64 *pte);
u64 pgt_leaf(const struct pgt_format *fmt, u64 pa, int level,
	     enum pgt_prot prot);
unsigned long pgt_clean(struct pgt *pgt, u64 start, u64 end, pgt_leaf_fn fn,
			void *ctx);
u64 pgt_used(struct pgt *pgt, u64 start, u64 end);
bool pgt_age(struct pgt *pgt, u64 start, u64 end, bool clear);
void pgt_free_tables(struct list_head *freed);

#endif
