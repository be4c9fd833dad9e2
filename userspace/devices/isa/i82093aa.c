// SPDX-License-Identifier: GPL-2.0
/*
 * Intel 82093AA (order number 290566): the I/O APIC, with two additions of
 * version 0x20: messages in the format of an MSI, and the EOI register.
 */
#include <string.h>
#include "devices.h"

#define IOREGSEL	0x00
#define IOWIN		0x10
#define EOI		0x40

#define REG_ID		0
#define REG_VERSION	1
#define REG_ARBITRATION	2
#define REG_TABLE	0x10
#define VERSION		((I82093AA_PINS - 1) << 16 | 0x20)
#define ID_MASK		0x0f000000u

/* Bits of an entry of the redirection table */
#define VECTOR		0xffull
#define MODE		(7ull << 8)	/* delivery mode */
#define LOGICAL		(1ull << 11)
#define SEND_PENDING	(1ull << 12)
#define POLARITY	(1ull << 13)
#define REMOTE_IRR	(1ull << 14)
#define LEVEL		(1ull << 15)
#define MASKED		(1ull << 16)
#define DESTINATION	(0xffull << 56)
#define READ_ONLY	(SEND_PENDING | REMOTE_IRR)
#define WRITABLE	(VECTOR | MODE | LOGICAL | POLARITY | LEVEL | MASKED | \
			 DESTINATION)

#define MODE_LOWEST	(1ull << 8)

/* The message: SDM vol. 3, 11.11 */
#define MSI_ADDRESS	0xfee00000u
#define MSI_REDIRECT	(1u << 3)
#define MSI_LOGICAL	(1u << 2)
#define MSI_ASSERT	(1u << 14)
#define MSI_LEVEL	(1u << 15)

void i82093aa_init(struct i82093aa *chip,
		   bool (*send)(void *ctx, uint64_t address, uint32_t data),
		   void *ctx)
{
	int i;

	memset(chip, 0, sizeof(*chip));
	chip->send = send;
	chip->ctx = ctx;
	for (i = 0; i < I82093AA_PINS; i++)
		chip->pin[i] = MASKED;
}

/* NMI, SMI, INIT and ExtINT are edges regardless of the trigger bit */
static bool is_level(uint64_t entry)
{
	return entry & LEVEL && (entry & MODE) <= MODE_LOWEST;
}

static bool i82093aa_send(const struct i82093aa *chip, uint64_t entry)
{
	uint64_t address = MSI_ADDRESS | entry >> 56 << 12;
	uint32_t data = MSI_ASSERT | (entry & (VECTOR | MODE));

	if (entry & LOGICAL)
		address |= MSI_LOGICAL;
	if ((entry & MODE) == MODE_LOWEST)
		address |= MSI_REDIRECT;
	if (is_level(entry))
		data |= MSI_LEVEL;
	return chip->send(chip->ctx, address, data);
}

/*
 * Must a message be sent for this level? The line is up and no interrupt of it
 * is in service. It stays due as long as no local APIC takes the message.
 */
static bool due(const struct i82093aa *chip, unsigned int pin)
{
	uint64_t entry = chip->pin[pin];

	return chip->lines & 1u << pin && is_level(entry) &&
	       !(entry & (MASKED | REMOTE_IRR));
}

static void update(struct i82093aa *chip, unsigned int pin)
{
	if (due(chip, pin) && i82093aa_send(chip, chip->pin[pin]))
		chip->pin[pin] |= REMOTE_IRR;
}

void i82093aa_set(void *opaque, unsigned int pin, bool level)
{
	struct i82093aa *chip = opaque;
	uint32_t bit = 1u << (pin & 31);
	bool rises;

	if (pin >= I82093AA_PINS)
		return;
	rises = level && !(chip->lines & bit);
	chip->lines = level ? chip->lines | bit : chip->lines & ~bit;
	if (is_level(chip->pin[pin]))
		update(chip, pin);
	else if (rises && !(chip->pin[pin] & MASKED))
		/* The data sheet says that an edge on a masked pin is lost */
		i82093aa_send(chip, chip->pin[pin]);
}

void i82093aa_eoi(struct i82093aa *chip, uint8_t vector)
{
	unsigned int i;

	for (i = 0; i < I82093AA_PINS; i++) {
		if (!(chip->pin[i] & REMOTE_IRR) ||
		    (chip->pin[i] & VECTOR) != vector)
			continue;
		chip->pin[i] &= ~REMOTE_IRR;
		update(chip, i);
	}
}

static uint32_t read_register(const struct i82093aa *chip)
{
	unsigned int index = chip->select - REG_TABLE;
	uint64_t entry;

	switch (chip->select) {
	case REG_ID:
	case REG_ARBITRATION:
		return chip->id;
	case REG_VERSION:
		return VERSION;
	}
	if (index >= 2 * I82093AA_PINS)
		return 0;
	entry = chip->pin[index / 2];
	if (due(chip, index / 2))
		entry |= SEND_PENDING;
	return index & 1 ? entry >> 32 : entry;
}

static void write_register(struct i82093aa *chip, uint32_t value)
{
	unsigned int index = chip->select - REG_TABLE;
	uint64_t *entry, written;

	if (chip->select == REG_ID)
		chip->id = value & ID_MASK;
	if (index >= 2 * I82093AA_PINS)
		return;
	entry = &chip->pin[index / 2];
	written = index & 1 ? (uint64_t)value << 32 | (uint32_t)*entry :
			      (*entry >> 32 << 32) | value;
	*entry = (written & WRITABLE) | (*entry & READ_ONLY);
	/* Linux ends a level this way on chips without an EOI register */
	if (!(*entry & LEVEL))
		*entry &= ~REMOTE_IRR;
	update(chip, index / 2);
}

void i82093aa_access(void *opaque, uint64_t offset, void *data,
		     unsigned int size, bool write)
{
	struct i82093aa *chip = opaque;
	uint32_t value = 0;

	/* Registers have 32 bits: the rest of a longer access has no effect */
	size = size < sizeof(value) ? size : sizeof(value);
	if (write)
		memcpy(&value, data, size);
	switch (offset) {
	case IOREGSEL:
		if (write)
			chip->select = value;
		value = chip->select;
		break;
	case IOWIN:
		/* A part of a register cannot be written */
		if (write && size == sizeof(value))
			write_register(chip, value);
		else if (!write)
			value = read_register(chip);
		break;
	case EOI:
		if (write)
			i82093aa_eoi(chip, value);
		break;
	default:
		return;
	}
	if (!write)
		memcpy(data, &value, size);
}
