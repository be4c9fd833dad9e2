// SPDX-License-Identifier: GPL-2.0
/*
 * What OVMF wants of the LPC bridge of a q35 board (ICH9, 13.1): where ACPI's ports
 * are (power.c), which do not move; and, of SMI_EN, that somebody has set SMM up:
 * there is none.
 */
#include "core/machine.h"
#include "devices/pci/pci.h"

#define SLOT		31
#define PMBASE		0x40
#define ACPI_PORTS	0x600
#define ACPI_CNTL	0x44
#define ACPI_EN		(1u << 7)
#define RCBA		0xf0
/* After ACPI's ports: SMI_EN, of which only these can be said */
#define SMI_EN		(ACPI_PORTS + 0x30)
#define GBL_SMI_EN	(1u << 0)
#define APMC_EN		(1u << 5)

/**
 * struct lpc - see above
 * @smi: the ports of SMI_EN and SMI_STS
 */
struct lpc {
	struct pci_function pci;
	struct region smi;
};

static uint64_t smi_read(struct device *device, uint64_t at, unsigned int size)
{
	return at ? 0 : GBL_SMI_EN | APMC_EN;
}

static void smi_write(struct device *device, uint64_t at, uint64_t value,
		      unsigned int size)
{
}

static int create(struct device *device, struct error *error)
{
	static const struct pci_id id = { 0x8086, 0x2918, 0x1af4, 0x1100,
					  0x060100, 2 };
	static const struct region_ops smi = { .min = 4, .max = 4,
		.read = smi_read, .write = smi_write };
	struct lpc *lpc = (struct lpc *)device;

	lpc->smi = (struct region){ &smi, device, .len = 8 };
	pci_put32(lpc->pci.fixed, PMBASE, ACPI_PORTS | 1);
	lpc->pci.fixed[ACPI_CNTL] = ACPI_EN;
	pci_put32(lpc->pci.writable, RCBA, ~0x3ffeu);
	return pci_create_at(&lpc->pci, SLOT, &id, error) ||
	       region_map(&device->machine->ports, &lpc->smi, SMI_EN, error) ?
	       -1 : 0;
}

static void reset(struct device *device)
{
	pci_reset(&((struct lpc *)device)->pci);
}

static int loaded(struct device *device, struct error *error)
{
	return pci_loaded(&((struct lpc *)device)->pci, error);
}

static const struct field fields[] = { PCI_FIELDS(struct lpc, pci), FIELDS_END };

static const struct device_class lpc = {
	.name = "lpc", .help = "an LPC bridge: --firmware uefi adds it",
	.size = sizeof(struct lpc), .fields = fields, .create = create,
	.reset = reset, .loaded = loaded,
};
DEVICE_CLASS(lpc);
