// SPDX-License-Identifier: GPL-2.0
/*
 * High Precision Event Timers (IA-PC HPET 1.0a): a counter of 64 bits in VM
 * time, and three timers, one-shot or periodic. As in the 8254, nothing ticks: a
 * value is computed from the time since the counter was started. Interrupts go
 * by lines; there is no delivery as messages (FSB).
 */
#include "core/machine.h"
#include "devices/isa/hpet.h"

#define TIMERS		3
#define TICK_NS		10ull
#define FS_IN_NS	1000000ull

#define CAPABILITIES	0x00
#define CONFIG		0x10
#define STATUS		0x20
#define COUNTER		0xf0
#define TIMER0		0x100	/* and 0x20 for each */
#define TIMER_CONFIG	0x00	/* in these */
#define TIMER_COMPARATOR 0x08

#define ENABLE		(1u << 0)	/* of CONFIG */
#define LEGACY		(1u << 1)

/* Of TIMER_CONFIG */
#define LEVEL		(1u << 1)
#define INTERRUPT	(1u << 2)
#define PERIODIC	(1u << 3)
#define CAP_PERIODIC	(1u << 4)
#define IS_64_BITS	(1u << 5)
#define SET_VALUE	(1u << 6)
#define BITS_32		(1u << 8)
#define ROUTE_SHIFT	9
#define ROUTE		(0x1fu << ROUTE_SHIFT)
#define WRITABLE	(LEVEL | INTERRUPT | PERIODIC | BITS_32 | ROUTE)
/* Pins of the I/O APIC that are nobody else's */
#define ROUTES		0xf00000u

/* Farther matches are none: some hundred years, which no sum overflows */
#define FAR_TICKS	(1ull << 58)

/**
 * struct hpet_timer - one of them
 * @config: WRITABLE
 * @comparator: at which value of the counter it fires next
 * @period: what is added to that, if it is periodic
 * @set_value: the next write of the comparator is no period
 * @up: the level of @irq
 * @next: when it fires, VM time; 0: not
 * @irq: where it is routed to; without ->irqs: nowhere
 */
struct hpet_timer {
	uint32_t config;
	uint64_t comparator, period;
	bool set_value, up;
	uint64_t next;
	struct irq irq;
};

/**
 * struct hpet - the block
 * @config: ENABLE, LEGACY
 * @status: a bit for each timer whose level is up
 * @counter: its value at @start, and while it stands
 * @start: VM time
 * @timer: they fire
 * @tick: the first @next of these
 */
struct hpet {
	struct device device;
	uint32_t config, status;
	uint64_t counter, start;
	struct hpet_timer timer[TIMERS];
	struct timer tick;
	struct region region;
};

static uint64_t now(const struct hpet *hpet)
{
	return vm_clock_now(&hpet->device.machine->clock);
}

static uint64_t count(const struct hpet *hpet, uint64_t time)
{
	if (!(hpet->config & ENABLE))
		return hpet->counter;
	return hpet->counter + (time - hpet->start) / TICK_NS;
}

static uint64_t mask(const struct hpet_timer *t)
{
	return t->config & BITS_32 ? UINT32_MAX : UINT64_MAX;
}

static unsigned int number(const struct hpet *hpet, const struct hpet_timer *t)
{
	return t - hpet->timer;
}

/* ---- interrupts ---------------------------------------------------------- */

/* The line that its configuration says; -1: none */
static int line_of(const struct hpet *hpet, const struct hpet_timer *t)
{
	unsigned int n = number(hpet, t), route;

	if (hpet->config & LEGACY && n < 2)
		return n ? 8 : 0;
	route = (t->config & ROUTE) >> ROUTE_SHIFT;
	return ROUTES >> route & 1 ? (int)route : -1;
}

static void set_up(struct hpet_timer *t, bool up)
{
	t->up = up;
	irq_set(&t->irq, up);
}

