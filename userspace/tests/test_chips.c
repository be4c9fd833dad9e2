// SPDX-License-Identifier: GPL-2.0
/* The chips, compared with their data sheets. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/bare.h"

/* ---- i8259 ------------------------------------------------------------ */

static void pic_start(void)
{
	bare_start();
	bare_device("i8259");
	outb(0x20, 0x11);
	outb(0x21, 0x20);
	outb(0x21, 0x04);
	outb(0x21, 0x01);
	outb(0xa0, 0x11);
	outb(0xa1, 0x28);
	outb(0xa1, 0x02);
	outb(0xa1, 0x01);
}

static void pic_set(unsigned int line, bool up)
{
	m.irqs.pic.set(m.irqs.pic.device, line, up);
}

static uint8_t pic_ack(void)
{
	return m.irqs.pic.ack(m.irqs.pic.device);
}

static void pulse(unsigned int irq)
{
	pic_set(irq, true);
	pic_set(irq, false);
}

static void pic_priorities(void **state)
{
	pic_start();
	assert_false(pic_pending(&m.irqs));
	pic_set(4, true);
	pic_set(12, true);
	pic_set(0, true);
	assert_int_equal(pic_ack(), 0x20);
	/* 0 is in service: no lower priority may interrupt */
	assert_false(pic_pending(&m.irqs));
	outb(0x20, 0x20);
	/* The slave is connected to input 2, so it goes before 4 */
	assert_int_equal(pic_ack(), 0x2c);
	assert_false(pic_pending(&m.irqs));
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
	assert_int_equal(pic_ack(), 0x24);
	outb(0x20, 0x64);	/* specific EOI */
	/* The inputs are edges: lines that are still up request nothing */
	assert_false(pic_pending(&m.irqs));
	pic_set(4, false);
	pic_set(4, true);
	assert_true(pic_pending(&m.irqs));
}

static void pic_mask_and_spurious(void **state)
{
	pic_start();
	outb(0x21, 0x10);
	pic_set(4, true);
	assert_false(pic_pending(&m.irqs));
	assert_int_equal(inb(0x21), 0x10);
	assert_int_equal(inb(0x20), 0x10);	/* IRR */
	outb(0x21, 0);
	assert_true(pic_pending(&m.irqs));
	/* The line falls before INTA: spurious, and nothing is in service */
	pic_set(4, false);
	assert_int_equal(pic_ack(), 0x27);
	outb(0x20, 0x0b);
	assert_int_equal(inb(0x20), 0);	/* ISR */
}

static void pic_level(void **state)
{
	pic_start();
	outb(0x4d1, 0xff);
	assert_int_equal(inb(0x4d1), 0xde);
	pic_set(9, true);
	assert_int_equal(pic_ack(), 0x29);
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
	assert_true(pic_pending(&m.irqs));
	pic_set(9, false);
	assert_false(pic_pending(&m.irqs));
	/* An input becomes a level while its line is up, and an edge again */
	outb(0x4d1, 0);
	pic_set(11, true);
	assert_int_equal(pic_ack(), 0x2b);
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
	assert_false(pic_pending(&m.irqs));
	outb(0x4d1, 0x08);
	assert_true(pic_pending(&m.irqs));
	outb(0x4d1, 0);
	assert_false(pic_pending(&m.irqs));
}

static void pic_modes(void **state)
{
	/* Automatic EOI */
	pic_start();
	outb(0x20, 0x11);
	outb(0x21, 0x20);
	outb(0x21, 0x04);
	outb(0x21, 0x03);
	pic_set(1, true);
	pic_set(3, true);
	assert_int_equal(pic_ack(), 0x21);
	assert_int_equal(pic_ack(), 0x23);
	/* Rotation: after a rotating EOI of 3, 4 comes before 1 */
	pic_start();
	pic_set(3, true);
	pic_ack();
	outb(0x20, 0xa0);
	pic_set(1, true);
	pic_set(4, true);
	assert_int_equal(pic_ack(), 0x24);
	/* An acknowledge that was none */
	m.irqs.pic.put_back(m.irqs.pic.device);
	assert_int_equal(pic_ack(), 0x24);
	/* Poll */
	pic_start();
	pulse(5);
	pic_set(5, true);
	outb(0x20, 0x0c);
	assert_int_equal(inb(0x20), 0x85);
}

