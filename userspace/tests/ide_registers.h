/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registers of the channels of ide_driver.h, as tests with cmocka use them.
 */
#ifndef MVMM_IDE_REGISTERS_H
#define MVMM_IDE_REGISTERS_H

#include "tests/ide_driver.h"

#define DISK_PORT	0x1f0
#define CD_PORT		0x170
#define READY		(ATA_DRDY | ATA_DSC)

static uint8_t bytes[65536];

static inline int setup(void **state)
{
	make_ide();
	return 0;
}

static inline int teardown(void **state)
{
	drop_machine();
	free(disk.data);
	free(cd.data);
	disk.data = cd.data = NULL;
	second_bus = DISK_CDROM;
	return 0;
}

static inline uint8_t status(uint16_t port)
{
	return inb(port + 7);
}

static inline void task(uint16_t port, uint8_t feature, uint8_t count,
			uint32_t lba, uint8_t device)
{
	outb(port + 6, device | (device & ATA_LBA ? lba >> 24 : 0));
	outb(port + 1, feature);
	outb(port + 2, count);
	outb(port + 3, lba);
	outb(port + 4, lba >> 8);
	outb(port + 5, lba >> 16);
}

static inline void in_words(uint16_t port, uint8_t *to, unsigned int len)
{
	uint16_t word;

	for (; len; len -= 2, to += 2) {
		word = ins(port, 2);
		memcpy(to, &word, 2);
	}
}

static inline void out_words(uint16_t port, const uint8_t *from, unsigned int len)
{
	uint16_t word;

	for (; len; len -= 2, from += 2) {
		memcpy(&word, from, 2);
		outs(port, word, 2);
	}
}

static inline bool interrupted(unsigned int channel)
{
	bool up = noted.up[14 + channel];

	status(channel ? CD_PORT : DISK_PORT);
	assert_false(noted.up[14 + channel]);
	return up;
}

static inline void prd(unsigned int i, uint32_t base, uint32_t len)
{
	uint32_t entry[] = { base, len };

	memcpy((uint8_t *)at(PRDS) + 8 * i, entry, 8);
}

static inline void bus_master(unsigned int channel, bool to_memory)
{
	outs(BM + 8 * channel + 4, PRDS, 4);
	outb(BM + 8 * channel, to_memory ? BM_TO_MEMORY : 0);
	outb(BM + 8 * channel + 2, BM_ERROR | BM_INTERRUPT);
	outb(BM + 8 * channel, BM_START | (to_memory ? BM_TO_MEMORY : 0));
}

/* And as a driver ends it */
static inline uint8_t bus_master_ends(unsigned int channel)
{
	uint8_t value = inb(BM + 8 * channel + 2) & 7;

	outb(BM + 8 * channel, 0);
	outb(BM + 8 * channel + 2, BM_ERROR | BM_INTERRUPT);
	return value;
}

#define LAST	(1u << 31)

static inline void move(void)
{
	json_t *saved = devices_save(&m);

	assert_non_null(saved);
	drop_machine();
	make_machine();
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
}

#endif
