// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's firmware configuration device (docs/specs/fw_cfg of QEMU), by which
 * SeaBIOS and OVMF learn what machine they are in: items are selected by a key and
 * read byte by byte, or copied to memory at once. Nothing can be written.
 */
#include <endian.h>
#include <string.h>
#include "core/machine.h"
#include "devices/isa/fw_cfg.h"

#define KEY_SIGNATURE	0x00
#define KEY_ID		0x01
#define KEY_CPUS	0x05
#define KEY_MAX_CPUS	0x0f
#define KEY_DIRECTORY	0x19
#define KEY_FILES	0x20	/* the first file */

#define ID_PORTS	(1u << 0)
#define ID_DMA		(1u << 1)

/* The structure in the guest's memory, and its control word */
#define DMA_ERROR	(1u << 0)
#define DMA_READ	(1u << 1)
#define DMA_SKIP	(1u << 2)
#define DMA_SELECT	(1u << 3)
/* One copy is not to take for ever */
#define DMA_MAX		(16u << 20)

struct dma_access {
	uint32_t control, length;
	uint64_t address;
};

/* An entry of the directory. All of it is big endian */
struct directory_entry {
	uint32_t size;
	uint16_t key, reserved;
	char name[FW_CFG_NAME];
};

/**
 * struct fw_cfg - see above
 * @key: which item
 * @at: where in it
 * @dma_high: of the address of a struct dma_access, to be
 * @directory: of the files
 * @ports: selector, 16 bits; data, at its second byte
 * @dma: 8 ports
 */
struct fw_cfg {
	struct device device;
	uint16_t key;
	uint32_t at, dma_high;
	struct {
		uint32_t count;
		struct directory_entry entry[FW_CFG_FILES];
	} directory;
	struct region ports, dma;
};

/* @number: for what has no place of its own */
static const void *find(const struct fw_cfg *cfg, uint32_t *len,
			uint32_t *number)
{
	const struct machine *m = cfg->device.machine;
	const struct firmware *firmware = m->config.firmware;
	unsigned int n = cfg->key - KEY_FILES;

	*len = sizeof(*number);
	switch (cfg->key) {
	case KEY_SIGNATURE:
		return "QEMU";
	case KEY_ID:
		*number = htole32(ID_PORTS | ID_DMA);
		return number;
	case KEY_CPUS:
	case KEY_MAX_CPUS:
		*number = htole32(m->nr_vcpus);
		*len = 2;
		return number;
	case KEY_DIRECTORY:
		*len = sizeof(cfg->directory);
		return &cfg->directory;
	}
	*len = 0;
	if (n >= firmware->files)
		return NULL;
	*len = firmware->file[n].len;
	return firmware->file[n].data;
}

/* Beyond the end, and of unknown items, there are zeros */
static void take(struct fw_cfg *cfg, uint8_t *to, uint32_t len)
{
	uint32_t size, number, n = 0;
	const uint8_t *data = find(cfg, &size, &number);

	if (cfg->at < size)
		n = len < size - cfg->at ? len : size - cfg->at;
	if (to && n)
		memcpy(to, data + cfg->at, n);
	if (to)
		memset(to + n, 0, len - n);
	cfg->at += n;
}

static void make_directory(struct fw_cfg *cfg)
{
	const struct firmware *firmware = cfg->device.machine->config.firmware;
	unsigned int i;

	cfg->directory.count = htobe32(firmware->files);
	for (i = 0; i < firmware->files; i++) {
		struct directory_entry *entry = &cfg->directory.entry[i];

		entry->size = htobe32(firmware->file[i].len);
		entry->key = htobe16(KEY_FILES + i);
		memcpy(entry->name, firmware->file[i].name, FW_CFG_NAME);
	}
}

static void set_key(struct fw_cfg *cfg, uint16_t key)
{
	const struct machine *m = cfg->device.machine;
	const struct firmware *firmware = m->config.firmware;

	cfg->key = key;
	cfg->at = 0;
	/* OVMF and SeaBIOS want ECAM elsewhere, and have moved it before they ask */
	if (firmware->ecam)
		memcpy(firmware->ecam, &m->ecam, sizeof(m->ecam));
	if (key == KEY_DIRECTORY)
		make_directory(cfg);
}

