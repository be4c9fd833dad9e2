// SPDX-License-Identifier: GPL-2.0
/*
 * Two Intel 8259A in cascade (Intel order number 231468), and the ELCR, which
 * makes inputs level-triggered.
 */
#include <string.h>
#include "core/machine.h"

#define CASCADE 2
#define ICW1_INIT (1u << 4)
#define ICW1_IC4 (1u << 0)
#define ICW4_AEOI (1u << 1)
#define ICW4_SFNM (1u << 4)

struct i8259_chip {
	uint8_t irr, isr, imr, lines, elcr;
	uint8_t base;		/* vector of its first input */
	uint8_t init_step;	/* next ICW expected, 0: none */
	bool needs_icw4;
	bool auto_eoi, rotate_auto, special_mask, special_nested;
	bool read_isr, poll;
	uint8_t lowest;		/* input of lowest priority */
};

/**
 * struct i8259 - see above; machine->irqs.lock guards it
 * @chip: master at 0x20, slave at 0xa0
 * @before: what they were before the last acknowledge
 * @master: and so on: their ports
 */
struct i8259 {
	struct device device;
	struct i8259_chip chip[2];
	struct i8259_chip before[2];
	struct region master, slave, elcr;
};

static void init(struct i8259_chip *c)
{
	uint8_t lines = c->lines, elcr = c->elcr;

	memset(c, 0, sizeof(*c));
	c->lines = lines;
	c->elcr = elcr;
	/* Level inputs that are up stay requested; earlier edges are lost */
	c->irr = lines & elcr;
	c->lowest = 7;
}

/* The requested input of highest priority that may interrupt, or -1 */
static int pending(const struct i8259_chip *c)
{
	uint8_t masked = c->irr & ~c->imr;
	int i;

	for (i = 1; i <= 8; i++) {
		int input = (c->lowest + i) & 7;
		uint8_t bit = 1u << input;

		if (c->isr & bit && !(c->special_mask && c->imr & bit)) {
			/* Special fully nested mode: the cascade input may
			 * interrupt itself
			 */
			if (!(c->special_nested && input == CASCADE &&
			      masked & bit))
				return -1;
		}
		if (masked & bit)
			return input;
	}
	return -1;
}

static void set_input(struct i8259_chip *c, int input, bool level)
{
	uint8_t bit = 1u << input;

	if (c->elcr & bit) {
		c->irr = level ? c->irr | bit : c->irr & ~bit;
	} else if (level) {
		if (!(c->lines & bit))
			c->irr |= bit;
	} else {
		c->irr &= ~bit;
	}
	c->lines = level ? c->lines | bit : c->lines & ~bit;
}

static void update_cascade(struct i8259 *pic)
{
	/* The slave's INT is a level, and each of its requests is an edge here */
	bool slave = pending(&pic->chip[1]) >= 0;

	if (!slave)
		pic->chip[0].irr &= ~(1u << CASCADE);
	else
		pic->chip[0].irr |= 1u << CASCADE;
}

static void set(struct device *device, unsigned int irq, bool level)
{
	struct i8259 *pic = (struct i8259 *)device;

	set_input(&pic->chip[irq >> 3 & 1], irq & 7, level);
	update_cascade(pic);
}

static bool requests(const struct device *device)
{
	return pending(&((const struct i8259 *)device)->chip[0]) >= 0;
}

static void acknowledge(struct i8259_chip *c, int input)
{
	uint8_t bit = 1u << input;

	if (c->auto_eoi) {
		if (c->rotate_auto)
			c->lowest = input;
	} else {
		c->isr |= bit;
	}
	if (!(c->elcr & bit))
		c->irr &= ~bit;
}

