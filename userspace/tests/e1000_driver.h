/* SPDX-License-Identifier: GPL-2.0 */
/* A guest's driver for the e1000 of a bare machine, in slot 1. */
#ifndef MVMM_E1000_DRIVER_H
#define MVMM_E1000_DRIVER_H

#include "devices/pci/e1000.h"
#include "tests/played_port.h"
#include "tests/virtio_driver.h"

#define TX_RING		0x10000ull
#define RX_RING		0x20000ull
#define NIC_RING	16u	/* descriptors of each */
#define NIC_MEMORY	0xc1000000u
#define NIC_PORTS	0x1000u
#define EOP_RS		9u	/* commands of a descriptor */
#define TX_BUFFER	BUFFERS
#define RX_BUFFER	(BUFFERS + 0x40000)

static uint8_t nic_mac[MAC_LEN] = { 2, 1, 1, 1, 1, 1 };
static struct e1000 *nic;

static inline uint32_t nic_read(uint32_t reg)
{
	return reg_read(reg, 4);
}

static inline void nic_write(uint32_t reg, uint32_t value)
{
	reg_write(reg, value, 4);
}

static inline void make_e1000(void)
{
	bare_start();
	m.warnings = MACHINE_WARNINGS;
	if (memory_create(&m.memory, MEMORY, false, &error))
		__builtin_trap();
	played_init(&m.loop);
	m.config.nic[0].port = &played.port;
	memcpy(m.config.nic[0].mac, nic_mac, MAC_LEN);
	m.nics_made = 0;
	bare_device("pci-host");
	bare_device("e1000");
	nic = (struct e1000 *)m.devices;
	memset(&driver, 0, sizeof(driver));
	driver.bar0 = NIC_MEMORY;
	cfg_write(PCI_BASE_ADDRESS_0, NIC_MEMORY, 4);
	cfg_write(PCI_BASE_ADDRESS_1, NIC_PORTS, 4);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
}

/* Rings, and all interrupts; @rctl besides EN */
static inline void start_e1000(uint32_t rctl)
{
	nic_write(0x3800, TX_RING);
	nic_write(0x3808, NIC_RING * E1000_DESC);
	nic_write(0x2800, RX_RING);
	nic_write(0x2808, NIC_RING * E1000_DESC);
	nic_write(0x00d0, 0x1ffff);
	nic_write(0x0400, 2);
	nic_write(0x0100, rctl | 2);
	nic_read(0x00c0);
}

static inline uint8_t *tx_desc(unsigned int i)
{
	return (uint8_t *)at(TX_RING) + i * E1000_DESC;
}

static inline uint8_t *rx_desc(unsigned int i)
{
	return (uint8_t *)at(RX_RING) + i * E1000_DESC;
}

static inline void tx_put(unsigned int i, uint64_t address, uint32_t low, uint32_t high)
{
	memcpy(tx_desc(i), &address, 8);
	memcpy(tx_desc(i) + 8, &low, 4);
	memcpy(tx_desc(i) + 12, &high, 4);
}

static inline void tx_ring(unsigned int tail)
{
	nic_write(0x3818, tail);
}

static inline uint32_t tx_head(void)
{
	return nic_read(0x3810);
}

/* The first descriptors of the ring to receive, with buffers */
static inline void rx_give(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < NIC_RING; i++) {
		uint64_t buffer = RX_BUFFER + i * 4096;

		memset(rx_desc(i), 0, E1000_DESC);
		memcpy(rx_desc(i), &buffer, 8);
	}
	nic_write(0x2818, nr);
}

static inline unsigned int rx_length(unsigned int i)
{
	return rx_desc(i)[8] | rx_desc(i)[9] << 8;
}

#endif
