// SPDX-License-Identifier: GPL-2.0
/*
 * Runs inside a Linux guest, statically linked: the interrupts of the clock's
 * chip, counted, and timed by the guest's clock. Linux makes updates of alarms,
 * and periods of its own timers: what the chip itself does is set by its ports.
 *
 *   rtc update         /dev/rtc0: an interrupt each second
 *   rtc periodic       /dev/rtc0: 64 of them each second
 *   rtc chip-update    the same by the chip, whose line has to be the kernel's
 *   rtc chip-periodic
 */
#include <fcntl.h>
#include <linux/rtc.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define HZ	64
#define LONG	10	/* seconds; a busy host takes its time */
#define REG_A	10
#define REG_B	11
#define RATE	0x0fu
#define RATE_64	0x0au
#define UPDATE	0x10u
#define PERIODIC 0x40u

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Says what it saw. The guest's clock stands while the host saves it. 0: not so long */
static double took(double since, double least, double most, unsigned long count)
{
	double time = now() - since;

	printf("# %lu interrupts in %.3f s\n", count, time);
	return time > least && time < most ? time : 0;
}

/* At both ends of the time one may be in it or not */
static bool at_rate(unsigned long count, double time)
{
	return time && count + 1 > HZ * time * 0.85 &&
	       count < HZ * time * 1.15 + 1;
}

/* How many have come since the last call; 0: one that is of another kind */
static unsigned long wait_for(int fd, unsigned long kind)
{
	unsigned long data;

	if (read(fd, &data, sizeof(data)) != sizeof(data) ||
	    (data & 0xff) != (kind | RTC_IRQF))
		return 0;
	return data >> 8;
}

/* Of a minute */
static int second(int fd)
{
	struct rtc_time time;

	return ioctl(fd, RTC_RD_TIME, &time) ? -1 : time.tm_sec;
}

/* As many interrupts as seconds, though the last may have begun just now */
static bool each_second(int first, int last, unsigned long count)
{
	int passed = (last - first + 60) % 60;

	return first >= 0 && last >= 0 && (int)count + 1 >= passed &&
	       (int)count <= passed + 1;
}

/*
 * While the guest is saved this clock goes on, and the guest's own does not: they are
 * counted by this one's seconds, and the guest's time has only an upper bound
 */
static bool updates(int fd)
{
	unsigned long count, more;
	double since;
	int first;

	if (ioctl(fd, RTC_UIE_ON) || !wait_for(fd, RTC_UF))
		return false;
	since = now();
	first = second(fd);
	count = wait_for(fd, RTC_UF);
	more = wait_for(fd, RTC_UF);
	return took(since, 0, LONG, count + more) && count && more &&
	       each_second(first, second(fd), count + more) &&
	       !ioctl(fd, RTC_UIE_OFF);
}

static bool periods(int fd)
{
	unsigned long count = 0, more;
	double since;

	if (ioctl(fd, RTC_IRQP_SET, HZ) || ioctl(fd, RTC_PIE_ON))
		return false;
	since = now();
	while (count < HZ) {
		more = wait_for(fd, RTC_PF);
		if (!more)
			return false;
		count += more;
	}
	return at_rate(count, took(since, 0.8, LONG, count)) && !ioctl(fd, RTC_PIE_OFF);
}

static uint8_t get(uint8_t at)
{
	outb(at, 0x70);
	return inb(0x71);
}

/*
 * Only the kernel's interrupt handler can come in between. It leaves register B or
 * C behind, of which C cannot be written
 */
static bool put(uint8_t at, uint8_t value)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		outb(at, 0x70);
		outb(value, 0x71);
		if (get(at) == value)
			return true;
	}
	return false;
}

/* Of the kernel's handler: there is one CPU */
static unsigned long handled(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned long count = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, " rtc0"))
			sscanf(line, " %*u: %lu", &count);
	if (file)
		fclose(file);
	return count;
}

/*
 * For two seconds, in which @enable in register B makes interrupts. Returns how long it
 * was, 0: something is wrong
 */
static double chip(int fd, uint8_t enable, unsigned long *count, int *first)
{
	struct sched_param param = { .sched_priority = 1 };
	double since, time;
	uint8_t a, b;
	bool good;

	/* So that no other thread of the kernel's is between two accesses */
	if (sched_setscheduler(0, SCHED_FIFO, &param) || ioperm(0x70, 2, 1))
		return 0;
	a = get(REG_A) & 0x7f;
	b = get(REG_B);
	if (!put(REG_A, (a & ~RATE) | RATE_64))
		return 0;
	*count = handled();
	*first = second(fd);
	since = now();
	good = put(REG_B, b | enable);
	sleep(2);
	*count = handled() - *count;
	time = took(since, 1.9, LONG, *count);
	return put(REG_B, b) && put(REG_A, a) && good ? time : 0;
}

static bool chip_updates(int fd)
{
	unsigned long count;
	int first;

	return chip(fd, UPDATE, &count, &first) && count &&
	       each_second(first, second(fd), count);
}

static bool chip_periods(int fd)
{
	unsigned long count;
	int first;
	double time = chip(fd, PERIODIC, &count, &first);

	return at_rate(count, time);
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	int fd = open("/dev/rtc0", O_RDONLY);

	if (fd < 0) {
		perror("/dev/rtc0");
		return 2;
	}
	/* An interrupt that does not come */
	alarm(20);
	if (!strcmp(what, "update"))
		return !updates(fd);
	if (!strcmp(what, "periodic"))
		return !periods(fd);
	if (!strcmp(what, "chip-update"))
		return !chip_updates(fd);
	if (!strcmp(what, "chip-periodic"))
		return !chip_periods(fd);
	return 2;
}