static uint8_t ack(struct device *device)
{
	struct i8259 *pic = (struct i8259 *)device;
	struct i8259_chip *master = &pic->chip[0], *slave = &pic->chip[1];
	int input = pending(master);
	uint8_t vector;

	memcpy(pic->before, pic->chip, sizeof(pic->before));
	if (input < 0)
		return master->base + 7;	/* spurious */
	acknowledge(master, input);
	if (input != CASCADE) {
		vector = master->base + input;
	} else {
		input = pending(slave);
		if (input >= 0)
			acknowledge(slave, input);
		vector = slave->base + (input < 0 ? 7 : input);
	}
	update_cascade(pic);
	return vector;
}

static void put_back(struct device *device)
{
	struct i8259 *pic = (struct i8259 *)device;

	memcpy(pic->chip, pic->before, sizeof(pic->chip));
}

static int highest_in_service(const struct i8259_chip *c)
{
	int i;

	for (i = 1; i <= 8; i++) {
		int input = (c->lowest + i) & 7;

		if (c->isr & 1u << input)
			return input;
	}
	return -1;
}

static void write_ocw2(struct i8259_chip *c, uint8_t value)
{
	int input = value & 7;

	switch (value >> 5) {
	case 0:		/* clear rotation in AEOI mode */
	case 4:		/* set it */
		c->rotate_auto = value >> 7;
		break;
	case 1:		/* EOI */
	case 5:		/* EOI, and rotate */
		input = highest_in_service(c);
		if (input < 0)
			break;
		c->isr &= ~(1u << input);
		if (value >> 7)
			c->lowest = input;
		break;
	case 3:		/* specific EOI */
	case 7:		/* specific EOI, and rotate */
		c->isr &= ~(1u << input);
		if (value >> 7)
			c->lowest = input;
		break;
	case 6:		/* set priority */
		c->lowest = input;
		break;
	}
}

static void write_command(struct i8259_chip *c, uint8_t value)
{
	if (value & ICW1_INIT) {
		init(c);
		c->init_step = 2;
		c->needs_icw4 = value & ICW1_IC4;
	} else if (value & 1u << 3) {
		/* OCW3 */
		if (value & 1u << 2)
			c->poll = true;
		if (value & 1u << 1)
			c->read_isr = value & 1;
		if (value & 1u << 6)
			c->special_mask = value >> 5 & 1;
	} else {
		write_ocw2(c, value);
	}
}

static void write_data(struct i8259_chip *c, uint8_t value)
{
	switch (c->init_step) {
	case 2:
		c->base = value & 0xf8;
		c->init_step = 3;
		break;
	case 3:
		c->init_step = c->needs_icw4 ? 4 : 0;
		break;
	case 4:
		c->auto_eoi = value & ICW4_AEOI;
		c->special_nested = value & ICW4_SFNM;
		c->init_step = 0;
		break;
	default:
		c->imr = value;
		break;
	}
}

static uint8_t read_chip(struct i8259_chip *c, uint64_t offset)
{
	int input;

	if (c->poll) {
		c->poll = false;
		input = pending(c);
		if (input < 0)
			return 0;
		acknowledge(c, input);
		return 0x80 | input;
	}
	if (offset)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

/* What is masked now, or not any more: vCPU 0 may have to look */
static void changed(struct i8259 *pic, bool before)
{
	update_cascade(pic);
	if (!before && requests(&pic->device))
		machine_tell_pic(pic->device.machine);
}

static uint64_t i8259_read(struct i8259 *pic, int n, uint64_t at)
{
	bool before = requests(&pic->device);
	uint8_t value = read_chip(&pic->chip[n], at);

	changed(pic, before);
	return value;
}

static void i8259_write(struct i8259 *pic, int n, uint64_t at, uint8_t value)
{
	bool before = requests(&pic->device);

	if (at)
		write_data(&pic->chip[n], value);
	else
		write_command(&pic->chip[n], value);
	changed(pic, before);
}

static uint64_t master_read(struct device *device, uint64_t at,
			    unsigned int size)
{
	return i8259_read((struct i8259 *)device, 0, at);
}

static void master_write(struct device *device, uint64_t at, uint64_t value,
			 unsigned int size)
{
	i8259_write((struct i8259 *)device, 0, at, value);
}

static uint64_t slave_read(struct device *device, uint64_t at,
			   unsigned int size)
{
	return i8259_read((struct i8259 *)device, 1, at);
}

static void slave_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	i8259_write((struct i8259 *)device, 1, at, value);
}

