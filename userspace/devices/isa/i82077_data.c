// SPDX-License-Identifier: GPL-2.0
/* The 82077's commands that move data between disk and memory: i82077.h. */
#include <string.h>
#include "devices/isa/i82077.h"

#define MT		0x80	/* a command goes on at the other head */
#define IMPLIED_SEEK	0x40	/* in CONFIGURE */

void fdc_cancel(struct fdc *f)
{
	f->cancelling = true;
	if (f->busy)
		f->busy->ops->cancel(f->busy);
	f->cancelling = false;
}

void fdc_end(struct fdc *f, uint8_t st0, uint8_t st1, uint8_t st2)
{
	uint8_t where[] = { f->fifo[2], f->fifo[3], f->fifo[4], f->fifo[5] };
	uint8_t unit = f->fifo[1] & 7;

	f->fifo[0] = st0 | unit;
	f->fifo[1] = st1;
	f->fifo[2] = st2;
	memcpy(f->fifo + 3, where, sizeof(where));
	f->pos = 0;
	f->len = 7;
	f->results = true;
	fdc_ask(f);
}

static uint64_t offset(const struct floppy *d, unsigned int track,
		       unsigned int head, unsigned int sector)
{
	return ((uint64_t)(track * d->format->heads + head) *
		d->format->sectors + sector - 1) * FDC_SECTOR;
}

/* After @n sectors: the one that comes next, as the result has it */
static void advance(struct fdc *f, uint32_t n)
{
	uint8_t last = f->fifo[6];

	while (n--) {
		if (f->fifo[4]++ != last)
			continue;
		f->fifo[4] = 1;
		if (!(f->fifo[0] & MT) || f->fifo[3]) {
			f->fifo[2]++;
			f->fifo[3] = f->fifo[0] & MT ? 0 : f->fifo[3];
		} else {
			f->fifo[3] = 1;
		}
	}
}

static void done(struct block_request *request)
{
	struct fdc *f = request->ctx;
	const struct memory *memory = &f->device.machine->memory;
	bool read = request->op == BLOCK_READ;
	bool verify = (f->fifo[0] & 0x1f) == VERIFY;
	uint32_t len = f->moving;

	f->busy = NULL;
	if (f->cancelling)
		return;
	if (request->result) {
		fdc_end(f, ST0_ABNORMAL, ST1_CRC, 0);
		return;
	}
	if ((f->fifo[0] & 0x1f) == FORMAT) {
		fdc_end(f, 0, 0, 0);
		return;
	}
	if (read && !verify)
		i8237_move(&f->dma[0], FLOPPY_DMA, memory, f->data, len, true);
	advance(f, len / FDC_SECTOR);
	/* If it could have been more, the controller found the track's end */
	if (!verify && f->more)
		fdc_end(f, ST0_ABNORMAL, ST1_END, 0);
	else
		fdc_end(f, 0, 0, 0);
}

/* An image can be shorter than its format: the rest reads as zeros */
static void submit(struct fdc *f, struct floppy *d, enum block_op op,
		   uint64_t at, uint32_t len)
{
	uint64_t size = d->block->size;
	uint32_t there = at >= size ? 0 : len < size - at ? len : size - at;

	if (op == BLOCK_READ)
		memset(f->data + there, 0, len - there);
	f->moving = len;
	f->iov = (struct iovec){ f->data, there };
	f->request = (struct block_request){
		.op = op, .at = at, .len = there, .iov = &f->iov, .niov = 1,
		.stable = true, .done = done, .ctx = f };
	if (!there) {
		done(&f->request);
		return;
	}
	f->busy = d->block;
	d->block->ops->submit(d->block, &f->request);
}

