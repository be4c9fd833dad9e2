// SPDX-License-Identifier: GPL-2.0
/*
 * Intel 8042 as a PC/AT and a PS/2 have it (IBM PS/2 Hardware Interface Technical
 * Reference, Keyboard and Auxiliary Device Controller, 1990), with a keyboard and
 * a mouse (keyboard.c, mouse.c), and the PS/2's port 0x92. What the gate of A20
 * does: core/shadow.c.
 */
#include <string.h>
#include "core/machine.h"
#include "devices/isa/i8042.h"
#include "devices/isa/ps2.h"

/* The status, port 0x64 */
#define STATUS_FULL	(1u << 0)	/* a byte waits at port 0x60 */
#define STATUS_SYSTEM	(1u << 2)	/* the self test was passed */
#define STATUS_COMMAND	(1u << 3)	/* the last write was to port 0x64 */
#define STATUS_UNLOCKED	(1u << 4)
#define STATUS_MOUSE	(1u << 5)	/* what waits is the mouse's */

/* The command byte, RAM 0 */
#define KEYBOARD_IRQ	(1u << 0)
#define MOUSE_IRQ	(1u << 1)
#define SYSTEM		(1u << 2)
#define KEYBOARD_OFF	(1u << 4)
#define MOUSE_OFF	(1u << 5)
#define TRANSLATE	(1u << 6)

/* The output port */
#define OUT_RESET	(1u << 0)	/* low: reset */
#define OUT_A20		(1u << 1)
#define OUT_KEYBOARD	(1u << 4)	/* the two lines */
#define OUT_MOUSE	(1u << 5)

/* Port 0x92 */
#define FAST_RESET	(1u << 0)
#define FAST_A20	(1u << 1)

#define READ_RAM	0x20	/* to 0x3f */
#define WRITE_RAM	0x60	/* to 0x7f */
#define TEST_PASSWORD	0xa4
#define DISABLE_MOUSE	0xa7
#define ENABLE_MOUSE	0xa8
#define TEST_MOUSE	0xa9
#define SELF_TEST	0xaa
#define TEST_KEYBOARD	0xab
#define DISABLE_KEYBOARD 0xad
#define ENABLE_KEYBOARD	0xae
#define READ_INPUT	0xc0
#define READ_OUTPUT	0xd0
#define WRITE_OUTPUT	0xd1
#define AS_KEYBOARD	0xd2
#define AS_MOUSE	0xd3
#define TO_MOUSE	0xd4
#define A20_OFF		0xdd
#define A20_ON		0xdf
#define READ_TEST	0xe0
#define PULSE		0xf0	/* to 0xff: bits that are low, of four */

/*
 * A key's next byte comes as late as on its wire: handlers of old programs read
 * port 0x60 and leave the same byte to the handler before them
 */
#define BYTE_NS		500000

/**
 * struct i8042 - the controller
 * @ram: the command byte, and 31 that nobody uses
 * @status: STATUS_COMMAND, _SYSTEM, _FULL and _MOUSE
 * @out: what port 0x60 reads
 * @command: whose parameter is awaited; 0: none
 * @own: a byte of the controller's own, to come before all others
 * @has_own: there is one
 * @own_mouse: it is to look like the mouse's
 * @released: the keyboard has sent 0xf0, which is translated with what follows
 * @a20: see above
 * @next_key: no key's byte before that, VM time
 * @keyboard: at the first port
 * @mouse: at the second
 * @irq: lines 1 and 12
 * @timer: for @next_key, and for the key that repeats
 * @keys: what comes for the keyboard
 * @motion: what comes for the mouse
 * @data_port: 0x60
 * @command_port: 0x64
 * @fast_port: 0x92
 */
struct i8042 {
	struct device device;
	uint8_t ram[32];
	uint8_t status, out, command, own;
	bool has_own, own_mouse, released, a20;
	uint64_t next_key;
	struct at_keyboard keyboard;
	struct ps2_mouse mouse;
	struct irq irq[2];
	struct timer timer;
	struct input keys, motion;
	struct region data_port, command_port, fast_port;
};

uint8_t i8042_translate(uint8_t code)
{
	static const uint8_t set1[] = {
		0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58,
		0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
		0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a,
		0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
		0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c,
		0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
		0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e,
		0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
		0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60,
		0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
		0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e,
		0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
		0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b,
		0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
		0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
		0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
		0x80, 0x81, 0x82, 0x41, 0x54,
	};

	return code < sizeof(set1) ? set1[code] : code;
}

