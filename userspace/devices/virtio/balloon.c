// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-balloon (virtio 1.2, 5.5): the guest gives memory back. Pages that it
 * puts into the balloon, and free ones that it reports, are taken from it: if it
 * uses them again it finds zeroes. It need not tell before.
 */
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <string.h>
#include "core/machine.h"
#include "devices/virtio/balloon.h"
#include "devices/virtio/virtio.h"

#define PAGE		(1u << VIRTIO_BALLOON_PFN_SHIFT)
/*
 * Queue 3 is that of free page hints, which are not offered. There Linux before
 * 6.11 looks for the queue of reports, which is queue 4: both are.
 */
enum { INFLATE, DEFLATE, STATS, REPORTS_OF_OLD, REPORTS, QUEUES };

/*
 * Of one chain: what is beyond stays where it is, which does no harm. Linux fills
 * a chain with 256 pages, or with 32 reports of 4 MiB at most.
 */
#define CHAIN_PAGES	1024
#define CHAIN_REPORTED	(128ull << 20)
#define CHAIN_STATS	64

#define POLL_NS		1000000000ull

/**
 * struct balloon - the device
 * @size: bytes that the guest is asked to put into it
 * @polls: it is asked for statistics all the time
 * @actual: pages in the balloon, as the driver says
 * @stat: what the guest tells of its memory, by VIRTIO_BALLOON_S_*
 * @known: a bit for each of them that it has told
 * @inflated: pages that were given back from the balloon
 * @reported: the same of reports
 * @poll: when to ask for @stat again
 */
struct balloon {
	struct virtio virtio;
	uint64_t size;
	bool polls;
	uint32_t actual;
	uint64_t stat[VIRTIO_BALLOON_S_NR];
	uint32_t known;
	uint64_t inflated, reported;
	struct timer poll;
};

static struct memory *memory_of(struct balloon *b)
{
	return &b->virtio.pci.device.machine->memory;
}

/* Pages next to each other, on the host */
struct extent {
	uint8_t *host;
	uint64_t len;
};

static void give_back(struct balloon *b, struct extent *e)
{
	if (e->len && !memory_discard(memory_of(b), e->host, e->len))
		b->inflated += e->len / PAGE;
	e->len = 0;
}

/* What is not RAM is passed over: the driver is wrong, and nothing happens */
static void add_page(struct balloon *b, struct extent *e, uint32_t pfn)
{
	uint8_t *host = memory_at(memory_of(b), (uint64_t)pfn * PAGE, PAGE,
				  MVMM_ACCESS_WRITE);

	if (!host)
		return;
	if (e->len && host + PAGE == e->host) {
		e->host = host;
		e->len += PAGE;
		return;
	}
	if (e->len && host != e->host + e->len)
		give_back(b, e);
	if (!e->len)
		e->host = host;
	e->len += PAGE;
}

static void inflate(struct balloon *b, struct chain *c)
{
	struct extent extent = { 0 };
	/* A copy: the list may be in one of its own pages */
	uint32_t pfn[CHAIN_PAGES];
	size_t i, n = chain_take(c, pfn, sizeof(pfn)) / sizeof(pfn[0]);

	for (i = 0; i < n; i++)
		add_page(b, &extent, pfn[i]);
	give_back(b, &extent);
}

/* The buffers themselves are free pages */
static void take_reported(struct balloon *b, const struct chain *c)
{
	uint64_t left = CHAIN_REPORTED;
	unsigned int i;

	for (i = 0; i < c->in; i++) {
		const struct iovec *iov = &c->iov[c->out + i];
		uint64_t before = -(uintptr_t)iov->iov_base % PAGE, len;

		if (iov->iov_len < before)
			continue;
		len = iov->iov_len - before;
		len = (len < left ? len : left) / PAGE * PAGE;
		if (len && !memory_discard(memory_of(b),
					   (char *)iov->iov_base + before, len))
			b->reported += len / PAGE;
		left -= len;
	}
}

/*
 * The driver's first buffer, and each that it adds when one comes back, has its
 * statistics. It stays in the ring until new ones are wanted.
 */
static void read_stats(struct balloon *b, struct virtqueue *queue)
{
	struct loop *loop = b->virtio.pci.device.loop;
	struct virtio_balloon_stat stat;
	struct chain chain;
	unsigned int i;

	if (!queue_pop(queue, &chain))
		return;
	for (i = 0; i < CHAIN_STATS && chain_take(&chain, &stat, sizeof(stat)) ==
	     sizeof(stat); i++) {
		if (stat.tag >= VIRTIO_BALLOON_S_NR)
			continue;
		b->stat[stat.tag] = stat.val;
		b->known |= 1u << stat.tag;
	}
	queue_unpop(queue, &chain);
	/* A guest is not woken up for what nobody reads */
	if (b->polls)
		loop_set_timer(loop, &b->poll,
			       vm_clock_now(loop->clock) + POLL_NS);
}

static void on_poll(void *ctx)
{
	struct balloon *b = ctx;
	struct virtqueue *queue = &b->virtio.queue[STATS];
	struct chain chain;

	if (!virtio_is_running(&b->virtio) || !queue_pop(queue, &chain))
		return;
	queue_push(queue, &chain, 0);
	queue_signal(queue);
	/* It finds none, and asks to be notified; or the driver was quick */
	read_stats(b, queue);
}

