// SPDX-License-Identifier: GPL-2.0
/*
 * The MP table (MultiProcessor Specification 1.4): CPUs and interrupts for
 * systems that do not read ACPI's tables. It says what the MADT says.
 */
#include <string.h>
#include "boot/boot.h"
#include "devices/pci/pci.h"

/* Systems look for the first one between 0xf0000 and 1 MiB (4.0) */
#define POINTER		0xf0000
#define TABLE		0xf0010

#define ENABLED		1
#define BOOT_CPU	2
#define LAPIC_VERSION	0x14
#define IOAPIC_VERSION	0x11
#define CPUID_SIGNATURE	0x600
#define CPUID_FPU_APIC	0x201
#define BUS_PCI		0
#define BUS_ISA		1
#define ALL_APICS	0xff
#define INT		0
#define NMI		1
#define EXTINT		3
#define LEVEL_LOW	0xf	/* as PCI has it; the bus's own for ISA is 0 */

struct mp_pointer {
	char signature[4];
	uint32_t table;
	uint8_t length, revision, checksum, features[5];
} __attribute__((packed));

struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t revision, checksum;
	char oem[8], product[12];
	uint32_t oem_table;
	uint16_t oem_size, entries;
	uint32_t lapic;
	uint16_t extended_length;
	uint8_t extended_checksum, reserved;
} __attribute__((packed));

struct mp_processor {
	uint8_t type, id, version, flags;
	uint32_t signature, features, reserved[2];
} __attribute__((packed));

struct mp_bus {
	uint8_t type, id;
	char name[6];
} __attribute__((packed));

struct mp_ioapic {
	uint8_t type, id, version, flags;
	uint32_t address;
} __attribute__((packed));

/* Type 3: of the I/O APIC; type 4: of the local ones */
struct mp_interrupt {
	uint8_t type, kind;
	uint16_t flags;
	uint8_t bus, irq, apic, pin;
} __attribute__((packed));

/**
 * struct mp_table - one that is being written
 * @memory: where
 * @header: what is known of it
 * @end: where the next entry goes
 */
struct mp_table {
	const struct memory *memory;
	struct mp_header header;
	uint64_t end;
};

static void add(struct mp_table *t, const void *entry, size_t len)
{
	memcpy(t->memory->base + t->end, entry, len);
	t->end += len;
	t->header.entries++;
}

static void add_bus(struct mp_table *t, uint8_t id, const char *name)
{
	struct mp_bus bus = { .type = 1, .id = id };

	memcpy(bus.name, name, sizeof(bus.name));
	add(t, &bus, sizeof(bus));
}

static void add_interrupt(struct mp_table *t, uint8_t type, uint8_t kind,
			  uint16_t flags, uint8_t bus, uint8_t irq,
			  uint8_t apic, uint8_t pin)
{
	struct mp_interrupt interrupt = { type, kind, flags, bus, irq, apic, pin };

	add(t, &interrupt, sizeof(interrupt));
}

/* INTA of each slot; ISA's lines but those that PCI has, and the cascade */
static void add_interrupts(struct mp_table *t)
{
	unsigned int slot, irq, pci = 0;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		add_interrupt(t, 3, INT, LEVEL_LOW, BUS_PCI, slot << 2, 0,
			      PCI_LINE(slot));
		pci |= 1u << PCI_LINE(slot);
	}
	for (irq = 0; irq < 16; irq++)
		if (irq != 2 && !(pci >> irq & 1))
			add_interrupt(t, 3, INT, 0, BUS_ISA, irq, 0,
				      irq ? irq : TIMER_PIN);
	add_interrupt(t, 4, EXTINT, 0, BUS_ISA, 0, ALL_APICS, 0);
	add_interrupt(t, 4, NMI, 0, BUS_ISA, 0, ALL_APICS, 1);
}

void make_mptable(const struct memory *memory, unsigned int cpus)
{
	struct mp_table t = { .memory = memory,
			   .header = { .revision = 4, .lapic = LAPIC_BASE },
			   .end = TABLE + sizeof(t.header) };
	struct mp_ioapic ioapic = { 2, 0, IOAPIC_VERSION, ENABLED, IOAPIC_BASE };
	struct mp_pointer pointer = { .table = TABLE, .length = 1, .revision = 4 };
	struct mp_header *header = (void *)(memory->base + TABLE);
	unsigned int i;

	for (i = 0; i < cpus; i++) {
		struct mp_processor cpu = { 0, i, LAPIC_VERSION,
			ENABLED | (i ? 0 : BOOT_CPU), CPUID_SIGNATURE,
			CPUID_FPU_APIC, { 0 } };

		add(&t, &cpu, sizeof(cpu));
	}
	add_bus(&t, BUS_PCI, "PCI   ");
	add_bus(&t, BUS_ISA, "ISA   ");
	add(&t, &ioapic, sizeof(ioapic));
	add_interrupts(&t);
	memcpy(t.header.signature, "PCMP", 4);
	memcpy(t.header.oem, "MVMM    ", 8);
	memcpy(t.header.product, "MVMM        ", 12);
	t.header.length = t.end - TABLE;
	*header = t.header;
	header->checksum = table_checksum(header, t.header.length);
	memcpy(pointer.signature, "_MP_", 4);
	pointer.checksum = table_checksum(&pointer, sizeof(pointer));
	memcpy(memory->base + POINTER, &pointer, sizeof(pointer));
}