/* After a change of what line and level depend on */
static void connect(struct hpet *hpet, struct hpet_timer *t)
{
	int line = line_of(hpet, t);
	bool level = hpet->status >> number(hpet, t) & 1;

	if (t->irq.irqs && line != (int)t->irq.line) {
		/* An edge was where it was before */
		set_up(t, false);
		t->irq = (struct irq){ 0 };
	}
	/* After a load it is up where it was: to an I/O APIC it still is */
	if (!t->irq.irqs && line >= 0)
		t->irq = (struct irq){ .irqs = &hpet->device.machine->irqs,
				       .line = line };
	if (t->config & LEVEL || !(t->config & INTERRUPT))
		set_up(t, level && t->config & INTERRUPT);
	else
		irq_set(&t->irq, t->up);
}

/* A source that comes back is seen when it is set up next */
static void cut(struct irq *irq, struct irqs *irqs, bool off)
{
	if (off)
		irq_set(irq, false);
	irq->irqs = off ? NULL : irqs;
}

/* Those of the 8254 and the RTC are replaced by timers 0 and 1 */
static void connect_all(struct hpet *hpet)
{
	struct machine *m = hpet->device.machine;
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (m->legacy[i])
			cut(m->legacy[i], &m->irqs, hpet->config & LEGACY);
	for (i = 0; i < TIMERS; i++)
		connect(hpet, &hpet->timer[i]);
}

static void fire(struct hpet *hpet, struct hpet_timer *t)
{
	if (t->config & LEVEL) {
		hpet->status |= 1u << number(hpet, t);
		connect(hpet, t);
	} else if (t->config & INTERRUPT && t->irq.irqs) {
		/* An edge: it stays up, so that an i8259 finds it */
		set_up(t, false);
		set_up(t, true);
	}
}

/* ---- time ---------------------------------------------------------------- */

/* Sets @next to the next match, of which one is @distance ticks from now */
static void arm(struct hpet *hpet, struct hpet_timer *t, uint64_t time,
		uint64_t distance)
{
	uint64_t ticks = (time - hpet->start) / TICK_NS;

	t->next = 0;
	if (hpet->config & ENABLE && distance < FAR_TICKS)
		/* The tick in which it matches begins then */
		t->next = hpet->start + (ticks + distance) * TICK_NS;
}

/* As after a write to it: a match in this very tick counts */
static void restart(struct hpet *hpet, struct hpet_timer *t, uint64_t time)
{
	arm(hpet, t, time, (t->comparator - count(hpet, time)) & mask(t));
}

/* It has fired, maybe late: several missed periods become one */
static void step(struct hpet *hpet, struct hpet_timer *t, uint64_t time)
{
	uint64_t at = count(hpet, time), period = t->period & mask(t);
	uint64_t passed = (at - t->comparator) & mask(t), until = passed;

	if (!(t->config & PERIODIC) || !period) {
		/* Once more when the counter has gone round */
		arm(hpet, t, time, mask(t) - passed + 1 ?: UINT64_MAX);
		return;
	}
	/* The guest is not to choose how busy the loop is */
	if (period < TIMER_FLOOR_NS / TICK_NS)
		until += TIMER_FLOOR_NS / TICK_NS;
	t->comparator = (t->comparator + (until / period + 1) * period) &
			mask(t);
	restart(hpet, t, time);
}

static void set_tick(struct hpet *hpet)
{
	uint64_t first = 0;
	unsigned int i;

	for (i = 0; i < TIMERS; i++) {
		uint64_t next = hpet->timer[i].next;

		if (next && (!first || next < first))
			first = next;
	}
	loop_set_timer(hpet->device.loop, &hpet->tick, first);
}

static void fire_due(struct hpet *hpet, uint64_t time)
{
	unsigned int i;

	for (i = 0; i < TIMERS; i++) {
		struct hpet_timer *t = &hpet->timer[i];

		if (!t->next || t->next > time)
			continue;
		step(hpet, t, time);
		fire(hpet, t);
	}
}

static void on_tick(void *ctx)
{
	struct hpet *hpet = ctx;

	fire_due(hpet, now(hpet));
	set_tick(hpet);
}

