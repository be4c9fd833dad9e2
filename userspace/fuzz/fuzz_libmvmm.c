// SPDX-License-Identifier: GPL-2.0
/*
 * Completion of exits for a hostile guest: any code, registers, segments and
 * page tables, in every mode. A libFuzzer target: "make fuzz".
 */
#include <errno.h>
#include "tests/fake_guest.h"

struct input {
	uint8_t mode;		/* real, protected, PAE, long */
	uint8_t reason, flags, cpl;
	uint8_t io_flags, io_size;
	uint16_t attr;		/* of the segments */
	uint32_t limit, base;
	struct mvmm_regs regs;
	uint8_t code[16];
	/* Page table entries and other words of memory */
	struct {
		uint16_t at;
		uint64_t value;
	} __attribute__((packed)) patch[8];
} __attribute__((packed));

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			__builtin_trap();				\
	} while (0)

static void put(uint64_t at, uint64_t value)
{
	memcpy(fake.memory + at, &value, 8);
}

/* Tables at 0x1000 that map the first 2 MiB and what follows to itself */
static void make_tables(unsigned int mode)
{
	struct mvmm_paging *p = &fake.run.paging;

	p->cr3 = 0x1000;
	switch (mode) {
	case 0:
		break;
	case 1:
		p->cr0 |= CR0_PE | CR0_PG;
		p->cr4 |= 0x10;
		put(0x1000, 0x87);
		break;
	case 2:
		p->cr0 |= CR0_PE | CR0_PG;
		p->cr4 |= CR4_PAE;
		put(0x1000, 0x2001);
		put(0x2000, 0x87);
		break;
	default:
		p->cr0 |= CR0_PE | CR0_PG;
		p->cr4 |= CR4_PAE;
		p->efer = EFER_LONG;
		p->cs_attr |= 0x2000;
		put(0x1000, 0x2007);
		put(0x2000, 0x3007);
		put(0x3000, 0x87);
		break;
	}
}

static void make_guest(const struct input *in)
{
	static const uint8_t reasons[] = { MVMM_EXIT_MMIO, MVMM_EXIT_IO,
					   MVMM_EXIT_CR, MVMM_EXIT_TASK_SWITCH };
	struct mvmm_segment *s;
	unsigned int i;

	fake_reset();
	fake.run.exit_reason = reasons[in->reason % 4];
	fake.run.exit_flags = in->flags & MVMM_EXIT_FLAG_IN_DELIVERY;
	fake.run.paging.cpl = in->cpl % 4;
	fake.run.paging.cs_attr = in->attr & 0xd0ff;
	fake.run.paging.cs_base = in->base;
	fake.run.paging.cr4 = in->cpl & 4 ? 0x300000 : 0;
	for (s = &fake.sregs.es; s <= &fake.sregs.gs; s++)
		*s = (struct mvmm_segment){ .base = in->base,
					    .limit = in->limit,
					    .attr = in->attr };
	fake.run.regs = in->regs;
	if (in->reason & 4)
		fake.run.regs.rip = 0x8000;
	make_tables(in->mode % 4);
	fake.run.io.size = 1 << in->io_size % 3;
	fake.run.io.flags = in->io_flags;
	fake.run.io.port = in->limit;
	fake.run.cr.cr = in->io_size & 4;
	fake.run.cr.write = in->io_size >> 3 & 1;
	/* Tables in the words that are put to anywhere */
	fake.sregs.gdt = (struct mvmm_table){ .base = 0x4000, .limit = 0xff };
	fake.sregs.tr = (struct mvmm_segment){
		.base = 0x5000, .limit = 0x67, .selector = 8,
		.attr = in->io_flags & 1 ? 0x8b : 0x83 };
	fake.events.inflight = in->flags & 1;
	fake.events.type = in->flags >> 1 & 7;
	fake.events.vector = in->cpl;
	fake.events.has_error = in->flags >> 4 & 1;
	if (fake.run.exit_reason == MVMM_EXIT_TASK_SWITCH) {
		fake.run.task.selector = in->io_size & 0x1f;
		fake.run.task.source = in->io_flags >> 1 & 3;
	}
	memcpy(fake.memory + 0x8000, in->code, sizeof(in->code));
	for (i = 0; i < 8; i++)
		if (in->patch[i].at)
			put(in->patch[i].at % (FAKE_MEMORY - 8),
			    in->patch[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mvmm_decode_cache *cache;
	struct mvmm_regs before;
	struct input in = { 0 };
	char text[64];
	int ret;

	if (!cache)
		cache = mvmm_decode_cache_new();
	memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
	make_guest(&in);
	/* From one input to the next the code changes behind the cache */
	fake.guest.cache = cache;
	before = fake.run.regs;
	ret = mvmm_complete(&fake.guest);
	CHECK(ret <= 0 && fake.run.retire <= 15);
	CHECK(fake.injections <= 1);
	if (fake.injections)
		CHECK(!fake.run.retire);
	if (ret) {
		CHECK(!memcmp(&before, &fake.run.regs, sizeof(before)));
		CHECK(!fake.accesses && !fake.run.retire && !fake.injections);
	}
	mvmm_describe_insn(&fake.guest, text, sizeof(text));
	CHECK(strlen(text) < sizeof(text));
	return 0;
}
