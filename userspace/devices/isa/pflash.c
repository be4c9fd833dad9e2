// SPDX-License-Identifier: GPL-2.0
/*
 * Flash memory with the common interface (CFI, JESD68) and Intel's command set
 * (28F320J3 and its like), in which OVMF keeps its variables. While it is read the
 * guest has it as ROM; a write is a command, and until the command that leads back all
 * accesses are exits. The content is the machine's.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "core/machine.h"

#define FLASH_SECTOR	4096u

#define PROGRAM_WORD	0x10
#define ERASE		0x20
#define PROGRAM_WORD_2	0x40
#define CLEAR_STATUS	0x50
#define LOCK		0x60
#define READ_STATUS	0x70
#define READ_ID		0x90
#define READ_QUERY	0x98
#define CONFIRM		0xd0
#define PROGRAM_BUFFER	0xe8
#define READ_ARRAY	0xff

/*
 * A real one is ready when it is idle. OVMF knows one by a status of 0 after
 * CLEAR_STATUS, as QEMU has it
 */
#define READY		(1u << 7)
#define ERASE_ERROR	(1u << 5)
#define PROGRAM_ERROR	(1u << 4)

#define BUFFER_BITS	8
#define BUFFER		(1u << BUFFER_BITS)

/**
 * struct pflash - see above
 * @mode: what is read: READ_ARRAY, _STATUS, _ID or _QUERY
 * @command: whose next cycle is awaited; 0: none
 * @status: see above
 * @counted: PROGRAM_BUFFER: the number of bytes is known
 * @left: of these, how many have not come
 * @first: where in the chip @buffer is
 * @buffer: what is to be written there
 * @written: a bit for each byte of it that has come
 * @flash: its content
 * @region: its addresses
 * @warned: the user knows that the file cannot be written
 */
struct pflash {
	struct device device;
	uint8_t mode, command, status;
	bool counted;
	uint16_t left;
	uint32_t first;
	uint8_t buffer[BUFFER], written[BUFFER / 8];
	const struct flash *flash;
	struct region region;
	bool warned;
};

/* In READ_ARRAY it is ROM for the guest */
static void set_mode(struct pflash *chip, uint8_t mode)
{
	uint8_t *ram = mode == READ_ARRAY ? chip->flash->data : NULL;
	struct bus *mmio = &chip->device.machine->mmio;
	struct error error;
	int ret;

	chip->mode = mode;
	if (chip->region.bus && chip->region.ram == ram)
		return;
	/* Another vCPU has one or the other */
	bus_begin(mmio);
	region_remove(&chip->region);
	chip->region.ram = ram;
	ret = region_add(mmio, &chip->region, chip->flash->base, &error);
	bus_end(mmio);
	if (ret)
		machine_end(chip->device.machine, error.status, "%s",
			    error.text);
}

/* What was changed goes to the file, before the guest sees that it is ready */
static void keep(struct pflash *chip, uint32_t at, uint32_t len)
{
	const struct flash *f = chip->flash;
	ssize_t n = f->fd < 0 ? (ssize_t)len :
		    pwrite(f->fd, f->data + at, len, at);

	if (n == (ssize_t)len || chip->warned)
		return;
	chip->warned = true;
	machine_warn(chip->device.machine,
		     "the firmware's variables cannot be written to their file: %s",
		     n < 0 ? strerror(errno) : "the disk is full");
}

/* Programming makes zeroes only */
static void program(struct pflash *chip, uint32_t at, uint64_t value,
		    unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size && at + i < chip->flash->size; i++)
		chip->flash->data[at + i] &= value >> 8 * i;
	keep(chip, at, i);
	chip->status |= READY;
}

static void erase(struct pflash *chip, uint32_t at)
{
	at &= ~(FLASH_SECTOR - 1);
	memset(chip->flash->data + at, 0xff, FLASH_SECTOR);
	keep(chip, at, FLASH_SECTOR);
	chip->status |= READY;
}

/* Not what the command goes on with */
static void wrong_sequence(struct pflash *chip)
{
	chip->command = 0;
	chip->status |= READY | ERASE_ERROR | PROGRAM_ERROR;
}

static void program_buffer(struct pflash *chip)
{
	unsigned int i;

	for (i = 0; i < BUFFER; i++)
		if (chip->written[i / 8] & 1u << i % 8)
			chip->flash->data[chip->first + i] &= chip->buffer[i];
	keep(chip, chip->first, BUFFER);
	chip->status |= READY;
}

/* The number of bytes less one, the bytes, all in one block, and a confirmation */
static void fill_buffer(struct pflash *chip, uint32_t at, uint64_t value,
			unsigned int size)
{
	uint32_t first = at & ~(BUFFER - 1), i;

	if (!chip->counted) {
		if ((value & 0xff) >= BUFFER) {
			wrong_sequence(chip);
			return;
		}
		chip->counted = true;
		chip->left = (value & 0xff) + 1;
		chip->first = first;
		memset(chip->written, 0, sizeof(chip->written));
		return;
	}
	if (!chip->left) {
		chip->command = 0;
		if ((value & 0xff) == CONFIRM)
			program_buffer(chip);
		else
			wrong_sequence(chip);
		return;
	}
	if (first != chip->first || size > chip->left) {
		wrong_sequence(chip);
		return;
	}
	for (i = at - first; size && i < BUFFER; i++, size--, value >>= 8) {
		chip->buffer[i] = value;
		chip->written[i / 8] |= 1u << i % 8;
		chip->left--;
	}
}

