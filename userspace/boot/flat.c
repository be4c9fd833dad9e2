// SPDX-License-Identifier: GPL-2.0
/* What the loaders share, and the loader of flat images. */
#include <stdio.h>
#include <string.h>
#include "boot/boot.h"

#define PAGE 4096ull
#define MIB (1ull << 20)
#define HINT 64		/* bytes of it */

/* What to do about @size bytes at @from, where at most @most is memory */
static const char *hint(const struct memory *memory, uint64_t from, uint64_t size,
			uint64_t most, char text[HINT])
{
	uint64_t end;

	if (__builtin_add_overflow(from, size, &end) || end <= memory->low ||
	    end > most)
		return "more memory does not help";
	snprintf(text, HINT, "the guest needs %lluM of memory (--mem)",
		 (unsigned long long)(end + MIB - 1) / MIB);
	return text;
}

int no_room(const struct memory *memory, const char *what, uint64_t lowest,
	    uint64_t at, uint64_t size, struct error *error)
{
	char text[HINT];

	return fail(error, STATUS_OS,
		    "%s for 0x%llx, 0x%llx bytes, is not in the guest's memory from 0x%llx to 0x%llx: %s",
		    what, (unsigned long long)at, (unsigned long long)size,
		    (unsigned long long)lowest, (unsigned long long)memory->low,
		    hint(memory, at, size, at < lowest ? 0 : LOW_RAM_MAX, text));
}

int place_initrds(const struct memory *memory, const struct boot *boot,
		  uint64_t above, uint64_t max, uint64_t at[BOOT_MODULES],
		  struct error *error)
{
	uint64_t most = max && max < LOW_RAM_MAX ? max + 1 : LOW_RAM_MAX;
	uint64_t top = most < memory->low ? most : memory->low;
	uint64_t size = 0, gpa;
	char text[HINT];
	unsigned int i;

	/* A file's size is below 2^63 */
	for (i = 0; i < boot->nr && size <= LOW_RAM_MAX; i++) {
		at[i] = size;
		size += (boot->initrd[i].size + PAGE - 1) & ~(PAGE - 1);
	}
	top &= ~(PAGE - 1);
	if (size > top || top - size < above)
		return fail(error, STATUS_OS,
			    "the initrd of %llu bytes does not fit between 0x%llx and 0x%llx: %s",
			    (unsigned long long)size, (unsigned long long)above,
			    (unsigned long long)top,
			    hint(memory, above, size, most, text));
	gpa = top - size;
	memset(memory->base + gpa, 0, size);
	for (i = 0; i < boot->nr; i++) {
		at[i] += gpa;
		if (!blob_copy(&boot->initrd[i], 0, memory->base + at[i],
			       boot->initrd[i].size))
			return fail(error, STATUS_NO_INPUT,
				    "the initrd cannot be read");
	}
	return 0;
}

void flat_segments(struct mvmm_sregs *s, uint16_t code, uint16_t data,
		   bool long_mode)
{
	s->cs = (struct mvmm_segment){ .limit = ~0u, .selector = code,
				       .attr = long_mode ? 0xa09b : 0xc09b };
	s->ds = (struct mvmm_segment){ .limit = ~0u, .selector = data,
				       .attr = 0xc093 };
	s->es = s->fs = s->gs = s->ss = s->ds;
	s->tr = (struct mvmm_segment){ .limit = 0x67, .attr = 0x8b };
	s->ldt = (struct mvmm_segment){ .limit = 0xffff, .attr = 0x82 };
	s->idt = s->gdt = (struct mvmm_table){ 0 };
}

void enter_protected(const struct memory *memory, uint64_t gdt,
		     struct entry *entry)
{
	uint64_t *table = (void *)(memory->base + gdt);
	struct mvmm_sregs *s = &entry->sregs;

	memset(table, 0, PAGE);
	table[2] = 0x00cf9b000000ffffull;
	table[3] = 0x00cf93000000ffffull;
	flat_segments(s, 0x10, 0x18, false);
	s->gdt = (struct mvmm_table){ .base = gdt, .limit = 0x1f };
	s->cr0 = 0x11;		/* ET PE */
	s->cr3 = s->cr4 = s->efer = 0;
}

int load_flat(const struct memory *memory, const struct blob *image, uint64_t at,
	      struct entry *entry, struct error *error)
{
	void *to = memory_at(memory, at, image->size, MVMM_ACCESS_WRITE);

	if (!image->size)
		return fail(error, STATUS_DATA, "the flat image is empty");
	if (at > 0xffff0)
		return fail(error, STATUS_USAGE,
			    "--at 0x%llx is beyond what real mode reaches: at most 0xffff0",
			    (unsigned long long)at);
	if (at & 15)
		return fail(error, STATUS_USAGE,
			    "--at 0x%llx is not a multiple of 16, so no segment begins there",
			    (unsigned long long)at);
	if (!to)
		return fail(error, STATUS_OS,
			    "the image of %zu bytes at 0x%llx is not all in RAM of 0x%llx bytes (0x%x to 0x%x is a hole): move it with --at, or give more --mem",
			    image->size, (unsigned long long)at,
			    (unsigned long long)memory->low, HOLE_START,
			    HOLE_END);
	if (!blob_copy(image, 0, to, image->size))
		return fail(error, STATUS_NO_INPUT,
			    "the flat image cannot be read");
	/* Real mode: the state of RESET, except where execution begins */
	entry->sregs.cs.base = at;
	entry->sregs.cs.selector = at >> 4;
	entry->regs = (struct mvmm_regs){ .rflags = 2, .rsp = 0xfff0 };
	return 0;
}
