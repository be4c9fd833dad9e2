// SPDX-License-Identifier: GPL-2.0
/*
 * Booting from the network: SeaBIOS has no driver of a NIC, and runs the option ROM
 * that it finds in fw_cfg under the NIC's IDs. It is iPXE's, as QEMU has it. OVMF has
 * drivers of its own.
 */
#include <stdio.h>
#include "boot/boot.h"
#include "devices/pci/pci.h"

#define IPXE "/usr/lib/ipxe/qemu/"

static const struct rom {
	uint16_t vendor, device;
	const char *path;
} roms[] = { { 0x8086, 0x100e, IPXE "pxe-e1000.rom" },
	     { 0x1af4, 0x1041, IPXE "pxe-virtio.rom" } };

static bool is_there(const struct machine *m, const struct rom *rom)
{
	unsigned int slot;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		const struct pci_function *f = m->pci[slot];

		if (f && pci_get16(f->fixed, PCI_VENDOR_ID) == rom->vendor &&
		    pci_get16(f->fixed, PCI_DEVICE_ID) == rom->device)
			return true;
	}
	return false;
}

int netboot_tell(struct machine *m, struct error *error)
{
	const struct rom *rom;
	char name[24];
	struct blob blob;
	int ret = 0;

	for (rom = roms; rom < roms + sizeof(roms) / sizeof(roms[0]) && !ret; rom++) {
		if (!is_there(m, rom))
			continue;
		if (blob_read(&blob, rom->path, error))
			return fail(error, STATUS_NO_INPUT,
				    "--boot order: %s cannot be read: install the package ipxe-qemu, or leave out n",
				    rom->path);
		snprintf(name, sizeof(name), "pci%04x,%04x.rom", rom->vendor,
			 rom->device);
		ret = firmware_tell(m->config.firmware, name, blob.data,
				    blob.size, error);
		blob_free(&blob);
	}
	return ret;
}
