// SPDX-License-Identifier: GPL-2.0
/* The chips, compared with their data sheets. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/isa/devices.h"
#include "core/launcher.h"

typedef void (*chip)(void *device, uint64_t offset, void *data,
		     unsigned int size, bool write);

static void put(chip access, void *device, uint64_t offset, uint8_t value)
{
	access(device, offset, &value, 1, true);
}

static uint8_t get(chip access, void *device, uint64_t offset)
{
	uint8_t value = 0xff;

	access(device, offset, &value, 1, false);
	return value;
}

/* ---- i8259 ------------------------------------------------------------ */

static void pic_start(struct i8259 *pic)
{
	i8259_init(pic);
	put(i8259_master, pic, 0, 0x11);
	put(i8259_master, pic, 1, 0x20);
	put(i8259_master, pic, 1, 0x04);
	put(i8259_master, pic, 1, 0x01);
	put(i8259_slave, pic, 0, 0x11);
	put(i8259_slave, pic, 1, 0x28);
	put(i8259_slave, pic, 1, 0x02);
	put(i8259_slave, pic, 1, 0x01);
}

static void pulse(struct i8259 *pic, unsigned int irq)
{
	i8259_set(pic, irq, true);
	i8259_set(pic, irq, false);
}

static void pic_priorities(void **state)
{
	struct i8259 pic;

	pic_start(&pic);
	assert_false(i8259_pending(&pic));
	i8259_set(&pic, 4, true);
	i8259_set(&pic, 12, true);
	i8259_set(&pic, 0, true);
	assert_int_equal(i8259_ack(&pic), 0x20);
	/* 0 is in service: no lower priority may interrupt */
	assert_false(i8259_pending(&pic));
	put(i8259_master, &pic, 0, 0x20);
	/* The slave is connected to input 2, so it goes before 4 */
	assert_int_equal(i8259_ack(&pic), 0x2c);
	assert_false(i8259_pending(&pic));
	put(i8259_slave, &pic, 0, 0x20);
	put(i8259_master, &pic, 0, 0x20);
	assert_int_equal(i8259_ack(&pic), 0x24);
	put(i8259_master, &pic, 0, 0x64);	/* specific EOI */
	/* The inputs are edges: lines that are still up request nothing */
	assert_false(i8259_pending(&pic));
	i8259_set(&pic, 4, false);
	i8259_set(&pic, 4, true);
	assert_true(i8259_pending(&pic));
}

static void pic_mask_and_spurious(void **state)
{
	struct i8259 pic;

	pic_start(&pic);
	put(i8259_master, &pic, 1, 0x10);
	i8259_set(&pic, 4, true);
	assert_false(i8259_pending(&pic));
	assert_int_equal(get(i8259_master, &pic, 1), 0x10);
	assert_int_equal(get(i8259_master, &pic, 0), 0x10);	/* IRR */
	put(i8259_master, &pic, 1, 0);
	assert_true(i8259_pending(&pic));
	/* The line falls before INTA: spurious, and nothing is in service */
	i8259_set(&pic, 4, false);
	assert_int_equal(i8259_ack(&pic), 0x27);
	put(i8259_master, &pic, 0, 0x0b);
	assert_int_equal(get(i8259_master, &pic, 0), 0);	/* ISR */
}

static void pic_level(void **state)
{
	struct i8259 pic;

	pic_start(&pic);
	put(i8259_elcr, &pic, 1, 0xff);
	assert_int_equal(get(i8259_elcr, &pic, 1), 0xde);
	i8259_set(&pic, 9, true);
	assert_int_equal(i8259_ack(&pic), 0x29);
	put(i8259_slave, &pic, 0, 0x20);
	put(i8259_master, &pic, 0, 0x20);
	assert_true(i8259_pending(&pic));
	i8259_set(&pic, 9, false);
	assert_false(i8259_pending(&pic));
}

