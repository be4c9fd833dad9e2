// SPDX-License-Identifier: GPL-2.0
/* A cable of a switch: its rate, its delay and its losses, in a time that stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail
#include "net/switch/switch.h"
#include "tests/bare.h"
#include "tests/played_port.h"

#define MS 1000000ull

static struct ether_switch *sw;
static struct switch_port *plug;
static struct cable *cable;
static uint8_t bytes[1500];

static void plug_in(const char *text)
{
	struct switch_config config = { 0 };
	char options[64];

	snprintf(options, sizeof(options), "%s", text);
	assert_int_equal(options_parse(switch_options, &config, options, false,
				       &error), 0);
	assert_true(cable_is_needed(&config.cable));
	plug = switch_add(sw, &m.loop, &config, &error);
	assert_non_null(plug);
	cable = cable_new(&config.cable, &m.loop, &plug->port, &played.port);
	assert_non_null(cable);
}

static int setup(void **state)
{
	bare_start();
	played_init(&m.loop);
	sw = calloc(1, sizeof(*sw));
	assert_non_null(sw);
	memset(bytes, 2, sizeof(bytes));
	return 0;
}

static int teardown(void **state)
{
	unsigned int i;

	assert_true(adds_up(&plug->port));
	assert_true(adds_up(&played.port));
	for (i = 0; i < 2; i++)
		assert_true(adds_up(&cable->end[i].port));
	switch_remove(plug);
	cable_free(cable);
	assert_null(played.port.peer);
	free(sw);
	bare_stop();
	return 0;
}

/* From the switch to what is plugged in */
static void give(size_t len)
{
	const struct iovec iov = { bytes, len };
	const struct frame frame = { .iov = &iov, .niov = 1, .len = len };

	assert_true(port_send(&plug->port, &frame));
}

static uint64_t dropped(unsigned int end, enum port_drop why)
{
	return cable->end[end].port.from_peer.dropped[why];
}

static void go_on(uint64_t ns)
{
	m.clock.stopped_at += ns;
	run_timers();
}

static void a_delay(void **state)
{
	plug_in("delay=10");
	assert_true(cable->end[0].port.link);
	give(100);
	go_on(5 * MS);
	give(200);
	assert_int_equal(played.frames, 0);
	go_on(5 * MS - 1);
	assert_int_equal(played.frames, 0);
	go_on(1);
	assert_int_equal(played.frames, 1);
	assert_int_equal(played.len, 100);
	assert_true(played.flushed);
	go_on(5 * MS);
	assert_int_equal(played.frames, 2);
	assert_int_equal(played.len, 200);
	/* And back */
	played_send_frame(bytes, 60, NULL);
	assert_int_equal(plug->port.from_peer.in, 0);
	go_on(10 * MS);
	assert_int_equal(plug->port.from_peer.in, 1);
	/* Those on their way are lost with the link */
	give(100);
	port_set_link(&played.port, false);
	assert_false(cable->end[0].port.link);
	go_on(10 * MS);
	assert_int_equal(played.frames, 2);
	assert_int_equal(cable->end[1].port.to_peer.dropped[DROP_NO_LINK], 1);
	/* A receiver that is full loses them, too; and some are still there in the end */
	port_set_link(&played.port, true);
	played.full = true;
	give(100);
	go_on(10 * MS);
	assert_int_equal(cable->end[1].port.to_peer.dropped[DROP_FULL], 1);
	give(100);
}

static void a_rate(void **state)
{
	unsigned int i;

	/* 1000 bytes take 1 ms */
	plug_in("rate=8000");
	give(1000);
	give(500);
	assert_int_equal(played.frames, 0);
	go_on(MS);
	assert_int_equal(played.frames, 1);
	go_on(MS / 2 - 1);
	assert_int_equal(played.frames, 1);
	go_on(1);
	assert_int_equal(played.frames, 2);
	/* What does not fit is dropped: 200 ms wait, and one is being sent */
	for (i = 0; i < 300; i++)
		give(1000);
	assert_int_equal(dropped(0, DROP_RATE), 300 - 201);
	go_on(1000 * MS);
	assert_int_equal(played.frames, 2 + 201);
	/* Time in which nothing came is not made up for */
	give(1000);
	go_on(MS - 1);
	assert_int_equal(played.frames, 2 + 201);
	go_on(1);
	assert_int_equal(played.frames, 2 + 202);
}

static void memory_has_an_end(void **state)
{
	unsigned int i;
	uint64_t fit;

	plug_in("delay=10000");
	for (i = 0; i < 1000; i++)
		give(1500);
	fit = 1000 - dropped(0, DROP_RATE);
	assert_in_range(fit, CABLE_BYTES / 1600, CABLE_BYTES / 1500);
	go_on(10000 * MS);
	assert_int_equal(played.frames, fit);
	assert_int_equal(cable->end[0].bytes, 0);
	/* Small ones have an end, too: of how much they take, not of their bytes */
	for (i = 0; i < 100000; i++)
		give(1);
	assert_true(dropped(0, DROP_RATE) > 100000 - CABLE_BYTES / 16);
	go_on(10000 * MS);
	assert_int_equal(cable->end[0].bytes, 0);
}

static unsigned int lost_of(const char *text, unsigned int nr)
{
	unsigned int i;

	plug_in(text);
	for (i = 0; i < nr; i++) {
		give(60);
		go_on(1);
	}
	assert_int_equal(played.frames + dropped(0, DROP_CHANCE), nr);
	return dropped(0, DROP_CHANCE);
}

static void a_loss(void **state)
{
	unsigned int first = lost_of("loss=100,seed=5", 10000), again;

	assert_in_range(first, 900, 1100);
	teardown(NULL);
	setup(NULL);
	again = lost_of("loss=100,seed=5", 10000);
	assert_int_equal(again, first);
	teardown(NULL);
	setup(NULL);
	assert_int_equal(lost_of("loss=1000", 100), 100);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_delay), TEST(a_rate), TEST(memory_has_an_end),
		TEST(a_loss) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