/* The lines are levels, up while a byte of that device waits */
static void update_lines(struct i8042 *chip)
{
	bool full = chip->status & STATUS_FULL;
	bool mouse = chip->status & STATUS_MOUSE;

	irq_set(&chip->irq[0], full && !mouse && chip->ram[0] & KEYBOARD_IRQ);
	irq_set(&chip->irq[1], full && mouse && chip->ram[0] & MOUSE_IRQ);
}

static void show(struct i8042 *chip, uint8_t byte, bool mouse)
{
	chip->out = byte;
	chip->status &= ~STATUS_MOUSE;
	chip->status |= STATUS_FULL | (mouse ? STATUS_MOUSE : 0);
}

/* False: it has nothing to say, or only half of it */
static bool from_keyboard(struct i8042 *chip, uint64_t now)
{
	struct ps2_port *port = &chip->keyboard.port;
	bool reply = port->replies.nr;
	uint8_t byte;

	if (chip->ram[0] & KEYBOARD_OFF || (!reply && now < chip->next_key) ||
	    !ps2_take(port, &byte))
		return false;
	if (!(chip->ram[0] & TRANSLATE)) {
		show(chip, byte, false);
	} else if (byte == 0xf0 && !reply) {
		chip->released = true;
		return from_keyboard(chip, now);
	} else {
		show(chip, i8042_translate(byte) |
			   (chip->released && !reply ? 0x80 : 0), false);
		chip->released &= reply;
	}
	return true;
}

static bool from_mouse(struct i8042 *chip)
{
	uint8_t byte;

	if (chip->ram[0] & MOUSE_OFF)
		return false;
	mouse_report(&chip->mouse);
	if (!ps2_take(&chip->mouse.port, &byte))
		return false;
	show(chip, byte, true);
	return true;
}

/* The next byte goes to port 0x60, if that is empty */
static void update(struct i8042 *chip)
{
	uint64_t now = vm_clock_now(&chip->device.machine->clock);
	const struct at_keyboard *keyboard = &chip->keyboard;
	uint64_t when = keyboard->repeat_at;

	if (!(chip->status & STATUS_FULL)) {
		if (chip->has_own) {
			show(chip, chip->own, chip->own_mouse);
			chip->has_own = false;
		} else if (!from_keyboard(chip, now)) {
			from_mouse(chip);
		}
	}
	if (keyboard->port.events.nr && now < chip->next_key &&
	    (!when || chip->next_key < when))
		when = chip->next_key;
	loop_set_timer(chip->device.loop, &chip->timer, when);
	update_lines(chip);
}

static void on_timer(void *ctx)
{
	struct i8042 *chip = ctx;

	keyboard_tick(&chip->keyboard,
		      vm_clock_now(&chip->device.machine->clock));
	update(chip);
}

static void on_key(struct device *device, const struct input_report *event)
{
	struct i8042 *chip = (struct i8042 *)device;

	keyboard_key(&chip->keyboard, event->code, event->value,
		     vm_clock_now(&device->machine->clock));
}

static void on_motion(struct device *device, const struct input_report *event)
{
	mouse_event(&((struct i8042 *)device)->mouse, event);
}

static void on_sync(struct device *device)
{
	update((struct i8042 *)device);
}

static void set_a20(struct i8042 *chip, bool open)
{
	struct machine *m = chip->device.machine;
	int ret = memory_set_a20(&m->memory, m->vm, open);

	chip->a20 = open;
	if (ret)
		machine_end(m, STATUS_OS, "the module refused to mask A20: %s",
			    strerror(-ret));
}

static void write_output(struct i8042 *chip, uint8_t value)
{
	if (!(value & OUT_RESET))
		machine_reset(chip->device.machine, RESET_CPUS);
	set_a20(chip, value & OUT_A20);
}

static void answer(struct i8042 *chip, uint8_t byte, bool mouse)
{
	chip->own = byte;
	chip->own_mouse = mouse;
	chip->has_own = true;
}

