// SPDX-License-Identifier: GPL-2.0
/*
 * What all devices stand on: memory, the loop and its timers, the clock,
 * interrupt lines, fields; and each device's state, saved and loaded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/bare.h"
#include "devices/input.h"
#include "devices/isa/hpet.h"

/* libc's: the real-time clock's is fixed */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_REALTIME)
		return syscall(SYS_clock_gettime, clock, now);
	*now = (struct timespec){ .tv_sec = 1767225599 };
	return 0;
}

/* ---- memory ------------------------------------------------------------- */

#define RW MVMM_ACCESS_WRITE

static void blocks(void **state)
{
	struct memory memory;
	uint8_t *byte;

	/* Sparse: nothing but what is touched takes the host's memory */
	assert_int_equal(memory_create(&memory, 64ull << 30, false, &error), 0);
	assert_int_equal(memory.low, 3ull << 30);
	assert_int_equal(memory.high, 61ull << 30);
	assert_ptr_equal(memory_at(&memory, 0, 0xa0000, RW), memory.base);
	assert_null(memory_at(&memory, 0x9ffff, 2, RW));
	assert_null(memory_at(&memory, 0xa0000, 1, RW));
	assert_ptr_equal(memory_at(&memory, 0xc0000, 4, RW),
			 memory.base + 0xc0000);
	assert_null(memory_at(&memory, (3ull << 30) - 1, 2, RW));
	assert_null(memory_at(&memory, 3ull << 30, 1, RW));
	byte = memory_at(&memory, (65ull << 30) - 1, 1, RW);
	assert_ptr_equal(byte, memory.base + memory.size - 1);
	*byte = 0x55;
	assert_null(memory_at(&memory, 65ull << 30, 1, RW));
	assert_null(memory_at(&memory, 4ull << 30, -1ull, RW));
	assert_null(memory_at(&memory, -1ull, 2, RW));
	/* ROM is read, not written */
	memory.block[0].read_only = true;
	assert_null(memory_at(&memory, 0xc0000, 4, RW));
	assert_non_null(memory_at(&memory, 0xc0000, 4, MVMM_ACCESS_READ));
	memory_destroy(&memory);
	/* A memfd; and the least */
	assert_int_equal(memory_create(&memory, 1 << 20, true, &error), 0);
	assert_int_equal(memory.nr, 2);
	memory_destroy(&memory);
}

/* ---- the loop ----------------------------------------------------------- */

static char order[16];
static unsigned int nr_fired;

static void fire(void *ctx)
{
	order[nr_fired++] = *(char *)ctx;
}

static struct timer again;

static void fire_again(void *ctx)
{
	fire(ctx);
	if (nr_fired < 4)
		loop_set_timer(&m.loop, &again,
			       vm_clock_now(&m.clock) + 1000000);
}

static bool four_fired(void *ctx)
{
	return nr_fired == 4;
}

static void timers(void **state)
{
	struct timer a = { fire, "a", 0, NULL }, b = { fire, "b", 0, NULL };
	struct timer c = { fire, "c", 0, NULL };
	uint64_t now;

	bare_start();
	now = m.clock.stopped_at;
	nr_fired = 0;
	loop_set_timer(&m.loop, &a, now + 30);
	loop_set_timer(&m.loop, &b, now + 10);
	loop_set_timer(&m.loop, &c, now + 20);
	loop_set_timer(&m.loop, &a, now + 5);
	loop_set_timer(&m.loop, &c, 0);
	assert_int_equal(run_timers(), now + 5);
	m.clock.stopped_at += 10;
	assert_int_equal(run_timers(), 0);
	assert_memory_equal(order, "ab", 2);
	/* In real time; the last is set by itself, again and again */
	nr_fired = 0;
	again = (struct timer){ fire_again, "d", 0, NULL };
	loop_set_timer(&m.loop, &again, m.clock.stopped_at + 1000000);
	vm_clock_start(&m.clock);
	now = host_ns();
	loop_run(&m.loop, four_fired, NULL);
	assert_true(host_ns() - now >= 4000000);
}

