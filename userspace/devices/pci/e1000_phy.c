// SPDX-License-Identifier: GPL-2.0
/*
 * e1000's EEPROM, of which there are 64 words that cannot be written, and its PHY, a
 * Marvell 88E1011 that always agrees on 1000 Mbit/s.
 */
#include <string.h>
#include "devices/pci/e1000.h"

/* ---- EEPROM --------------------------------------------------------------- */

#define EEPROM_WORDS	64
#define EEPROM_SUM	0xbaba
#define EERD_START	(1u << 0)
#define EERD_DONE	(1u << 4)
/* The lines of the chip (Microwire), and who may drive them */
#define EECD_SK		(1u << 0)
#define EECD_CS		(1u << 1)
#define EECD_DI		(1u << 2)
#define EECD_DO		(1u << 3)
#define EECD_REQ	(1u << 6)
#define EECD_GNT	(1u << 7)
#define EECD_PRES	(1u << 8)
#define EECD_WRITABLE	(EECD_SK | EECD_CS | EECD_DI | EECD_REQ | 0x30)
/* A bit to start with, two of a command, and an address */
#define COMMAND_BITS	9
#define COMMAND_READ	6

static uint16_t own_word(const struct e1000 *e, unsigned int at)
{
	switch (at) {
	case 0 ... 2:
		return e->mac[2 * at] | e->mac[2 * at + 1] << 8;
	case 0x0a:	/* IDs are here, too; no wake-up */
		return 0x4408;
	case 0x0b:
		return pci_get16(e->pci.fixed, PCI_SUBSYSTEM_ID);
	case 0x0c:
		return pci_get16(e->pci.fixed, PCI_SUBSYSTEM_VENDOR_ID);
	case 0x0d:
		return pci_get16(e->pci.fixed, PCI_DEVICE_ID);
	case 0x0e:
		return pci_get16(e->pci.fixed, PCI_VENDOR_ID);
	default:
		return 0;
	}
}

static uint16_t eeprom_word(const struct e1000 *e, unsigned int at)
{
	uint16_t sum = EEPROM_SUM;
	unsigned int i;

	if (at < EEPROM_WORDS - 1)
		return own_word(e, at);
	for (i = 0; i < EEPROM_WORDS - 1; i++)
		sum -= own_word(e, i);
	return at < EEPROM_WORDS ? sum : 0;
}

void e1000_write_eerd(struct e1000 *e, uint32_t value)
{
	e->reg.eerd = value & 0xff00;
	if (value & EERD_START)
		e->reg.eerd |= EERD_DONE | (uint32_t)
			       eeprom_word(e, value >> 8 & 0xff) << 16;
}

/* The clock goes up: a bit of the command comes, or one of the word goes */
static bool shift(struct e1000 *e, bool in)
{
	unsigned int n = e->eeprom_bits;

	/* Zeros before the first one of a command are none of it */
	if (!n && !in)
		return true;
	if (n < 0xffff)
		e->eeprom_bits++;
	if (n < COMMAND_BITS) {
		e->eeprom_in = e->eeprom_in << 1 | in;
		return false;
	}
	n = (n - COMMAND_BITS) % 16;
	return e->eeprom_in >> (COMMAND_BITS - 3) == COMMAND_READ &&
	       eeprom_word(e, e->eeprom_in % EEPROM_WORDS) >> (15 - n) & 1;
}

void e1000_write_eecd(struct e1000 *e, uint32_t value)
{
	uint32_t was = e->reg.eecd, is = value & EECD_WRITABLE;

	is |= EECD_PRES | (is & EECD_REQ ? EECD_GNT : 0) | (was & EECD_DO);
	if (!(is & EECD_CS)) {
		e->eeprom_bits = e->eeprom_in = 0;
		is |= EECD_DO;	/* it is ready */
	} else if (is & EECD_SK && !(was & EECD_SK)) {
		is = (is & ~EECD_DO) | (shift(e, is & EECD_DI) ? EECD_DO : 0);
	}
	e->reg.eecd = is;
}

/* ---- PHY ------------------------------------------------------------------ */