static uint8_t output_port(const struct i8042 *chip)
{
	bool full = chip->status & STATUS_FULL;
	bool mouse = chip->status & STATUS_MOUSE;

	return OUT_RESET | (chip->a20 ? OUT_A20 : 0) |
	       (full && !mouse ? OUT_KEYBOARD : 0) |
	       (full && mouse ? OUT_MOUSE : 0);
}

static void self_test(struct i8042 *chip)
{
	chip->ram[0] = SYSTEM | KEYBOARD_OFF | MOUSE_OFF;
	chip->status |= STATUS_SYSTEM;
	chip->released = false;
	answer(chip, 0x55, false);
}

static void obey(struct i8042 *chip, uint8_t command)
{
	chip->command = 0;
	switch (command) {
	case READ_RAM ... READ_RAM + 31:
		answer(chip, chip->ram[command & 31], false);
		break;
	case WRITE_RAM ... WRITE_RAM + 31:
	case WRITE_OUTPUT ... TO_MOUSE:
		chip->command = command;
		break;
	case TEST_PASSWORD:
		answer(chip, 0xf1, false);	/* there is none */
		break;
	case DISABLE_MOUSE:
		chip->ram[0] |= MOUSE_OFF;
		break;
	case ENABLE_MOUSE:
		chip->ram[0] &= ~MOUSE_OFF;
		break;
	case TEST_MOUSE:
	case TEST_KEYBOARD:
		answer(chip, 0, false);
		break;
	case SELF_TEST:
		self_test(chip);
		break;
	case DISABLE_KEYBOARD:
		chip->ram[0] |= KEYBOARD_OFF;
		break;
	case ENABLE_KEYBOARD:
		chip->ram[0] &= ~KEYBOARD_OFF;
		break;
	case READ_INPUT:
		answer(chip, 0x80, false);	/* not locked */
		break;
	case READ_OUTPUT:
		answer(chip, output_port(chip), false);
		break;
	case A20_OFF:
	case A20_ON:
		set_a20(chip, command == A20_ON);
		break;
	case READ_TEST:
		answer(chip, 0, false);
		break;
	case PULSE ... PULSE + 15:
		if (!(command & OUT_RESET))
			machine_reset(chip->device.machine, RESET_CPUS);
		break;
	}
}

static void take_parameter(struct i8042 *chip, uint8_t byte)
{
	uint8_t command = chip->command;

	chip->command = 0;
	switch (command) {
	case WRITE_OUTPUT:
		write_output(chip, byte);
		break;
	case AS_KEYBOARD:
	case AS_MOUSE:
		answer(chip, byte, command == AS_MOUSE);
		break;
	case TO_MOUSE:
		chip->ram[0] &= ~MOUSE_OFF;
		mouse_write(&chip->mouse, byte);
		break;
	default:
		chip->ram[command & 31] = byte;
		if (command != WRITE_RAM)
			break;
		chip->status &= ~STATUS_SYSTEM;
		chip->status |= byte & SYSTEM ? STATUS_SYSTEM : 0;
		break;
	}
}

static uint64_t data_read(struct device *device, uint64_t at, unsigned int size)
{
	struct i8042 *chip = (struct i8042 *)device;
	uint8_t byte = chip->out;

	if (chip->status & STATUS_FULL && !(chip->status & STATUS_MOUSE))
		chip->next_key = vm_clock_now(&device->machine->clock) + BYTE_NS;
	chip->status &= ~(STATUS_FULL | STATUS_MOUSE);
	/* The line goes down in between: the next byte is an edge */
	update_lines(chip);
	update(chip);
	return byte;
}

static void data_write(struct device *device, uint64_t at, uint64_t value,
		       unsigned int size)
{
	struct i8042 *chip = (struct i8042 *)device;

	chip->status &= ~STATUS_COMMAND;
	if (chip->command) {
		take_parameter(chip, value);
	} else {
		/* To be sent, and to be answered */
		chip->ram[0] &= ~KEYBOARD_OFF;
		keyboard_write(&chip->keyboard, value);
	}
	update(chip);
}

static uint64_t status_read(struct device *device, uint64_t at,
			    unsigned int size)
{
	return ((struct i8042 *)device)->status | STATUS_UNLOCKED;
}

static void command_write(struct device *device, uint64_t at, uint64_t value,
			  unsigned int size)
{
	struct i8042 *chip = (struct i8042 *)device;

	chip->status |= STATUS_COMMAND;
	obey(chip, value);
	update(chip);
}