static void pic_modes(void **state)
{
	struct i8259 pic;

	/* Automatic EOI */
	pic_start(&pic);
	put(i8259_master, &pic, 0, 0x11);
	put(i8259_master, &pic, 1, 0x20);
	put(i8259_master, &pic, 1, 0x04);
	put(i8259_master, &pic, 1, 0x03);
	i8259_set(&pic, 1, true);
	i8259_set(&pic, 3, true);
	assert_int_equal(i8259_ack(&pic), 0x21);
	assert_int_equal(i8259_ack(&pic), 0x23);
	/* Rotation: after a rotating EOI of 3, 4 comes before 1 */
	pic_start(&pic);
	i8259_set(&pic, 3, true);
	i8259_ack(&pic);
	put(i8259_master, &pic, 0, 0xa0);
	i8259_set(&pic, 1, true);
	i8259_set(&pic, 4, true);
	assert_int_equal(i8259_ack(&pic), 0x24);
	/* Poll */
	pic_start(&pic);
	pulse(&pic, 5);
	i8259_set(&pic, 5, true);
	put(i8259_master, &pic, 0, 0x0c);
	assert_int_equal(get(i8259_master, &pic, 0), 0x85);
}

/* ---- i8254 ------------------------------------------------------------ */

static unsigned int raised;

static void count_irq(void *ctx, unsigned int irq, bool level)
{
	raised += level;
}

static void pit_start(struct i8254 *pit, uint8_t control, uint16_t count)
{
	i8254_init(pit, (struct irq_line){ count_irq, NULL, 0 });
	raised = 0;
	pit->now = 1000000000000;
	put(i8254_access, pit, 3, control);
	put(i8254_access, pit, control >> 6, count);
	put(i8254_access, pit, control >> 6, count >> 8);
}

static uint16_t pit_read(struct i8254 *pit, int n)
{
	uint8_t low;

	put(i8254_access, pit, 3, n << 6);
	low = get(i8254_access, pit, n);
	return low | get(i8254_access, pit, n) << 8;
}

static void pit_periodic(void **state)
{
	struct i8254 pit;
	uint64_t next, start;
	int i;

	pit_start(&pit, 0x34, 11932);	/* mode 2, 100 Hz */
	start = pit.now;
	for (i = 1; i <= 5; i++) {
		next = i8254_update(&pit);
		assert_in_range(next - start, i * 10000150ull - 100,
				i * 10000150ull + 1000);
		assert_int_equal(raised, i - 1);
		pit.now = next;
		i8254_update(&pit);
		assert_int_equal(raised, i);
	}
	/* All edges that were missed in a long sleep are one */
	pit.now += 1000000000;
	i8254_update(&pit);
	assert_int_equal(raised, 6);
	/* It counts down and reloads */
	pit.now = start + 5000000;
	assert_in_range(pit_read(&pit, 0), 5960, 5970);
}

static void pit_one_shot(void **state)
{
	struct i8254 pit;
	uint64_t next;

	pit_start(&pit, 0x30, 1193);	/* mode 0, 1 ms */
	next = i8254_update(&pit);
	assert_in_range(next - pit.now, 999000, 1001000);
	assert_int_equal(get(i8254_access, &pit, 3), 0xff);
	pit.now = next;
	assert_int_equal(i8254_update(&pit), 0);
	assert_int_equal(raised, 1);
	pit.now += 1000000000;
	assert_int_equal(i8254_update(&pit), 0);
	assert_int_equal(raised, 1);
	/* A new count makes another interrupt */
	put(i8254_access, &pit, 0, 0xff);
	put(i8254_access, &pit, 0, 0);
	assert_true(i8254_update(&pit) > pit.now);
	/* A control word alone stops it */
	put(i8254_access, &pit, 3, 0x30);
	assert_int_equal(i8254_update(&pit), 0);
}

