// SPDX-License-Identifier: GPL-2.0
/* See gpu.h. */
#include <endian.h>
#include <string.h>
#include "libmvmm.h"
#include "devices/virtio/gpu.h"

#define PAGE		4096u
#define NO_ROOM		GPU_MEMORY
#define PIECE		1024	/* pixels that are copied at a time */

const struct field gpu_resource_fields[] = {
	FIELD(struct gpu_resource, id), FIELD(struct gpu_resource, format),
	FIELD(struct gpu_resource, width), FIELD(struct gpu_resource, height),
	FIELD(struct gpu_resource, at), FIELD(struct gpu_resource, entries),
	FIELD(struct gpu_resource, entries_at), FIELDS_END
};

/* ---- room ------------------------------------------------------------------------- */

static uint64_t pixel_bytes(const struct gpu_resource *r)
{
	return (uint64_t)r->width * r->height * sizeof(uint32_t);
}

static uint64_t entry_bytes(const struct gpu_resource *r)
{
	return (uint64_t)r->entries * sizeof(struct virtio_gpu_mem_entry);
}

/* What is taken ends at a page */
static uint64_t pages(uint64_t len)
{
	return (len + PAGE - 1) & -(uint64_t)PAGE;
}

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + pages(b_len) && b < a + pages(a_len);
}

static bool is_free(const struct gpu_store *store, uint64_t at, uint64_t len)
{
	const struct gpu_resource *r;

	for (r = store->resource; r < store->resource + GPU_RESOURCES; r++)
		if (r->id && (overlaps(at, len, r->at, pixel_bytes(r)) ||
			      overlaps(at, len, r->entries_at, entry_bytes(r))))
			return false;
	return at + len <= GPU_MEMORY;
}

/* The first one that is large enough, which begins where another ends */
static uint32_t find_room(const struct gpu_store *store, uint64_t len)
{
	uint64_t best = is_free(store, 0, len) ? 0 : NO_ROOM;
	const struct gpu_resource *r;

	for (r = store->resource; r < store->resource + GPU_RESOURCES; r++) {
		uint64_t ends[] = { r->at + pages(pixel_bytes(r)),
				    r->entries_at + pages(entry_bytes(r)) };
		unsigned int i;

		for (i = 0; r->id && i < 2; i++)
			if (ends[i] < best && is_free(store, ends[i], len))
				best = ends[i];
	}
	return best;
}

/* To the host: it is zero then */
static void give_back(struct gpu_store *store, uint32_t at, uint64_t len)
{
	if (len && memory_discard(store->memory, store->base + at, pages(len)))
		memset(store->base + at, 0, pages(len));
}

/* ---- pictures ---------------------------------------------------------------------- */

struct gpu_resource *gpu_find(struct gpu_store *store, uint32_t id)
{
	struct gpu_resource *r;

	for (r = store->resource; r < store->resource + GPU_RESOURCES; r++)
		if (r->id == id)
			return r;
	return NULL;
}

static bool is_format(uint32_t format)
{
	switch (format) {
	case VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM:
	case VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM:
	case VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM:
	case VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM:
	case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
	case VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM:
	case VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM:
	case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM:
		return true;
	default:
		return false;
	}
}