/* Is there what the command names? False: it has ended */
static bool is_found(struct fdc *f, struct floppy *d, unsigned int first)
{
	const uint8_t *p = f->fifo;

	if (!d || !d->block->size || !(d->format->rate & 1u << f->rate) ||
	    p[1] >> 2 & 1 & (d->format->heads == 1)) {
		fdc_end(f, ST0_ABNORMAL, ST1_NO_ADDRESS, 0);
		return false;
	}
	if (f->config & IMPLIED_SEEK && p[2] < d->format->tracks) {
		d->track = p[2];
		d->changed = false;
	}
	if (p[2] != d->track || p[2] >= d->format->tracks) {
		fdc_end(f, ST0_ABNORMAL, ST1_NO_DATA, ST2_WRONG_TRACK);
		return false;
	}
	if (p[3] >= d->format->heads || !first || first > p[6] ||
	    p[6] > d->format->sectors || p[5] != 2) {
		fdc_end(f, ST0_ABNORMAL, ST1_NO_DATA, 0);
		return false;
	}
	return true;
}

void fdc_transfer(struct fdc *f, bool out)
{
	struct floppy *d = fdc_drive(f, f->fifo[1] & DOR_UNIT);
	bool verify = (f->fifo[0] & 0x1f) == VERIFY;
	uint32_t n, left = i8237_left(&f->dma[0], FLOPPY_DMA), wanted;
	uint64_t at;

	if ((f->fifo[0] & 0x1f) == READ_TRACK)
		f->fifo[4] = 1;
	/* Drivers that know no format have a number for the largest one */
	if (d && f->fifo[6] > d->format->sectors)
		f->fifo[6] = d->format->sectors;
	if (!is_found(f, d, f->fifo[4]))
		return;
	n = f->fifo[6] - f->fifo[4] + 1;
	if (f->fifo[0] & MT && !f->fifo[3] && d->format->heads == 2)
		n += f->fifo[6];
	wanted = (left + FDC_SECTOR - 1) / FDC_SECTOR;
	if (!verify && wanted < n)
		n = wanted;
	at = offset(d, f->fifo[2], f->fifo[3], f->fifo[4]);
	/* With a shorter EOT the other head's are not what comes next */
	if (f->fifo[6] != d->format->sectors &&
	    n > f->fifo[6] - f->fifo[4] + 1u)
		n = f->fifo[6] - f->fifo[4] + 1;
	if (!n || f->specify[1] & 1) {
		fdc_end(f, ST0_ABNORMAL, ST1_NO_DATA, 0);
	} else if (out && d->block->read_only) {
		fdc_end(f, ST0_ABNORMAL, ST1_READ_ONLY, 0);
	} else if (out && at + n * FDC_SECTOR > d->block->size) {
		fdc_end(f, ST0_ABNORMAL, ST1_NO_DATA, 0);
	} else {
		/* Asked now: a channel may begin anew at its end */
		f->more = left > n * FDC_SECTOR;
		memset(f->data, 0, n * FDC_SECTOR);
		if (out)
			i8237_move(&f->dma[0], FLOPPY_DMA,
				   &f->device.machine->memory, f->data,
				   n * FDC_SECTOR, false);
		submit(f, d, out ? BLOCK_WRITE : BLOCK_READ, at, n * FDC_SECTOR);
	}
}

/* A track of the format that it has already; others are none of the image's */
void fdc_format(struct fdc *f)
{
	struct floppy *d = fdc_drive(f, f->fifo[1] & DOR_UNIT);
	uint8_t head = f->fifo[1] >> 2 & 1, fill = f->fifo[5];
	unsigned int n = f->fifo[3];
	uint64_t at;

	if (!d || f->fifo[2] != 2 || n != d->format->sectors ||
	    head >= d->format->heads || f->specify[1] & 1 ||
	    !(d->format->rate & 1u << f->rate)) {
		fdc_end(f, ST0_ABNORMAL, ST1_NO_ADDRESS, 0);
		return;
	}
	at = offset(d, d->track, head, 1);
	if (d->block->read_only || at + n * FDC_SECTOR > d->block->size) {
		fdc_end(f, ST0_ABNORMAL, ST1_READ_ONLY, 0);
		return;
	}
	/* C, H, R and N of each, in whatever order they are to stand */
	i8237_move(&f->dma[0], FLOPPY_DMA, &f->device.machine->memory, f->data,
		   4 * n, false);
	memset(f->data, fill, n * FDC_SECTOR);
	submit(f, d, BLOCK_WRITE, at, n * FDC_SECTOR);
}