/* ---- i8254 ------------------------------------------------------------ */

static void pit_start(uint8_t control, uint16_t count)
{
	bare_start();
	bare_device("i8254");
	outb(0x43, control);
	outb(0x40 + (control >> 6), count);
	outb(0x40 + (control >> 6), count >> 8);
}

static uint16_t pit_read(int n)
{
	uint8_t low;

	outb(0x43, n << 6);
	low = inb(0x40 + n);
	return low | inb(0x40 + n) << 8;
}

static void pit_periodic(void **state)
{
	uint64_t next, start;
	int i;

	pit_start(0x34, 11932);	/* mode 2, 100 Hz */
	start = m.clock.stopped_at;
	for (i = 1; i <= 5; i++) {
		next = run_timers();
		assert_in_range(next - start, i * 10000150ull - 100,
				i * 10000150ull + 1000);
		assert_int_equal(noted.edges[0], i - 1);
		m.clock.stopped_at = next;
		run_timers();
		assert_int_equal(noted.edges[0], i);
	}
	/* All edges that were missed in a long sleep are one */
	m.clock.stopped_at += 1000000000;
	run_timers();
	assert_int_equal(noted.edges[0], 6);
	/* It counts down and reloads */
	m.clock.stopped_at = start + 5000000;
	assert_in_range(pit_read(0), 5960, 5970);
}

static void pit_one_shot(void **state)
{
	uint64_t next;

	pit_start(0x30, 1193);	/* mode 0, 1 ms */
	next = run_timers();
	assert_in_range(next - m.clock.stopped_at, 999000, 1001000);
	assert_int_equal(inb(0x43), 0xff);
	m.clock.stopped_at = next;
	assert_int_equal(run_timers(), 0);
	assert_int_equal(noted.edges[0], 1);
	m.clock.stopped_at += 1000000000;
	assert_int_equal(run_timers(), 0);
	assert_int_equal(noted.edges[0], 1);
	/* A new count makes another interrupt */
	outb(0x40, 0xff);
	outb(0x40, 0);
	assert_true(run_timers() > m.clock.stopped_at);
	/* A control word alone stops it */
	outb(0x43, 0x30);
	assert_int_equal(run_timers(), 0);
}

static void pit_channel2(void **state)
{

	/* As Linux calibrates the TSC: gate on, mode 0, wait for OUT */
	bare_start();
	bare_device("i8254");
	outb(0x61, 1);
	outb(0x43, 0xb0);
	outb(0x42, 0xff);
	outb(0x42, 0x2e);
	assert_int_equal(inb(0x61) & 0x21, 0x01);
	m.clock.stopped_at += 10100000;
	assert_int_equal(inb(0x61) & 0x20, 0x20);
}

static void pit_tones(void **state)
{
	bare_start();
	bare_device("i8254");
	/* A wave, a gate and the speaker, in whatever order they come */
	outb(0x43, 0xb6);
	outb(0x42, 0x34);
	outb(0x42, 0x12);
	assert_int_equal(m.beeps, 0);
	outb(0x61, 3);
	assert_int_equal(m.beeps, 1);
	/* The next note goes on with it */
	outb(0x42, 0x34);
	outb(0x42, 0x10);
	outb(0x61, 3);
	assert_int_equal(m.beeps, 1);
	outb(0x61, 1);
	outb(0x61, 3);
	assert_int_equal(m.beeps, 2);
	outb(0x43, 0xb6);
	outb(0x42, 0x34);
	outb(0x42, 0x12);
	assert_int_equal(m.beeps, 3);
	/* A one-shot, by which samples are played, and clicks */
	outb(0x43, 0xb0);
	outb(0x42, 0x34);
	outb(0x42, 0x12);
	outb(0x61, 2);
	outb(0x61, 0);
	outb(0x61, 3);
	assert_int_equal(m.beeps, 3);
}