/* While the VM is stopped its timers stand, and then they are not late */
static void a_stop(void **state)
{
	struct timer a = { fire, "a", 0, NULL };
	uint64_t now;

	bare_start();
	nr_fired = 0;
	vm_clock_start(&m.clock);
	loop_set_timer(&m.loop, &a, vm_clock_now(&m.clock) + 3600000000000);
	vm_clock_stop(&m.clock);
	now = vm_clock_now(&m.clock);
	usleep(2000);
	assert_int_equal(now, vm_clock_now(&m.clock));
	vm_clock_start(&m.clock);
	assert_in_range(vm_clock_now(&m.clock), now, now + 3000000000000);
	assert_int_equal(nr_fired, 0);
	loop_set_timer(&m.loop, &a, 0);
}

/*
 * A timer fires 2 ms from now; how long it looks before it sleeps is as given, and
 * at most so long. Returns how long it looks the next time
 */
static uint64_t polled(uint64_t poll, uint64_t max)
{
	struct timer a = { fire, "a", 0, NULL };

	bare_start();
	vm_clock_start(&m.clock);
	nr_fired = 3;
	m.loop.poll = poll;
	m.loop.poll_max = max;
	loop_set_timer(&m.loop, &a, vm_clock_now(&m.clock) + 2000000);
	/* It was told of the timer, and would wake up for that first */
	assert_true(eventfd_take(m.loop.wake));
	loop_run(&m.loop, four_fired, NULL);
	return m.loop.poll;
}

static void polling(void **state)
{
	const uint64_t hour = 3600000000000;

	assert_int_equal(polled(0, 0), 0);
	/* It would have been worth it */
	assert_int_equal(polled(0, hour), LOOP_POLL_MIN);
	assert_int_equal(polled(LOOP_POLL_MIN, hour), 2 * LOOP_POLL_MIN);
	assert_int_equal(polled(LOOP_POLL_MIN, LOOP_POLL_MIN), 0);
	/* It was not */
	assert_int_equal(polled(100000, 200000), 50000);
	/* It did not sleep at all */
	assert_int_equal(polled(hour - 1, hour), hour - 1);
}

static struct watch first, second;
static unsigned int seen[2];

static void on_first(void *ctx, uint32_t events)
{
	seen[0]++;
	/* Both are ready, and in one batch: the other must not be called */
	loop_watch(&m.loop, &second, 0);
	loop_watch(&m.loop, &first, 0);
}

static void on_second(void *ctx, uint32_t events)
{
	seen[1]++;
	loop_watch(&m.loop, &first, 0);
	loop_watch(&m.loop, &second, 0);
}

static bool one_seen(void *ctx)
{
	return seen[0] + seen[1] > 0;
}

static void watches(void **state)
{
	int ends[2], file;

	bare_start();
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	first = (struct watch){ on_first, NULL, ends[0], 0 };
	second = (struct watch){ on_second, NULL, dup(ends[0]), 0 };
	assert_int_equal(loop_watch(&m.loop, &first, EPOLLIN), 0);
	assert_int_equal(loop_watch(&m.loop, &second, EPOLLIN), 0);
	loop_run(&m.loop, one_seen, NULL);
	assert_int_equal(seen[0] + seen[1], 1);
	/* A file is always ready */
	file = open("/proc/self/exe", O_RDONLY);
	first.fd = file;
	assert_int_equal(loop_watch(&m.loop, &first, EPOLLIN), -EPERM);
	close(file);
	close(ends[0]);
	close(ends[1]);
	close(second.fd);
}

/* ---- interrupt lines ---------------------------------------------------- */

static void shared_line(void **state)
{
	struct irq a, b, nowhere = { 0 };

	bare_start();
	a = b = (struct irq){ .irqs = &m.irqs, .line = 11 };
	irq_set(&a, true);
	assert_true(noted.up[11]);
	irq_set(&b, true);
	irq_set(&b, true);
	assert_int_equal(noted.edges[11], 1);
	irq_set(&a, false);
	assert_true(noted.up[11]);
	irq_set(&b, false);
	assert_false(noted.up[11]);
	irq_set(&nowhere, true);
}

