/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pictures of a virtio-gpu (gpu_store.c): the device's own copies of what the
 * guest draws, and where in the guest's memory they come from. It knows no queues;
 * the device that has it is gpu.c.
 */
#ifndef MVMM_GPU_H
#define MVMM_GPU_H

#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/state.h"
#include "core/memory.h"
#include "display/screen.h"

/* Bytes of all pictures: eight of the largest screen */
#define GPU_MEMORY	(128u << 20)
#define GPU_RESOURCES	64
#define GPU_ENTRIES_MAX	16384		/* parts of a picture's memory */

/**
 * struct gpu_resource - a picture
 * @id: the driver's name of it; 0: there is none
 * @format: VIRTIO_GPU_FORMAT_*, four bytes a pixel
 * @width: pixels of a row, which follow each other
 * @height: rows
 * @at: in the store
 * @entries: parts of the guest's memory that it is copied from; 0: none
 * @entries_at: in the store: a struct virtio_gpu_mem_entry for each
 */
struct gpu_resource {
	uint32_t id, format, width, height, at, entries, entries_at;
};

/**
 * struct gpu_store - all of them
 * @memory: the guest's, in which the store has its own part
 * @base: GPU_MEMORY bytes there, saved and loaded with it
 * @resource: the pictures
 * @copied: bytes that were moved, or as many as that took; who reads it clears it
 */
struct gpu_store {
	const struct memory *memory;
	uint8_t *base;
	struct gpu_resource resource[GPU_RESOURCES];
	size_t copied;
};

extern const struct field gpu_resource_fields[];

/* NULL: there is none of that name */
struct gpu_resource *gpu_find(struct gpu_store *store, uint32_t id);
/* These return a VIRTIO_GPU_RESP_* */
uint32_t gpu_make(struct gpu_store *store,
		  const struct virtio_gpu_resource_create_2d *wanted);
/* Room for so many entries: *@to is where they are to be copied to */
uint32_t gpu_attach(struct gpu_store *store, struct gpu_resource *r,
		    uint32_t entries, struct virtio_gpu_mem_entry **to);
uint32_t gpu_transfer(struct gpu_store *store, const struct gpu_resource *r,
		      const struct virtio_gpu_rect *rect, uint64_t offset);
void gpu_detach(struct gpu_store *store, struct gpu_resource *r);
void gpu_forget(struct gpu_store *store, struct gpu_resource *r);
void gpu_forget_all(struct gpu_store *store);
bool gpu_rect_fits(const struct gpu_resource *r,
		   const struct virtio_gpu_rect *rect);
/* A loaded one is hostile. False: it cannot be */
bool gpu_store_is_sane(struct gpu_store *store);
const uint32_t *gpu_pixels(const struct gpu_store *store,
			   const struct gpu_resource *r);
/* 0xaarrggbb. Others may write there meanwhile */
uint32_t gpu_pixel(const uint32_t *pixel, uint32_t format);

#endif