static void pit_channel2(void **state)
{
	struct i8254 pit;

	/* As Linux calibrates the TSC: gate on, mode 0, wait for OUT */
	i8254_init(&pit, (struct irq_line){ 0 });
	pit.now = 5;
	put(i8254_port61, &pit, 0, 1);
	put(i8254_access, &pit, 3, 0xb0);
	put(i8254_access, &pit, 2, 0xff);
	put(i8254_access, &pit, 2, 0x2e);
	assert_int_equal(get(i8254_port61, &pit, 0) & 0x21, 0x01);
	pit.now += 10100000;
	assert_int_equal(get(i8254_port61, &pit, 0) & 0x20, 0x20);
}

/* A guest that asks for an interrupt each 838 ns does not get them */
static void pit_shortest_period(void **state)
{
	struct i8254 pit;
	uint64_t next;

	pit_start(&pit, 0x34, 1);
	next = i8254_update(&pit);
	assert_int_equal(pit.now + I8254_MIN_NS, next);
	pit.now = next;
	assert_int_equal(next + I8254_MIN_NS, i8254_update(&pit));
	assert_int_equal(1, raised);
}

/* Modes 6 and 7 are 2 and 3 */
static void pit_mode_7(void **state)
{
	struct i8254 pit;

	pit_start(&pit, 0x3e, 0x5cec);
	pit.now = i8254_update(&pit);
	i8254_update(&pit);
	assert_int_equal(1, raised);
	pit.now = i8254_update(&pit);
	i8254_update(&pit);
	assert_int_equal(2, raised);
}

/* The first byte of a count stops mode 0, the second starts it */
static void pit_half_a_count(void **state)
{
	struct i8254 pit;

	pit_start(&pit, 0x30, 1193);
	put(i8254_access, &pit, 0, 0xff);
	pit.now += 10000000;
	assert_int_equal(0, i8254_update(&pit));
	assert_int_equal(0, raised);
	put(i8254_access, &pit, 0, 1);
	assert_true(i8254_update(&pit) > pit.now);
}

static void pit_gate(void **state)
{
	struct i8254 pit;
	uint16_t value;

	/* Mode 0: the gate stops the counter, which then goes on */
	pit_start(&pit, 0xb0, 11932);
	put(i8254_port61, &pit, 0, 1);
	assert_in_range(pit_read(&pit, 2), 11930, 11932);
	pit.now += 4000000;
	put(i8254_port61, &pit, 0, 0);
	value = pit_read(&pit, 2);
	assert_in_range(value, 7150, 7170);
	pit.now += 50000000;
	assert_int_equal(value, pit_read(&pit, 2));
	assert_int_equal(0, get(i8254_port61, &pit, 0) & 0x20);
	put(i8254_port61, &pit, 0, 1);
	pit.now += 5900000;
	assert_int_equal(0, get(i8254_port61, &pit, 0) & 0x20);
	pit.now += 200000;
	assert_int_equal(0x20, get(i8254_port61, &pit, 0) & 0x20);
	/* Mode 3: it starts anew, and OUT is high meanwhile */
	pit_start(&pit, 0xb6, 11932);
	put(i8254_port61, &pit, 0, 1);
	pit.now += 7000000;
	assert_int_equal(0, get(i8254_port61, &pit, 0) & 0x20);
	put(i8254_port61, &pit, 0, 0);
	assert_int_equal(0x20, get(i8254_port61, &pit, 0) & 0x20);
	put(i8254_port61, &pit, 0, 1);
	assert_in_range(pit_read(&pit, 2), 11930, 11932);
}

/* Some programs wait for changes of the refresh bit to measure time */
static void port61_refresh(void **state)
{
	struct i8254 pit;
	unsigned int i, changes = 0;
	uint8_t last = 0, now;

	i8254_init(&pit, (struct irq_line){ 0 });
	for (i = 0; i < 15100; i++, last = now) {
		pit.now += 100;
		now = get(i8254_port61, &pit, 0) & 0x10;
		changes += now != last;
	}
	assert_in_range(changes, 99, 101);
}