/* ---- fields ------------------------------------------------------------- */

struct inner {
	uint8_t a[3];
	bool b;
	int not_saved;
};

struct outer {
	uint16_t small;
	uint64_t large;
	int64_t negative;
	struct inner inner[2];
	int not_saved;
};

static const struct field inner_fields[] = {
	FIELD_ARRAY(struct inner, a), FIELD(struct inner, b), FIELDS_END
};

static const struct field outer_fields[] = {
	FIELD(struct outer, small), FIELD(struct outer, large),
	FIELD(struct outer, negative),
	FIELD_STRUCTS(struct outer, inner, inner_fields), FIELDS_END
};

static void saved_and_loaded(void **state)
{
	const struct outer from = {
		.small = 0xabcd, .large = ~0ull, .negative = -5,
		.inner = { { { 1, 2, 3 }, true, 0 },
			   { { 4, 5, 255 }, false, 0 } } };
	static const struct outer none;
	struct outer to = { .not_saved = 7 };
	json_t *saved = fields_save(outer_fields, &from);

	assert_int_equal(fields_load(outer_fields, &to, saved, &error), 0);
	assert_int_equal(to.not_saved, 7);
	to.not_saved = 0;
	assert_memory_equal(&from, &to, sizeof(to));
	/* A reset leaves alone what is no field */
	to.not_saved = to.inner[1].not_saved = 7;
	fields_clear(outer_fields, &to);
	assert_int_equal(to.not_saved, 7);
	assert_int_equal(to.inner[1].not_saved, 7);
	to.not_saved = to.inner[1].not_saved = 0;
	assert_memory_equal(&none, &to, sizeof(to));
	json_decref(saved);
}

static void refuse(const char *text, const char *why)
{
	json_t *saved = json_loads(text, 0, NULL);
	struct outer to;

	assert_non_null(saved);
	assert_int_equal(fields_load(outer_fields, &to, saved, &error), -1);
	assert_non_null(strstr(error.text, why));
	json_decref(saved);
}

static void hostile_state(void **state)
{
	refuse("[]", "no object");
	refuse("{}", "small is missing");
	refuse("{\"small\":\"x\"}", "small is not an integer");
	refuse("{\"small\":65536}", "does not fit into 2 bytes");
	refuse("{\"small\":-1}", "does not fit");
	refuse("{\"small\":1,\"large\":2,\"negative\":3,\"inner\":1}",
	       "inner is not a list of 2");
	refuse("{\"small\":1,\"large\":2,\"negative\":3,\"inner\":[{}]}",
	       "inner is not a list of 2");
	refuse("{\"small\":1,\"large\":2,\"negative\":3,\"inner\":[{\"a\":[1,2],\"b\":true},{}]}",
	       "a is not a list of 3");
	refuse("{\"small\":1,\"large\":2,\"negative\":3,\"inner\":[{\"a\":[1,2,3],\"b\":0},{}]}",
	       "b is neither true nor false");
	refuse("{\"small\":1,\"large\":2,\"negative\":3,\"inner\":[{\"a\":[1,2,3],\"b\":true},{\"a\":[1,2,3],\"b\":true}],\"more\":1}",
	       "5 fields");
}

/* ---- devices ------------------------------------------------------------ */

static const char *const all[] = { "i82093aa", "i8259", "i8254", "mc146818",
				   "ns16550", "i8042", "acpi-pm",
				   "debug-exit", "hpet" };

static void make_all(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		bare_device(all[i]);
}

static uint32_t seed = 1;

static uint32_t rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

