// SPDX-License-Identifier: GPL-2.0
/* Who serves a packed ring dies at any moment: where does another one go on? */
#include <linux/virtio_config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "virtqueue/queue.h"

#define SIZE	4
#define WRAP	0x8000u

struct ram {
	struct vring_packed_desc ring[SIZE];
	struct vring_packed_desc_event events[2];
	uint8_t buffer[64];
};

/* Nothing else is in its page */
static union {
	_Alignas(4096) struct ram ram;
	uint8_t page[4096];
} all;
static uint32_t place;

static void *memory(const struct virtqueue *q, uint64_t gpa, uint64_t len,
		    bool write)
{
	return gpa + len <= sizeof(all) ? all.page + gpa : NULL;
}

static bool may(const struct virtqueue *q)
{
	return true;
}

static void broken(struct virtqueue *q, const char *why)
{
	fail_msg("%s", why);
}

static const struct queue_ops ops = { .memory = memory, .may = may,
				      .broken = broken };

/* Half of a base: the descriptor @n of the first round or, from SIZE on, the next one */
static uint32_t half(unsigned int n)
{
	return n % SIZE | (n / SIZE % 2 ? 0 : WRAP);
}

/* The driver makes @n available */
static void offer(unsigned int n)
{
	all.ram.ring[n % SIZE] = (struct vring_packed_desc){
		offsetof(struct ram, buffer), 16, n % SIZE,
		VRING_DESC_F_WRITE |
		(n / SIZE % 2 ? PACKED_USED : PACKED_AVAIL) };
}

/* One that stands at @n, with @nr chains of a descriptor behind that */
static struct virtqueue queue(unsigned int n, unsigned int nr)
{
	struct virtqueue q = {
		.size = SIZE, .packed = true, .ops = &ops, .place = &place,
		.avail = offsetof(struct ram, events[0]),
		.used = offsetof(struct ram, events[1]) };
	unsigned int i;

	memset(&all, 0, sizeof(all));
	/* All of the round before were used */
	for (i = 0; n >= SIZE && i < SIZE; i++)
		all.ram.ring[i].flags = PACKED_AVAIL | PACKED_USED;
	for (i = n - n % SIZE; i < n; i++)
		all.ram.ring[i % SIZE].flags = i / SIZE % 2 ?
			0 : PACKED_AVAIL | PACKED_USED;
	for (i = 0; i < nr; i++)
		offer(n + i);
	place = half(n) * 0x10001u;
	queue_set_base(&q, place);
	assert_int_equal(queue_enable(&q, 1ull << VIRTIO_F_RING_PACKED), 0);
	return q;
}

static void take(struct virtqueue *q, struct filled *filled, unsigned int nr)
{
	struct chain chain;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		assert_true(queue_pop(q, &chain));
		filled[i] = (struct filled){ chain.head, chain.slots, 8 };
	}
}

/* All of them are taken, and given back at once */
static void give_back(struct virtqueue *q, unsigned int nr)
{
	struct filled filled[SIZE];

	take(q, filled, nr);
	queue_push_all(q, filled, nr);
}

static void goes_on_at(struct virtqueue *q, unsigned int n)
{
	assert_true(queue_recover(q));
	assert_int_equal(queue_base(q), half(n) * 0x10001u);
}

static void at_any_moment(void **state)
{
	struct vring_packed_desc before[SIZE];
	unsigned int n, nr, i;

	for (n = 0; n < 2 * SIZE; n++) {
		for (nr = 1; nr <= SIZE; nr++) {
			struct virtqueue q = queue(n, nr);

			memcpy(before, all.ram.ring, sizeof(before));
			goes_on_at(&q, n);
			give_back(&q, nr);
			assert_int_equal(place, half(n) | half(n + nr) << 16);
			goes_on_at(&q, n + nr);
			/* The driver puts new ones in there */
			for (i = 0; i < nr; i++) {
				offer(n + SIZE + i);
				goes_on_at(&q, n + nr);
			}
			q = queue(n, nr);
			give_back(&q, nr);
			/* But for the first one */
			all.ram.ring[n % SIZE] = before[n % SIZE];
			if (nr == 1)
				goes_on_at(&q, n);
			else
				assert_false(queue_recover(&q));
			/* It was noted only */
			memcpy(all.ram.ring, before, sizeof(before));
			goes_on_at(&q, n);
		}
	}
}

static uint32_t place_then;

static void on_write(int sig)
{
	place_then = place;
	mprotect(&all, 4096, PROT_READ | PROT_WRITE);
}

/* Who dies before he has written any of it may have noted it, but not the other way */
static void it_is_noted_first(void **state)
{
	struct sigaction action = { .sa_handler = on_write }, before;
	unsigned int nr;

	for (nr = 1; nr <= SIZE; nr++) {
		struct virtqueue q = queue(0, nr);
		struct filled filled[SIZE];

		take(&q, filled, nr);
		place_then = 0;
		sigaction(SIGSEGV, &action, &before);
		mprotect(&all, 4096, PROT_READ);
		queue_push_all(&q, filled, nr);
		sigaction(SIGSEGV, &before, NULL);
		assert_int_equal(place_then, half(0) | half(nr) << 16);
	}
}

static void places_that_are_none(void **state)
{
	struct virtqueue q = queue(1, 2);

	place = SIZE;
	assert_false(queue_recover(&q));
	place = SIZE << 16;
	assert_false(queue_recover(&q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_any_moment),
		cmocka_unit_test(it_is_noted_first),
		cmocka_unit_test(places_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
