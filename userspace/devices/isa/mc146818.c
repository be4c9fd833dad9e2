// SPDX-License-Identifier: GPL-2.0
/*
 * Motorola MC146818: the time of day, 114 bytes of RAM, and three interrupts:
 * each second, at an alarm, and by a rate.
 */
#include <string.h>
#include <time.h>
#include "core/machine.h"

#define SECONDS	0
#define MINUTES	2
#define HOURS	4
#define WEEKDAY	6
#define DAY	7
#define MONTH	8
#define YEAR	9
#define REG_A	10
#define REG_B	11
#define REG_C	12
#define REG_D	13
#define SHUTDOWN 0x0f
#define FLOPPIES 0x10	/* types of drives */
#define EQUIPMENT 0x14
#define BASE_KIB 0x15
#define ABOVE_1M_KIB 0x17
#define ABOVE_1M_KIB_2 0x30
#define CENTURY	0x32
#define BOOT_HIGH 0x38	/* which kinds of disks come first: a nibble for each */
#define BOOT_LOW 0x3d
#define ABOVE_16M_64K 0x34	/* up to 4 GiB */
#define ABOVE_4G_64K 0x5b	/* three bytes */
#define LAST_CPU 0x5f
#define FPU	(1u << 1)
#define MOUSE	(1u << 2)
#define FLOPPY	(1u << 0)
#define TWO_FLOPPIES (1u << 6)

#define NS	1000000000ull
#define DAY_SECONDS 86400
#define A_UIP	(1u << 7)	/* an update is near */
#define A_RATE	0xfu
#define UIP_NS	244000
#define B_24H	(1u << 1)
#define B_BINARY (1u << 2)
#define B_SET	(1u << 7)
/* In B they enable, in C they tell */
#define UPDATE	(1u << 4)
#define ALARM	(1u << 5)
#define PERIODIC (1u << 6)
#define C_IRQ	(1u << 7)
#define ALARM_SECONDS	1
#define ALARM_MINUTES	3
#define ALARM_HOURS	5
#define ANY	0xc0u		/* an alarm's value that always matches */

/**
 * struct mc146818 - the clock
 * @index: the register that the second port accesses
 * @ram: registers and RAM
 * @offset: guest time minus host time, s
 * @second: the last one for which register C was updated, guest time
 * @next: of the periodic interrupt, VM time; 0: none
 * @irq: its line
 * @update: the next second, while an interrupt waits for it
 * @periodic: the timer of @next
 * @region: ports 0x70 and 0x71
 */
struct mc146818 {
	struct device device;
	uint8_t index;
	uint8_t ram[128];
	int64_t offset, second;
	uint64_t next;
	struct irq irq;
	struct timer update, periodic;
	struct region region;
};

static uint8_t encode(const struct mc146818 *rtc, int value)
{
	if (rtc->ram[REG_B] & B_BINARY)
		return value;
	return value / 10 << 4 | value % 10;
}

static int decode(const struct mc146818 *rtc, uint8_t value)
{
	if (rtc->ram[REG_B] & B_BINARY)
		return value;
	return (value >> 4) * 10 + (value & 0xf);
}

static uint8_t encode_hour(const struct mc146818 *rtc, int hour)
{
	if (rtc->ram[REG_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) |
	       (hour >= 12 ? 0x80 : 0);
}

static int decode_hour(const struct mc146818 *rtc, uint8_t value)
{
	if (rtc->ram[REG_B] & B_24H)
		return decode(rtc, value);
	return decode(rtc, value & 0x7f) % 12 + (value & 0x80 ? 12 : 0);
}

/* Seconds of the host's time; and ns since they began, in @ns */
static int64_t host_seconds(uint64_t *ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ns)
		*ns = now.tv_nsec;
	return now.tv_sec;
}

static time_t guest_seconds(const struct mc146818 *rtc)
{
	return host_seconds(NULL) + rtc->offset;
}

