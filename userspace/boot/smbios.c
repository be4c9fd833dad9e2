// SPDX-License-Identifier: GPL-2.0
/*
 * The SMBIOS tables (DSP0134, version 2.8 with the 32-bit entry point): who made
 * the machine, its case, its CPUs and its memory, for dmidecode and inventories.
 */
#include <stdio.h>
#include <string.h>
#include "boot/boot.h"
#include "have.h"

/* Systems look for the entry point between 0xf0000 and 1 MiB (5.2.1) */
#define ENTRY		0xf2000
#define TABLE		0xf2020
#define MAKER		"mvmm"
#define UNKNOWN		2
#define MIB		(1u << 20)
#define KIB_32BIT_MAX	0x80000000u	/* kibibytes: more is in another field */
#define MIB_16BIT_MAX	0x7fffu

struct entry_point {
	char signature[4];
	uint8_t checksum, length, major, minor;
	uint16_t longest;
	uint8_t revision, formatted[5];
	char signature2[5];
	uint8_t checksum2;
	uint16_t table_length;
	uint32_t table;
	uint16_t structures;
	uint8_t bcd;
} __attribute__((packed));

struct header {
	uint8_t type, length;
	uint16_t handle;
} __attribute__((packed));

struct bios {
	struct header header;
	uint8_t vendor, version;
	uint16_t segment;
	uint8_t date, size;
	uint64_t features;
	uint8_t more[2], major, minor, ec_major, ec_minor;
} __attribute__((packed));

struct system {
	struct header header;
	uint8_t maker, product, version, serial, uuid[16], wake_up, sku, family;
} __attribute__((packed));

struct chassis {
	struct header header;
	uint8_t maker, type, version, serial, tag, states[4];
	uint32_t oem;
	uint8_t height, cords, elements, element_length, sku;
} __attribute__((packed));

struct processor {
	struct header header;
	uint8_t socket, type, family, maker;
	uint64_t id;
	uint8_t version, voltage;
	uint16_t clock, max_speed, speed;
	uint8_t status, upgrade;
	uint16_t cache[3];
	uint8_t serial, tag, part, cores, enabled, threads;
	uint16_t features, family2;
} __attribute__((packed));

struct memory_array {
	struct header header;
	uint8_t location, use, correction;
	uint32_t kib;
	uint16_t error, devices;
	uint64_t bytes;
} __attribute__((packed));

struct memory_device {
	struct header header;
	uint16_t array, error, total_width, data_width, mib;
	uint8_t form, set, locator, bank, type;
	uint16_t detail, speed;
	uint8_t maker, serial, tag, part, attributes;
	uint32_t more_mib;
	uint16_t clock, voltage[3];
} __attribute__((packed));

struct memory_range {
	struct header header;
	uint32_t first_kib, last_kib;
	uint16_t array;
	uint8_t width;
	uint64_t first, last;
} __attribute__((packed));

/**
 * struct smbios - one that is being written
 * @memory: where
 * @end: where the next structure goes
 * @structures: how many there are
 * @longest: bytes of the longest
 */
struct smbios {
	const struct memory *memory;
	uint64_t end;
	uint16_t structures, longest;
};

/* @strings: one behind the other, each with its 0, and another 0 */
static void add(struct smbios *t, void *structure, size_t len, uint8_t type,
		const char *strings, size_t strings_len)
{
	uint8_t *to = t->memory->base + t->end;
	struct header *h = structure;

	*h = (struct header){ type, len, t->structures };
	memcpy(to, structure, len);
	memcpy(to + len, strings, strings_len);
	t->end += len + strings_len;
	t->structures++;
	if (len + strings_len > t->longest)
		t->longest = len + strings_len;
}

#define ADD(t, structure, type, strings) \
	add(t, &(structure), sizeof(structure), type, strings, sizeof(strings))