/* Returns what becomes of the control word */
static uint32_t transfer(struct fw_cfg *cfg, uint32_t control, uint32_t length,
			 uint64_t address)
{
	const struct memory *memory = &cfg->device.machine->memory;
	void *to = NULL;

	if (control & DMA_SELECT)
		set_key(cfg, control >> 16);
	if (!(control & (DMA_READ | DMA_SKIP)))
		return control & ~(DMA_SELECT | 0xffff0000) ? DMA_ERROR : 0;
	if (length > DMA_MAX)
		return DMA_ERROR;
	if (control & DMA_READ && length) {
		to = memory_at(memory, address, length, MVMM_ACCESS_WRITE);
		if (!to)
			return DMA_ERROR;
	}
	take(cfg, to, length);
	return 0;
}

static void start_dma(struct fw_cfg *cfg, uint64_t gpa)
{
	struct dma_access access;
	/* Aligned or not */
	void *at = memory_at(&cfg->device.machine->memory, gpa, sizeof(access),
			     MVMM_ACCESS_WRITE);
	uint32_t control;

	if (!at)
		return;
	memcpy(&access, at, sizeof(access));
	control = htobe32(transfer(cfg, be32toh(access.control),
				   be32toh(access.length),
				   be64toh(access.address)));
	memcpy(at, &control, sizeof(control));
}

static uint64_t fw_cfg_read(struct device *device, uint64_t at,
			    unsigned int size)
{
	uint8_t byte = 0;

	if (at == 1 && size == 1)
		take((struct fw_cfg *)device, &byte, 1);
	return byte;
}

static void fw_cfg_write(struct device *device, uint64_t at, uint64_t value,
			 unsigned int size)
{
	if (!at && size == 2)
		set_key((struct fw_cfg *)device, value);
}

static uint64_t dma_read(struct device *device, uint64_t at, unsigned int size)
{
	static const char signature[] = "QEMU CFG";
	uint32_t value;

	memcpy(&value, signature + (at & 4), sizeof(value));
	return value;
}

static void dma_write(struct device *device, uint64_t at, uint64_t value,
		      unsigned int size)
{
	struct fw_cfg *cfg = (struct fw_cfg *)device;
	uint32_t half = be32toh((uint32_t)value);

	if (size != 4 || at & 3)
		return;
	if (!at) {
		cfg->dma_high = half;
		return;
	}
	start_dma(cfg, (uint64_t)cfg->dma_high << 32 | half);
	cfg->dma_high = 0;
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .max = 2, .read = fw_cfg_read,
					       .write = fw_cfg_write };
	static const struct region_ops dma = { .min = 4, .max = 4,
					       .read = dma_read,
					       .write = dma_write };
	struct fw_cfg *cfg = (struct fw_cfg *)device;
	struct machine *m = device->machine;

	if (!m->config.firmware)
		return fail(error, STATUS_USAGE,
			    "--device fw_cfg: it is for --firmware, which adds it");
	cfg->ports = (struct region){ &ops, device, .len = 2 };
	cfg->dma = (struct region){ &dma, device, .len = 8 };
	return region_map(&m->ports, &cfg->ports, 0x510, error) ||
	       region_map(&m->ports, &cfg->dma, 0x514, error) ? -1 : 0;
}

static int loaded(struct device *device, struct error *error)
{
	make_directory((struct fw_cfg *)device);
	return 0;
}

static const struct field fields[] = {
	FIELD(struct fw_cfg, key), FIELD(struct fw_cfg, at),
	FIELD(struct fw_cfg, dma_high), FIELDS_END
};

static const struct device_class fw_cfg = {
	.name = "fw_cfg", .help = "what --firmware is told: that adds it",
	.size = sizeof(struct fw_cfg), .fields = fields, .create = create,
	.loaded = loaded,
};
DEVICE_CLASS(fw_cfg);