/* Somebody types, and the guest may look */
static void type(uint32_t *random)
{
	static const uint16_t types[] = { EV_KEY, EV_REL, EV_ABS };
	struct input_report event = { .type = types[(*random >> 8) % 3] };

	*random = *random * 1664525 + 1013904223;
	event.code = *random >> 10 & 0x1ff;
	event.value = *random >> 18 & 3;
	input_emit(&m, &event, 1);
	if (*random >> 20 & 1)
		outb(*random >> 21 & 1 ? 0x60 : 0x64, *random >> 22);
	if (*random >> 30 & 1)
		inb(0x60);
}

/* A guest that writes at will, but for what ends it */
static void make_state(unsigned int steps)
{
	static const uint16_t ports[] = { 0x20, 0x21, 0x40, 0x42, 0x43, 0x61,
					  0x70, 0x71, 0xa0, 0xa1, 0x3f8, 0x3f9,
					  0x3fa, 0x3fb, 0x3fc, 0x3ff, 0x4d0,
					  0x4d1, 0x600, 0x601, 0x602, 0x603 };
	uint32_t value, keys = steps;

	while (steps--) {
		outb(ports[rnd() % (sizeof(ports) / sizeof(ports[0]))], rnd());
		type(&keys);
		value = rnd() % 0x40;
		bus_access(&m.mmio, IOAPIC_BASE, &value, 4, true);
		value = rnd() << 8 | rnd() % 256;
		bus_access(&m.mmio, IOAPIC_BASE + 0x10, &value, 4, true);
		value >>= rnd() % 32;
		bus_access(&m.mmio, HPET_BASE + 4 * (rnd() % 0x5c), &value, 4,
			   true);
		m.clock.stopped_at += rnd() % 1000000;
		run_timers();
		if (!(rnd() % 8)) {
			wire.typed[wire.end % 64] = rnd();
			wire.end = wire.first + 1;
			wire.chardev.readable(wire.chardev.ctx);
		}
		wire.first = wire.end = 0;
		m.ended = false;
	}
}

/* What a guest can read, nearly all of it without a change */
static void observe(uint8_t *seen_by_guest, size_t len)
{
	static const uint16_t ports[] = { 0x21, 0xa1, 0x4d0, 0x4d1, 0x61, 0x3f9,
					  0x3fb, 0x3fc, 0x3fe, 0x3ff, 0x600,
					  0x601, 0x602, 0x603, 0x604, 0x608,
					  0x64, 0x92 };
	unsigned int i;
	uint32_t value;

	memset(seen_by_guest, 0, len);
	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		seen_by_guest[i] = inb(ports[i]);
	for (i = 0; i < IRQ_LINES; i++)
		seen_by_guest[32 + i] = noted.up[i];
	for (i = 0; i < 64; i++) {
		bus_access(&m.mmio, IOAPIC_BASE, &i, 4, true);
		bus_access(&m.mmio, IOAPIC_BASE + 0x10, &value, 4, false);
		memcpy(seen_by_guest + 64 + 4 * i, &value, 4);
	}
	for (i = 0; i < 0x58; i++)
		bus_access(&m.mmio, HPET_BASE + 4 * i,
			   seen_by_guest + 320 + 4 * i, 4, false);
}

/* Saved, destroyed, made anew, loaded: nobody notices, and nothing is lost */
static void each_device_moves(void **state)
{
	uint8_t before[672], after[672];
	json_t *saved, *again_saved;
	uint64_t now, due;
	int i;

	for (i = 0; i < 200; i++) {
		bare_start();
		make_all();
		make_state(1 + rnd() % 100);
		/* The first look ends a poll of the PIC, which is pending */
		observe(before, sizeof(before));
		observe(before, sizeof(before));
		saved = devices_save(&m);
		assert_non_null(saved);
		now = m.clock.stopped_at;
		due = m.loop.timers ? m.loop.timers->when : 0;
		bare_start();
		m.clock.stopped_at = now;
		make_all();
		assert_int_equal(devices_load(&m, saved, &error), 0);
		again_saved = devices_save(&m);
		assert_true(json_equal(saved, again_saved));
		observe(after, sizeof(after));
		assert_memory_equal(before, after, sizeof(before));
		/* The timer is set to what it was */
		assert_int_equal(due, m.loop.timers ?
				 m.loop.timers->when : 0);
		json_decref(saved);
		json_decref(again_saved);
	}
}

