// SPDX-License-Identifier: GPL-2.0
/* MSI-X (PCI Local Bus 3.0, 6.8.2): interrupts as messages, with a table. */
#include <errno.h>
#include <string.h>
#include "core/machine.h"
#include "devices/pci/pci.h"

#define ENTRY_BYTES	16

const struct field msix_fields[] = {
	FIELD(struct msix_entry, address),
	FIELD(struct msix_entry, address_high),
	FIELD(struct msix_entry, data), FIELD(struct msix_entry, control),
	FIELDS_END
};

void pci_add_msix(struct pci_function *f, unsigned int vectors,
		  unsigned int bar, uint32_t table, uint32_t pending)
{
	uint8_t at = pci_add_capability(f, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);

	f->msix = at;
	f->vectors = vectors;
	pci_put16(f->fixed, at + PCI_MSIX_FLAGS, vectors - 1);
	pci_put16(f->writable, at + PCI_MSIX_FLAGS,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_put32(f->fixed, at + PCI_MSIX_TABLE, table | bar);
	pci_put32(f->fixed, at + PCI_MSIX_PBA, pending | bar);
}

static uint16_t flags(const struct pci_function *f)
{
	return f->msix ? pci_get16(f->config, f->msix + PCI_MSIX_FLAGS) : 0;
}

bool msix_enabled(const struct pci_function *f)
{
	return flags(f) & PCI_MSIX_FLAGS_ENABLE;
}

/* A message is a write to memory, which it may not do without being master */
static bool is_masked(const struct pci_function *f, unsigned int vector)
{
	return !pci_is_master(f) || flags(f) & PCI_MSIX_FLAGS_MASKALL ||
	       f->entry[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

static void send(struct pci_function *f, unsigned int vector)
{
	const struct msix_entry *e = &f->entry[vector];
	struct machine *m = f->device.machine;
	uint64_t address = (uint64_t)e->address_high << 32 | e->address;
	/* What the guest has written may be no message: then nobody takes it */
	int ret = mvmm_msi(m->vm, address, e->data);

	if (ret < 0 && ret != -EINVAL)
		machine_end(m, STATUS_VM, "an interrupt message was refused: %s",
			    strerror(-ret));
}

void msix_notify(struct pci_function *f, unsigned int vector)
{
	if (vector >= f->vectors || !msix_enabled(f))
		return;
	if (is_masked(f, vector))
		f->pending |= 1u << vector;
	else
		send(f, vector);
}

void msix_send_pending(struct pci_function *f)
{
	unsigned int i;

	for (i = 0; f->pending && i < f->vectors && msix_enabled(f); i++) {
		if (!(f->pending & 1u << i) || is_masked(f, i))
			continue;
		f->pending &= ~(1u << i);
		send(f, i);
	}
}

uint64_t msix_read(const struct pci_function *f, uint64_t at, unsigned int size)
{
	uint64_t value = 0;

	if (at >= MSIX_PENDING_AT)
		return at == MSIX_PENDING_AT ? f->pending : 0;
	/* Aligned, so that it is within one entry */
	if (at / ENTRY_BYTES >= f->vectors || at & (size - 1))
		return 0;
	memcpy(&value, (const uint8_t *)f->entry + at, size);
	return value;
}

void msix_write(struct pci_function *f, uint64_t at, uint64_t value,
		unsigned int size)
{
	if (at / ENTRY_BYTES >= f->vectors || at & (size - 1))
		return;
	memcpy((uint8_t *)f->entry + at, &value, size);
	msix_send_pending(f);
}
