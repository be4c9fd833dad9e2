// SPDX-License-Identifier: GPL-2.0
/*
 * Intel 8254 (order number 231164). Nothing ticks: a counter's value is
 * computed from the time since it was loaded. There is no BCD counting.
 */
#include <string.h>
#include "devices.h"

/* Bit 4 of port 0x61 changes when a row of DRAM is refreshed */
#define REFRESH_NS	15085
#define NS 1000000000ull
#define ACCESS_LOW	1
#define ACCESS_HIGH	2
#define ACCESS_BOTH	3

void i8254_init(struct i8254 *pit, struct irq_line irq)
{
	int i;

	memset(pit, 0, sizeof(*pit));
	pit->irq = irq;
	for (i = 0; i < 3; i++) {
		pit->channel[i].access = ACCESS_BOTH;
		pit->channel[i].gate = i != 2;
	}
}

static uint64_t period(const struct i8254_channel *c)
{
	return c->reload ? c->reload : 65536;
}

/* A low gate stops the counter in all modes but 1 and 5, which it triggers */
static bool stopped(const struct i8254_channel *c)
{
	return !c->gate && c->mode != 1 && c->mode != 5;
}

/* Ticks since the counter was loaded. Whole seconds apart, against overflow */
static uint64_t ticks(const struct i8254 *pit, const struct i8254_channel *c)
{
	uint64_t ns = (stopped(c) ? c->stop : pit->now) - c->start;

	return ns / NS * I8254_HZ + ns % NS * I8254_HZ / NS;
}

static uint64_t ticks_to_ns(uint64_t n)
{
	/* Rounded up, so that the tick has happened at that time */
	return n / I8254_HZ * NS + (n % I8254_HZ * NS + I8254_HZ - 1) / I8254_HZ;
}

static bool periodic(const struct i8254_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

static uint16_t count(const struct i8254 *pit, const struct i8254_channel *c)
{
	uint64_t n;

	if (!c->loaded)
		return 0;
	n = ticks(pit, c);
	switch (c->mode) {
	case 2:
		return period(c) - n % period(c);
	case 3:
		/* Counts down by two, twice a period */
		return period(c) - (n * 2) % period(c);
	default:
		return period(c) - n;
	}
}

static bool out(const struct i8254 *pit, const struct i8254_channel *c)
{
	uint64_t n = ticks(pit, c);

	if (!c->loaded)
		return c->mode != 0;
	switch (c->mode) {
	case 0:
	case 1:
		return n >= period(c);
	case 2:
		return stopped(c) || n % period(c) != period(c) - 1;
	case 3:
		return stopped(c) || n % period(c) < (period(c) + 1) / 2;
	default:
		return n != period(c);
	}
}

static void start(struct i8254 *pit, int n)
{
	struct i8254_channel *c = &pit->channel[n];

	c->start = c->stop = pit->now;
	c->loaded = true;
	if (!n) {
		pit->fired = false;
		pit->edges = 0;
		irq_set(&pit->irq, false);
	}
}

static void load(struct i8254 *pit, int n, uint16_t value)
{
	pit->channel[n].reload = value;
	start(pit, n);
}

static void latch_count(struct i8254 *pit, struct i8254_channel *c)
{
	if (c->latched)
		return;
	c->latch = count(pit, c);
	c->latched = c->access == ACCESS_BOTH ? 2 : 1;
	if (c->access == ACCESS_HIGH)
		c->latch >>= 8;
}

static void latch_status(struct i8254 *pit, struct i8254_channel *c)
{
	c->status = out(pit, c) << 7 | !c->loaded << 6 | c->access << 4 |
		    c->mode << 1 | c->bcd;
	c->status_latched = true;
}

static void write_control(struct i8254 *pit, uint8_t value)
{
	int n = value >> 6, i;
	struct i8254_channel *c;

	if (n == 3) {
		/* Read-back */
		for (i = 0; i < 3; i++) {
			if (!(value & 2u << i))
				continue;
			if (!(value & 1u << 5))
				latch_count(pit, &pit->channel[i]);
			if (!(value & 1u << 4))
				latch_status(pit, &pit->channel[i]);
		}
		return;
	}
	c = &pit->channel[n];
	if (!(value >> 4 & 3)) {
		latch_count(pit, c);
		return;
	}
	c->access = value >> 4 & 3;
	c->mode = value >> 1 & 7;
	if (c->mode > 5)
		c->mode -= 4;
	c->bcd = value & 1;
	c->loaded = false;
	c->write_high_next = c->read_high_next = false;
	c->latched = 0;
	if (!n)
		irq_set(&pit->irq, false);
}

static void write_count(struct i8254 *pit, int n, uint8_t value)
{
	struct i8254_channel *c = &pit->channel[n];

	switch (c->access) {
	case ACCESS_LOW:
		load(pit, n, value);
		break;
	case ACCESS_HIGH:
		load(pit, n, value << 8);
		break;
	default:
		if (c->write_high_next)
			load(pit, n, value << 8 | c->write_low);
		else
			c->write_low = value;
		/* The first byte stops mode 0 */
		if (!c->write_high_next && !c->mode)
			c->loaded = false;
		c->write_high_next = !c->write_high_next;
		break;
	}
}

static uint8_t read_count(struct i8254 *pit, struct i8254_channel *c)
{
	uint16_t value;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->latched) {
		uint8_t byte = c->latch;

		c->latch >>= 8;
		c->latched--;
		return byte;
	}
	value = count(pit, c);
	if (c->access == ACCESS_LOW)
		return value;
	if (c->access == ACCESS_HIGH)
		return value >> 8;
	c->read_high_next = !c->read_high_next;
	return c->read_high_next ? value : value >> 8;
}