/* A guest that asks for an interrupt each 838 ns does not get them */
static void pit_shortest_period(void **state)
{
	uint64_t next;

	pit_start(0x34, 1);
	next = run_timers();
	assert_int_equal(m.clock.stopped_at + 200000, next);
	m.clock.stopped_at = next;
	assert_int_equal(next + 200000, run_timers());
	assert_int_equal(1, noted.edges[0]);
}

/* Modes 6 and 7 are 2 and 3 */
static void pit_mode_7(void **state)
{

	pit_start(0x3e, 0x5cec);
	m.clock.stopped_at = run_timers();
	run_timers();
	assert_int_equal(1, noted.edges[0]);
	m.clock.stopped_at = run_timers();
	run_timers();
	assert_int_equal(2, noted.edges[0]);
}

/* The first byte of a count stops mode 0, the second starts it */
static void pit_half_a_count(void **state)
{

	pit_start(0x30, 1193);
	outb(0x40, 0xff);
	m.clock.stopped_at += 10000000;
	assert_int_equal(0, run_timers());
	assert_int_equal(0, noted.edges[0]);
	outb(0x40, 1);
	assert_true(run_timers() > m.clock.stopped_at);
}

static void pit_gate(void **state)
{
	uint16_t value;

	/* Mode 0: the gate stops the counter, which then goes on */
	pit_start(0xb0, 11932);
	outb(0x61, 1);
	assert_in_range(pit_read(2), 11930, 11932);
	m.clock.stopped_at += 4000000;
	outb(0x61, 0);
	value = pit_read(2);
	assert_in_range(value, 7150, 7170);
	m.clock.stopped_at += 50000000;
	assert_int_equal(value, pit_read(2));
	assert_int_equal(0, inb(0x61) & 0x20);
	outb(0x61, 1);
	m.clock.stopped_at += 5900000;
	assert_int_equal(0, inb(0x61) & 0x20);
	m.clock.stopped_at += 200000;
	assert_int_equal(0x20, inb(0x61) & 0x20);
	/* Mode 3: it starts anew, and OUT is high meanwhile */
	pit_start(0xb6, 11932);
	outb(0x61, 1);
	m.clock.stopped_at += 7000000;
	assert_int_equal(0, inb(0x61) & 0x20);
	outb(0x61, 0);
	assert_int_equal(0x20, inb(0x61) & 0x20);
	outb(0x61, 1);
	assert_in_range(pit_read(2), 11930, 11932);
}

/* Some programs wait for changes of the refresh bit to measure time */
static void port61_refresh(void **state)
{
	unsigned int i, changes = 0;
	uint8_t last = 0, now;

	bare_start();
	bare_device("i8254");
	for (i = 0; i < 15100; i++, last = now) {
		m.clock.stopped_at += 100;
		now = inb(0x61) & 0x10;
		changes += now != last;
	}
	assert_in_range(changes, 99, 101);
}

static void pit_read_back(void **state)
{
	uint8_t low;

	pit_start(0x36, 1000);
	outb(0x43, 0xc2);	/* count and status */
	assert_int_equal(inb(0x40), 0xb6);
	low = inb(0x40);
	assert_int_equal(low | inb(0x40) << 8, 1000);
	/* A latched value stays while time goes on */
	outb(0x43, 0x00);
	m.clock.stopped_at += 100000;
	low = inb(0x40);
	assert_int_equal(low | inb(0x40) << 8, 1000);
}

/* ---- mc146818 --------------------------------------------------------- */

static int64_t passed;	/* s */

/* libc's: the real-time clock's is fixed */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_REALTIME)
		return syscall(SYS_clock_gettime, clock, now);
	*now = (struct timespec){ .tv_sec = passed + 1767225599 };
	return 0;
}

