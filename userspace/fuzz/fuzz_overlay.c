// SPDX-License-Identifier: GPL-2.0
/*
 * A file of changes that somebody has made: it is refused, or a disk works with
 * it. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "block/overlay/overlay.h"

#define SIZE_MAX_TRIED	(1u << 20)
#define FIELDS		32	/* of the header, and some that are zero */

static struct vm_clock vm_clock;
static struct loop loop;

static void done(struct block_request *request)
{
}

static void request(struct block *disk, enum block_op op, uint64_t at,
		    uint64_t len)
{
	static uint8_t bytes[SIZE_MAX_TRIED];
	struct iovec iov = { bytes, len };
	bool has_data = op == BLOCK_READ || op == BLOCK_WRITE;
	struct block_request r = { .op = op, .at = at, .len = len, .iov = &iov,
				   .niov = has_data, .done = done };

	pthread_mutex_lock(&loop.lock);
	disk->ops->submit(disk, &r);
	disk->ops->drain(disk);
	pthread_mutex_unlock(&loop.lock);
	if (r.result)
		abort();
}

static void use(int base, int changes)
{
	char path[2][32];
	struct block_config config = { .path = path[0], .overlay = path[1] };
	struct error error = { 0 };
	struct block *disk;

	snprintf(path[0], sizeof(path[0]), "/proc/self/fd/%d", base);
	snprintf(path[1], sizeof(path[1]), "/proc/self/fd/%d", changes);
	disk = block_open(&config, &error);
	if (!disk || disk->ops->start(disk, &loop, &error))
		abort();
	request(disk, BLOCK_READ, 0, disk->size);
	request(disk, BLOCK_WRITE, disk->size - BLOCK_SECTOR, BLOCK_SECTOR);
	request(disk, BLOCK_ZERO, 0, disk->size);
	request(disk, BLOCK_FLUSH, 0, 0);
	disk->ops->close(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int base = memfd_create("base", 0), changes = memfd_create("ovl", 0);
	struct overlay_format f;
	struct error error = { 0 };

	if (loop.epoll <= 0)
		loop_init(&loop, &vm_clock);
	/* The fields of the header, then how long the file is, then the map */
	if (size <= FIELDS || ftruncate(changes, data[FIELDS] * 65536ull) ||
	    pwrite(changes, data, FIELDS, 0) != FIELDS ||
	    pwrite(changes, data + FIELDS + 1, size - FIELDS - 1,
		   OVERLAY_MAP_AT) != (ssize_t)size - FIELDS - 1)
		goto out;
	if (!overlay_read(changes, "a file", &f, &error)) {
		if (f.size <= SIZE_MAX_TRIED && !ftruncate(base, f.size))
			use(base, changes);
		overlay_free(&f);
	} else if (!error.text[0]) {
		abort();
	}
out:
	close(base);
	close(changes);
	return 0;
}
