// SPDX-License-Identifier: GPL-2.0
/* virtio-blk (virtio 1.2, 5.2): a disk. */
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "block/block.h"
#include "core/machine.h"
#include "devices/virtio/virtio.h"

#define QUEUES_MAX	16
#define SEG_MAX		(VIRTIO_CHAIN_MAX - 2)	/* but header and status */
#define DISCARD_MAX	(1u << 22)		/* sectors of a segment */
#define DISCARD_SEGS	1

/* Are doorbells eventfds? AUTO: if there is a thread that waits for them */
enum { IOEVENTFD_AUTO, IOEVENTFD_ON, IOEVENTFD_OFF };

/**
 * struct blk_request - a chain on its way through the block layer
 * @block: what the back end sees
 * @blk: whose it is
 * @queue: where it goes back to
 * @chain: the guest's buffers
 * @status: the guest's last byte
 * @written: bytes that the device wrote, but for the status
 * @next: in the list of free ones
 */
struct blk_request {
	struct block_request block;
	struct blk *blk;
	struct virtqueue *queue;
	struct chain chain;
	uint8_t *status;
	uint32_t written;
	struct blk_request *next;
};

/**
 * struct blk - the device
 * @iothread: that serves it; NULL: the main thread
 * @ioeventfd: IOEVENTFD_*
 * @queues: as an option: how many, 0: one for each vCPU; as a field: of the state
 * @ops: for as many as there are, whatever a state says
 * @number: of its disk
 * @block: that
 * @serial: what the guest reads as its serial number
 * @request: as many as the rings have entries, so that none is ever missing
 * @used: how many were ever in flight: no memory is touched for the others
 * @free: of these, those that are not
 * @resetting: what ends now does not go back to a queue
 */
struct blk {
	struct virtio virtio;
	const char *iothread;
	uint8_t ioeventfd;
	uint16_t queues;
	struct virtio_ops ops;
	unsigned int number;
	struct block *block;
	char serial[VIRTIO_BLK_ID_BYTES];
	struct blk_request *request, *free;
	unsigned int used;
	bool resetting;
};

static void done(struct block_request *request);

/* NULL: all are in flight */
static struct blk_request *take_request(struct blk *blk)
{
	struct blk_request *r = blk->free;

	if (r) {
		blk->free = r->next;
	} else if (blk->used < VIRTIO_RING_MAX * blk->ops.queues) {
		r = &blk->request[blk->used++];
		r->blk = blk;
		r->block.done = done;
		r->block.ctx = r;
	}
	return r;
}

static void give_request(struct blk_request *r)
{
	r->next = r->blk->free;
	r->blk->free = r;
}

static void finish(struct blk_request *r, uint8_t status)
{
	struct blk *blk = r->blk;

	if (!blk->resetting) {
		*r->status = status;
		queue_push(r->queue, &r->chain, r->written + 1);
	}
	give_request(r);
}