static void rtc_time(void **state)
{

	bare_start();
	bare_device("mc146818");
	assert_int_equal(rtc_get(0), 0x59);
	assert_int_equal(rtc_get(2), 0x59);
	assert_int_equal(rtc_get(4), 0x23);
	assert_int_equal(rtc_get(6), 4);
	assert_int_equal(rtc_get(7), 0x31);
	assert_int_equal(rtc_get(8), 0x12);
	assert_int_equal(rtc_get(9), 0x25);
	assert_int_equal(rtc_get(0x32), 0x20);
	assert_int_equal(rtc_get(13), 0x80);
	assert_int_equal(rtc_get(10) & 0x80, 0);
	/* Binary, 12 hours */
	rtc_put(11, 0x04);
	assert_int_equal(rtc_get(0), 59);
	assert_int_equal(rtc_get(4), 0x8b);
}

static void rtc_set(void **state)
{
	uint8_t i;

	bare_start();
	bare_device("mc146818");
	rtc_put(11, 0x82);
	rtc_put(9, 0x30);
	rtc_put(8, 0x01);
	rtc_put(7, 0x02);
	rtc_put(4, 0x03);
	rtc_put(2, 0x04);
	rtc_put(0, 0x05);
	rtc_put(11, 0x02);
	assert_int_equal(rtc_get(9), 0x30);
	assert_int_equal(rtc_get(4), 0x03);
	assert_int_equal(rtc_get(0), 0x05);
	/* Before 1900, and a time that is none */
	rtc_put(0x32, 0);
	rtc_put(9, 0x50);
	assert_int_equal(rtc_get(9), 0x50);
	assert_int_equal(rtc_get(0x32), 0);
	for (i = 0; i < 10; i++)
		rtc_put(i, 0xff);
	rtc_put(0x32, 0xff);
	rtc_get(9);
	/* RAM */
	rtc_put(0x40, 0xa5);
	assert_int_equal(rtc_get(0x40), 0xa5);
}

static void rtc_interrupts(void **state)
{
	uint64_t next;

	bare_start();
	bare_device("mc146818");
	passed = 0;
	/* Not midnight, which would be an alarm, too */
	rtc_put(1, 0x99);
	/* Without an interrupt: told in register C, once */
	assert_int_equal(rtc_get(12), 0);
	passed++;
	assert_int_equal(rtc_get(12), 0x10);
	assert_int_equal(rtc_get(12), 0);
	assert_false(noted.up[8]);
	assert_int_equal(run_timers(), 0);
	/* Each second, at its beginning */
	rtc_put(11, 0x12);
	next = run_timers();
	assert_in_range(next - m.clock.stopped_at, 0, 1000000000);
	passed++;
	m.clock.stopped_at = next;
	run_timers();
	assert_true(noted.up[8]);
	assert_int_equal(rtc_get(12), 0x90);
	assert_false(noted.up[8]);
	/* An alarm in three seconds: at 00:00:04 */
	rtc_put(11, 0x22);
	rtc_put(1, 0x04);
	rtc_put(3, 0x00);
	rtc_put(5, 0xff);
	rtc_get(12);
	while (!noted.up[8] && passed < 10) {
		passed++;
		m.clock.stopped_at = run_timers();
		run_timers();
	}
	assert_int_equal(rtc_get(0), 0x04);
	assert_int_equal(rtc_get(12), 0xb0);
	/* One whose second passes while nobody looks; at 00:00:07 */
	rtc_put(1, 0x07);
	passed += 5;
	m.clock.stopped_at = run_timers();
	run_timers();
	assert_int_equal(rtc_get(0), 0x09);
	assert_int_equal(rtc_get(12), 0xb0);
	/* One that is over when it is set */
	rtc_put(11, 0x02);
	passed += 5;
	rtc_put(1, 0x12);
	assert_int_equal(rtc_get(12), 0x10);
	/* 64 Hz; and the highest rate has the floor of all timers */
	rtc_put(10, 0x2a);
	rtc_put(11, 0x42);
	next = run_timers();
	assert_int_equal(next - m.clock.stopped_at, 15625000);
	m.clock.stopped_at = next;
	assert_int_equal(run_timers(), next + 15625000);
	assert_int_equal(rtc_get(12) & 0xc0, 0xc0);
	rtc_put(10, 0x23);
	assert_int_equal(run_timers(), m.clock.stopped_at + 200000);
	rtc_put(10, 0x20);
	assert_int_equal(run_timers(), 0);
	passed = 0;
}

