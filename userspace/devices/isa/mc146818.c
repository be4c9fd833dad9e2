// SPDX-License-Identifier: GPL-2.0
/*
 * Motorola MC146818: the time of day and 114 bytes of RAM. Its interrupts
 * (alarm, periodic, update) are not connected.
 */
#include <string.h>
#include <time.h>
#include "devices.h"

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
#define CENTURY	0x32

#define B_24H	(1u << 1)
#define B_BINARY (1u << 2)
#define B_SET	(1u << 7)

void mc146818_init(struct mc146818 *rtc, int64_t (*clock)(void))
{
	memset(rtc, 0, sizeof(*rtc));
	rtc->clock = clock;
	rtc->ram[REG_A] = 0x26;
	rtc->ram[REG_B] = B_24H;
	rtc->ram[REG_D] = 0x80;	/* the battery is fine */
}

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

/* Copy the time into the registers, unless the guest is setting them */
static void refresh(struct mc146818 *rtc)
{
	time_t now = rtc->clock() + rtc->offset;
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

	rtc->offset = timegm(&tm) - rtc->clock();
}

static void write_register(struct mc146818 *rtc, uint8_t value)
{
	uint8_t old = rtc->ram[REG_B];

	refresh(rtc);
	switch (rtc->index) {
	case REG_A:
		rtc->ram[REG_A] = value & 0x7f;
		break;
	case REG_B:
		if (value & B_SET && !(old & B_SET))
			refresh(rtc);
		rtc->ram[REG_B] = value;
		if (old & B_SET && !(value & B_SET))
			commit(rtc);
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

void mc146818_access(void *opaque, uint64_t offset, void *data,
		     unsigned int size, bool write)
{
	struct mc146818 *rtc = opaque;
	uint8_t *value = data;

	if (!offset) {
		if (write)
			rtc->index = *value & 0x7f;
	} else if (write) {
		write_register(rtc, *value);
	} else {
		refresh(rtc);
		*value = rtc->ram[rtc->index];
	}
}