#define MDIC_WRITE	(1u << 26)
#define MDIC_READ	(2u << 26)
#define MDIC_READY	(1u << 28)
#define MDIC_INTERRUPT	(1u << 29)
#define MDIC_ERROR	(1u << 30)
#define PHY_ADDRESS	1
/* Of the MAC's register: a loopback, and of what */
#define RCTL_LBM	(3u << 6)
#define RCTL_LBM_MAC	(1u << 6)

enum { PHY_CONTROL, PHY_STATUS, PHY_ID1, PHY_ID2, PHY_ADVERTISE, PHY_PARTNER,
       PHY_EXPANSION, PHY_1000T_CONTROL = 9, PHY_1000T_STATUS,
       PHY_EXTENDED = 15, PHY_SPECIFIC_CONTROL, PHY_SPECIFIC_STATUS };

/* Reset, and negotiate again: they are done at once */
#define CONTROL_DONE	(1u << 15 | 1u << 9)
#define CONTROL_LOOPBACK (1u << 14)
/* Those that depend on the link */
#define STATUS_LINKED	(1u << 2 | 1u << 5)
#define SPECIFIC_LINKED	0xac00	/* 1000, full duplex, resolved, link */
#define PARTNER_ALL	0x4de1
#define PARTNER_1000	0x3800	/* and both receivers are well */

void e1000_set_link(struct e1000 *e, bool up)
{
	uint16_t *phy = e->phy;

	e->reg.status = (e->reg.status & ~STATUS_LU) | (up ? STATUS_LU : 0);
	phy[PHY_STATUS] = (phy[PHY_STATUS] & ~STATUS_LINKED) |
			  (up ? STATUS_LINKED : 0);
	phy[PHY_PARTNER] = up ? PARTNER_ALL : 0;
	phy[PHY_EXPANSION] = up;
	phy[PHY_1000T_STATUS] = up ? PARTNER_1000 : 0;
	phy[PHY_SPECIFIC_STATUS] = up ? SPECIFIC_LINKED : 0;
}

void e1000_reset_phy(struct e1000 *e)
{
	memset(e->phy, 0, sizeof(e->phy));
	e->phy[PHY_CONTROL] = 0x1140;
	e->phy[PHY_STATUS] = 0x7949;
	e->phy[PHY_ID1] = 0x0141;
	e->phy[PHY_ID2] = 0x0c20;
	e->phy[PHY_ADVERTISE] = 0x0de1;
	e->phy[PHY_1000T_CONTROL] = 0x0e00;
	e->phy[PHY_EXTENDED] = 0x3000;
	e->phy[PHY_SPECIFIC_CONTROL] = 0x0360;
	e1000_set_link(e, e1000_has_link(e));
}

bool e1000_is_looped(const struct e1000 *e)
{
	return e->phy[PHY_CONTROL] & CONTROL_LOOPBACK ||
	       (e->reg.rctl & RCTL_LBM) == RCTL_LBM_MAC;
}

static bool is_writable(unsigned int at)
{
	return at == PHY_CONTROL || at == PHY_ADVERTISE ||
	       at == PHY_1000T_CONTROL || at == PHY_SPECIFIC_CONTROL ||
	       at >= 18;
}

static void write_phy(struct e1000 *e, unsigned int at, uint16_t value)
{
	if (at == PHY_CONTROL && value & 1u << 15)
		e1000_reset_phy(e);
	else if (at == PHY_CONTROL)
		e->phy[at] = value & ~CONTROL_DONE;
	else if (is_writable(at))
		e->phy[at] = value;
	/* The driver waits for what it has asked for */
	if (at == PHY_CONTROL && value & CONTROL_DONE)
		e1000_cause(e, ICR_LSC);
}

void e1000_write_mdic(struct e1000 *e, uint32_t value)
{
	unsigned int at = value >> 16 & 31;

	e->reg.mdic = (value & ~(MDIC_ERROR | MDIC_READY)) | MDIC_READY;
	if ((value >> 21 & 31) != PHY_ADDRESS)
		e->reg.mdic |= MDIC_ERROR;
	else if (value & MDIC_READ)
		e->reg.mdic = (e->reg.mdic & ~0xffffu) | e->phy[at];
	else if (value & MDIC_WRITE)
		write_phy(e, at, value);
	if (value & MDIC_INTERRUPT)
		e1000_cause(e, ICR_MDAC);
}