static void restart_all(struct hpet *hpet, uint64_t time)
{
	unsigned int i;

	for (i = 0; i < TIMERS; i++)
		restart(hpet, &hpet->timer[i], time);
}

/* ---- registers ----------------------------------------------------------- */

static uint64_t read_timer(const struct hpet_timer *t, uint64_t at)
{
	switch (at) {
	case TIMER_CONFIG:
		return (uint64_t)ROUTES << 32 | t->config | CAP_PERIODIC |
		       IS_64_BITS;
	case TIMER_COMPARATOR:
		return t->comparator;
	default:
		return 0;
	}
}

/* The whole of the register at @at */
static uint64_t read_register(const struct hpet *hpet, uint64_t at)
{
	if (at >= TIMER0 && (at - TIMER0) / 0x20 < TIMERS)
		return read_timer(&hpet->timer[(at - TIMER0) / 0x20],
				  at & 0x1f);
	switch (at) {
	case CAPABILITIES:
		return TICK_NS * FS_IN_NS << 32 | HPET_ID;
	case CONFIG:
		return hpet->config;
	case STATUS:
		return hpet->status;
	case COUNTER:
		return count(hpet, now(hpet));
	default:
		return 0;
	}
}

static void write_config(struct hpet *hpet, uint32_t value, uint64_t time)
{
	hpet->counter = count(hpet, time);
	hpet->start = time;
	hpet->config = value & (ENABLE | LEGACY);
	connect_all(hpet);
	restart_all(hpet, time);
}

static void write_timer_config(struct hpet *hpet, struct hpet_timer *t,
			       uint32_t value, uint64_t time)
{
	if (!(ROUTES >> ((value & ROUTE) >> ROUTE_SHIFT) & 1))
		value = (value & ~ROUTE) | (t->config & ROUTE);
	/* An edge that stays up is no level */
	if ((t->config ^ value) & LEVEL)
		t->up = false;
	t->config = value & WRITABLE;
	t->set_value = value & SET_VALUE;
	t->comparator &= mask(t);
	t->period &= mask(t);
	if (!(t->config & LEVEL))
		hpet->status &= ~(1u << number(hpet, t));
	connect(hpet, t);
	restart(hpet, t, time);
}

/*
 * 2.3.9.2.2: what is written last is the period, and with SET_VALUE, before it,
 * the first match
 */
static void write_comparator(struct hpet *hpet, struct hpet_timer *t,
			     uint64_t value, uint64_t time)
{
	value &= mask(t);
	if (!(t->config & PERIODIC) || t->set_value) {
		t->comparator = value;
		restart(hpet, t, time);
	}
	t->period = value;
	t->set_value = false;
}

static void write_timer(struct hpet *hpet, struct hpet_timer *t, uint64_t at,
			uint64_t value, uint64_t time)
{
	if (at == TIMER_CONFIG)
		write_timer_config(hpet, t, value, time);
	else if (at == TIMER_COMPARATOR)
		write_comparator(hpet, t, value, time);
	set_tick(hpet);
}

static uint64_t hpet_read(struct device *device, uint64_t at, unsigned int size)
{
	return read_register((struct hpet *)device, at & ~7ull) >> 8 * (at & 4);
}

/* The timer whose registers are at @at, or NULL */
static struct hpet_timer *timer_at(struct hpet *hpet, uint64_t at)
{
	return at >= TIMER0 && at < TIMER0 + 0x20 * TIMERS ?
	       &hpet->timer[(at - TIMER0) / 0x20] : NULL;
}

/* What a write of a half leaves of the other: of a period, if that is written */
static uint64_t old_value(struct hpet *hpet, uint64_t at)
{
	const struct hpet_timer *t = timer_at(hpet, at);

	if (at == STATUS)
		return 0;
	if (t && (at & 0x1f) == TIMER_COMPARATOR && t->config & PERIODIC &&
	    !t->set_value)
		return t->period;
	return read_register(hpet, at);
}