static uint64_t elcr_read(struct device *device, uint64_t at, unsigned int size)
{
	return ((struct i8259 *)device)->chip[at].elcr;
}

static void elcr_write(struct device *device, uint64_t at, uint64_t value,
		       unsigned int size)
{
	/* The timer, keyboard, cascade, RTC and FPU inputs are always edge */
	static const uint8_t settable[] = { 0xf8, 0xde };

	struct i8259 *pic = (struct i8259 *)device;
	struct i8259_chip *c = &pic->chip[at];
	bool before = requests(device);
	uint8_t fresh = (value & settable[at]) ^ c->elcr;

	/* An input that becomes a level requests while its line is up */
	c->elcr ^= fresh;
	c->irr = (c->irr & ~fresh) | (c->lines & c->elcr & fresh);
	changed(pic, before);
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops master = { .read = master_read,
						  .write = master_write };
	static const struct region_ops slave = { .read = slave_read,
						 .write = slave_write };
	static const struct region_ops elcr = { .read = elcr_read,
						.write = elcr_write };
	struct i8259 *pic = (struct i8259 *)device;
	struct machine *m = device->machine;

	device->lock = &m->irqs.lock;
	pic->master = (struct region){ &master, device, .len = 2 };
	pic->slave = (struct region){ &slave, device, .len = 2 };
	pic->elcr = (struct region){ &elcr, device, .len = 2 };
	m->irqs.pic = (struct pic){ .device = device, .set = set,
				    .pending = requests, .ack = ack,
				    .put_back = put_back };
	return region_map(&m->ports, &pic->master, 0x20, error) ||
	       region_map(&m->ports, &pic->slave, 0xa0, error) ||
	       region_map(&m->ports, &pic->elcr, 0x4d0, error) ? -1 : 0;
}

static void reset(struct device *device)
{
	struct i8259 *pic = (struct i8259 *)device;
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (device->machine->irqs.sources[i])
			pic->chip[i >> 3].lines |= 1u << (i & 7);
	init(&pic->chip[0]);
	init(&pic->chip[1]);
	update_cascade(pic);
}

static int loaded(struct device *device, struct error *error)
{
	struct i8259 *pic = (struct i8259 *)device;
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (pic->chip[i].lowest > 7 || pic->chip[i].init_step > 4)
			return fail(error, STATUS_DATA,
				    "lowest is %u, at most 7; init_step is %u, at most 4",
				    pic->chip[i].lowest,
				    pic->chip[i].init_step);
	return 0;
}

static const struct field chip_fields[] = {
	FIELD(struct i8259_chip, irr), FIELD(struct i8259_chip, isr),
	FIELD(struct i8259_chip, imr), FIELD(struct i8259_chip, lines),
	FIELD(struct i8259_chip, elcr), FIELD(struct i8259_chip, base),
	FIELD(struct i8259_chip, init_step),
	FIELD(struct i8259_chip, needs_icw4),
	FIELD(struct i8259_chip, auto_eoi),
	FIELD(struct i8259_chip, rotate_auto),
	FIELD(struct i8259_chip, special_mask),
	FIELD(struct i8259_chip, special_nested),
	FIELD(struct i8259_chip, read_isr), FIELD(struct i8259_chip, poll),
	FIELD(struct i8259_chip, lowest), FIELDS_END
};

static const struct field fields[] = {
	FIELD_STRUCTS(struct i8259, chip, chip_fields), FIELDS_END
};

static const struct device_class i8259 = {
	.name = "i8259", .size = sizeof(struct i8259), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
};
DEVICE_CLASS(i8259);