void i8254_access(void *opaque, uint64_t offset, void *data, unsigned int size,
		  bool write)
{
	struct i8254 *pit = opaque;
	uint8_t *value = data;

	if (!write) {
		if (offset < 3)
			*value = read_count(pit, &pit->channel[offset]);
	} else if (offset == 3) {
		write_control(pit, *value);
	} else {
		write_count(pit, offset, *value);
	}
}

/* A rising gate lets modes 0 and 4 go on, and starts all others anew */
static void set_gate(struct i8254 *pit, struct i8254_channel *c, bool gate)
{
	if (c->gate && !gate)
		c->stop = pit->now;
	else if (!c->gate && gate && c->loaded)
		c->start = c->mode == 0 || c->mode == 4 ?
			   c->start + pit->now - c->stop : pit->now;
	c->gate = gate;
}

void i8254_port61(void *opaque, uint64_t offset, void *data, unsigned int size,
		  bool write)
{
	struct i8254 *pit = opaque;
	struct i8254_channel *c = &pit->channel[2];
	uint8_t *value = data;

	if (write) {
		set_gate(pit, c, *value & 1);
		pit->speaker = *value & 2;
	} else {
		*value = c->gate | pit->speaker << 1 |
			 (pit->now / REFRESH_NS & 1) << 4 | out(pit, c) << 5;
	}
}

uint64_t i8254_update(struct i8254 *pit)
{
	struct i8254_channel *c = &pit->channel[0];
	uint64_t n, next;

	if (!c->loaded)
		return 0;
	n = ticks(pit, c);
	if (periodic(c)) {
		/*
		 * Several missed edges become one: a guest that could not take
		 * them corrects its time by another clock.
		 */
		if (n / period(c) > pit->edges) {
			pit->edges = n / period(c);
			irq_set(&pit->irq, false);
			irq_set(&pit->irq, true);
		}
		next = c->start + ticks_to_ns((pit->edges + 1) * period(c));
		/* The guest is not to choose how busy the caller is */
		return next > pit->now + I8254_MIN_NS ? next :
		       pit->now + I8254_MIN_NS;
	}
	if (pit->fired)
		return 0;
	if (n >= period(c)) {
		pit->fired = true;
		irq_set(&pit->irq, true);
		return 0;
	}
	return c->start + ticks_to_ns(period(c));
}
