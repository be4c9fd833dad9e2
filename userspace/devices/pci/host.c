// SPDX-License-Identifier: GPL-2.0
/*
 * The host bridge, as of a q35 board (82G33 MCH): the ways to configuration
 * space, by ports 0xcf8 and 0xcfc (PCI Local Bus 3.0, 3.2.2.3.2) and by memory
 * (ECAM, PCI Express 3.0, 7.2.2).
 */
#include <string.h>
#include "core/machine.h"
#include "devices/pci/pci.h"

#define ADDRESS_ENABLE	(1u << 31)
/* ICH9's RST_CNT, port 0xcf9 (13.7.5), in the midst of the address's */
#define RESET_BOTH	(1u << 1)	/* all of it, not only the CPU */
#define RESET_NOW	(1u << 2)
#define RESET_BITS	0xeu
#define ECAM_LEN	(1u << 20)	/* bus 0 */
/* Where the firmware wants ECAM (82G33 datasheet, 5.1.16): bits 28 to 35 */
#define PCIEXBAR	0x60
#define PCIEXBAR_ENABLE	(1u << 0)
#define PCIEXBAR_BASE	0xff0000000ull
/*
 * What of 0xc0000 to 0xfffff is RAM (5.1.20): two bits for the last 64 KiB, and two
 * each for segments of 16 KiB before it. Without a firmware all is
 */
#define PAM		0x90
#define PAM_REGISTERS	7
#define PAM_SEGMENTS	12
/* There is no SMM: SMRAM is locked, and of no use (5.1.27) */
#define SMRAM		0x9d
#define SMRAM_LOCKED	0x12
#define ESMRAMC		0x9e
#define ESMRAMC_CACHE	0x38

/**
 * struct pci_host - see above
 * @address: what was written to port 0xcf8
 * @reset: what was written to port 0xcf9
 * @address_port: ports 0xcf8 to 0xcfb
 * @data_port: ports 0xcfc to 0xcff
 * @ecam: a page for each function of bus 0
 * @shadow: what of 0xc0000 to 0xfffff is an exit
 */
struct pci_host {
	struct pci_function pci;
	uint32_t address;
	uint8_t reset;
	struct region address_port, data_port, ecam, shadow;
};

/* Function 0 of a slot of bus 0. @at: bus, device, function, register */
static struct pci_function *find(struct device *device, uint32_t bdf)
{
	if (bdf >> 8 || bdf & 7)
		return NULL;
	return device->machine->pci[bdf >> 3];
}

/*
 * The host bridge is the main loop's, whose lock is held; a function may be an
 * I/O thread's. That lock comes after the main one.
 */
static void lock(struct device *device, struct pci_function *f)
{
	if (f->device.lock != device->lock)
		pthread_mutex_lock(f->device.lock);
}

static void unlock(struct device *device, struct pci_function *f)
{
	if (f->device.lock != device->lock)
		pthread_mutex_unlock(f->device.lock);
}

static uint64_t config_read(struct device *device, uint32_t bdf,
			    unsigned int at, unsigned int size)
{
	struct pci_function *f = find(device, bdf);
	uint64_t value;

	if (!f)
		return ~0ull;
	if (at + size > PCI_CONFIG)
		return 0;
	lock(device, f);
	value = pci_config_read(f, at, size);
	unlock(device, f);
	return value;
}

static void config_write(struct device *device, uint32_t bdf, unsigned int at,
			 uint64_t value, unsigned int size)
{
	struct pci_function *f = find(device, bdf);

	if (!f || at + size > PCI_CONFIG)
		return;
	lock(device, f);
	pci_config_write(f, at, value, size);
	unlock(device, f);
}

static uint64_t address_read(struct device *device, uint64_t at,
			     unsigned int size)
{
	const struct pci_host *host = (struct pci_host *)device;

	if (at == 1 && size == 1)
		return host->reset;
	return size == 4 ? host->address : ~0ull;
}

static void address_write(struct device *device, uint64_t at, uint64_t value,
			  unsigned int size)
{
	struct pci_host *host = (struct pci_host *)device;

	/* Other narrow accesses are for other chips */
	if (size == 4)
		host->address = value;
	if (at != 1 || size != 1)
		return;
	if (value & RESET_NOW && !(host->reset & RESET_NOW))
		machine_reset(device->machine, value & RESET_BOTH ?
					       RESET_BOARD : RESET_CPUS);
	host->reset = value & RESET_BITS;
}

static uint64_t data_read(struct device *device, uint64_t at, unsigned int size)
{
	uint32_t address = ((struct pci_host *)device)->address;

	if (!(address & ADDRESS_ENABLE))
		return ~0ull;
	return config_read(device, address >> 8 & 0xffff,
			   (address & 0xfc) + at, size);
}

static void data_write(struct device *device, uint64_t at, uint64_t value,
		       unsigned int size)
{
	uint32_t address = ((struct pci_host *)device)->address;

	if (address & ADDRESS_ENABLE)
		config_write(device, address >> 8 & 0xffff,
			     (address & 0xfc) + at, value, size);
}

static uint64_t ecam_read(struct device *device, uint64_t at, unsigned int size)
{
	return config_read(device, at >> 12, at & 0xfff, size);
}

static void ecam_write(struct device *device, uint64_t at, uint64_t value,
		       unsigned int size)
{
	config_write(device, at >> 12, at & 0xfff, value, size);
}

