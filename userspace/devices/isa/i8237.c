// SPDX-License-Identifier: GPL-2.0
/* See i8237.h. Not there: requests by software, memory to memory, and cascades. */
#include "devices/isa/i8237.h"

enum { COMMAND = 8, REQUEST, MASK_ONE, MODE, CLEAR_HIGH, CLEAR, UNMASK, MASK };

#define MODE_WRITES	(1u << 2)	/* memory */
#define MODE_READS	(1u << 3)
#define MODE_AUTO	(1u << 4)
#define MODE_DOWN	(1u << 5)
#define COMMAND_OFF	(1u << 2)

void i8237_reset(struct i8237 *dma)
{
	dma->mask = 0xf;
	dma->status = dma->command = 0;
	dma->high = false;
}

uint8_t i8237_read(struct i8237 *dma, unsigned int at)
{
	const struct dma_channel *c = &dma->channel[at / 2 % DMA_CHANNELS];
	uint16_t value = at & 1 ? c->count : c->at;
	uint8_t byte;

	if (at < COMMAND) {
		byte = dma->high ? value >> 8 : value;
		dma->high = !dma->high;
		return byte;
	}
	if (at == MASK)
		return dma->mask | 0xf0;
	if (at != COMMAND)
		return 0;
	byte = dma->status;
	dma->status = 0;
	return byte;
}

static void write_channel(struct i8237 *dma, unsigned int at, uint8_t value)
{
	struct dma_channel *c = &dma->channel[at / 2];
	uint16_t *base = at & 1 ? &c->base_count : &c->base;

	*base = dma->high ? (*base & 0xff) | value << 8 :
			    (*base & 0xff00) | value;
	*(at & 1 ? &c->count : &c->at) = *base;
	dma->high = !dma->high;
}

void i8237_write(struct i8237 *dma, unsigned int at, uint8_t value)
{
	uint8_t bit = 1u << (value & 3);

	if (at < COMMAND) {
		write_channel(dma, at, value);
		return;
	}
	switch (at) {
	case COMMAND:
		dma->command = value;
		break;
	case MASK_ONE:
		dma->mask = value & 4 ? dma->mask | bit : dma->mask & ~bit;
		break;
	case MODE:
		dma->channel[value & 3].mode = value;
		break;
	case CLEAR_HIGH:
		dma->high = false;
		break;
	case CLEAR:
		i8237_reset(dma);
		break;
	case UNMASK:
		dma->mask = 0;
		break;
	case MASK:
		dma->mask = value & 0xf;
		break;
	}
}

uint8_t *i8237_page(struct i8237 dma[2], unsigned int at)
{
	/* In the order in which IBM wired them */
	static const uint8_t order[] = { 7, 3, 1, 2 };
	unsigned int i;

	for (i = 0; i < DMA_CHANNELS; i++)
		if (order[i] == (at & 7))
			return &dma[at >> 3 & 1].channel[i].page;
	return NULL;
}

uint32_t i8237_left(const struct i8237 *dma, unsigned int n)
{
	if (dma->mask & 1u << n || dma->command & COMMAND_OFF)
		return 0;
	return dma->channel[n].count + 1u;
}

/* The byte of memory that is next, or NULL */
static uint8_t *memory_byte(const struct dma_channel *c,
			    const struct memory *memory, bool write)
{
	return memory_at(memory, (uint32_t)c->page << 16 | c->at, 1,
			 write ? MVMM_ACCESS_WRITE : MVMM_ACCESS_READ);
}

/* The channel has moved a byte. False: that was the last one */
static bool step(struct i8237 *dma, unsigned int n)
{
	struct dma_channel *c = &dma->channel[n];

	c->at += c->mode & MODE_DOWN ? -1 : 1;
	if (c->count--)
		return true;
	dma->status |= 1u << n;
	if (c->mode & MODE_AUTO) {
		c->at = c->base;
		c->count = c->base_count;
	} else {
		dma->mask |= 1u << n;
	}
	return false;
}

uint32_t i8237_move(struct i8237 *dma, unsigned int n,
		    const struct memory *memory, uint8_t *bytes, uint32_t len,
		    bool to_memory)
{
	struct dma_channel *c = &dma->channel[n];
	bool writes = c->mode & MODE_WRITES, reads = c->mode & MODE_READS;
	uint32_t i;

	if (!i8237_left(dma, n))
		return 0;
	for (i = 0; i < len; i++) {
		/* Neither: it only counts (verify) */
		uint8_t *at = (to_memory ? writes : reads) ?
			      memory_byte(c, memory, to_memory) : NULL;

		if (to_memory && at)
			*at = bytes[i];
		else if (!to_memory)
			bytes[i] = at ? *at : 0xff;
		if (!step(dma, n))
			return i + 1;
	}
	return len;
}

static const struct field channel_fields[] = {
	FIELD(struct dma_channel, base), FIELD(struct dma_channel, base_count),
	FIELD(struct dma_channel, at), FIELD(struct dma_channel, count),
	FIELD(struct dma_channel, mode), FIELD(struct dma_channel, page),
	FIELDS_END
};

const struct field i8237_fields[] = {
	FIELD_STRUCTS(struct i8237, channel, channel_fields),
	FIELD(struct i8237, mask), FIELD(struct i8237, status),
	FIELD(struct i8237, command), FIELD(struct i8237, high), FIELDS_END
};
