// SPDX-License-Identifier: GPL-2.0
/*
 * Intel 82093AA (order number 290566): the I/O APIC, with two additions of
 * version 0x20: messages in the format of an MSI, and the EOI register.
 */
#include <errno.h>
#include <string.h>
#include "core/machine.h"

#define IOREGSEL	0x00
#define IOWIN		0x10
#define EOI		0x40

#define REG_ID		0
#define REG_VERSION	1
#define REG_ARBITRATION	2
#define REG_TABLE	0x10
#define VERSION		((IRQ_LINES - 1) << 16 | 0x20)
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

/**
 * struct i82093aa - turns changes of its pins into messages to local APICs;
 *	machine->irqs.lock guards it
 * @select: the register that IOWIN accesses
 * @id: bits 24 .. 27, as the guest wrote them
 * @lines: a bit for each pin that is up, regardless of its polarity bit
 * @pin: the redirection table
 * @region: its page
 */
struct i82093aa {
	struct device device;
	uint8_t select;
	uint32_t id, lines;
	uint64_t pin[IRQ_LINES];
	struct region region;
};

/* NMI, SMI, INIT and ExtINT are edges regardless of the trigger bit */
static bool is_level(uint64_t entry)
{
	return entry & LEVEL && (entry & MODE) <= MODE_LOWEST;
}

/* Returns if a local APIC took it */
static bool i82093aa_send(const struct i82093aa *chip, uint64_t entry)
{
	struct machine *m = chip->device.machine;
	uint64_t address = MSI_ADDRESS | entry >> 56 << 12;
	uint32_t data = MSI_ASSERT | (entry & (VECTOR | MODE));
	int ret;

	if (entry & LOGICAL)
		address |= MSI_LOGICAL;
	if ((entry & MODE) == MODE_LOWEST)
		address |= MSI_REDIRECT;
	if (is_level(entry))
		data |= MSI_LEVEL;
	ret = mvmm_msi(m->vm, address, data);
	/* -EINVAL: the guest has set a delivery mode that does not exist */
	if (ret < 0 && ret != -EINVAL)
		machine_end(m, STATUS_VM,
			    "the interrupt message 0x%x to 0x%llx was refused: %s",
			    data, (unsigned long long)address, strerror(-ret));
	return ret > 0;
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

static void set(struct device *device, unsigned int pin, bool level)
{
	struct i82093aa *chip = (struct i82093aa *)device;
	uint32_t bit = 1u << (pin & 31);
	bool rises;

	if (pin >= IRQ_LINES)
		return;
	rises = level && !(chip->lines & bit);
	chip->lines = level ? chip->lines | bit : chip->lines & ~bit;
	if (is_level(chip->pin[pin]))
		update(chip, pin);
	else if (rises && !(chip->pin[pin] & MASKED))
		/* The data sheet says that an edge on a masked pin is lost */
		i82093aa_send(chip, chip->pin[pin]);
}

static void eoi(struct device *device, uint8_t vector)
{
	struct i82093aa *chip = (struct i82093aa *)device;
	unsigned int i;

	for (i = 0; i < IRQ_LINES; i++) {
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
	if (index >= 2 * IRQ_LINES)
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
	if (index >= 2 * IRQ_LINES)
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

static uint64_t i82093aa_read(struct device *device, uint64_t at,
			      unsigned int size)
{
	struct i82093aa *chip = (struct i82093aa *)device;

	switch (at) {
	case IOREGSEL:
		return chip->select;
	case IOWIN:
		return read_register(chip);
	case EOI:
		return 0;
	default:
		return ~0ull;
	}
}

static void i82093aa_write(struct device *device, uint64_t at, uint64_t value,
			   unsigned int size)
{
	struct i82093aa *chip = (struct i82093aa *)device;

	switch (at) {
	case IOREGSEL:
		chip->select = value;
		break;
	case IOWIN:
		/* A part of a register cannot be written */
		if (size == 4)
			write_register(chip, value);
		break;
	case EOI:
		eoi(device, value);
		break;
	}
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .max = 4, .read = i82093aa_read,
					       .write = i82093aa_write };
	struct i82093aa *chip = (struct i82093aa *)device;
	struct machine *m = device->machine;

	device->lock = &m->irqs.lock;
	chip->region = (struct region){ &ops, device, .len = 4096 };
	m->irqs.ioapic = (struct ioapic){ .device = device, .set = set,
					  .eoi = eoi };
	return region_map(&m->mmio, &chip->region, IOAPIC_BASE, error);
}

static void reset(struct device *device)
{
	struct i82093aa *chip = (struct i82093aa *)device;
	int i;

	for (i = 0; i < IRQ_LINES; i++) {
		chip->pin[i] = MASKED;
		if (device->machine->irqs.sources[i])
			chip->lines |= 1u << (i ? i : TIMER_PIN);
	}
}

static int loaded(struct device *device, struct error *error)
{
	struct i82093aa *chip = (struct i82093aa *)device;
	int i;

	for (i = 0; i < IRQ_LINES; i++)
		if (chip->pin[i] & ~(WRITABLE | REMOTE_IRR))
			return fail(error, STATUS_DATA,
				    "pin %d has bits that are reserved: 0x%llx",
				    i, (unsigned long long)chip->pin[i]);
	if (chip->id & ~ID_MASK || chip->lines >> IRQ_LINES)
		return fail(error, STATUS_DATA,
			    "id 0x%x or lines 0x%x have bits that are reserved",
			    chip->id, chip->lines);
	return 0;
}

static const struct field fields[] = {
	FIELD(struct i82093aa, select), FIELD(struct i82093aa, id),
	FIELD(struct i82093aa, lines), FIELD_ARRAY(struct i82093aa, pin),
	FIELDS_END
};

static const struct device_class i82093aa = {
	.name = "i82093aa", .size = sizeof(struct i82093aa), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
};
DEVICE_CLASS(i82093aa);