/* Copy the time into the registers, unless the guest is setting them */
static void refresh(struct mc146818 *rtc, time_t now)
{
	struct tm tm;
	int year;

	if (rtc->ram[REG_B] & B_SET || !gmtime_r(&now, &tm))
		return;
	year = tm.tm_year + 1900;
	/* The guest can set dates that the registers cannot show */
	if (year < 0 || year > 9999)
		return;
	rtc->ram[SECONDS] = encode(rtc, tm.tm_sec);
	rtc->ram[MINUTES] = encode(rtc, tm.tm_min);
	rtc->ram[HOURS] = encode_hour(rtc, tm.tm_hour);
	rtc->ram[WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	rtc->ram[DAY] = encode(rtc, tm.tm_mday);
	rtc->ram[MONTH] = encode(rtc, tm.tm_mon + 1);
	rtc->ram[YEAR] = encode(rtc, year % 100);
	rtc->ram[CENTURY] = encode(rtc, year / 100);
}

/* The clock goes on from the time that the guest has set */
static void commit(struct mc146818 *rtc)
{
	struct tm tm = {
		.tm_sec = decode(rtc, rtc->ram[SECONDS]),
		.tm_min = decode(rtc, rtc->ram[MINUTES]),
		.tm_hour = decode_hour(rtc, rtc->ram[HOURS]),
		.tm_mday = decode(rtc, rtc->ram[DAY]),
		.tm_mon = decode(rtc, rtc->ram[MONTH]) - 1,
		.tm_year = decode(rtc, rtc->ram[CENTURY]) * 100 +
			   decode(rtc, rtc->ram[YEAR]) - 1900,
	};

	rtc->offset = timegm(&tm) - host_seconds(NULL);
	/* Those between have not passed */
	rtc->second = guest_seconds(rtc) - 1;
}

static void update_irq(struct mc146818 *rtc)
{
	uint8_t *c = &rtc->ram[REG_C];

	*c &= ~C_IRQ;
	if (*c & rtc->ram[REG_B] & (UPDATE | ALARM | PERIODIC))
		*c |= C_IRQ;
	irq_set(&rtc->irq, *c & C_IRQ);
}

static bool matches(const struct mc146818 *rtc, unsigned int alarm,
		    unsigned int now)
{
	return (rtc->ram[alarm] & ANY) == ANY || rtc->ram[alarm] == rtc->ram[now];
}

/*
 * What the seconds since the last call did to register C: an alarm is not missed
 * because nobody looked in its second. A day has all alarms
 */
static void pass_seconds(struct mc146818 *rtc)
{
	int64_t now = guest_seconds(rtc), at = rtc->second;

	if (rtc->ram[REG_B] & B_SET || now == at)
		return;
	if (at > now)
		at = now - 1;
	if (at < now - DAY_SECONDS)
		at = now - DAY_SECONDS;
	rtc->second = now;
	rtc->ram[REG_C] |= UPDATE;
	while (at < now && !(rtc->ram[REG_C] & ALARM)) {
		refresh(rtc, ++at);
		if (matches(rtc, ALARM_SECONDS, SECONDS) &&
		    matches(rtc, ALARM_MINUTES, MINUTES) &&
		    matches(rtc, ALARM_HOURS, HOURS))
			rtc->ram[REG_C] |= ALARM;
	}
	refresh(rtc, now);
	update_irq(rtc);
}

static uint64_t ns_of_second(void)
{
	uint64_t ns;

	host_seconds(&ns);
	return ns;
}

/* ns between periodic interrupts; 0: none */
static uint64_t period(const struct mc146818 *rtc)
{
	unsigned int rate = rtc->ram[REG_A] & A_RATE;
	uint64_t ns;

	if (!rate || !(rtc->ram[REG_B] & PERIODIC))
		return 0;
	/* The first two are those of 8 and 9 */
	ns = (1ull << ((rate < 3 ? rate + 7 : rate) - 1)) * NS / 32768;
	return ns < TIMER_FLOOR_NS ? TIMER_FLOOR_NS : ns;
}

static void set_timers(struct mc146818 *rtc)
{
	uint64_t now = vm_clock_now(&rtc->device.machine->clock);
	struct loop *loop = rtc->device.loop;

	loop_set_timer(loop, &rtc->update,
		       rtc->ram[REG_B] & (UPDATE | ALARM) &&
		       !(rtc->ram[REG_B] & B_SET) ?
		       now + NS - ns_of_second() : 0);
	if (!period(rtc))
		rtc->next = 0;
	else if (!rtc->next)
		rtc->next = now + period(rtc);
	loop_set_timer(loop, &rtc->periodic, rtc->next);
}

static void on_update(void *ctx)
{
	pass_seconds(ctx);
	set_timers(ctx);
}

static void on_periodic(void *ctx)
{
	struct mc146818 *rtc = ctx;
	uint64_t now = vm_clock_now(&rtc->device.machine->clock);

	rtc->ram[REG_C] |= PERIODIC;
	update_irq(rtc);
	/* What was missed is lost */
	rtc->next += period(rtc);
	if (rtc->next < now)
		rtc->next = now + period(rtc);
	set_timers(rtc);
}

static void write_register(struct mc146818 *rtc, uint8_t value)
{
	uint8_t old = rtc->ram[REG_B];

	/* Seconds that are over are no alarm that is set now */
	pass_seconds(rtc);
	refresh(rtc, guest_seconds(rtc));
	switch (rtc->index) {
	case REG_A:
		rtc->ram[REG_A] = value & 0x7f;
		rtc->next = 0;
		set_timers(rtc);
		break;
	case REG_B:
		if (value & B_SET && !(old & B_SET))
			refresh(rtc, guest_seconds(rtc));
		rtc->ram[REG_B] = value;
		if (old & B_SET && !(value & B_SET))
			commit(rtc);
		update_irq(rtc);
		set_timers(rtc);
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		rtc->ram[rtc->index] = value;
		if ((rtc->index <= YEAR && rtc->index != 1 &&
		     rtc->index != 3 && rtc->index != 5) ||
		    rtc->index == CENTURY)
			if (!(rtc->ram[REG_B] & B_SET))
				commit(rtc);
		break;
	}
}

/* What the board has told; a setup's values for it would not be true */
static uint8_t read_ram(const struct mc146818 *rtc)
{
	const struct machine *m = rtc->device.machine;

	switch (rtc->index) {
	case FLOPPIES:
		return m->floppies;
	case EQUIPMENT:
		return rtc->ram[EQUIPMENT] | (m->floppies ? FLOPPY : 0) |
		       (m->floppies & 0xf ? TWO_FLOPPIES : 0);
	case BOOT_HIGH:
		return m->config.boot_kinds >> 4 & 0xf0;
	case BOOT_LOW:
		return m->config.boot_kinds;
	default:
		return rtc->ram[rtc->index];
	}
}

static uint64_t mc146818_read(struct device *device, uint64_t at,
			      unsigned int size)
{
	struct mc146818 *rtc = (struct mc146818 *)device;

	uint8_t value;

	if (!at)
		return 0xff;
	refresh(rtc, guest_seconds(rtc));
	if (rtc->index == REG_A)
		return rtc->ram[REG_A] |
		       (ns_of_second() >= NS - UIP_NS &&
			!(rtc->ram[REG_B] & B_SET) ? A_UIP : 0);
	if (rtc->index != REG_C)
		return read_ram(rtc);
	/* What it tells is over when it has been read */
	pass_seconds(rtc);
	value = rtc->ram[REG_C];
	rtc->ram[REG_C] = 0;
	update_irq(rtc);
	return value;
}

static void mc146818_write(struct device *device, uint64_t at, uint64_t value,
			   unsigned int size)
{
	struct mc146818 *rtc = (struct mc146818 *)device;

	if (at)
		write_register(rtc, value);
	else
		rtc->index = value & 0x7f;
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .read = mc146818_read,
					       .write = mc146818_write };
	struct mc146818 *rtc = (struct mc146818 *)device;

	rtc->irq = (struct irq){ .irqs = &device->machine->irqs, .line = 8 };
	device->machine->legacy[1] = &rtc->irq;
	device->machine->shutdown_code = &rtc->ram[SHUTDOWN];
	rtc->update = (struct timer){ .fn = on_update, .ctx = rtc };
	rtc->periodic = (struct timer){ .fn = on_periodic, .ctx = rtc };
	rtc->region = (struct region){ &ops, device, .len = 2 };
	return region_map(&device->machine->ports, &rtc->region, 0x70, error);
}

