// SPDX-License-Identifier: GPL-2.0
/*
 * Intel 8254 (order number 231164). Nothing ticks: a counter's value is
 * computed from the time since it was loaded. There is no BCD counting.
 */
#include <string.h>
#include "core/machine.h"

/* Bit 4 of port 0x61 changes when a row of DRAM is refreshed */
#define REFRESH_NS	15085
#define NS 1000000000ull
#define ACCESS_LOW	1
#define ACCESS_HIGH	2
#define ACCESS_BOTH	3

#define HZ		1193182

struct i8254_channel {
	uint8_t mode, access;
	bool bcd, gate;
	uint16_t reload;	/* 0 stands for 65536 */
	bool loaded;
	uint64_t start;		/* when counting began, VM time */
	uint64_t stop;		/* when the gate went low, VM time */
	uint8_t write_low;
	bool write_high_next, read_high_next;
	uint16_t latch;
	uint8_t latched;	/* bytes of the latch yet to be read */
	uint8_t status;
	bool status_latched;
};

/**
 * struct i8254 - the timer
 * @channel: 0 is the interrupt's, 2 the speaker's
 * @speaker: bit 1 of port 0x61
 * @out0: the level of @irq
 * @fired: this one-shot of channel 0 has raised its interrupt
 * @edges: of the periodic modes of channel 0, raised so far
 * @next: when to look at channel 0 again, VM time; 0: not at all
 * @now: VM time of the access, or of the timer
 * @irq: OUT of channel 0
 * @timer: for channel 0
 * @counters: ports 0x40 to 0x43
 * @port61: gate of channel 2, speaker, refresh, OUT of channel 2
 */
struct i8254 {
	struct device device;
	struct i8254_channel channel[3];
	bool speaker, out0, fired;
	uint64_t edges, next, now;
	struct irq irq;
	struct timer timer;
	struct region counters, port61;
};

static void set_out0(struct i8254 *pit, bool up)
{
	pit->out0 = up;
	irq_set(&pit->irq, up);
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

	return ns / NS * HZ + ns % NS * HZ / NS;
}

static uint64_t ticks_to_ns(uint64_t n)
{
	/* Rounded up, so that the tick has happened at that time */
	return n / HZ * NS + (n % HZ * NS + HZ - 1) / HZ;
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
		set_out0(pit, false);
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
		set_out0(pit, false);
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

/* Raises due interrupts. Returns when to look again, 0: not at all */
static uint64_t raise_due(struct i8254 *pit)
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
			set_out0(pit, false);
			set_out0(pit, true);
		}
		next = c->start + ticks_to_ns((pit->edges + 1) * period(c));
		/* The guest is not to choose how busy the caller is */
		return next > pit->now + TIMER_FLOOR_NS ? next :
		       pit->now + TIMER_FLOOR_NS;
	}
	if (pit->fired)
		return 0;
	if (n >= period(c)) {
		pit->fired = true;
		set_out0(pit, true);
		return 0;
	}
	return c->start + ticks_to_ns(period(c));
}

static void update(struct i8254 *pit)
{
	pit->next = raise_due(pit);
	loop_set_timer(pit->device.loop, &pit->timer, pit->next);
}

static struct i8254 *at_this_time(struct device *device)
{
	struct i8254 *pit = (struct i8254 *)device;

	pit->now = vm_clock_now(&device->machine->clock);
	return pit;
}

static void on_timer(void *ctx)
{
	update(at_this_time(ctx));
}

static uint64_t i8254_read(struct device *device, uint64_t at,
			   unsigned int size)
{
	struct i8254 *pit = at_this_time(device);

	return at < 3 ? read_count(pit, &pit->channel[at]) : 0xff;
}

/* A square wave that reaches the speaker. Clicks, by its bit alone, are no tone */
static bool sounds(const struct i8254 *pit)
{
	const struct i8254_channel *c = &pit->channel[2];

	return pit->speaker && c->gate && c->loaded && c->mode == 3;
}

/* After an access. @before: it has sounded: the next note is no other tone */
static void note_tone(struct i8254 *pit, bool before)
{
	if (!before && sounds(pit))
		__atomic_add_fetch(&pit->device.machine->beeps, 1,
				   __ATOMIC_RELAXED);
}

