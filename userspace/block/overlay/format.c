// SPDX-License-Identifier: GPL-2.0
/*
 * The file of an overlay: a header, a map with a byte for each cluster, and the
 * clusters, each at a place of its own. It is sparse: what was not written takes
 * no space. A map's entry is one byte, so that no crash leaves half of it.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "block/overlay/overlay.h"

#define MAGIC		"mvmmOVL"	/* with its 0 */
#define VERSION		1
#define BITS_MIN	9
#define BITS_MAX	24
/* Of the map: 16 TiB with the usual clusters */
#define CLUSTERS_MAX	(1ull << 28)

/* The first 4 KiB of the file, little-endian; the rest of these is zero */
struct header {
	char magic[8];
	uint32_t version, cluster_bits;
	uint64_t size;
	uint8_t zero[OVERLAY_MAP_AT - 24];
};

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static void derive(struct overlay_format *f, uint64_t size, unsigned int bits)
{
	f->size = size;
	f->cluster = 1ull << bits;
	f->clusters = round_up(size, f->cluster) >> bits;
	f->map_len = round_up(f->clusters, BLOCK_SECTOR);
}

uint64_t overlay_data_at(const struct overlay_format *f)
{
	uint64_t unit = f->cluster < OVERLAY_MAP_AT ? OVERLAY_MAP_AT :
						      f->cluster;

	return round_up(OVERLAY_MAP_AT + f->map_len, unit);
}

uint64_t overlay_length(const struct overlay_format *f)
{
	return overlay_data_at(f) + f->clusters * f->cluster;
}

int overlay_create(int fd, const char *name, uint64_t size, unsigned int bits,
		   struct error *error)
{
	struct overlay_format f;
	struct header header = { .magic = MAGIC, .version = htole32(VERSION),
				 .cluster_bits = htole32(bits),
				 .size = htole64(size) };

	if (size > CLUSTERS_MAX << bits)
		return fail(error, STATUS_DATA,
			    "overlay %s: its disk is larger than 16 TiB", name);
	derive(&f, size, bits);
	if (ftruncate(fd, overlay_length(&f)) ||
	    pwrite(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    fsync(fd))
		return fail(error, STATUS_OS, "overlay %s: %s", name,
			    strerror(errno));
	return 0;
}

static int read_header(int fd, const char *name, struct overlay_format *f,
		       struct error *error)
{
	struct header header;
	unsigned int i;
	uint32_t bits;
	uint64_t size;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.magic, MAGIC, sizeof(header.magic)))
		return fail(error, STATUS_DATA, "%s is no overlay", name);
	bits = le32toh(header.cluster_bits);
	size = le64toh(header.size);
	for (i = 0; i < sizeof(header.zero) && !header.zero[i]; i++)
		;
	if (le32toh(header.version) != VERSION || i < sizeof(header.zero))
		return fail(error, STATUS_DATA,
			    "overlay %s is of version %u, or has what this mvmm does not know",
			    name, le32toh(header.version));
	if (bits < BITS_MIN || bits > BITS_MAX || !size ||
	    size % BLOCK_SECTOR || size > CLUSTERS_MAX << bits)
		return fail(error, STATUS_DATA,
			    "overlay %s is damaged: a disk of %llu bytes, clusters of 2^%u",
			    name, (unsigned long long)size, bits);
	derive(f, size, bits);
	return 0;
}

static bool is_map(const struct overlay_format *f)
{
	uint64_t i;

	for (i = 0; i < f->map_len; i++)
		if (f->map[i] > (i < f->clusters ? CLUSTER_ZERO : 0))
			return false;
	return true;
}

static int read_map(int fd, const char *name, struct overlay_format *f,
		    struct error *error)
{
	uint64_t done = 0;

	f->map = malloc(f->map_len);
	if (!f->map)
		return fail(error, STATUS_OS, "overlay %s: no memory", name);
	while (done < f->map_len) {
		ssize_t n = pread(fd, f->map + done, f->map_len - done,
				  OVERLAY_MAP_AT + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(error, STATUS_NO_INPUT, "overlay %s: %s",
				    name, n ? strerror(errno) :
				    "it was cut short");
		done += n;
	}
	if (!is_map(f))
		return fail(error, STATUS_DATA,
			    "overlay %s is damaged: its map has entries that mean nothing",
			    name);
	return 0;
}

int overlay_read(int fd, const char *name, struct overlay_format *f,
		 struct error *error)
{
	struct stat st;

	*f = (struct overlay_format){ 0 };
	if (read_header(fd, name, f, error))
		return -1;
	if (fstat(fd, &st) || (uint64_t)st.st_size < overlay_length(f))
		return fail(error, STATUS_DATA, "overlay %s was cut short",
			    name);
	if (!read_map(fd, name, f, error))
		return 0;
	overlay_free(f);
	return -1;
}

void overlay_free(struct overlay_format *f)
{
	free(f->map);
	f->map = NULL;
}

bool is_overlay(int fd)
{
	char magic[sizeof(MAGIC)];

	return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	       !memcmp(magic, MAGIC, sizeof(magic));
}