/* ---- ns16550 ---------------------------------------------------------- */

static void uart_start(void)
{
	bare_start();
	bare_device("ns16550");
}

/* As if the user had typed it. False: it waits outside */
static bool type(char byte)
{
	wire.typed[wire.end++] = byte;
	wire.chardev.readable(wire.chardev.ctx);
	return wire.first == wire.end;
}

static void uart_transmit(void **state)
{
	uart_start();
	assert_int_equal(inb(0x3fd), 0x60);
	outb(0x3f8, 'x');
	assert_int_equal(wire.sent[0], 'x');
	assert_false(noted.up[4]);
	/*
	 * The THRE interrupt comes at once when enabled, goes when IIR is read,
	 * and comes again after the next byte
	 */
	outb(0x3fc, 8);
	outb(0x3f9, 2);
	assert_true(noted.up[4]);
	assert_int_equal(inb(0x3fa) & 0xf, 2);
	assert_false(noted.up[4]);
	assert_int_equal(inb(0x3fa) & 0xf, 1);
	outb(0x3f8, 'y');
	assert_true(noted.up[4]);
	/* If IIR was not read, the next byte makes an edge nevertheless */
	noted.edges[4] = 0;
	outb(0x3f8, 'z');
	assert_int_equal(noted.edges[4], 1);
	/* Divisor latch: no byte goes out */
	outb(0x3fb, 0x83);
	outb(0x3f8, 1);
	assert_int_equal(inb(0x3f8), 1);
	assert_int_equal(wire.len, 3);
}

/* What is behind the port takes no byte: the guest sees a busy transmitter */
static void uart_transmit_full(void **state)
{
	int i;

	uart_start();
	outb(0x3fc, 8);
	outb(0x3f9, 2);
	wire.closed = true;
	outb(0x3f8, 'a');
	assert_int_equal(inb(0x3fd), 0);
	assert_int_equal(inb(0x3fa) & 0xf, 1);
	assert_false(noted.up[4]);
	/* Enabling the interrupt again does not make one; a byte more is lost */
	outb(0x3f9, 0);
	outb(0x3f9, 2);
	outb(0x3f8, 'b');
	assert_false(noted.up[4]);
	wire.chardev.writable(wire.chardev.ctx);
	assert_false(noted.up[4]);
	wire.closed = false;
	wire.chardev.writable(wire.chardev.ctx);
	assert_true(noted.up[4]);
	assert_int_equal(inb(0x3fd), 0x60);
	outb(0x3f8, 'c');
	assert_int_equal(wire.len, 2);
	assert_memory_equal(wire.sent, "ac", 2);
	wire.chardev.writable(wire.chardev.ctx);
	assert_int_equal(wire.len, 2);
	/* With the FIFO a driver writes 16 bytes at once, and none is lost */
	outb(0x3fa, 1);
	wire.closed = true;
	wire.len = 0;
	for (i = 0; i < 16; i++)
		outb(0x3f8, 'a' + i);
	assert_int_equal(inb(0x3fd), 0);
	wire.closed = false;
	wire.chardev.writable(wire.chardev.ctx);
	assert_int_equal(inb(0x3fd), 0x60);
	assert_int_equal(wire.len, 16);
	assert_memory_equal(wire.sent, "abcdefghijklmnop", 16);
}

