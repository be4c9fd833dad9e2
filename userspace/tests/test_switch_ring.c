// SPDX-License-Identifier: GPL-2.0
/*
 * Rings in shared memory: what was put in comes out, in order, also between two
 * threads; the other one is woken when it waits, and only then; and whatever the
 * other side writes there is noticed, or harmless. Also under TSan.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "net/switch/ring.h"

static struct ring_words words;
static uint8_t data[RING_BYTES] __attribute__((aligned(16)));
static struct ring in, out;
static uint8_t bytes[FRAME_MAX];

static int setup(void **state)
{
	memset(&words, 0, sizeof(words));
	in = out = (struct ring){ .words = &words, .data = data };
	return 0;
}

/* Frames of several pieces, whose content is their number */
static enum ring_result put(struct ring *r, uint32_t number, size_t len)
{
	struct iovec iov[] = { { bytes, 4 }, { bytes + 4, 10 },
			       { bytes + 14, len - 14 } };
	struct frame frame = { .iov = iov, .niov = 3, .len = len };

	memset(bytes, number * 3 + 1, len);
	memcpy(bytes, &number, 4);
	return ring_put(r, &frame);
}

static size_t size_of(uint32_t number)
{
	return number % 97 ? 14 + number * 31 % 3000 : FRAME_MAX;
}

/* The next one is this */
static bool get(uint32_t number)
{
	static uint8_t got[FRAME_MAX];
	struct iovec iov[RING_PIECES];
	struct frame frame;
	uint32_t n;
	size_t i;

	if (ring_get(&in, iov, &frame) != RING_DONE)
		return false;
	assert_int_equal(frame.len, size_of(number));
	assert_int_equal(frame_peek(&frame, got, sizeof(got)), frame.len);
	memcpy(&n, got, 4);
	assert_int_equal(n, number);
	for (i = 4; i < frame.len; i++)
		assert_int_equal(got[i], (uint8_t)(number * 3 + 1));
	ring_next(&in, &frame);
	return true;
}

static void in_order(void **state)
{
	uint32_t number, taken = 0;

	/* Places go round at 2^32, too */
	in.at = out.at = in.told = out.told = words.head = words.tail =
		-3 * RING_BYTES;
	for (number = 0; number < 3000; number++) {
		while (put(&out, number, size_of(number)) == RING_NONE)
			assert_true(get(taken++));
		if (number % 3)
			assert_true(get(taken++));
	}
	while (taken < number)
		assert_true(get(taken++));
	assert_false(get(taken));
	assert_true(out.at < RING_BYTES * 20);
}

static void wakes(void **state)
{
	unsigned int i, n;

	/* It has not looked yet: the first one wakes it, the next ones do not */
	assert_false(ring_put_wakes(&out));
	put(&out, 1, size_of(1));
	assert_true(ring_put_wakes(&out));
	put(&out, 2, size_of(2));
	assert_false(ring_put_wakes(&out));
	/* Something came before it could wait */
	assert_false(ring_wait_more(&in));
	assert_true(get(1));
	assert_true(get(2));
	assert_true(ring_wait_more(&in));
	put(&out, 3, size_of(3));
	put(&out, 4, size_of(4));
	assert_true(ring_put_wakes(&out));
	assert_false(ring_put_wakes(&out));
	assert_true(get(3));
	assert_true(get(4));
	ring_get_wakes(&in);
	/* Room is told of only to who waits for it */
	for (n = 5; put(&out, n, size_of(n)) == RING_DONE; n++)
		;
	assert_true(get(5));
	assert_false(ring_get_wakes(&in));
	while (put(&out, n, size_of(n)) == RING_DONE)
		n++;
	assert_true(ring_wait_room(&out));
	assert_true(get(6));
	assert_true(ring_get_wakes(&in));
	assert_false(ring_get_wakes(&in));
	for (i = 7; i < n; i++)
		assert_true(get(i));
	assert_false(ring_get_wakes(&in));
}

static void lies(void **state)
{
	static const uint32_t heads[] = { 1, 8, 15, RING_BYTES + 1,
		RING_BYTES + 16, ~0u, 1u << 31 };
	static const uint32_t lens[] = { 0, 13, FRAME_MAX + 1, ~0u, ~0u - 15,
		64 + 1 };
	struct iovec iov[RING_PIECES];
	struct ring_record record = { 0 };
	struct frame frame;
	unsigned int i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		words.head = heads[i];
		assert_int_equal(ring_get(&in, iov, &frame), RING_BAD);
	}
	/* A length that is none, or more than was put in */
	words.head = 16 + 64;
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		record.len = lens[i];
		memcpy(data, &record, sizeof(record));
		assert_int_equal(ring_get(&in, iov, &frame), RING_BAD);
	}
	record.len = 64;
	memcpy(data, &record, sizeof(record));
	assert_int_equal(ring_get(&in, iov, &frame), RING_DONE);
	/* It counts as it was read */
	record.len = ~0u;
	memcpy(data, &record, sizeof(record));
	ring_next(&in, &frame);
	assert_int_equal(ring_get(&in, iov, &frame), RING_NONE);
	assert_int_equal(words.tail, 80);
	/* The same of who takes */
	words.tail = 16;
	assert_int_equal(put(&out, 1, 60), RING_BAD);
	words.tail = -RING_BYTES - 16;
	assert_int_equal(put(&out, 1, 60), RING_BAD);
	words.tail = -RING_BYTES + 1;
	assert_int_equal(put(&out, 1, 60), RING_NONE);
}

/* ---- two threads --------------------------------------------------------------- */

#define FRAMES	20000

static int bell[2], room[2];
static unsigned int rung;

static void ring_bell(int fd)
{
	assert_int_equal(write(fd, "", 1), 1);
}

static void wait_bell(int fd)
{
	char byte;

	assert_int_equal(read(fd, &byte, 1), 1);
}

static void *producer(void *ctx)
{
	uint32_t number;

	for (number = 0; number < FRAMES; ) {
		if (put(&out, number, size_of(number)) == RING_DONE) {
			number++;
			if (ring_put_wakes(&out)) {
				rung++;
				ring_bell(bell[1]);
			}
		} else if (ring_wait_room(&out)) {
			wait_bell(room[0]);
		}
	}
	return NULL;
}

/* Nobody sleeps for ever, and nothing is lost */
static void two_threads(void **state)
{
	pthread_t thread;
	uint32_t number = 0;

	assert_int_equal(pipe(bell), 0);
	assert_int_equal(pipe(room), 0);
	rung = 0;
	assert_int_equal(pthread_create(&thread, NULL, producer, NULL), 0);
	while (number < FRAMES) {
		if (get(number)) {
			number++;
			if (ring_get_wakes(&in))
				ring_bell(room[1]);
		} else if (ring_wait_more(&in)) {
			wait_bell(bell[0]);
		}
	}
	pthread_join(thread, NULL);
	assert_in_range(rung, 1, FRAMES);
	close(bell[0]);
	close(bell[1]);
	close(room[0]);
	close(room[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(in_order), TEST(wakes), TEST(lies), TEST(two_threads),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