static void pit_read_back(void **state)
{
	struct i8254 pit;
	uint8_t low;

	pit_start(&pit, 0x36, 1000);
	put(i8254_access, &pit, 3, 0xc2);	/* count and status */
	assert_int_equal(get(i8254_access, &pit, 0), 0xb6);
	low = get(i8254_access, &pit, 0);
	assert_int_equal(low | get(i8254_access, &pit, 0) << 8, 1000);
	/* A latched value stays while time goes on */
	put(i8254_access, &pit, 3, 0x00);
	pit.now += 100000;
	low = get(i8254_access, &pit, 0);
	assert_int_equal(low | get(i8254_access, &pit, 0) << 8, 1000);
}

/* ---- mc146818 --------------------------------------------------------- */

static int64_t fixed_clock(void)
{
	return 1767225599;	/* 2025-12-31 23:59:59 UTC, a Wednesday */
}

static uint8_t rtc_get(struct mc146818 *rtc, uint8_t index)
{
	put(mc146818_access, rtc, 0, index);
	return get(mc146818_access, rtc, 1);
}

static void rtc_put(struct mc146818 *rtc, uint8_t index, uint8_t value)
{
	put(mc146818_access, rtc, 0, index);
	put(mc146818_access, rtc, 1, value);
}

static void rtc_time(void **state)
{
	struct mc146818 rtc;

	mc146818_init(&rtc, fixed_clock);
	assert_int_equal(rtc_get(&rtc, 0), 0x59);
	assert_int_equal(rtc_get(&rtc, 2), 0x59);
	assert_int_equal(rtc_get(&rtc, 4), 0x23);
	assert_int_equal(rtc_get(&rtc, 6), 4);
	assert_int_equal(rtc_get(&rtc, 7), 0x31);
	assert_int_equal(rtc_get(&rtc, 8), 0x12);
	assert_int_equal(rtc_get(&rtc, 9), 0x25);
	assert_int_equal(rtc_get(&rtc, 0x32), 0x20);
	assert_int_equal(rtc_get(&rtc, 13), 0x80);
	assert_int_equal(rtc_get(&rtc, 10) & 0x80, 0);
	/* Binary, 12 hours */
	rtc_put(&rtc, 11, 0x04);
	assert_int_equal(rtc_get(&rtc, 0), 59);
	assert_int_equal(rtc_get(&rtc, 4), 0x8b);
}

static void rtc_set(void **state)
{
	struct mc146818 rtc;
	uint8_t i;

	mc146818_init(&rtc, fixed_clock);
	rtc_put(&rtc, 11, 0x82);
	rtc_put(&rtc, 9, 0x30);
	rtc_put(&rtc, 8, 0x01);
	rtc_put(&rtc, 7, 0x02);
	rtc_put(&rtc, 4, 0x03);
	rtc_put(&rtc, 2, 0x04);
	rtc_put(&rtc, 0, 0x05);
	rtc_put(&rtc, 11, 0x02);
	assert_int_equal(rtc_get(&rtc, 9), 0x30);
	assert_int_equal(rtc_get(&rtc, 4), 0x03);
	assert_int_equal(rtc_get(&rtc, 0), 0x05);
	/* Before 1900, and a time that is none */
	rtc_put(&rtc, 0x32, 0);
	rtc_put(&rtc, 9, 0x50);
	assert_int_equal(rtc_get(&rtc, 9), 0x50);
	assert_int_equal(rtc_get(&rtc, 0x32), 0);
	for (i = 0; i < 10; i++)
		rtc_put(&rtc, i, 0xff);
	rtc_put(&rtc, 0x32, 0xff);
	rtc_get(&rtc, 9);
	/* RAM */
	rtc_put(&rtc, 0x40, 0xa5);
	assert_int_equal(rtc_get(&rtc, 0x40), 0xa5);
}