/* Interrupts are levels: of what is pending and enabled */
static void uart_interrupts(void **state)
{
	int i;

	uart_start();
	outb(0x3fc, 8);
	outb(0x3fa, 1);
	outb(0x3f9, 2);
	assert_true(noted.up[4]);
	assert_int_equal(inb(0x3fa), 0xc2);
	assert_false(noted.up[4]);
	for (i = 0; i < 16; i++)
		outb(0x3f8, i);
	assert_true(noted.up[4]);
	/* Input while the guest has masked it, as Linux's console does */
	outb(0x3f9, 0);
	assert_false(noted.up[4]);
	assert_true(type('x'));
	assert_false(noted.up[4]);
	outb(0x3f9, 3);
	assert_true(noted.up[4]);
	/* Received data come before an empty transmitter */
	assert_int_equal(inb(0x3fa) & 0xf, 4);
	outb(0x3f9, 0);
	outb(0x3f9, 3);
	assert_true(noted.up[4]);
	assert_int_equal(inb(0x3f8), 'x');
	assert_int_equal(inb(0x3fa) & 0xf, 2);
	assert_false(noted.up[4]);
}

static void uart_receive(void **state)
{
	int i;

	uart_start();
	outb(0x3fc, 8);
	outb(0x3f9, 1);
	/* Without a FIFO one byte fits */
	assert_true(type('a'));
	assert_true(noted.up[4]);
	assert_false(type('b'));
	assert_int_equal(inb(0x3fa) & 0xf, 4);
	assert_int_equal(inb(0x3fd) & 1, 1);
	assert_int_equal(inb(0x3f8), 'a');
	assert_int_equal(inb(0x3f8), 'b');
	assert_false(noted.up[4]);
	assert_int_equal(inb(0x3fd) & 1, 0);
	/* With it 16 fit; below the trigger the interrupt is a timeout */
	outb(0x3fa, 0xc1);
	for (i = 0; i < 16; i++) {
		assert_true(type(i));
		assert_int_equal(inb(0x3fa),
				 i < 13 ? 0xcc : 0xc4);
	}
	assert_false(type(16));
	/* When it is empty, what waits outside comes, as an edge */
	noted.edges[4] = 0;
	for (i = 0; i < 16; i++) {
		assert_int_equal(noted.edges[4], 0);
		assert_int_equal(inb(0x3f8), i);
	}
	assert_int_equal(noted.edges[4], 1);
	assert_int_equal(inb(0x3f8), 16);
	assert_false(noted.up[4]);
}

static void uart_loopback(void **state)
{
	uart_start();
	outb(0x3fc, 0x1f);
	assert_int_equal(inb(0x3fe) & 0xf0, 0xf0);
	outb(0x3fc, 0x12);
	assert_int_equal(inb(0x3fe) & 0xf0, 0x10);
	outb(0x3f8, 0x5a);
	assert_int_equal(wire.len, 0);
	assert_int_equal(inb(0x3f8), 0x5a);
	/* What is typed waits until the line is connected again */
	assert_false(type('x'));
	assert_int_equal(inb(0x3fd) & 1, 0);
	outb(0x3fc, 0);
	assert_int_equal(inb(0x3f8), 'x');
	outb(0x3ff, 0xab);
	assert_int_equal(inb(0x3ff), 0xab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pic_priorities),
		cmocka_unit_test(pic_mask_and_spurious),
		cmocka_unit_test(pic_level),
		cmocka_unit_test(pic_modes),
		cmocka_unit_test(pit_periodic),
		cmocka_unit_test(pit_one_shot),
		cmocka_unit_test(pit_channel2),
		cmocka_unit_test(pit_tones),
		cmocka_unit_test(pit_shortest_period),
		cmocka_unit_test(pit_mode_7),
		cmocka_unit_test(pit_half_a_count),
		cmocka_unit_test(pit_gate),
		cmocka_unit_test(port61_refresh),
		cmocka_unit_test(pit_read_back),
		cmocka_unit_test(rtc_time),
		cmocka_unit_test(rtc_set),
		cmocka_unit_test(rtc_interrupts),
		cmocka_unit_test(uart_transmit),
		cmocka_unit_test(uart_transmit_full),
		cmocka_unit_test(uart_interrupts),
		cmocka_unit_test(uart_receive),
		cmocka_unit_test(uart_loopback),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	bare_stop();
	return failed;
}
