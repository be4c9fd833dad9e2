// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables (ACPI 6.4, chapter 5): just enough for an operating system
 * to find the CPUs and interrupt controllers, to turn the machine off and to
 * reset it, and not to look for hardware that is missing.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include "boot/boot.h"
#include "devices/isa/hpet.h"
#include "devices/pci/pci.h"
/* The DSDT, which iasl makes of dsdt.asl */
#include "dsdt.hex"

#define RSDP		0xe0000
#define XSDT		0xe0100
#define FADT		0xe0200
#define FACS		0xe0400
#define MCFG		0xe0440
#define HPET		0xe0480
#define MADT		0xe0500
#define DSDT		0xe0f00
#define ECAM		0xe0000000ull	/* see dsdt.asl */

#define PM1A_EVENT	0x600
#define PM1A_CONTROL	0x604
#define PM_TIMER	0x608
#define SPACE_IO	1
#define BOOT_NO_VGA	(1u << 2)
#define BOOT_8042		(1u << 1)
#define FLAG_WBINVD	(1u << 0)
#define FLAG_C1		(1u << 2)
/*
 * Bit 4, for the power button, stays clear: the button is there, as fixed
 * hardware. A sleep button is not.
 */
#define FLAG_NO_SLEEP_BUTTON (1u << 5)
#define FLAG_RESET_REG	(1u << 10)

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct address {
	uint8_t space, bits, offset, access;
	uint64_t address;
} __attribute__((packed));

struct fadt {
	struct header header;
	uint32_t facs, dsdt;
	uint8_t reserved1, profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr,
		 gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len,
		gpe1_len, gpe1_base, cst_cnt;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved2;
	uint32_t flags;
	struct address reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct address x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt,
		       x_pm2_cnt, x_pm_tmr, x_gpe0, x_gpe1, sleep_control,
		       sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t checksum2, reserved[3];
} __attribute__((packed));

struct madt_lapic {
	uint8_t type, length, uid, id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, first_gsi;
} __attribute__((packed));