/* ---- ns16550 ---------------------------------------------------------- */

/* What comes out of the UART: bytes, and its interrupt line */
struct output {
	char sent[64];
	unsigned int len;
	bool level;
	unsigned int edges;
	bool closed;		/* nothing can be sent */
	unsigned int rooms;
};

static bool note_byte(void *ctx, uint8_t byte)
{
	struct output *w = ctx;

	if (w->closed)
		return false;
	w->sent[w->len++ % sizeof(w->sent)] = byte;
	return true;
}

static void note_room(void *ctx)
{
	struct output *w = ctx;

	w->rooms++;
}

static void note_line(void *ctx, unsigned int irq, bool level)
{
	struct output *w = ctx;

	w->edges += level && !w->level;
	w->level = level;
}

static void uart_start(struct ns16550 *uart, struct output *w)
{
	memset(w, 0, sizeof(*w));
	ns16550_init(uart, (struct irq_line){ note_line, w, 4 }, note_byte,
		     note_room, w);
}

static void uart_transmit(void **state)
{
	struct ns16550 uart;
	struct output w;

	uart_start(&uart, &w);
	assert_int_equal(get(ns16550_access, &uart, 5), 0x60);
	put(ns16550_access, &uart, 0, 'x');
	assert_int_equal(w.sent[0], 'x');
	assert_false(w.level);
	/*
	 * The THRE interrupt comes at once when enabled, goes when IIR is read,
	 * and comes again after the next byte
	 */
	put(ns16550_access, &uart, 4, 8);
	put(ns16550_access, &uart, 1, 2);
	assert_true(w.level);
	assert_int_equal(get(ns16550_access, &uart, 2) & 0xf, 2);
	assert_false(w.level);
	assert_int_equal(get(ns16550_access, &uart, 2) & 0xf, 1);
	put(ns16550_access, &uart, 0, 'y');
	assert_true(w.level);
	/* If IIR was not read, the next byte makes an edge nevertheless */
	w.edges = 0;
	put(ns16550_access, &uart, 0, 'z');
	assert_int_equal(w.edges, 1);
	/* Divisor latch: no byte goes out */
	put(ns16550_access, &uart, 3, 0x83);
	put(ns16550_access, &uart, 0, 1);
	assert_int_equal(get(ns16550_access, &uart, 0), 1);
	assert_int_equal(w.len, 3);
}

/* What is behind the port takes no byte: the guest sees a busy transmitter */
static void uart_transmit_full(void **state)
{
	struct ns16550 uart;
	struct output w;

	uart_start(&uart, &w);
	put(ns16550_access, &uart, 4, 8);
	put(ns16550_access, &uart, 1, 2);
	w.closed = true;
	put(ns16550_access, &uart, 0, 'a');
	assert_int_equal(get(ns16550_access, &uart, 5), 0);
	assert_int_equal(get(ns16550_access, &uart, 2) & 0xf, 1);
	assert_false(w.level);
	/* Enabling the interrupt again does not make one; a byte more is lost */
	put(ns16550_access, &uart, 1, 0);
	put(ns16550_access, &uart, 1, 2);
	put(ns16550_access, &uart, 0, 'b');
	assert_false(w.level);
	ns16550_sent(&uart);
	assert_false(w.level);
	w.closed = false;
	ns16550_sent(&uart);
	assert_true(w.level);
	assert_int_equal(get(ns16550_access, &uart, 5), 0x60);
	put(ns16550_access, &uart, 0, 'c');
	assert_int_equal(w.len, 2);
	assert_memory_equal(w.sent, "ac", 2);
	ns16550_sent(&uart);
	assert_int_equal(w.len, 2);
}