static void i8254_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	struct i8254 *pit = at_this_time(device);
	bool before = sounds(pit);

	if (at == 3)
		write_control(pit, value);
	else
		write_count(pit, at, value);
	note_tone(pit, before);
	update(pit);
}

static uint64_t port61_read(struct device *device, uint64_t at,
			    unsigned int size)
{
	struct i8254 *pit = at_this_time(device);
	const struct i8254_channel *c = &pit->channel[2];

	return c->gate | pit->speaker << 1 |
	       (pit->now / REFRESH_NS & 1) << 4 | out(pit, c) << 5;
}

static void port61_write(struct device *device, uint64_t at, uint64_t value,
			 unsigned int size)
{
	struct i8254 *pit = at_this_time(device);
	bool before = sounds(pit);

	set_gate(pit, &pit->channel[2], value & 1);
	pit->speaker = value & 2;
	note_tone(pit, before);
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops counters = { .read = i8254_read,
						    .write = i8254_write };
	static const struct region_ops port61 = { .read = port61_read,
						  .write = port61_write };
	struct i8254 *pit = (struct i8254 *)device;
	struct machine *m = device->machine;

	pit->irq = (struct irq){ .irqs = &m->irqs, .line = 0 };
	m->legacy[0] = &pit->irq;
	pit->timer = (struct timer){ .fn = on_timer, .ctx = pit };
	pit->counters = (struct region){ &counters, device, .len = 4 };
	pit->port61 = (struct region){ &port61, device, .len = 1 };
	return region_map(&m->ports, &pit->counters, 0x40, error) ||
	       region_map(&m->ports, &pit->port61, 0x61, error) ? -1 : 0;
}

static void reset(struct device *device)
{
	struct i8254 *pit = (struct i8254 *)device;
	int i;

	for (i = 0; i < 3; i++) {
		pit->channel[i].access = ACCESS_BOTH;
		pit->channel[i].gate = i != 2;
	}
	irq_set(&pit->irq, false);
	loop_set_timer(device->loop, &pit->timer, 0);
}

static int loaded(struct device *device, struct error *error)
{
	struct i8254 *pit = at_this_time(device);
	const struct i8254_channel *c;

	for (c = pit->channel; c < pit->channel + 3; c++)
		if (c->mode > 5 || c->access < ACCESS_LOW ||
		    c->access > ACCESS_BOTH || c->latched > 2 ||
		    c->start > pit->now || c->stop > pit->now ||
		    pit->next > pit->now + NS)
			return fail(error, STATUS_DATA,
				    "channel %d: a mode (%u), access (%u), latch (%u) or time that is none",
				    (int)(c - pit->channel), c->mode,
				    c->access, c->latched);
	irq_set(&pit->irq, pit->out0);
	loop_set_timer(device->loop, &pit->timer, pit->next);
	return 0;
}

static void destroy(struct device *device)
{
	loop_set_timer(device->loop, &((struct i8254 *)device)->timer, 0);
}

static const struct field channel_fields[] = {
	FIELD(struct i8254_channel, mode), FIELD(struct i8254_channel, access),
	FIELD(struct i8254_channel, bcd), FIELD(struct i8254_channel, gate),
	FIELD(struct i8254_channel, reload),
	FIELD(struct i8254_channel, loaded),
	FIELD(struct i8254_channel, start), FIELD(struct i8254_channel, stop),
	FIELD(struct i8254_channel, write_low),
	FIELD(struct i8254_channel, write_high_next),
	FIELD(struct i8254_channel, read_high_next),
	FIELD(struct i8254_channel, latch),
	FIELD(struct i8254_channel, latched),
	FIELD(struct i8254_channel, status),
	FIELD(struct i8254_channel, status_latched), FIELDS_END
};

static const struct field fields[] = {
	FIELD_STRUCTS(struct i8254, channel, channel_fields),
	FIELD(struct i8254, speaker), FIELD(struct i8254, fired),
	FIELD(struct i8254, out0), FIELD(struct i8254, edges),
	FIELD(struct i8254, next), FIELDS_END
};

static const struct device_class i8254 = {
	.name = "i8254", .size = sizeof(struct i8254), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(i8254);