static void put16(struct mc146818 *rtc, unsigned int at, uint64_t value)
{
	rtc->ram[at] = value;
	rtc->ram[at + 1] = value >> 8;
}

/* What a BIOS has found: how much RAM there is, and what else a PC has */
static void configure(struct mc146818 *rtc)
{
	const struct machine *m = rtc->device.machine;
	uint64_t kib = m->memory.low >> 10, above = 0;

	if (kib > 1024)
		above = kib - 1024 < 0xffff ? kib - 1024 : 0xffff;
	put16(rtc, BASE_KIB, 640);
	put16(rtc, ABOVE_1M_KIB, above);
	put16(rtc, ABOVE_1M_KIB_2, above);
	if (m->memory.low > 16 << 20)
		put16(rtc, ABOVE_16M_64K, (m->memory.low - (16 << 20)) >> 16);
	put16(rtc, ABOVE_4G_64K, m->memory.high >> 16);
	rtc->ram[ABOVE_4G_64K + 2] = m->memory.high >> 32;
	rtc->ram[LAST_CPU] = m->nr_vcpus - 1;
	rtc->ram[EQUIPMENT] = FPU | MOUSE;
}

/* A battery keeps the time and the RAM, from the machine's beginning on */
static void reset(struct device *device)
{
	struct mc146818 *rtc = (struct mc146818 *)device;

	if (!rtc->ram[REG_D]) {
		rtc->ram[REG_A] = 0x26;
		rtc->ram[REG_B] = B_24H;
		rtc->ram[REG_D] = 0x80;	/* the battery is fine */
		rtc->second = host_seconds(NULL);
		configure(rtc);
	}
	rtc->ram[REG_B] &= ~(UPDATE | ALARM | PERIODIC);
	rtc->ram[REG_C] = 0;
	update_irq(rtc);
	set_timers(rtc);
}

static int loaded(struct device *device, struct error *error)
{
	struct mc146818 *rtc = (struct mc146818 *)device;

	/* Sums of times must not overflow */
	if (rtc->index > 0x7f || rtc->offset > 1ll << 40 ||
	    rtc->offset < -(1ll << 40) ||
	    rtc->next > vm_clock_now(&device->machine->clock) + NS)
		return fail(error, STATUS_DATA,
			    "index 0x%x, at most 0x7f; or offset %lld or next, which is no time",
			    rtc->index, (long long)rtc->offset);
	update_irq(rtc);
	set_timers(rtc);
	return 0;
}

static void destroy(struct device *device)
{
	struct mc146818 *rtc = (struct mc146818 *)device;

	loop_set_timer(device->loop, &rtc->update, 0);
	loop_set_timer(device->loop, &rtc->periodic, 0);
}

static const struct field fields[] = {
	FIELD(struct mc146818, index), FIELD_ARRAY(struct mc146818, ram),
	FIELD(struct mc146818, offset), FIELD(struct mc146818, second),
	FIELD(struct mc146818, next), FIELDS_END
};

static const struct device_class mc146818 = {
	.name = "mc146818", .size = sizeof(struct mc146818), .fields = fields,
	.battery = true, .create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(mc146818);