/* evening 17: it is done: the guest hears of it */
static void done(struct block_request *request)
{
	struct blk_request *r = request->ctx;
	struct virtqueue *queue = r->queue;
	bool resetting = r->blk->resetting;

	if (request->result)
		r->written = 0;
	finish(r, request->result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	if (!resetting)
		queue_signal(queue);
}

/* The last byte that the device writes, taken away. NULL: there is none */
static uint8_t *take_status(struct chain *c)
{
	struct iovec *last = &c->iov[c->out + c->in - 1];

	if (!c->in)
		return NULL;
	last->iov_len--;
	return (uint8_t *)last->iov_base + last->iov_len;
}

static uint64_t length(const struct iovec *iov, unsigned int n)
{
	uint64_t sum = 0;

	while (n--)
		sum += iov++->iov_len;
	return sum;
}

static bool in_disk(const struct blk *blk, uint64_t sector, uint64_t len)
{
	return sector <= blk->block->size / BLOCK_SECTOR &&
	       len <= blk->block->size - sector * BLOCK_SECTOR;
}

/* Returns false, and *@status, if there is nothing to submit */
static bool make_transfer(struct blk_request *r, uint64_t sector, bool write,
			  uint8_t *status)
{
	struct block_request *b = &r->block;
	struct chain *c = &r->chain;

	b->iov = write ? c->iov : c->iov + c->out;
	b->niov = write ? c->out : c->in;
	/* What the header and the status left empty */
	while (b->niov && !b->iov->iov_len) {
		b->iov++;
		b->niov--;
	}
	while (b->niov && !b->iov[b->niov - 1].iov_len)
		b->niov--;
	b->len = length(b->iov, b->niov);
	*status = VIRTIO_BLK_S_IOERR;
	if (b->len % BLOCK_SECTOR || !in_disk(r->blk, sector, b->len) ||
	    (write && r->blk->block->read_only))
		return false;
	*status = VIRTIO_BLK_S_OK;
	b->op = write ? BLOCK_WRITE : BLOCK_READ;
	b->at = sector * BLOCK_SECTOR;
	r->written = write ? 0 : b->len;
	return b->len;
}

static bool make_discard(struct blk_request *r, bool zero, uint8_t *status)
{
	struct virtio_blk_discard_write_zeroes range;

	*status = VIRTIO_BLK_S_UNSUPP;
	if (chain_take(&r->chain, &range, sizeof(range)) < sizeof(range) ||
	    length(r->chain.iov, r->chain.out) ||
	    range.flags & ~(zero ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u))
		return false;
	*status = VIRTIO_BLK_S_IOERR;
	if (range.num_sectors > DISCARD_MAX || r->blk->block->read_only ||
	    !in_disk(r->blk, range.sector,
		     (uint64_t)range.num_sectors * BLOCK_SECTOR))
		return false;
	*status = VIRTIO_BLK_S_OK;
	r->block.op = !zero ? BLOCK_DISCARD :
		      range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP ?
		      BLOCK_UNMAP : BLOCK_ZERO;
	r->block.at = range.sector * BLOCK_SECTOR;
	r->block.len = (uint64_t)range.num_sectors * BLOCK_SECTOR;
	return r->block.len;
}

static void get_id(struct blk_request *r)
{
	const struct iovec *iov = &r->chain.iov[r->chain.out];
	size_t n = iov->iov_len < sizeof(r->blk->serial) ?
		   iov->iov_len : sizeof(r->blk->serial);

	memcpy(iov->iov_base, r->blk->serial, n);
	r->written = n;
}

/* evening 15: it is the disk's. The status is the same for each request */
static bool make_request(struct blk_request *r, uint8_t *status)
{
	struct virtio_blk_outhdr header;

	r->written = 0;
	/* 5.2.6.2: who cannot flush must not lose what is done */
	r->block.stable = !virtio_has(&r->blk->virtio, VIRTIO_BLK_F_FLUSH);
	*status = VIRTIO_BLK_S_IOERR;
	if (chain_take(&r->chain, &header, sizeof(header)) < sizeof(header))
		return false;
	switch (header.type) {
	case VIRTIO_BLK_T_IN:
		return make_transfer(r, header.sector, false, status);
	case VIRTIO_BLK_T_OUT:
		return make_transfer(r, header.sector, true, status);
	case VIRTIO_BLK_T_FLUSH:
		r->block.op = BLOCK_FLUSH;
		r->block.len = 0;
		*status = VIRTIO_BLK_S_OK;
		return true;
	case VIRTIO_BLK_T_DISCARD:
		return make_discard(r, false, status);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return make_discard(r, true, status);
	case VIRTIO_BLK_T_GET_ID:
		get_id(r);
		*status = VIRTIO_BLK_S_OK;
		return false;
	default:
		*status = VIRTIO_BLK_S_UNSUPP;
		return false;
	}
}

static void notified(struct virtio *virtio, struct virtqueue *queue)
{
	struct blk *blk = (struct blk *)virtio;
	unsigned int left = queue->size;
	struct blk_request *r;
	uint8_t status;

	block_plug(blk->block, true);
	while ((r = take_request(blk))) {
		if (!queue_pop(queue, &r->chain)) {
			give_request(r);
			break;
		}
		/* A driver that adds more all the time: others are served, too */
		if (!left--) {
			virtio_again(virtio, queue);
			queue_unpop(queue, &r->chain);
			give_request(r);
			break;
		}
		r->status = take_status(&r->chain);
		if (!r->status) {
			virtio_break(virtio, "a request without a status");
			give_request(r);
			break;
		}
		r->queue = queue;
		if (make_request(r, &status))
			blk->block->ops->submit(blk->block, &r->block);
		else
			finish(r, status);
	}
	block_plug(blk->block, false);
	queue_signal(queue);
}

static uint64_t features(struct virtio *virtio)
{
	struct blk *blk = (struct blk *)virtio;
	uint64_t f = 1ull << VIRTIO_BLK_F_SEG_MAX |
		     1ull << VIRTIO_BLK_F_BLK_SIZE |
		     1ull << VIRTIO_BLK_F_FLUSH;

	if (blk->ops.queues > 1)
		f |= 1ull << VIRTIO_BLK_F_MQ;
	if (blk->block->physical)
		f |= 1ull << VIRTIO_BLK_F_TOPOLOGY;
	if (blk->block->read_only)
		return f | 1ull << VIRTIO_BLK_F_RO;
	return f | 1ull << VIRTIO_BLK_F_DISCARD |
	       1ull << VIRTIO_BLK_F_WRITE_ZEROES;
}

/* Sectors of a physical block, as a power of two */
static uint8_t exponent(uint32_t bytes)
{
	uint8_t exp = 0;

	while ((uint32_t)BLOCK_SECTOR << exp < bytes && exp < 11)
		exp++;
	return exp;
}

/* 0, which says nothing, if the driver could not read it */
static uint32_t in_sectors(uint64_t bytes, uint32_t max)
{
	return bytes / BLOCK_SECTOR <= max ? bytes / BLOCK_SECTOR : 0;
}

static void config(struct virtio *virtio, uint8_t *bytes)
{
	struct blk *blk = (struct blk *)virtio;
	struct virtio_blk_config c = {
		.capacity = blk->block->size / BLOCK_SECTOR,
		.seg_max = SEG_MAX, .blk_size = BLOCK_SECTOR,
		.physical_block_exp = exponent(blk->block->physical),
		.min_io_size = in_sectors(blk->block->min_io, UINT16_MAX),
		.opt_io_size = in_sectors(blk->block->opt_io, UINT32_MAX),
		.num_queues = blk->ops.queues,
		.max_discard_sectors = DISCARD_MAX,
		.max_discard_seg = DISCARD_SEGS, .discard_sector_alignment = 1,
		.max_write_zeroes_sectors = DISCARD_MAX,
		.max_write_zeroes_seg = DISCARD_SEGS,
		.write_zeroes_may_unmap = 1 };

	memcpy(bytes, &c, sizeof(c));
}

static void forget(struct virtio *virtio)
{
	struct blk *blk = (struct blk *)virtio;

	blk->resetting = true;
	blk->block->ops->cancel(blk->block);
	blk->resetting = false;
}

static void drain(struct virtio *virtio)
{
	struct blk *blk = (struct blk *)virtio;

	blk->block->ops->drain(blk->block);
}

static int make_requests(struct blk *blk, struct error *error)
{
	blk->request = calloc(VIRTIO_RING_MAX * blk->queues,
			      sizeof(*blk->request));
	return blk->request ? 0 :
	       fail(error, STATUS_OS, "--disk: no memory");
}

#define NEXT_DISK	(~0u)

/* Disk *@number, or the next that has no device, whose number it becomes */
static int take_disk(struct machine *m, unsigned int *number,
		     struct error *error)
{
	unsigned int n = *number;

	if (n == NEXT_DISK)
		for (n = 0; n < m->config.disks && m->disks_taken & 1u << n; n++)
			;
	if (n >= m->config.disks)
		return fail(error, STATUS_USAGE,
			    "there is no disk for a device: give one by --disk");
	if (m->disks_taken & 1u << n)
		return fail(error, STATUS_USAGE, "disk %u has two devices", n);
	m->disks_taken |= 1u << n;
	*number = n;
	return 0;
}

static int create(struct device *device, struct error *error)
{
	static const struct virtio_ops ops = {
		.type = VIRTIO_ID_BLOCK, .class = 0x010000,
		.features = features,
		.config_len = sizeof(struct virtio_blk_config),
		.config = config, .notified = notified, .drain = drain,
		.reset = forget };
	struct machine *m = device->machine;
	struct blk *blk = (struct blk *)device;

	if (device_set_iothread(device, blk->iothread, error) ||
	    take_disk(m, &blk->number, error))
		return -1;
	blk->virtio.by_vcpu = blk->ioeventfd == IOEVENTFD_OFF ||
			      (blk->ioeventfd == IOEVENTFD_AUTO &&
			       !blk->iothread);
	if (!blk->queues)
		blk->queues = !m->nr_vcpus ? 1 : m->nr_vcpus < QUEUES_MAX ?
			      m->nr_vcpus : QUEUES_MAX;
	blk->ops = ops;
	blk->ops.queues = blk->queues;
	blk->block = m->config.disk[blk->number];
	if (blk->block->serial[0])
		memcpy(blk->serial, blk->block->serial, sizeof(blk->serial));
	else
		snprintf(blk->serial, sizeof(blk->serial), "mvmm-disk-%u",
			 blk->number % MACHINE_DISKS);
	/* It goes on as it is if only the device is made anew */
	if (!make_requests(blk, error) &&
	    (blk->block->loop ||
	     !blk->block->ops->start(blk->block, device->loop, error)) &&
	    !virtio_create(&blk->virtio, &blk->ops, error))
		return 0;
	free(blk->request);
	return -1;
}

static void reset(struct device *device)
{
	struct blk *blk = (struct blk *)device;

	blk->queues = blk->ops.queues;
	virtio_reset((struct virtio *)device);
}

static int loaded(struct device *device, struct error *error)
{
	struct blk *blk = (struct blk *)device;

	if (blk->queues != blk->ops.queues) {
		unsigned int saved = blk->queues;

		blk->queues = blk->ops.queues;
		return fail(error, STATUS_DATA,
			    "a state with %u queues, for a disk with %u",
			    saved, blk->queues);
	}
	return virtio_loaded((struct virtio *)device, error);
}

/* Afterwards nothing is in flight, and all that was is in the ring */
static void saving(struct device *device)
{
	drain((struct virtio *)device);
}

static void destroy(struct device *device)
{
	struct blk *blk = (struct blk *)device;

	pthread_mutex_lock(device->lock);
	forget(&blk->virtio);
	pthread_mutex_unlock(device->lock);
	virtio_destroy(&blk->virtio);
	free(blk->request);
}

static const struct field fields[] = {
	VIRTIO_FIELDS(struct blk, QUEUES_MAX), FIELD(struct blk, queues),
	FIELDS_END
};

static const char *const ioeventfds[] = { "auto", "on", "off", NULL };

static const struct option_spec options[] = {
	VIRTIO_OPTIONS(struct blk),
	{ .name = "disk", .kind = OPTION_NUMBER, OPTION_AT(struct blk, number),
	  .def = NEXT_DISK,
	  .help = "which --disk, from 0; the next that has no device" },
	{ .name = "iothread", .kind = OPTION_STRING,
	  OPTION_AT(struct blk, iothread),
	  .help = "the --iothread that serves it; the main thread" },
	{ .name = "ioeventfd", .kind = OPTION_CHOICE,
	  OPTION_AT(struct blk, ioeventfd), .words = ioeventfds,
	  .help = "off: the CPU that asks serves the disk; auto: without an iothread" },
	{ .name = "queues", .kind = OPTION_NUMBER,
	  OPTION_AT(struct blk, queues), .max = QUEUES_MAX,
	  .help = "of requests; 0: one for each CPU" },
	OPTIONS_END
};

static const struct device_class virtio_blk = {
	.name = "virtio-blk", .help = "a disk, which --disk gives",
	.size = sizeof(struct blk), .options = options, .fields = fields,
	.create = create, .reset = reset, .loaded = loaded, .saving = saving,
	.destroy = destroy,
};
DEVICE_CLASS(virtio_blk);