static void add_machine(struct smbios *t)
{
	/* Bit 3 of the features: these are none; bit 4 of the second: a VM */
	struct bios bios = { .vendor = 1, .version = 2, .segment = 0xe000,
		.date = 3, .features = 1u << 3, .more = { 0, 1u << 4 },
		.ec_major = 0xff, .ec_minor = 0xff };
	struct system system = { .maker = 1, .product = 2, .version = 3,
				 .wake_up = 6 };
	struct chassis chassis = { .maker = 1, .type = 1,
		.states = { UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN } };

	ADD(t, bios, 0, MAKER "\0" MVMM_VERSION "\0" "01/01/2026\0");
	ADD(t, system, 1, MAKER "\0" "virtual machine\0" MVMM_VERSION "\0");
	ADD(t, chassis, 3, MAKER "\0");
}

static void add_processors(struct smbios *t, unsigned int cpus)
{
	char strings[32] = { 0 };
	unsigned int i;

	for (i = 0; i < cpus; i++) {
		struct processor cpu = { .socket = 1, .type = 3, .family = 1,
			.maker = 2, .version = 0, .status = 0x41, .upgrade = 1,
			.cache = { 0xffff, 0xffff, 0xffff }, .cores = 1,
			.enabled = 1, .threads = 1, .features = 1u << 2,
			.family2 = 1 };
		int n = snprintf(strings, sizeof(strings), "CPU %u", i) + 1;

		memcpy(strings + n, MAKER "\0", sizeof(MAKER) + 1);
		add(t, &cpu, sizeof(cpu), 4, strings, n + sizeof(MAKER) + 1);
	}
}

static void add_range(struct smbios *t, uint16_t array, uint64_t first,
		      uint64_t len)
{
	struct memory_range range = { .first_kib = first >> 10,
		.last_kib = ((first + len) >> 10) - 1, .array = array,
		.width = 1 };

	if ((first + len) >> 10 > UINT32_MAX) {
		range.first_kib = range.last_kib = UINT32_MAX;
		range.first = first;
		range.last = first + len - 1;
	}
	ADD(t, range, 19, "\0");
}

static void add_memory(struct smbios *t)
{
	const struct memory *m = t->memory;
	uint64_t kib = m->size >> 10, mib = m->size / MIB;
	uint16_t array = t->structures;
	struct memory_array all = { .location = 1, .use = 3, .correction = 3,
		.kib = kib < KIB_32BIT_MAX ? kib : KIB_32BIT_MAX,
		.error = 0xfffe, .devices = 1,
		.bytes = kib < KIB_32BIT_MAX ? 0 : m->size };
	struct memory_device device = { .array = array, .error = 0xfffe,
		.total_width = 0xffff, .data_width = 0xffff,
		.mib = mib < MIB_16BIT_MAX ? mib : MIB_16BIT_MAX,
		.form = 9, .locator = 1, .type = 7, .detail = 1u << 1,
		.more_mib = mib < MIB_16BIT_MAX ? 0 : mib };

	ADD(t, all, 16, "\0");
	ADD(t, device, 17, "DIMM 0\0");
	add_range(t, array, 0, m->low);
	if (m->high)
		add_range(t, array, HIGH_RAM, m->high);
}

void make_smbios(const struct memory *memory, unsigned int cpus)
{
	struct smbios t = { .memory = memory, .end = TABLE };
	struct entry_point e = { .length = sizeof(e), .major = 2, .minor = 8,
				 .table = TABLE, .bcd = 0x28 };
	struct header end;

	add_machine(&t);
	add_processors(&t, cpus);
	add_memory(&t);
	ADD(&t, end, 127, "\0");
	memcpy(e.signature, "_SM_", 4);
	memcpy(e.signature2, "_DMI_", 5);
	e.longest = t.longest;
	e.table_length = t.end - TABLE;
	e.structures = t.structures;
	e.checksum2 = table_checksum(e.signature2, 15);
	e.checksum = table_checksum(&e, sizeof(e));
	memcpy(memory->base + ENTRY, &e, sizeof(e));
}
