// SPDX-License-Identifier: GPL-2.0
/*
 * What there is from 768 KiB to 1 MiB beside a firmware: RAM, the end of its ROM, or
 * nothing, for reads and for writes, as the host bridge's PAM registers say; and
 * above that, where RAM from 0 on is seen while address line 20 is masked.
 * vCPUs and devices look while one of them changes it.
 */
#include "core/memory.h"
#include "libmvmm.h"

/* What of the ROM is in segment @i, or NULL */
static uint8_t *rom_at(const struct shadow *s, unsigned int i)
{
	unsigned int first = (SHADOW_SIZE - SHADOW_ROM) / SHADOW_SEGMENT;

	return i < first ? NULL : s->rom + (i - first) * SHADOW_SEGMENT;
}

static uint8_t *host_of(const struct shadow *s, unsigned int i, bool write)
{
	return __atomic_load_n(write ? &s->write[i] : &s->read[i],
			       __ATOMIC_RELAXED);
}

/* What the module maps of segment @i; without a @hva: nothing, all is exits */
static struct mvmm_region region_of(const struct shadow *s, unsigned int i)
{
	uint8_t *host = host_of(s, i, false);

	return (struct mvmm_region){
		.size = sizeof(struct mvmm_region),
		.flags = host == host_of(s, i, true) ? 0 : MVMM_REGION_READONLY,
		.gpa = SHADOW_START + i * SHADOW_SEGMENT, .len = SHADOW_SEGMENT,
		.hva = (uintptr_t)host };
}

static void set_segment(struct memory *memory, unsigned int i, uint8_t way)
{
	struct shadow *s = &memory->shadow;
	uint8_t *ram = memory->base + SHADOW_START + i * SHADOW_SEGMENT;

	__atomic_store_n(&s->read[i], way & SHADOW_READ ? ram : rom_at(s, i),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&s->write[i], way & SHADOW_WRITE ? ram : NULL,
			 __ATOMIC_RELAXED);
}

void shadow_create(struct memory *memory, uint8_t *rom)
{
	unsigned int i;

	memory->shadow.rom = rom;
	for (i = 0; i < SHADOW_SEGMENTS; i++)
		set_segment(memory, i, 0);
}

int shadow_set(struct memory *memory, int vm,
	       const uint8_t way[SHADOW_SEGMENTS])
{
	struct mvmm_region remove[SHADOW_SEGMENTS], add[SHADOW_SEGMENTS];
	unsigned int i, nr_remove = 0, nr_add = 0;

	for (i = 0; i < SHADOW_SEGMENTS; i++) {
		struct mvmm_region old = region_of(&memory->shadow, i), new;

		set_segment(memory, i, way[i]);
		new = region_of(&memory->shadow, i);
		if (old.hva == new.hva && old.flags == new.flags)
			continue;
		if (old.hva) {
			old.hva = old.flags = 0;
			remove[nr_remove++] = old;
		}
		if (new.hva)
			add[nr_add++] = new;
	}
	return nr_remove + nr_add ?
	       mvmm_change_regions(vm, remove, nr_remove, add, nr_add) : 0;
}

static bool is_wrapping(const struct memory *memory)
{
	return __atomic_load_n(&memory->shadow.wraps, __ATOMIC_RELAXED);
}

/* What the module has from 1 MiB on. Returns how many */
static unsigned int above(const struct memory *memory, struct mvmm_region r[2])
{
	uint64_t at = SHADOW_END;
	unsigned int nr = 0;

	if (is_wrapping(memory)) {
		r[nr++] = (struct mvmm_region){
			.gpa = at, .len = A20_WRAP,
			.hva = (uintptr_t)memory->base };
		at += A20_WRAP;
	}
	if (memory->low > at)
		r[nr++] = (struct mvmm_region){
			.gpa = at, .len = memory->low - at,
			.hva = (uintptr_t)memory->base + at };
	return nr;
}

int memory_set_a20(struct memory *memory, int vm, bool open)
{
	struct mvmm_region remove[2], add[2];
	unsigned int nr, i;

	if (!memory->shadow.rom || is_wrapping(memory) == !open)
		return 0;
	nr = above(memory, remove);
	for (i = 0; i < nr; i++)
		remove[i].hva = 0;
	__atomic_store_n(&memory->shadow.wraps, !open, __ATOMIC_RELAXED);
	return mvmm_change_regions(vm, remove, nr, add, above(memory, add));
}

int shadow_map(const struct memory *memory, int vm)
{
	struct mvmm_region high[2];
	unsigned int i, nr = above(memory, high);
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = mvmm_add_region(vm, high[i].gpa, high[i].len,
				      (void *)(uintptr_t)high[i].hva, 0);

	for (i = 0; i < SHADOW_SEGMENTS && !ret; i++) {
		struct mvmm_region r = region_of(&memory->shadow, i);

		if (r.hva)
			ret = mvmm_add_region(vm, r.gpa, r.len,
					      (void *)(uintptr_t)r.hva, r.flags);
	}
	return ret;
}

/* One byte. NULL: there is nothing that allows @access */
static uint8_t *byte_at(const struct memory *memory, uint64_t gpa,
			uint32_t access)
{
	unsigned int i = (gpa - SHADOW_START) / SHADOW_SEGMENT;
	uint8_t *read, *write, *host;

	if (gpa - SHADOW_END < A20_WRAP && is_wrapping(memory))
		return memory->base + (gpa - SHADOW_END);
	if (gpa >= SHADOW_END)
		return gpa < memory->low ? memory->base + gpa : NULL;
	read = host_of(&memory->shadow, i, false);
	write = host_of(&memory->shadow, i, true);
	host = access & MVMM_ACCESS_WRITE ? write : read;
	if (!host || (access & MVMM_ACCESS_READ && host != read))
		return NULL;
	return host + gpa % SHADOW_SEGMENT;
}

void *shadow_at(const struct memory *memory, uint64_t gpa, uint64_t len,
		uint32_t access)
{
	uint8_t *host = byte_at(memory, gpa, access);
	uint64_t at;

	/* It wraps where there is no RAM of its own, too */
	if (!host || len > memory->low + A20_WRAP - gpa ||
	    (len && !byte_at(memory, gpa + len - 1, access)))
		return NULL;
	/* It may go on in the next segments, and above 1 MiB */
	for (at = (gpa | (SHADOW_SEGMENT - 1)) + 1;
	     at < gpa + len && at <= SHADOW_END + A20_WRAP; at += SHADOW_SEGMENT)
		if (byte_at(memory, at, access) != host + (at - gpa))
			return NULL;
	return host;
}
