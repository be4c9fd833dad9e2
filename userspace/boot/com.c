// SPDX-License-Identifier: GPL-2.0
/* A .COM program in real mode, with what com.S is of DOS. */
#include <string.h>
#include "boot/boot.h"

#define BOX		0x600		/* com.S, at a segment of its own */
#define PSP		0x10000		/* the program's segment */
#define PROGRAM		(PSP + 0x100)
#define STACK		0xfffe
#define TOP		0x9fc0		/* a segment: there memory ends */
#define TAIL		0x80
#define TAIL_MAX	126

static const uint8_t box[] = {
#include "com.hex"
};

/* The beginning of com.S */
enum { NOTHING, TELETYPE, KEY, END, DOS };

static void set_vectors(const struct memory *memory)
{
	static const uint8_t vectors[] = {
		[TELETYPE] = 0x10, [KEY] = 0x16, [END] = 0x20, [DOS] = 0x21 };
	uint32_t *table = (uint32_t *)memory->base;
	uint16_t start[DOS + 1];
	unsigned int i;

	memcpy(start, box, sizeof(start));
	for (i = 0; i < 256; i++)
		table[i] = (BOX >> 4) << 16 | start[NOTHING];
	for (i = TELETYPE; i <= DOS; i++)
		table[vectors[i]] = (BOX >> 4) << 16 | start[i];
}

/* Its arguments are a length, a blank before each word, and a carriage return */
static void make_psp(const struct memory *memory, const char *append)
{
	uint8_t *psp = memory->base + PSP;
	uint16_t top = TOP;
	size_t len = *append ? strlen(append) + 1 : 0;

	memset(psp, 0, 0x100);
	psp[0] = 0xcd;		/* INT 20h: here it comes by a RET */
	psp[1] = 0x20;
	memcpy(psp + 2, &top, sizeof(top));
	psp[TAIL] = len;
	if (len)
		psp[TAIL + 1] = ' ';
	memcpy(psp + TAIL + (len ? 2 : 1), append, strlen(append));
	psp[TAIL + 1 + len] = '\r';
}

int load_com(const struct memory *memory, const struct blob *image,
	     const char *append, struct entry *entry, struct error *error)
{
	struct mvmm_segment segment = { .base = PSP, .limit = 0xffff,
					.selector = PSP >> 4, .attr = 0x93 };
	struct mvmm_sregs *s = &entry->sregs;

	if (!image->size || image->size > STACK - 0x100)
		return fail(error, STATUS_DATA,
			    "a .COM file has 1 to %u bytes, not %zu",
			    STACK - 0x100, image->size);
	if (strlen(append) > TAIL_MAX - 1)
		return fail(error, STATUS_USAGE,
			    "the program's arguments have %zu bytes, the most is %u: shorten --append",
			    strlen(append), TAIL_MAX - 1);
	memset(memory->base, 0, BOX);
	memcpy(memory->base + BOX, box, sizeof(box));
	set_vectors(memory);
	/* So many KiB, as a BIOS says */
	memory->base[0x413] = 639 & 0xff;
	memory->base[0x414] = 639 >> 8;
	make_psp(memory, append);
	memset(memory->base + PROGRAM, 0, 0x10000 - 0x100);
	if (!blob_copy(image, 0, memory->base + PROGRAM, image->size))
		return fail(error, STATUS_NO_INPUT,
			    "the program cannot be read");
	s->ds = s->es = s->ss = segment;
	s->cs = segment;
	s->cs.attr = 0x9b;
	entry->regs = (struct mvmm_regs){ .rip = 0x100, .rsp = STACK,
					  .rflags = 0x202 };
	return 0;
}
