// SPDX-License-Identifier: GPL-2.0
/*
 * A linear mode for a kernel that asks its loader for one: what a firmware does with
 * the ports of a VGA. What the kernel is told is multiboot.c's.
 */
#include "boot/boot.h"
#include "devices/pci/pci.h"
#include "devices/vga/vga.h"

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc
#define VBE_INDEX	0x1ce
#define VBE_DATA	0x1cf
#define ATTRIBUTE	0x3c0
#define ATTRIBUTE_ON	0x20
#define STATUS		0x3da
#define BOCHS_VGA	0x11111234	/* device and vendor */

static void out(struct machine *m, unsigned int port, uint32_t value,
		unsigned int size)
{
	bus_access(&m->ports, port, &value, size, true);
}

static struct pci_function *find_vga(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < PCI_SLOTS; i++)
		if (m->pci[i] && pci_get32(m->pci[i]->config, PCI_VENDOR_ID) ==
				 BOCHS_VGA)
			return m->pci[i];
	return NULL;
}

uint64_t framebuffer_find(struct machine *m)
{
	struct pci_function *vga = find_vga(m);

	return vga ? pci_get32(vga->config, PCI_BASE_ADDRESS_0) &
		     PCI_BASE_ADDRESS_MEM_MASK : 0;
}

void framebuffer_set(struct machine *m, unsigned int width, unsigned int height)
{
	const uint16_t mode[][2] = {
		{ VBE_ENABLE, 0 }, { VBE_X, width }, { VBE_Y, height },
		{ VBE_BPP, 32 }, { VBE_ENABLE, VBE_ENABLED } };
	struct pci_function *vga = find_vga(m);
	uint8_t status;
	unsigned int i;

	out(m, CONFIG_ADDRESS, 1u << 31 | vga->slot << 11 | PCI_COMMAND, 4);
	out(m, CONFIG_DATA, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	for (i = 0; i < sizeof(mode) / sizeof(mode[0]); i++) {
		out(m, VBE_INDEX, mode[i][0], 2);
		out(m, VBE_DATA, mode[i][1], 2);
	}
	/* Reading it makes the next write the address */
	bus_access(&m->ports, STATUS, &status, 1, false);
	out(m, ATTRIBUTE, ATTRIBUTE_ON, 1);
}
