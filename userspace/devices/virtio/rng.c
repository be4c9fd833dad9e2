// SPDX-License-Identifier: GPL-2.0
/* virtio-rng (virtio 1.2, 5.4): random numbers of the host's. */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/random.h>
#include "core/machine.h"
#include "devices/virtio/virtio.h"

#define QUEUES		1
/*
 * A request gets so many bytes at most, as it may, and all of them get so many
 * each period: a guest that wants gigabytes takes no more than a few per cent of
 * a CPU, and the loop's lock for no longer than its other devices can wait. A
 * request by itself costs something, too.
 */
#define REQUEST_BYTES	4096
#define REQUEST_COST	512
#define PERIOD_BYTES	(64u << 10)
#define PERIOD_NS	5000000

/**
 * struct rng - the device
 * @timer: the next period begins
 * @used: of PERIOD_BYTES
 */
struct rng {
	struct virtio virtio;
	struct timer timer;
	uint32_t used;
};

/* Returns how many bytes there are now: none while the host has no entropy */
static size_t get_random(uint8_t *bytes, size_t len)
{
	ssize_t n;

	do {
		n = getrandom(bytes, len, GRND_NONBLOCK);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? 0 : n;
}

/* Of what the device writes, as far as it goes */
static size_t wanted(const struct chain *c)
{
	size_t sum = 0;
	unsigned int i;

	for (i = 0; i < c->in && sum < REQUEST_BYTES; i++)
		sum += c->iov[c->out + i].iov_len;
	return sum < REQUEST_BYTES ? sum : REQUEST_BYTES;
}

static void serve(struct rng *rng)
{
	struct virtqueue *queue = &rng->virtio.queue[0];
	uint8_t bytes[REQUEST_BYTES];
	struct chain chain;
	size_t n;

	while (rng->used < PERIOD_BYTES && queue_pop(queue, &chain)) {
		if (!chain.in || chain.out) {
			virtio_break(&rng->virtio,
				     "a request that is not for random bytes");
			break;
		}
		n = get_random(bytes, wanted(&chain));
		if (!n) {
			/* It waits in the ring until the period ends */
			queue_unpop(queue, &chain);
			rng->used = PERIOD_BYTES;
			break;
		}
		n = chain_put(&chain, bytes, n);
		queue_push(queue, &chain, n);
		rng->used += n + REQUEST_COST;
	}
	explicit_bzero(bytes, sizeof(bytes));
	queue_signal(queue);
}

/* The first request of a period begins it */
static void notified(struct virtio *virtio, struct virtqueue *queue)
{
	struct rng *rng = (struct rng *)virtio;
	struct loop *loop = virtio->pci.device.loop;

	serve(rng);
	if (rng->used && !rng->timer.when)
		loop_set_timer(loop, &rng->timer,
			       vm_clock_now(loop->clock) + PERIOD_NS);
}

static void new_period(void *ctx)
{
	struct rng *rng = ctx;
	struct virtqueue *queue = &rng->virtio.queue[0];

	rng->used = 0;
	if (queue->enabled && virtio_is_running(&rng->virtio))
		notified(&rng->virtio, queue);
}

static uint64_t features(struct virtio *virtio)
{
	return 0;
}

static int create(struct device *device, struct error *error)
{
	static const struct virtio_ops ops = {
		.type = VIRTIO_ID_RNG, .class = 0x00ff00,
		.features = features, .queues = QUEUES, .notified = notified };
	struct rng *rng = (struct rng *)device;
	uint8_t byte;

	/*
	 * A host that has just started has no entropy yet, and only looks for
	 * some when somebody waits: no device does now. Afterwards it has
	 */
	while (getrandom(&byte, 1, 0) < 0)
		if (errno != EINTR)
			return fail(error, STATUS_OS, "--rng: getrandom: %s",
				    strerror(errno));
	rng->timer = (struct timer){ new_period, rng, 0, NULL };
	return virtio_create(&rng->virtio, &ops, error);
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
	struct rng *rng = (struct rng *)device;

	loop_set_timer(device->loop, &rng->timer, 0);
	virtio_destroy(&rng->virtio);
}

/* A period is not the guest's to see: another process begins a new one */
static const struct field fields[] = {
	VIRTIO_FIELDS(struct rng, QUEUES), FIELDS_END
};

static const struct option_spec options[] = {
	VIRTIO_OPTIONS(struct rng), OPTIONS_END
};

static const struct device_class virtio_rng = {
	.name = "virtio-rng", .help = "random numbers of the host's",
	.size = sizeof(struct rng), .options = options, .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(virtio_rng);
