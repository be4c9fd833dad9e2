// SPDX-License-Identifier: GPL-2.0
/* What the loaders share, and the loader of flat images. */
#include <string.h>
#include "boot/boot.h"

#define PAGE 4096ull

int place_initrd(const struct memory *memory, const struct blob *initrd,
		 uint64_t above, uint64_t max, uint64_t *gpa,
		 struct error *error)
{
	uint64_t top = memory->low;

	*gpa = 0;
	if (!initrd->size)
		return 0;
	if (max && top > max + 1)
		top = max + 1;
	if (initrd->size > top || ((top - initrd->size) & ~(PAGE - 1)) < above)
		return fail(error, STATUS_OS,
			    "the initrd of %zu bytes does not fit between 0x%llx and 0x%llx: give the guest more memory with --mem",
			    initrd->size, (unsigned long long)above,
			    (unsigned long long)top);
	*gpa = (top - initrd->size) & ~(PAGE - 1);
	return blob_copy(initrd, 0, memory->base + *gpa, initrd->size) ? 0 :
	       fail(error, STATUS_NO_INPUT, "the initrd cannot be read");
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