/* Interrupts are levels: of what is pending and enabled */
static void uart_interrupts(void **state)
{
	struct ns16550 uart;
	struct output w;
	int i;

	uart_start(&uart, &w);
	put(ns16550_access, &uart, 4, 8);
	put(ns16550_access, &uart, 2, 1);
	put(ns16550_access, &uart, 1, 2);
	assert_true(w.level);
	assert_int_equal(get(ns16550_access, &uart, 2), 0xc2);
	assert_false(w.level);
	for (i = 0; i < 16; i++)
		put(ns16550_access, &uart, 0, i);
	assert_true(w.level);
	/* Input while the guest has masked it, as Linux's console does */
	put(ns16550_access, &uart, 1, 0);
	assert_false(w.level);
	assert_true(ns16550_receive(&uart, 'x'));
	assert_false(w.level);
	put(ns16550_access, &uart, 1, 3);
	assert_true(w.level);
	/* Received data come before an empty transmitter */
	assert_int_equal(get(ns16550_access, &uart, 2) & 0xf, 4);
	put(ns16550_access, &uart, 1, 0);
	put(ns16550_access, &uart, 1, 3);
	assert_true(w.level);
	assert_int_equal(get(ns16550_access, &uart, 0), 'x');
	assert_int_equal(get(ns16550_access, &uart, 2) & 0xf, 2);
	assert_false(w.level);
}

static void uart_receive(void **state)
{
	struct ns16550 uart;
	struct output w;
	int i;

	uart_start(&uart, &w);
	put(ns16550_access, &uart, 4, 8);
	put(ns16550_access, &uart, 1, 1);
	/* Without a FIFO one byte fits */
	assert_true(ns16550_receive(&uart, 'a'));
	assert_true(w.level);
	assert_false(ns16550_receive(&uart, 'b'));
	assert_int_equal(get(ns16550_access, &uart, 2) & 0xf, 4);
	assert_int_equal(get(ns16550_access, &uart, 5) & 1, 1);
	assert_int_equal(get(ns16550_access, &uart, 0), 'a');
	assert_false(w.level);
	assert_int_equal(get(ns16550_access, &uart, 5) & 1, 0);
	/* With it 16 fit; below the trigger the interrupt is a timeout */
	put(ns16550_access, &uart, 2, 0xc1);
	for (i = 0; i < 16; i++) {
		assert_true(ns16550_receive(&uart, i));
		assert_int_equal(get(ns16550_access, &uart, 2),
				 i < 13 ? 0xcc : 0xc4);
	}
	assert_false(ns16550_receive(&uart, 16));
	/* Whoever feeds it is told when it is empty */
	w.rooms = 0;
	for (i = 0; i < 16; i++) {
		assert_int_equal(w.rooms, 0);
		assert_int_equal(get(ns16550_access, &uart, 0), i);
	}
	assert_int_equal(w.rooms, 1);
	assert_int_equal(ns16550_room(&uart), 16);
}

static void uart_loopback(void **state)
{
	struct ns16550 uart;
	struct output w;

	uart_start(&uart, &w);
	put(ns16550_access, &uart, 4, 0x1f);
	assert_int_equal(get(ns16550_access, &uart, 6) & 0xf0, 0xf0);
	put(ns16550_access, &uart, 4, 0x12);
	assert_int_equal(get(ns16550_access, &uart, 6) & 0xf0, 0x10);
	put(ns16550_access, &uart, 0, 0x5a);
	assert_int_equal(w.len, 0);
	assert_int_equal(get(ns16550_access, &uart, 0), 0x5a);
	put(ns16550_access, &uart, 7, 0xab);
	assert_int_equal(get(ns16550_access, &uart, 7), 0xab);
}

/* ---- power ------------------------------------------------------------ */

static int off_status = -1, resets;

static void note_off(void *ctx, int status)
{
	off_status = status;
}

static void note_reset(void *ctx)
{
	resets++;
}