uint32_t gpu_make(struct gpu_store *store,
		  const struct virtio_gpu_resource_create_2d *wanted)
{
	struct gpu_resource made = {
		.id = wanted->resource_id, .format = wanted->format,
		.width = wanted->width, .height = wanted->height };
	struct gpu_resource *slot;

	if (!made.id || gpu_find(store, made.id))
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!is_format(made.format) || !made.width || !made.height)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	slot = gpu_find(store, 0);
	if (!slot || pixel_bytes(&made) > GPU_MEMORY)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	made.at = find_room(store, pages(pixel_bytes(&made)));
	if (made.at == NO_ROOM)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	/* A machine's reset forgets pictures, and leaves their bytes */
	give_back(store, made.at, pixel_bytes(&made));
	*slot = made;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t gpu_attach(struct gpu_store *store, struct gpu_resource *r,
		    uint32_t entries, struct virtio_gpu_mem_entry **to)
{
	struct gpu_resource wanted = { .entries = entries };
	uint32_t at;

	if (r->entries || !entries)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (entries > GPU_ENTRIES_MAX)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	at = find_room(store, pages(entry_bytes(&wanted)));
	if (at == NO_ROOM)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	r->entries = entries;
	r->entries_at = at;
	*to = (struct virtio_gpu_mem_entry *)(store->base + at);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

void gpu_detach(struct gpu_store *store, struct gpu_resource *r)
{
	give_back(store, r->entries_at, entry_bytes(r));
	r->entries = r->entries_at = 0;
}

void gpu_forget(struct gpu_store *store, struct gpu_resource *r)
{
	gpu_detach(store, r);
	give_back(store, r->at, pixel_bytes(r));
	*r = (struct gpu_resource){ 0 };
}

void gpu_forget_all(struct gpu_store *store)
{
	struct gpu_resource *r;

	for (r = store->resource; r < store->resource + GPU_RESOURCES; r++)
		if (r->id)
			gpu_forget(store, r);
}

bool gpu_rect_fits(const struct gpu_resource *r,
		   const struct virtio_gpu_rect *rect)
{
	return (uint64_t)rect->x + rect->width <= r->width &&
	       (uint64_t)rect->y + rect->height <= r->height;
}

/* Does it fit between those before it, and are its own two parts apart? */
static bool is_apart(const struct gpu_store *store, const struct gpu_resource *r)
{
	const struct gpu_resource *o;

	for (o = store->resource; o < r; o++)
		if (o->id &&
		    (overlaps(r->at, pixel_bytes(r), o->at, pixel_bytes(o)) ||
		     overlaps(r->at, pixel_bytes(r), o->entries_at,
			      entry_bytes(o)) ||
		     overlaps(r->entries_at, entry_bytes(r), o->at,
			      pixel_bytes(o)) ||
		     overlaps(r->entries_at, entry_bytes(r), o->entries_at,
			      entry_bytes(o))))
			return false;
	return !overlaps(r->at, pixel_bytes(r), r->entries_at, entry_bytes(r));
}

bool gpu_store_is_sane(struct gpu_store *store)
{
	struct gpu_resource *r;

	for (r = store->resource; r < store->resource + GPU_RESOURCES; r++) {
		if (!r->id) {
			*r = (struct gpu_resource){ 0 };
			continue;
		}
		if (gpu_find(store, r->id) != r || !is_format(r->format) ||
		    !r->width || !r->height || r->at % PAGE ||
		    pixel_bytes(r) > GPU_MEMORY ||
		    r->at > GPU_MEMORY - pages(pixel_bytes(r)) ||
		    r->entries > GPU_ENTRIES_MAX || r->entries_at % PAGE ||
		    r->entries_at > GPU_MEMORY - pages(entry_bytes(r)) ||
		    (!r->entries && r->entries_at) || !is_apart(store, r))
			return false;
	}
	return true;
}

/* ---- pixels --------------------------------------------------------------------------- */

/**
 * struct source - where the next bytes of a picture come from
 * @entry: the part of the guest's memory
 * @left: parts, with this one
 * @at: in this one
 */
struct source {
	const struct virtio_gpu_mem_entry *entry;
	uint32_t left, at;
};

/* Moves on. False: there is no more */
static bool skip(struct source *s, uint64_t len)
{
	uint32_t rest;

	for (; s->left; s->entry++, s->left--, s->at = 0) {
		rest = le32toh(s->entry->length) - s->at;
		if (len < rest) {
			s->at += len;
			return true;
		}
		len -= rest;
	}
	return !len;
}

static bool take(const struct memory *memory, struct source *s, void *to,
		 size_t len)
{
	while (len) {
		uint64_t part = s->left ? le32toh(s->entry->length) - s->at : 0;
		const void *from;

		if (part > len)
			part = len;
		from = s->left ? memory_at(memory, le64toh(s->entry->addr) +
					   s->at, part, MVMM_ACCESS_READ) :
				 NULL;
		if (!from)
			return false;
		memcpy(to, from, part);
		to = (char *)to + part;
		len -= part;
		skip(s, part);
	}
	return true;
}

/* Each pixel wholly: a viewer may look meanwhile */
static bool take_row(const struct memory *memory, struct source *s,
		     uint32_t *to, uint32_t width)
{
	uint32_t piece[PIECE], n, i;

	for (; width; width -= n, to += n) {
		n = width < PIECE ? width : PIECE;
		if (!take(memory, s, piece, n * sizeof(*piece)))
			return false;
		for (i = 0; i < n; i++)
			__atomic_store_n(&to[i], piece[i], __ATOMIC_RELAXED);
	}
	return true;
}

uint32_t gpu_transfer(struct gpu_store *store, const struct gpu_resource *r,
		      const struct virtio_gpu_rect *rect, uint64_t offset)
{
	struct source s = { (void *)(store->base + r->entries_at),
			    r->entries, 0 };
	uint32_t *to, y;

	if (!gpu_rect_fits(r, rect) || offset > UINT32_MAX)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!r->entries)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	to = (uint32_t *)(store->base + r->at) + (size_t)rect->y * r->width +
	     rect->x;
	/* A row, or an entry that is passed, is as long as some bytes */
	store->copied = ((size_t)rect->width + 16) * rect->height * sizeof(*to) +
			entry_bytes(r);
	if (!skip(&s, offset))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	for (y = 0; y < rect->height; y++, to += r->width)
		/* After a row the next one's first pixel is below this one's */
		if ((y && !skip(&s, (uint64_t)(r->width - rect->width) *
				    sizeof(*to))) ||
		    !take_row(store->memory, &s, to, rect->width))
			return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

const uint32_t *gpu_pixels(const struct gpu_store *store,
			   const struct gpu_resource *r)
{
	return (const uint32_t *)(store->base + r->at);
}

/* A format's name has its bytes in memory's order */
uint32_t gpu_pixel(const uint32_t *pixel, uint32_t format)
{
	uint32_t p = le32toh(__atomic_load_n(pixel, __ATOMIC_RELAXED));

	switch (format) {
	case VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM:
		return __builtin_bswap32(p);
	case VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM:
		return __builtin_bswap32(p) | 0xff000000;
	case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
		return (p & 0xff00ff00) | (p & 0xff) << 16 | (p >> 16 & 0xff);
	case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM:
		return 0xff000000 | (p & 0xff00) | (p & 0xff) << 16 |
		       (p >> 16 & 0xff);
	case VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM:
		return p >> 8 | p << 24;
	case VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM:
		return p >> 8 | 0xff000000;
	case VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM:
		return p | 0xff000000;
	default:
		return p;
	}
}