static uint64_t fast_read(struct device *device, uint64_t at, unsigned int size)
{
	return ((struct i8042 *)device)->a20 ? FAST_A20 : 0;
}

static void fast_write(struct device *device, uint64_t at, uint64_t value,
		       unsigned int size)
{
	struct i8042 *chip = (struct i8042 *)device;

	if (value & FAST_RESET)
		machine_reset(chip->device.machine, RESET_CPUS);
	set_a20(chip, value & FAST_A20);
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops data = { .read = data_read,
						.write = data_write };
	static const struct region_ops command = { .read = status_read,
						   .write = command_write };
	static const struct region_ops fast = { .read = fast_read,
						.write = fast_write };
	struct i8042 *chip = (struct i8042 *)device;
	struct machine *m = device->machine;

	chip->irq[0] = (struct irq){ .irqs = &m->irqs, .line = 1 };
	chip->irq[1] = (struct irq){ .irqs = &m->irqs, .line = 12 };
	chip->timer = (struct timer){ .fn = on_timer, .ctx = chip };
	chip->data_port = (struct region){ &data, device, .len = 1 };
	chip->fast_port = (struct region){ &fast, device, .len = 1 };
	/* Over ACPI's reset register, which is here where there is no i8042 */
	chip->command_port = (struct region){ &command, device, .len = 1,
					      .priority = 1 };
	if (region_map(&m->ports, &chip->data_port, 0x60, error) ||
	    region_map(&m->ports, &chip->command_port, 0x64, error) ||
	    region_map(&m->ports, &chip->fast_port, 0x92, error))
		return -1;
	chip->keys = (struct input){ .device = device, .takes = INPUT_KEYS,
				     .event = on_key, .sync = on_sync };
	chip->motion = (struct input){
		.device = device, .takes = INPUT_BUTTONS | INPUT_RELATIVE,
		.event = on_motion, .sync = on_sync };
	input_register(&chip->keys);
	input_register(&chip->motion);
	m->i8042 = true;
	return 0;
}

static void reset(struct device *device)
{
	struct i8042 *chip = (struct i8042 *)device;

	/* As a firmware leaves it */
	chip->ram[0] = KEYBOARD_IRQ | MOUSE_IRQ | SYSTEM | TRANSLATE;
	chip->status = STATUS_SYSTEM | STATUS_COMMAND;
	set_a20(chip, true);
	keyboard_reset(&chip->keyboard);
	mouse_reset(&chip->mouse);
	update(chip);
}

static int loaded(struct device *device, struct error *error)
{
	struct i8042 *chip = (struct i8042 *)device;
	uint64_t now = vm_clock_now(&device->machine->clock);

	if (!keyboard_is_valid(&chip->keyboard, now) ||
	    !mouse_is_valid(&chip->mouse) || chip->next_key > now + BYTE_NS)
		return fail(error, STATUS_DATA,
			    "a queue, a set of scan codes (%u), a mouse (%u), a motion or a time that is none",
			    chip->keyboard.set, chip->mouse.id);
	chip->status &= STATUS_FULL | STATUS_SYSTEM | STATUS_COMMAND |
			STATUS_MOUSE;
	set_a20(chip, chip->a20);
	update(chip);
	return 0;
}

static void destroy(struct device *device)
{
	struct i8042 *chip = (struct i8042 *)device;

	input_unregister(&chip->keys);
	input_unregister(&chip->motion);
	loop_set_timer(device->loop, &chip->timer, 0);
	device->machine->i8042 = false;
}

static const struct field fields[] = {
	FIELD_ARRAY(struct i8042, ram), FIELD(struct i8042, status),
	FIELD(struct i8042, out), FIELD(struct i8042, command),
	FIELD(struct i8042, own), FIELD(struct i8042, has_own),
	FIELD(struct i8042, own_mouse), FIELD(struct i8042, released),
	FIELD(struct i8042, a20), FIELD(struct i8042, next_key),
	FIELD_ONE(struct i8042, keyboard, at_keyboard_fields),
	FIELD_ONE(struct i8042, mouse, ps2_mouse_fields), FIELDS_END
};

static const struct device_class i8042 = {
	.name = "i8042", .help = "a PS/2 keyboard and mouse, and port 0x92",
	.size = sizeof(struct i8042), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(i8042);