/* A write, or a read, that the module has no memory for */
static uint64_t shadow_read(struct device *device, uint64_t at,
			    unsigned int size)
{
	const void *from = memory_at(&device->machine->memory,
				     SHADOW_START + at, size, MVMM_ACCESS_READ);
	uint64_t value = ~0ull;

	if (from)
		memcpy(&value, from, size);
	return value;
}

static void shadow_write(struct device *device, uint64_t at, uint64_t value,
			 unsigned int size)
{
	void *to = memory_at(&device->machine->memory, SHADOW_START + at, size,
			     MVMM_ACCESS_WRITE);

	if (to)
		memcpy(to, &value, size);
}

static void set_shadow(struct pci_host *host)
{
	const uint8_t *pam = host->pci.config + PAM;
	struct machine *m = host->pci.device.machine;
	uint8_t way[SHADOW_SEGMENTS];
	unsigned int i;
	int ret;

	if (!m->memory.shadow.rom)
		return;
	for (i = 0; i < SHADOW_SEGMENTS; i++)
		way[i] = 3 & (i < PAM_SEGMENTS ? pam[1 + i / 2] >> 4 * (i & 1) :
						 pam[0] >> 4);
	ret = shadow_set(&m->memory, m->vm, way);
	if (ret)
		machine_end(m, STATUS_OS,
			    "the module refused memory below 1 MiB: %s",
			    strerror(-ret));
}

/* A firmware that moves ECAM over RAM does not find it there */
static void move_ecam(struct pci_host *host)
{
	const struct pci_function *f = &host->pci;
	uint64_t reg = pci_get32(f->config, PCIEXBAR) |
		       (uint64_t)pci_get32(f->config, PCIEXBAR + 4) << 32;
	uint64_t base = reg & PCIEXBAR_BASE;
	struct error error;

	if (reg & PCIEXBAR_ENABLE)
		f->device.machine->ecam = base;
	if (!(reg & PCIEXBAR_ENABLE)) {
		region_unmap(&host->ecam);
	} else if (!host->ecam.bus || host->ecam.base != base) {
		region_unmap(&host->ecam);
		region_map(&f->device.machine->mmio, &host->ecam, base, &error);
	}
}

static void changed(struct pci_function *f, unsigned int at, unsigned int size)
{
	struct pci_host *host = (struct pci_host *)f;

	move_ecam(host);
	if (at < PAM + PAM_REGISTERS && at + size > PAM)
		set_shadow(host);
}

static int create(struct device *device, struct error *error)
{
	static const struct pci_id id = { 0x8086, 0x29c0, 0, 0, 0x060000, 2 };
	/* By which a firmware knows that there is fw_cfg */
	static const struct pci_id virtual = { 0x8086, 0x29c0, 0x1af4, 0x1100,
					       0x060000, 2 };
	static const struct region_ops address = { .max = 4,
		.read = address_read, .write = address_write };
	static const struct region_ops data = { .max = 4, .read = data_read,
						.write = data_write };
	static const struct region_ops ecam = { .max = 4, .read = ecam_read,
						.write = ecam_write };
	static const struct region_ops shadow = { .max = 8,
		.read = shadow_read, .write = shadow_write };
	struct pci_host *host = (struct pci_host *)device;
	struct machine *m = device->machine;

	host->address_port = (struct region){ &address, device, .len = 4 };
	host->data_port = (struct region){ &data, device, .len = 4 };
	host->ecam = (struct region){ &ecam, device, .len = ECAM_LEN };
	/* Below BARs */
	host->shadow = (struct region){ &shadow, device, .len = SHADOW_SIZE,
					.priority = -2 };
	host->pci.changed = changed;
	pci_put32(host->pci.fixed, PCIEXBAR, PCI_ECAM | PCIEXBAR_ENABLE);
	pci_put32(host->pci.writable, PCIEXBAR,
		  (uint32_t)PCIEXBAR_BASE | PCIEXBAR_ENABLE);
	pci_put32(host->pci.writable, PCIEXBAR + 4, PCIEXBAR_BASE >> 32);
	host->pci.writable[PAM] = 0x30;
	memset(host->pci.writable + PAM + 1, 0x33, PAM_REGISTERS - 1);
	host->pci.fixed[SMRAM] = SMRAM_LOCKED;
	host->pci.fixed[ESMRAMC] = ESMRAMC_CACHE;
	return pci_create(&host->pci, m->config.rom ? &virtual : &id, error) ||
	       region_map(&m->ports, &host->address_port, 0xcf8, error) ||
	       region_map(&m->ports, &host->data_port, 0xcfc, error) ||
	       (m->memory.shadow.rom &&
		region_map(&m->mmio, &host->shadow, SHADOW_START, error)) ?
	       -1 : 0;
}

static void reset(struct device *device)
{
	struct pci_host *host = (struct pci_host *)device;

	pci_reset(&host->pci);
	move_ecam(host);
	set_shadow(host);
}

static int loaded(struct device *device, struct error *error)
{
	struct pci_host *host = (struct pci_host *)device;

	if (pci_loaded(&host->pci, error))
		return -1;
	move_ecam(host);
	set_shadow(host);
	return 0;
}

static const struct field fields[] = {
	PCI_FIELDS(struct pci_host, pci), FIELD(struct pci_host, address),
	FIELD(struct pci_host, reset), FIELDS_END
};

static const struct device_class pci_host = {
	.name = "pci-host", .size = sizeof(struct pci_host), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
};
DEVICE_CLASS(pci_host);