/* A reset is like power-on: no trace of what was before, but what a battery keeps */
static void reset_is_power_on(void **state)
{
	json_t *fresh, *after;

	bare_start();
	make_all();
	fresh = devices_save(&m);
	make_state(100);
	devices_reset(&m);
	after = devices_save(&m);
	assert_int_equal(json_object_del(fresh, "mc146818.0"), 0);
	assert_int_equal(json_object_del(after, "mc146818.0"), 0);
	assert_true(json_equal(fresh, after));
	assert_null(m.loop.timers);
	json_decref(fresh);
	json_decref(after);
}

/* Loaded state is hostile: an error, or a machine that goes on */
static void hostile_devices(void **state)
{
	json_t *good, *bad, *device, *field;
	const char *name, *member;
	unsigned int refused = 0;
	uint64_t now;

	bare_start();
	make_all();
	make_state(50);
	good = devices_save(&m);
	now = m.clock.stopped_at;
	json_object_foreach(good, name, device) {
		json_object_foreach(device, member, field) {
			json_t *value = json_is_integer(field) ?
				json_integer(0xff) : json_null();

			bare_start();
			m.clock.stopped_at = now;
			make_all();
			bad = json_deep_copy(good);
			json_object_set_new(json_object_get(bad, name), member,
					    value);
			if (devices_load(&m, bad, &error)) {
				assert_non_null(strstr(error.text, name));
				refused++;
			} else {
				make_state(20);
			}
			json_decref(bad);
		}
	}
	assert_true(refused > 5);
	json_decref(good);
}

static void no_such_device(void **state)
{
	bare_start();
	assert_null(device_create(&m, "flux-capacitor", NULL, &error));
	assert_non_null(strstr(error.text, "no device flux-capacitor"));
	/* Its ports are taken: what was made before is not harmed */
	bare_device("i8042");
	assert_null(device_create(&m, "i8042", NULL, &error));
	assert_non_null(strstr(error.text, "overlaps"));
	assert_int_equal(inb(0x64), 0x1c);
}

/* What an older module does not know is zero, whatever was there */
static void older_module(void **state)
{
	struct mvmm_info info;

	memset(&info, 0xff, sizeof(info));
	assert_int_equal(mvmm_get_info(-1, &info), 0);
	assert_int_equal(info.size, sizeof(info));
	assert_int_equal(info.features, 0);
	assert_int_equal(info.max_vcpus, 0);
}

static void refusals(void **state)
{
	static const struct {
		int error, status;
		const char *text;
	} all[] = {
		{ ENOENT, STATUS_NO_DEVICE, "modprobe mvmm" },
		{ EACCES, STATUS_PERMISSION, "its group" },
		{ EBUSY, STATUS_BUSY, "kvm_intel or kvm_amd" },
		{ EBUSY, STATUS_BUSY, "kvm.enable_virt_at_load=0" },
		{ EIO, STATUS_OS, "Input/output error" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_int_equal(explain_open(all[i].error, "/dev/mvmm", &error),
				 -1);
		assert_int_equal(error.status, all[i].status);
		assert_non_null(strstr(error.text, all[i].text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(older_module),
		cmocka_unit_test(refusals),
		cmocka_unit_test(blocks),
		cmocka_unit_test(timers),
		cmocka_unit_test(a_stop),
		cmocka_unit_test(polling),
		cmocka_unit_test(watches),
		cmocka_unit_test(shared_line),
		cmocka_unit_test(saved_and_loaded),
		cmocka_unit_test(hostile_state),
		cmocka_unit_test(each_device_moves),
		cmocka_unit_test(reset_is_power_on),
		cmocka_unit_test(hostile_devices),
		cmocka_unit_test(no_such_device),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	bare_stop();
	return failed;
}