static void ways_to_end(void **state)
{
	struct power power = { .off = note_off, .reset = note_reset,
			       .clock = now_ns };
	uint16_t value = 0x2000 | 5 << 10;
	uint32_t a = 0, b = 0;

	put(i8042_command, &power, 0, 0xd1);
	assert_int_equal(resets, 0);
	put(i8042_command, &power, 0, 0xfe);
	assert_int_equal(resets, 1);
	assert_int_equal(get(i8042_command, &power, 0), 0xff);
	put(debug_exit_access, &power, 0, 42);
	assert_int_equal(off_status, 42);
	acpi_pm_access(&power, 4, &value, 2, false);
	assert_int_equal(value & 1, 1);
	/* Another sleep state does nothing */
	value = 0x2000 | 1 << 10;
	acpi_pm_access(&power, 4, &value, 2, true);
	assert_int_equal(off_status, 42);
	value = 0x2000 | 5 << 10;
	acpi_pm_access(&power, 4, &value, 2, true);
	assert_int_equal(off_status, 0);
	acpi_pm_access(&power, 8, &a, 4, false);
	do {
		acpi_pm_access(&power, 8, &b, 4, false);
	} while (a == b);
	assert_true(a < 1 << 24 && b < 1 << 24);
}

static void note_sci(void *ctx, unsigned int irq, bool level)
{
	assert_int_equal(irq, 9);
	*(bool *)ctx = level;
}

static uint32_t pm1(struct power *power, uint64_t offset, unsigned int size)
{
	uint32_t value = 0;

	acpi_pm_access(power, offset, &value, size, false);
	return value;
}

static void set_pm1(struct power *power, uint64_t offset, uint32_t value,
		    unsigned int size)
{
	acpi_pm_access(power, offset, &value, size, true);
}

static void power_button(void **state)
{
	bool sci = false;
	struct power power = { .sci = { note_sci, &sci, 9 } };

	/* Not enabled, it only sets its status; enabled, it interrupts */
	assert_false(acpi_power_button(&power));
	assert_false(sci);
	assert_int_equal(pm1(&power, 0, 2), 0x100);
	set_pm1(&power, 2, 0x100, 2);
	assert_true(sci);
	assert_int_equal(pm1(&power, 0, 4), 0x1000100);
	/* Ones in other bits, and a zero in its own, do not clear it */
	set_pm1(&power, 0, 0xfeff, 2);
	assert_true(sci);
	set_pm1(&power, 0, 0x100, 2);
	assert_false(sci);
	assert_int_equal(pm1(&power, 0, 2), 0);
	assert_int_equal(pm1(&power, 2, 2), 0x100);
	/* Again, by accesses of one byte */
	assert_true(acpi_power_button(&power));
	assert_true(sci);
	set_pm1(&power, 3, 0, 1);
	assert_false(sci);
	set_pm1(&power, 2, 0x20, 1);
	set_pm1(&power, 3, 1, 1);
	assert_true(sci);
	assert_int_equal(pm1(&power, 2, 2), 0x120);
	assert_int_equal(pm1(&power, 1, 1), 1);
	set_pm1(&power, 1, 1, 1);
	assert_false(sci);
	/* One access disables it and clears it */
	assert_true(acpi_power_button(&power));
	set_pm1(&power, 0, 0x100, 4);
	assert_int_equal(pm1(&power, 0, 4), 0);
	assert_false(sci);
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
		cmocka_unit_test(pit_shortest_period),
		cmocka_unit_test(pit_mode_7),
		cmocka_unit_test(pit_half_a_count),
		cmocka_unit_test(pit_gate),
		cmocka_unit_test(port61_refresh),
		cmocka_unit_test(pit_read_back),
		cmocka_unit_test(rtc_time),
		cmocka_unit_test(rtc_set),
		cmocka_unit_test(uart_transmit),
		cmocka_unit_test(uart_transmit_full),
		cmocka_unit_test(uart_interrupts),
		cmocka_unit_test(uart_receive),
		cmocka_unit_test(uart_loopback),
		cmocka_unit_test(ways_to_end),
		cmocka_unit_test(power_button),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