/* The first cycle of a command */
static void begin(struct pflash *chip, uint8_t command)
{
	switch (command) {
	case PROGRAM_BUFFER:
		chip->counted = false;
		chip->status |= READY;
		/* fall through */
	case PROGRAM_WORD:
	case PROGRAM_WORD_2:
	case ERASE:
	case LOCK:
		chip->command = command;
		set_mode(chip, READ_STATUS);
		break;
	case READ_STATUS:
	case READ_ID:
	case READ_QUERY:
		set_mode(chip, command);
		break;
	case CLEAR_STATUS:
		chip->status = 0;
		/* fall through */
	default:
		/* READ_ARRAY, and what others' chips know */
		set_mode(chip, READ_ARRAY);
		break;
	}
}

static void go_on(struct pflash *chip, uint32_t at, uint64_t value,
		  unsigned int size)
{
	uint8_t command = chip->command, byte = value;

	if (command == PROGRAM_BUFFER) {
		fill_buffer(chip, at, value, size);
		return;
	}
	chip->command = 0;
	if (command == PROGRAM_WORD || command == PROGRAM_WORD_2)
		program(chip, at, value, size);
	else if (command == ERASE && byte == CONFIRM)
		erase(chip, at);
	else if (command == LOCK && (byte == CONFIRM || byte == 1))
		/* Nothing is locked, whatever is said */
		chip->status |= READY;
	else if (byte == READ_ARRAY)
		set_mode(chip, READ_ARRAY);
	else
		wrong_sequence(chip);
}

/* JESD68.01, and Intel's own part */
static uint8_t query(const struct pflash *chip, uint32_t at)
{
	uint32_t sectors = chip->flash->size / FLASH_SECTOR - 1;
	const uint8_t table[] = {
		[0x10] = 'Q', 'R', 'Y',
		[0x13] = 1, 0,			/* Intel's extended set */
		[0x15] = 0x31, 0,		/* its part: below */
		[0x1b] = 0x45, 0x55, 0, 0,	/* Vcc 4.5 to 5.5 V; no Vpp */
		[0x1f] = 7, 7, 10, 0,		/* typical times, 2^n */
		[0x23] = 4, 4, 4, 0,		/* how many times of these at most */
		/* The smallest power of two that has room for it */
		[0x27] = 32 - __builtin_clz(chip->flash->size - 1),
		[0x28] = 0, 0,			/* 8 bits */
		[0x2a] = BUFFER_BITS, 0,
		[0x2c] = 1,			/* kind of sector */
		[0x2d] = sectors, sectors >> 8,
		[0x2f] = FLASH_SECTOR >> 8 & 0xff, FLASH_SECTOR >> 16,
		[0x31] = 'P', 'R', 'I', '1', '0',
		[0x3c] = 1,			/* so many fields of protection */
	};

	return at < sizeof(table) ? table[at] : 0;
}

static uint64_t flash_read(struct device *device, uint64_t at, unsigned int size)
{
	const struct pflash *chip = (struct pflash *)device;
	static const uint8_t id[] = { 0x89, 0x18 };
	uint8_t bytes[8];
	uint64_t value = 0;
	unsigned int i, n;

	for (i = 0; i < size; i++)
		switch (chip->mode) {
		case READ_STATUS:
			bytes[i] = chip->status;
			break;
		case READ_ID:
			n = (at + i) & 0xff;
			bytes[i] = n < sizeof(id) ? id[n] : 0;
			break;
		case READ_QUERY:
			bytes[i] = query(chip, at + i);
			break;
		default:
			bytes[i] = chip->flash->data[at + i];
			break;
		}
	memcpy(&value, bytes, size);
	return value;
}

static void flash_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	struct pflash *chip = (struct pflash *)device;

	if (chip->command)
		go_on(chip, at, value, size);
	else
		begin(chip, value);
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .max = 8, .read = flash_read,
					       .write = flash_write };
	struct pflash *chip = (struct pflash *)device;

	chip->flash = &device->machine->config.flash;
	if (!chip->flash->size)
		return fail(error, STATUS_USAGE,
			    "--device pflash: it is for --firmware uefi, which adds it");
	chip->region = (struct region){
		&ops, device, .len = chip->flash->size,
		.ram_flags = MVMM_REGION_READONLY };
	chip->mode = READ_ARRAY;
	chip->region.ram = chip->flash->data;
	return region_map(&device->machine->mmio, &chip->region,
			  chip->flash->base, error);
}

static void reset(struct device *device)
{
	set_mode((struct pflash *)device, READ_ARRAY);
}

static int loaded(struct device *device, struct error *error)
{
	struct pflash *chip = (struct pflash *)device;

	switch (chip->mode) {
	case READ_ARRAY:
	case READ_STATUS:
	case READ_ID:
	case READ_QUERY:
		break;
	default:
		return fail(error, STATUS_DATA, "a mode 0x%x, which is none",
			    chip->mode);
	}
	if (chip->first & (BUFFER - 1) || chip->first >= chip->flash->size ||
	    chip->left > BUFFER)
		return fail(error, STATUS_DATA,
			    "a buffer of %u bytes at 0x%x of 0x%x", chip->left,
			    chip->first, chip->flash->size);
	set_mode(chip, chip->mode);
	return 0;
}

static void destroy(struct device *device)
{
	region_unmap(&((struct pflash *)device)->region);
}

static const struct field fields[] = {
	FIELD(struct pflash, mode), FIELD(struct pflash, command),
	FIELD(struct pflash, status), FIELD(struct pflash, counted),
	FIELD(struct pflash, left), FIELD(struct pflash, first),
	FIELD_ARRAY(struct pflash, buffer), FIELD_ARRAY(struct pflash, written),
	FIELDS_END
};

static const struct device_class pflash = {
	.name = "pflash", .help = "a firmware's variables: --firmware uefi adds it",
	.size = sizeof(struct pflash), .fields = fields, .create = create,
	.reset = reset, .loaded = loaded, .destroy = destroy,
};
DEVICE_CLASS(pflash);