static void hpet_write(struct device *device, uint64_t at, uint64_t value,
		       unsigned int size)
{
	struct hpet *hpet = (struct hpet *)device;
	uint64_t time = now(hpet), reg = at & ~7ull, keep;
	unsigned int shift = 8 * (at & 4), i;

	/* The loop may be late, and what has passed is not to come once more */
	fire_due(hpet, time);
	if (size < 8 || shift) {
		keep = old_value(hpet, reg) & ~((uint64_t)UINT32_MAX << shift);
		value = keep | (value & UINT32_MAX) << shift;
	}
	if (timer_at(hpet, reg)) {
		write_timer(hpet, timer_at(hpet, reg), reg & 0x1f, value, time);
		return;
	}
	switch (reg) {
	case CONFIG:
		write_config(hpet, value, time);
		break;
	case STATUS:
		hpet->status &= ~value;
		for (i = 0; i < TIMERS; i++)
			connect(hpet, &hpet->timer[i]);
		break;
	case COUNTER:
		hpet->counter = value;
		hpet->start = time;
		restart_all(hpet, time);
		break;
	}
	set_tick(hpet);
}

/* ---- the device ---------------------------------------------------------- */

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .min = 4, .max = 8,
					       .read = hpet_read,
					       .write = hpet_write };
	struct hpet *hpet = (struct hpet *)device;
	struct machine *m = device->machine;

	if (device->number)
		return fail(error, STATUS_USAGE, "--device hpet: there is one");
	hpet->tick = (struct timer){ .fn = on_tick, .ctx = hpet };
	hpet->region = (struct region){ &ops, device, .len = 1024 };
	if (region_map(&m->mmio, &hpet->region, HPET_BASE, error))
		return -1;
	m->hpet = true;
	return 0;
}

static void reset(struct device *device)
{
	struct hpet *hpet = (struct hpet *)device;
	unsigned int i;

	for (i = 0; i < TIMERS; i++)
		hpet->timer[i].comparator = UINT64_MAX;
	connect_all(hpet);
	set_tick(hpet);
}

static int loaded(struct device *device, struct error *error)
{
	struct hpet *hpet = (struct hpet *)device;
	uint64_t time = now(hpet);
	unsigned int i;

	if (hpet->config & ~(ENABLE | LEGACY) || hpet->start > time ||
	    hpet->status >> TIMERS)
		return fail(error, STATUS_DATA,
			    "a configuration (0x%x), status (0x%x) or time that is none",
			    hpet->config, hpet->status);
	for (i = 0; i < TIMERS; i++) {
		const struct hpet_timer *t = &hpet->timer[i];

		/* Times must not overflow, and not be far behind */
		if (t->config & ~WRITABLE || t->comparator & ~mask(t) ||
		    t->period & ~mask(t) ||
		    (t->next && !(hpet->config & ENABLE)) ||
		    t->next > time + 2 * FAR_TICKS * TICK_NS)
			return fail(error, STATUS_DATA,
				    "timer %u: a configuration (0x%x), value or time that is none",
				    i, t->config);
	}
	connect_all(hpet);
	set_tick(hpet);
	return 0;
}

static void destroy(struct device *device)
{
	struct hpet *hpet = (struct hpet *)device;

	loop_set_timer(device->loop, &hpet->tick, 0);
	device->machine->hpet = false;
}

static const struct field timer_fields[] = {
	FIELD(struct hpet_timer, config),
	FIELD(struct hpet_timer, comparator), FIELD(struct hpet_timer, period),
	FIELD(struct hpet_timer, set_value), FIELD(struct hpet_timer, up),
	FIELD(struct hpet_timer, next), FIELDS_END
};

static const struct field fields[] = {
	FIELD(struct hpet, config), FIELD(struct hpet, status),
	FIELD(struct hpet, counter), FIELD(struct hpet, start),
	FIELD_STRUCTS(struct hpet, timer, timer_fields), FIELDS_END
};

static const struct device_class hpet = {
	.name = "hpet", .help = "high precision event timers, besides the PC's",
	.size = sizeof(struct hpet), .fields = fields, .create = create,
	.reset = reset, .loaded = loaded, .destroy = destroy,
};
DEVICE_CLASS(hpet);