/* One chain at a time: the loop's other devices come between */
static void notified(struct virtio *virtio, struct virtqueue *queue)
{
	struct balloon *b = (struct balloon *)virtio;
	struct chain chain;

	if (queue->number == STATS) {
		read_stats(b, queue);
		return;
	}
	if (!queue_pop(queue, &chain))
		return;
	/* What leaves the balloon is there as soon as the guest uses it */
	if (queue->number == INFLATE)
		inflate(b, &chain);
	else if (queue->number != DEFLATE &&
		 virtio_has(virtio, VIRTIO_BALLOON_F_REPORTING))
		take_reported(b, &chain);
	queue_push(queue, &chain, 0);
	queue_signal(queue);
	virtio_again(virtio, queue);
}

static uint64_t features(struct virtio *virtio)
{
	return 1ull << VIRTIO_BALLOON_F_STATS_VQ |
	       1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
	       1ull << VIRTIO_BALLOON_F_REPORTING;
}

static void config(struct virtio *virtio, uint8_t *bytes)
{
	struct balloon *b = (struct balloon *)virtio;
	struct virtio_balloon_config c = {
		.num_pages = b->size / PAGE,
		.actual = b->actual };

	memcpy(bytes, &c, sizeof(c));
}

static void write_config(struct virtio *virtio, uint64_t at, uint32_t value,
			 unsigned int size)
{
	struct balloon *b = (struct balloon *)virtio;
	struct virtio_balloon_config c;

	config(virtio, (uint8_t *)&c);
	memcpy((uint8_t *)&c + at, &value, size);
	b->actual = c.actual;
}

static void forget(struct virtio *virtio)
{
	((struct balloon *)virtio)->actual = 0;
}

void balloon_print(const struct balloon *b, FILE *out)
{
	static const struct {
		unsigned int tag, shift;
		const char *name;
	} shown[] = {
		{ VIRTIO_BALLOON_S_MEMTOT, 10, "KiB in all" },
		{ VIRTIO_BALLOON_S_MEMFREE, 10, "KiB free" },
		{ VIRTIO_BALLOON_S_AVAIL, 10, "KiB available" },
		{ VIRTIO_BALLOON_S_CACHES, 10, "KiB of caches" },
		{ VIRTIO_BALLOON_S_SWAP_IN, 10, "KiB swapped in" },
		{ VIRTIO_BALLOON_S_SWAP_OUT, 10, "KiB swapped out" },
		{ VIRTIO_BALLOON_S_MAJFLT, 0, "major faults" },
		{ VIRTIO_BALLOON_S_MINFLT, 0, "minor faults" },
	};
	const char *before = "balloon: the guest has ";
	unsigned int i;

	fprintf(out,
		"balloon: %llu of %llu KiB in it; given back %llu KiB from it, %llu KiB that the guest reported free\n",
		b->actual * (PAGE / 1024ull),
		(unsigned long long)b->size / 1024,
		(unsigned long long)b->inflated * (PAGE / 1024),
		(unsigned long long)b->reported * (PAGE / 1024));
	for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (!(b->known & 1u << shown[i].tag))
			continue;
		fprintf(out, "%s%llu %s", before,
			(unsigned long long)b->stat[shown[i].tag] >>
			shown[i].shift, shown[i].name);
		before = ", ";
	}
	if (before[0] == ',')
		fputc('\n', out);
}

static int create(struct device *device, struct error *error)
{
	static const struct virtio_ops ops = {
		.type = VIRTIO_ID_BALLOON, .class = 0x00ff00,
		.features = features, .queues = QUEUES,
		/* The rest is of features that are not offered */
		.config_len = offsetof(struct virtio_balloon_config,
				       free_page_hint_cmd_id),
		.config = config, .write_config = write_config,
		.notified = notified, .reset = forget };
	struct balloon *b = (struct balloon *)device;

	if (b->size >= device->machine->memory.size)
		return fail(error, STATUS_USAGE,
			    "--balloon asks for all of the guest's memory: it has %lluM",
			    (unsigned long long)
			    device->machine->memory.size >> 20);
	b->poll = (struct timer){ on_poll, b, 0, NULL };
	if (virtio_create(&b->virtio, &ops, error))
		return -1;
	device->machine->balloon = b;
	return 0;
}

static void reset(struct device *device)
{
	virtio_reset((struct virtio *)device);
}

static int loaded(struct device *device, struct error *error)
{
	return virtio_loaded((struct virtio *)device, error);
}

static void destroy(struct device *device)
{
	struct balloon *b = (struct balloon *)device;

	loop_set_timer(device->loop, &b->poll, 0);
	virtio_destroy(&b->virtio);
}

static const struct field fields[] = {
	VIRTIO_FIELDS(struct balloon, QUEUES), FIELD(struct balloon, actual),
	FIELDS_END
};

static const struct option_spec options[] = {
	VIRTIO_OPTIONS(struct balloon),
	{ .name = "size", .kind = OPTION_SIZE, OPTION_AT(struct balloon, size),
	  .help = "memory that the guest is asked to give back" },
	{ .name = "stats", .kind = OPTION_BOOL,
	  OPTION_AT(struct balloon, polls),
	  .help = "the guest is asked for statistics all the time" },
	OPTIONS_END
};

static const struct device_class virtio_balloon = {
	.name = "virtio-balloon", .help = "memory that the guest gives back",
	.size = sizeof(struct balloon), .options = options,
	.fields = fields, .create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(virtio_balloon);