struct madt_override {
	uint8_t type, length, bus, irq;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct madt_nmi {
	uint8_t type, length, uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

/* The processors come last, as their number varies */
struct madt {
	struct header header;
	uint32_t lapic_address, flags;
	struct madt_ioapic ioapic;
	struct madt_override timer, sci;
	struct madt_nmi nmi;
	struct madt_lapic lapic[VCPUS_MAX];
} __attribute__((packed));

#define MADT_PCAT_COMPAT	(1u << 0)	/* the PC also has i8259s */
#define MADT_ENABLED		(1u << 0)
#define MADT_ACTIVE_HIGH	1
#define MADT_LEVEL		(3 << 2)
#define MADT_ALL_CPUS		0xff

_Static_assert(MADT + sizeof(struct madt) <= DSDT, "the MADT fits");
_Static_assert(DSDT + sizeof(dsdt_aml_code) <= XSDT +
	       sizeof(((struct acpi_files *)NULL)->tables), "the DSDT fits");

struct mcfg {
	struct header header;
	uint64_t reserved, base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved2;
} __attribute__((packed));

struct hpet_table {
	struct header header;
	uint32_t id;
	struct address address;
	uint8_t number;
	uint16_t min_ticks;
	uint8_t page_protection;
} __attribute__((packed));

_Static_assert(MCFG + sizeof(struct mcfg) <= HPET, "the MCFG fits");
_Static_assert(HPET + sizeof(struct hpet_table) <= MADT, "the HPET fits");

uint8_t table_checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return -sum;
}

static struct header make_header(const char *signature, uint32_t length,
				 uint8_t revision)
{
	struct header h = { .length = length, .revision = revision,
			    .oem_revision = 1, .creator_revision = 1 };

	memcpy(h.signature, signature, 4);
	memcpy(h.oem_id, "MVMM  ", 6);
	memcpy(h.oem_table_id, "MVMM    ", 8);
	memcpy(h.creator_id, "MVMM", 4);
	return h;
}

static struct address io(uint16_t port, uint8_t bits)
{
	return (struct address){ .space = SPACE_IO, .bits = bits,
				 .address = port };
}

static void put(const struct memory *memory, uint64_t gpa, void *table, size_t len)
{
	struct header *h = table;

	h->checksum = 0;
	h->checksum = table_checksum(table, len);
	memmove(memory->base + gpa, table, len);
}

/* A QWord address space descriptor (ACPI 6.4, 6.4.3.5.1) */
struct qword_space {
	uint8_t tag;
	uint16_t len;
	uint8_t type, flags, type_flags;
	uint64_t granularity, min, max, offset, size;
} __attribute__((packed));

void acpi_set_window(const struct memory *memory, uint64_t first, uint64_t end)
{
	/* The DSDT has one */
	static const uint8_t start[] = { 0x8a, sizeof(struct qword_space) - 3,
					 0, 0 };
	uint8_t *dsdt = memory->base + DSDT;
	struct qword_space space;
	uint8_t *at = memmem(dsdt, sizeof(dsdt_aml_code), start, sizeof(start));

	memcpy(&space, at, sizeof(space));
	space.min = first;
	space.max = end - 1;
	space.size = end - first;
	memcpy(at, &space, sizeof(space));
	put(memory, DSDT, dsdt, sizeof(dsdt_aml_code));
}

static void make_madt(const struct memory *memory, unsigned int cpus)
{
	struct madt madt = {
		.lapic_address = LAPIC_BASE, .flags = MADT_PCAT_COMPAT,
		.ioapic = { 1, sizeof(madt.ioapic), 0, 0, IOAPIC_BASE, 0 },
		.timer = { 2, sizeof(madt.timer), 0, 0, TIMER_PIN, 0 },
		.sci = { 2, sizeof(madt.sci), 0, SCI_IRQ, SCI_IRQ,
			 MADT_ACTIVE_HIGH | MADT_LEVEL },
		.nmi = { 4, sizeof(madt.nmi), MADT_ALL_CPUS, 0, 1 },
	};
	uint32_t length = offsetof(struct madt, lapic[cpus]);
	unsigned int i;

	for (i = 0; i < cpus; i++)
		madt.lapic[i] = (struct madt_lapic){
			0, sizeof(madt.lapic[i]), i, i, MADT_ENABLED };
	madt.header = make_header("APIC", length, 5);
	put(memory, MADT, &madt, length);
}

void acpi_set_boot(const struct memory *memory, bool i8042, bool vga)
{
	struct fadt *fadt = (struct fadt *)(memory->base + FADT);

	/* The DSDT looks for an i8042 where it is */
	fadt->boot_arch = (i8042 ? BOOT_8042 : 0) | (vga ? 0 : BOOT_NO_VGA);
	put(memory, FADT, fadt, sizeof(*fadt));
}

void acpi_add_hpet(const struct memory *memory)
{
	struct hpet_table hpet = {
		.header = make_header("HPET", sizeof(hpet), 1), .id = HPET_ID,
		.address = { .bits = 64, .address = HPET_BASE },
		/* A tick is 10 ns: no guest needs to be nearer */
		.min_ticks = 100,
	};
	struct header *xsdt = (struct header *)(memory->base + XSDT);
	uint64_t at = HPET;

	put(memory, HPET, &hpet, sizeof(hpet));
	memcpy(memory->base + XSDT + xsdt->length, &at, sizeof(at));
	xsdt->length += sizeof(at);
	put(memory, XSDT, xsdt, xsdt->length);
}

uint64_t make_acpi(const struct memory *memory, unsigned int apics)
{
	struct fadt fadt = {
		.header = make_header("FACP", sizeof(fadt), 6),
		.facs = FACS, .dsdt = DSDT, .sci_int = SCI_IRQ,
		.pm1a_evt = PM1A_EVENT, .pm1a_cnt = PM1A_CONTROL,
		.pm_tmr = PM_TIMER, .pm1_evt_len = 4, .pm1_cnt_len = 2,
		.pm_tmr_len = 4, .c2_latency = 0xffff, .c3_latency = 0xffff,
		.century = 0x32, .boot_arch = BOOT_NO_VGA,
		.flags = FLAG_WBINVD | FLAG_C1 | FLAG_NO_SLEEP_BUTTON |
			 FLAG_RESET_REG,
		.reset_reg = io(0x64, 8), .reset_value = 0xfe,
		.minor = 4, .x_facs = 0, .x_dsdt = DSDT,
		.x_pm1a_evt = io(PM1A_EVENT, 32),
		.x_pm1a_cnt = io(PM1A_CONTROL, 16),
		.x_pm_tmr = io(PM_TIMER, 32),
	};
	struct mcfg mcfg = {
		.header = make_header("MCFG", sizeof(mcfg), 1), .base = ECAM };
	struct {
		struct header header;
		uint64_t entry[3];
	} __attribute__((packed)) xsdt = { .entry = { FADT, MCFG, MADT } };
	/* Without local APICs there is no MADT */
	uint32_t length = apics ? sizeof(xsdt) :
				  offsetof(typeof(xsdt), entry[2]);
	struct rsdp rsdp = { .revision = 2, .length = sizeof(rsdp),
			     .xsdt = XSDT };
	uint8_t facs[64] = "FACS";

	facs[4] = sizeof(facs);
	facs[32] = 2;
	memcpy(memory->base + FACS, facs, sizeof(facs));
	memcpy(memory->base + DSDT, dsdt_aml_code, sizeof(dsdt_aml_code));
	put(memory, MCFG, &mcfg, sizeof(mcfg));
	put(memory, FADT, &fadt, sizeof(fadt));
	if (apics)
		make_madt(memory, apics);
	xsdt.header = make_header("XSDT", length, 1);
	put(memory, XSDT, &xsdt, length);
	memcpy(rsdp.signature, "RSD PTR ", 8);
	memcpy(rsdp.oem_id, "MVMM  ", 6);
	rsdp.checksum = table_checksum(&rsdp, 20);
	rsdp.checksum2 = table_checksum(&rsdp, sizeof(rsdp));
	memcpy(memory->base + RSDP, &rsdp, sizeof(rsdp));
	return RSDP;
}

uint64_t acpi_of_machine(struct machine *m, const struct memory *memory)
{
	struct pci_window window = pci_high_window(m);
	uint64_t rsdp = make_acpi(memory, m->apic ? m->nr_vcpus : 0);

	if (window.first < window.end)
		acpi_set_window(memory, window.first, window.end);
	acpi_set_boot(memory, m->i8042, m->vga);
	if (m->hpet)
		acpi_add_hpet(memory);
	return rsdp;
}

/* ---- for a firmware, which puts them where it likes --------------------------------- */

#define RSDP_FILE	"etc/acpi/rsdp"
#define TABLES_FILE	"etc/acpi/tables"
#define FIRMWARE_ECAM	0xb0000000ull	/* where SeaBIOS wants it on a q35 */
#define FIRMWARE_WINDOW_END 0xfec00000u

enum { LOAD = 1, ADD_POINTER, ADD_CHECKSUM };
enum { ZONE_HIGH = 1, ZONE_FSEG };

/* What is to be done with files of fw_cfg, as QEMU's firmwares know it */
struct loader_step {
	uint32_t command;
	union {
		struct {
			char file[56];
			uint32_t align;
			uint8_t zone;
		} __attribute__((packed)) load;
		struct {
			char file[56], of[56];
			uint32_t at;
			uint8_t size;
		} __attribute__((packed)) pointer;
		struct {
			char file[56];
			uint32_t at, start, len;
		} __attribute__((packed)) checksum;
		uint8_t all[124];
	};
} __attribute__((packed));

_Static_assert(sizeof(struct loader_step) == ACPI_STEP, "as QEMU has it");

static struct loader_step *add_step(struct acpi_files *files, uint32_t command)
{
	struct loader_step *step = (void *)(files->loader + files->loader_len);

