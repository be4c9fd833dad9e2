// SPDX-License-Identifier: GPL-2.0
/* See memory.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/memory.h"
#include "libmvmm.h"

#define HUGE_PAGE	(2ul << 20)

/*
 * Guest and host addresses are equal modulo a huge page, so that the nested
 * table can map the host's huge pages as such. NULL: see errno.
 */
static void *map_aligned(size_t size, int flags, int fd)
{
	size_t reserved = size + HUGE_PAGE, before;
	char *base = mmap(NULL, reserved, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)base % HUGE_PAGE;
	if (mmap(base + before, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		 fd, 0) == MAP_FAILED) {
		int error = errno;

		munmap(base, reserved);
		errno = error;
		return NULL;
	}
	if (before)
		munmap(base, before);
	munmap(base + before + size, HUGE_PAGE - before);
	return base + before;
}

static void add_block(struct memory *memory, uint64_t gpa, uint64_t size,
		      uint8_t *host)
{
	if (size)
		memory->block[memory->nr++] = (struct memory_block){
			.gpa = gpa, .size = size, .host = host };
}

int memory_create(struct memory *memory, uint64_t size, bool memfd,
		  struct error *error)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, fd = -1;
	uint64_t first = (size + HUGE_PAGE - 1) & -HUGE_PAGE;
	uint64_t all = first + DEVICE_MEMORY;

	*memory = (struct memory){ .fd = -1 };
	if (memfd) {
		flags = MAP_SHARED | MAP_NORESERVE;
		fd = memfd_create("mvmm-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		/* Who is given it cannot take it away from us */
		if (fd < 0 || ftruncate(fd, all) ||
		    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
			  F_SEAL_SEAL)) {
			fail(error, STATUS_OS, "no memfd of %llu bytes: %s",
			     (unsigned long long)size, strerror(errno));
			if (fd >= 0)
				close(fd);
			return -1;
		}
	}
	memory->base = map_aligned(all, flags, fd);
	if (!memory->base) {
		fail(error, STATUS_OS,
		     "no %llu bytes for the guest's memory: %s; give it less with --mem",
		     (unsigned long long)size, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	memory->fd = fd;
	/* Both fail on a host without huge pages, which does no harm */
	madvise(memory->base, size, MADV_HUGEPAGE);
	/* Devices touch little of theirs, and what they log has small ones anyway */
	madvise(memory->base + first, DEVICE_MEMORY, MADV_NOHUGEPAGE);
	memory->size = size;
	memory->all = all;
	memory->taken = first;
	memory->shared = memfd;
	memory->low = size < LOW_RAM_MAX ? size : LOW_RAM_MAX;
	memory->high = size - memory->low;
	/* The first has a short way in libmvmm: what small guests have */
	if (memory->low > HOLE_END)
		add_block(memory, HOLE_END, memory->low - HOLE_END,
			  memory->base + HOLE_END);
	add_block(memory, HIGH_RAM, memory->high, memory->base + memory->low);
	add_block(memory, 0, HOLE_START, memory->base);
	return 0;
}

void memory_add_rom(struct memory *memory, uint64_t size, uint8_t *host)
{
	add_block(memory, HIGH_RAM - size, size, host);
	if (!size)
		return;
	memory->block[memory->nr - 1].read_only = true;
	shadow_create(memory, host + size - SHADOW_ROM);
}

void memory_destroy(struct memory *memory)
{
	if (memory->base) {
		munmap(memory->base, memory->all);
		if (memory->fd >= 0)
			close(memory->fd);
	}
	*memory = (struct memory){ .fd = -1 };
}

uint8_t *memory_take(struct memory *memory, uint64_t len)
{
	uint8_t *taken = memory->base + memory->taken;

	if (len > memory->all - memory->taken)
		return NULL;
	memory->taken += (len + 4095) & -4096ull;
	return taken;
}

int memory_map(const struct memory *memory, int vm, struct error *error)
{
	unsigned int i;
	int ret;

	for (i = 0; i < memory->nr; i++) {
		const struct memory_block *b = &memory->block[i];

		if (memory->shadow.rom && b->gpa == SHADOW_START)
			continue;
		ret = mvmm_add_region(vm, b->gpa, b->size, b->host,
				      b->read_only ? MVMM_REGION_READONLY : 0);
		if (ret)
			return fail(error, STATUS_OS,
				    "the module refused %llu bytes of guest memory at 0x%llx: %s",
				    (unsigned long long)b->size,
				    (unsigned long long)b->gpa,
				    strerror(-ret));
	}
	ret = memory->shadow.rom ? shadow_map(memory, vm) : 0;
	return ret ? fail(error, STATUS_OS,
			  "the module refused memory beside a firmware: %s",
			  strerror(-ret)) : 0;
}

void *memory_at(const struct memory *memory, uint64_t gpa, uint64_t len,
		uint32_t access)
{
	unsigned int i;

	if (memory->shadow.rom &&
	    gpa - SHADOW_START < SHADOW_SIZE + A20_WRAP)
		return shadow_at(memory, gpa, len, access);
	for (i = 0; i < memory->nr; i++) {
		const struct memory_block *b = &memory->block[i];

		if (gpa - b->gpa >= b->size)
			continue;
		if (len > b->size - (gpa - b->gpa) ||
		    (b->read_only && access & MVMM_ACCESS_WRITE))
			return NULL;
		return b->host + (gpa - b->gpa);
	}
	return NULL;
}

int memory_discard(const struct memory *memory, void *host, uint64_t len)
{
	/* What a snapshot's file has would come back */
	if (memory->of_snapshot)
		return mmap(host, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
			    MAP_NORESERVE, -1, 0) == MAP_FAILED ? -errno : 0;
	/* Of a memfd it is the file's page that has to go */
	return madvise(host, len, memory->shared ? MADV_REMOVE :
						   MADV_DONTNEED) ? -errno : 0;
}
