// SPDX-License-Identifier: GPL-2.0
/*
 * Two Intel 8259A in cascade (Intel order number 231468), and the ELCR, which
 * makes inputs level-triggered.
 */
#include <string.h>
#include "devices.h"

#define CASCADE 2
#define ICW1_INIT (1u << 4)
#define ICW1_IC4 (1u << 0)
#define ICW4_AEOI (1u << 1)
#define ICW4_SFNM (1u << 4)

static void reset(struct i8259_chip *c)
{
	uint8_t lines = c->lines, elcr = c->elcr;

	memset(c, 0, sizeof(*c));
	c->lines = lines;
	c->elcr = elcr;
	/* Level inputs that are up stay requested; earlier edges are lost */
	c->irr = lines & elcr;
	c->lowest = 7;
}

void i8259_init(struct i8259 *pic)
{
	memset(pic, 0, sizeof(*pic));
	reset(&pic->chip[0]);
	reset(&pic->chip[1]);
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

void i8259_set(void *opaque, unsigned int irq, bool level)
{
	struct i8259 *pic = opaque;

	set_input(&pic->chip[irq >> 3 & 1], irq & 7, level);
	update_cascade(pic);
}

bool i8259_pending(const struct i8259 *pic)
{
	return pending(&pic->chip[0]) >= 0;
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

uint8_t i8259_ack(struct i8259 *pic)
{
	struct i8259_chip *master = &pic->chip[0], *slave = &pic->chip[1];
	int input = pending(master);
	uint8_t vector;

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
		reset(c);
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

static uint8_t i8259_read(struct i8259_chip *c, uint64_t offset)
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

static void i8259_access(struct i8259 *pic, int n, uint64_t offset,
			 uint8_t *data, bool write)
{
	struct i8259_chip *c = &pic->chip[n];

	if (!write)
		*data = i8259_read(c, offset);
	else if (offset)
		write_data(c, *data);
	else
		write_command(c, *data);
	update_cascade(pic);
}

void i8259_master(void *pic, uint64_t offset, void *data, unsigned int size,
		  bool write)
{
	i8259_access(pic, 0, offset, data, write);
}

void i8259_slave(void *pic, uint64_t offset, void *data, unsigned int size,
		 bool write)
{
	i8259_access(pic, 1, offset, data, write);
}

void i8259_elcr(void *opaque, uint64_t offset, void *data, unsigned int size,
		bool write)
{
	struct i8259 *pic = opaque;
	/* The timer, keyboard, cascade, RTC and FPU inputs are always edge */
	static const uint8_t settable[] = { 0xf8, 0xde };
	uint8_t *value = data;

	if (write)
		pic->chip[offset].elcr = *value & settable[offset];
	else
		*value = pic->chip[offset].elcr;
}