	files->loader_len += sizeof(*step);
	step->command = command;
	return step;
}

static void add_load(struct acpi_files *files, const char *file, uint32_t align,
		     uint8_t zone)
{
	struct loader_step *step = add_step(files, LOAD);

	strcpy(step->load.file, file);
	step->load.align = align;
	step->load.zone = zone;
}

/* A pointer in @file to a table, which is @size bytes at @at of @bytes */
static void add_pointer(struct acpi_files *files, const char *file,
			uint8_t *bytes, size_t at, uint8_t size)
{
	struct loader_step *step = add_step(files, ADD_POINTER);
	uint64_t value = 0;

	strcpy(step->pointer.file, file);
	strcpy(step->pointer.of, TABLES_FILE);
	step->pointer.at = at;
	step->pointer.size = size;
	memcpy(&value, bytes + at, size);
	value -= XSDT;
	memcpy(bytes + at, &value, size);
}

static void add_checksum(struct acpi_files *files, const char *file, size_t at,
			 size_t start, size_t len)
{
	struct loader_step *step = add_step(files, ADD_CHECKSUM);

	strcpy(step->checksum.file, file);
	step->checksum.at = at;
	step->checksum.start = start;
	step->checksum.len = len;
}

static void add_table_checksum(struct acpi_files *files, uint64_t table)
{
	const struct header *h = (void *)(files->tables + table - XSDT);

	add_checksum(files, TABLES_FILE,
		     table - XSDT + offsetof(struct header, checksum),
		     table - XSDT, h->length);
}

/* A DWord address space descriptor, of memory (ACPI 6.4, 6.4.3.5.2) */
struct dword_space {
	uint8_t tag;
	uint16_t len;
	uint8_t type, flags, type_flags;
	uint32_t granularity, min, max, offset, size;
} __attribute__((packed));

/* The firmware's window ends where the I/O APIC is, and ECAM is below it */
static void move_windows(const struct memory *memory)
{
	static const uint8_t start[] = { 0x87, sizeof(struct dword_space) - 3,
					 0, 0 };
	struct mcfg *mcfg = (struct mcfg *)(memory->base + MCFG);
	uint8_t *dsdt = memory->base + DSDT;
	uint8_t *at = memmem(dsdt, sizeof(dsdt_aml_code), start, sizeof(start));
	struct dword_space space;

	memcpy(&space, at, sizeof(space));
	space.max = FIRMWARE_WINDOW_END - 1;
	space.size = FIRMWARE_WINDOW_END - space.min;
	memcpy(at, &space, sizeof(space));
	put(memory, DSDT, dsdt, sizeof(dsdt_aml_code));
	mcfg->base = FIRMWARE_ECAM;
	put(memory, MCFG, mcfg, sizeof(*mcfg));
}

void acpi_make_files(const struct memory *memory, struct acpi_files *files)
{
	const struct header *xsdt = (void *)files->tables;
	size_t at, fadt = FADT - XSDT;

	move_windows(memory);
	memset(files, 0, sizeof(*files));
	memcpy(files->rsdp, memory->base + RSDP, sizeof(files->rsdp));
	memcpy(files->tables, memory->base + XSDT, sizeof(files->tables));
	add_load(files, TABLES_FILE, 64, ZONE_HIGH);
	add_load(files, RSDP_FILE, 16, ZONE_FSEG);
	for (at = sizeof(*xsdt); at < xsdt->length; at += 8)
		add_pointer(files, TABLES_FILE, files->tables, at, 8);
	add_pointer(files, TABLES_FILE, files->tables,
		    fadt + offsetof(struct fadt, facs), 4);
	add_pointer(files, TABLES_FILE, files->tables,
		    fadt + offsetof(struct fadt, dsdt), 4);
	add_pointer(files, TABLES_FILE, files->tables,
		    fadt + offsetof(struct fadt, x_dsdt), 8);
	add_pointer(files, RSDP_FILE, files->rsdp,
		    offsetof(struct rsdp, xsdt), 8);
	add_table_checksum(files, XSDT);
	add_table_checksum(files, FADT);
	/* What is there is written later */
	files->ecam = files->tables + MCFG - XSDT + offsetof(struct mcfg, base);
	add_table_checksum(files, MCFG);
	add_checksum(files, RSDP_FILE, offsetof(struct rsdp, checksum), 0, 20);
	add_checksum(files, RSDP_FILE, offsetof(struct rsdp, checksum2), 0,
		     sizeof(files->rsdp));
}
