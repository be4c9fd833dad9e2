// SPDX-License-Identifier: GPL-2.0
/*
 * A PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, Keyboard and
 * Auxiliary Device Controller, 1990), with the wheel and the buttons that drivers
 * unlock by three sample rates, as Microsoft's IntelliMouse has them.
 */
#include <string.h>
#include "devices/isa/ps2.h"

#define SCALING_1	0xe6
#define SCALING_2	0xe7
#define RESOLUTION	0xe8
#define STATUS		0xe9
#define STREAM		0xea
#define READ_DATA	0xeb
#define NO_WRAP		0xec
#define WRAP		0xee
#define REMOTE		0xf0
#define READ_ID		0xf2
#define SAMPLE_RATE	0xf3
#define ENABLE		0xf4
#define DISABLE		0xf5
#define DEFAULTS	0xf6
#define RESET		0xff

#define LEFT	1
#define RIGHT	2
#define MIDDLE	4
#define SIDE	8
#define EXTRA	16
/* Of motion that waits: a guest that does not read is not told of more */
#define WAITS_MAX	100000

static int64_t within(int64_t value, int64_t min, int64_t max)
{
	return value < min ? min : value > max ? max : value;
}

/* Takes from @left what fits into a packet */
static int part_of(int64_t *left, int min, int max)
{
	int part = within(*left, min, max);

	*left -= part;
	return part;
}

static bool has_news(const struct ps2_mouse *mouse)
{
	return mouse->x || mouse->y || mouse->sent != mouse->buttons ||
	       (mouse->id && mouse->wheel);
}

static void put_packet(struct ps2_mouse *mouse, struct ps2_queue *queue)
{
	int x = part_of(&mouse->x, -255, 255), y = part_of(&mouse->y, -255, 255);
	/* A wheel has four bits where two buttons are beside it */
	int wheel = part_of(&mouse->wheel, mouse->id == 4 ? -8 : -127,
			    mouse->id == 4 ? 7 : 127);

	mouse->sent = mouse->buttons;
	ps2_put(queue, (mouse->buttons & 7) | 1 << 3 | (x < 0) << 4 |
		       (y < 0) << 5);
	ps2_put(queue, x);
	ps2_put(queue, y);
	if (mouse->id == 3)
		ps2_put(queue, wheel);
	if (mouse->id == 4)
		ps2_put(queue, (wheel & 0xf) | (mouse->buttons >> 3) << 4);
}

void mouse_report(struct ps2_mouse *mouse)
{
	if (mouse->enabled && !mouse->remote && !mouse->wrap &&
	    !mouse->port.events.nr && has_news(mouse))
		put_packet(mouse, &mouse->port.events);
}

static void press(struct ps2_mouse *mouse, const struct input_report *event)
{
	static const uint8_t bits[] = { LEFT, RIGHT, MIDDLE, SIDE, EXTRA };
	uint8_t bit = bits[event->code - BTN_LEFT];

	mouse->buttons = (mouse->buttons & ~bit) | (event->value ? bit : 0);
	/* Before the next: a click in between is not to be lost */
	mouse_report(mouse);
}

static void move(int64_t *sum, int64_t by)
{
	*sum = within(*sum + by, -WAITS_MAX, WAITS_MAX);
}

void mouse_event(struct ps2_mouse *mouse, const struct input_report *event)
{
	if (event->type == EV_KEY && event->code >= BTN_LEFT &&
	    event->code <= BTN_EXTRA)
		press(mouse, event);
	if (event->type != EV_REL)
		return;
	if (event->code == REL_X)
		move(&mouse->x, event->value);
	else if (event->code == REL_Y)
		move(&mouse->y, -(int64_t)event->value);
	else if (event->code == REL_WHEEL)
		move(&mouse->wheel, -(int64_t)event->value);
}

static void forget_motion(struct ps2_mouse *mouse)
{
	mouse->port.events.nr = 0;
	mouse->x = mouse->y = mouse->wheel = 0;
	mouse->sent = mouse->buttons;
}

static void set_defaults(struct ps2_mouse *mouse)
{
	mouse->rate = 100;
	mouse->resolution = 2;
	mouse->enabled = mouse->remote = mouse->scaling = mouse->wrap = false;
	mouse->port.command = 0;
	forget_motion(mouse);
}

void mouse_reset(struct ps2_mouse *mouse)
{
	set_defaults(mouse);
	mouse->id = 0;
	memset(mouse->knock, 0, sizeof(mouse->knock));
	mouse->port.replies.nr = 0;
}

static void set_rate(struct ps2_mouse *mouse, uint8_t rate)
{
	static const uint8_t wheel[] = { 200, 100, 80 };
	static const uint8_t buttons[] = { 200, 200, 80 };

	mouse->rate = rate;
	memmove(mouse->knock, mouse->knock + 1, 2);
	mouse->knock[2] = rate;
	if (!mouse->id && !memcmp(mouse->knock, wheel, sizeof(wheel)))
		mouse->id = 3;
	if (!memcmp(mouse->knock, buttons, sizeof(buttons)))
		mouse->id = 4;
}

static void put_status(struct ps2_mouse *mouse)
{
	/* Here the right button is bit 0 */
	ps2_reply(&mouse->port,
		  (mouse->buttons & RIGHT ? 1 : 0) |
		  (mouse->buttons & MIDDLE ? 2 : 0) |
		  (mouse->buttons & LEFT ? 4 : 0) |
		  mouse->scaling << 4 | mouse->enabled << 5 |
		  mouse->remote << 6);
	ps2_reply(&mouse->port, mouse->resolution);
	ps2_reply(&mouse->port, mouse->rate);
}

/* False: there is no such command */
static bool obey(struct ps2_mouse *mouse, uint8_t command)
{
	switch (command) {
	case SCALING_1:
	case SCALING_2:
		mouse->scaling = command == SCALING_2;
		return true;
	case STREAM:
	case REMOTE:
		mouse->remote = command == REMOTE;
		mouse->port.events.nr = 0;
		return true;
	case WRAP:
	case NO_WRAP:
		mouse->wrap = command == WRAP;
		return true;
	case ENABLE:
	case DISABLE:
		mouse->enabled = command == ENABLE;
		forget_motion(mouse);
		return true;
	case DEFAULTS:
		set_defaults(mouse);
		return true;
	case RESOLUTION:
	case SAMPLE_RATE:
		mouse->port.command = command;
		return true;
	case STATUS:
	case READ_ID:
	case READ_DATA:
	case RESET:
		return true;
	default:
		return false;
	}
}

static void take_parameter(struct ps2_mouse *mouse, uint8_t byte)
{
	uint8_t command = mouse->port.command;

	mouse->port.command = 0;
	ps2_reply(&mouse->port, PS2_ACK);
	if (command == SAMPLE_RATE)
		set_rate(mouse, byte);
	else
		mouse->resolution = byte & 3;
}

void mouse_write(struct ps2_mouse *mouse, uint8_t byte)
{
	if (mouse->port.command) {
		take_parameter(mouse, byte);
		return;
	}
	if (mouse->wrap && byte != NO_WRAP && byte != RESET) {
		ps2_reply(&mouse->port, byte);
		return;
	}
	if (byte == PS2_RESEND) {
		ps2_reply(&mouse->port, mouse->port.last);
		return;
	}
	if (byte == RESET)
		mouse_reset(mouse);
	ps2_reply(&mouse->port, obey(mouse, byte) ? PS2_ACK : PS2_RESEND);
	if (byte == RESET)
		ps2_reply(&mouse->port, PS2_PASSED);
	if (byte == RESET || byte == READ_ID)
		ps2_reply(&mouse->port, mouse->id);
	if (byte == STATUS)
		put_status(mouse);
	if (byte == READ_DATA)
		put_packet(mouse, &mouse->port.replies);
}

bool mouse_is_valid(const struct ps2_mouse *mouse)
{
	return ps2_is_valid(&mouse->port) && mouse->buttons < 32 &&
	       (!mouse->id || mouse->id == 3 || mouse->id == 4) &&
	       within(mouse->x, -WAITS_MAX, WAITS_MAX) == mouse->x &&
	       within(mouse->y, -WAITS_MAX, WAITS_MAX) == mouse->y &&
	       within(mouse->wheel, -WAITS_MAX, WAITS_MAX) == mouse->wheel;
}

const struct field ps2_mouse_fields[] = {
	FIELD_ONE(struct ps2_mouse, port, ps2_port_fields),
	FIELD(struct ps2_mouse, id), FIELD(struct ps2_mouse, rate),
	FIELD(struct ps2_mouse, resolution),
	FIELD_ARRAY(struct ps2_mouse, knock), FIELD(struct ps2_mouse, enabled),
	FIELD(struct ps2_mouse, remote), FIELD(struct ps2_mouse, scaling),
	FIELD(struct ps2_mouse, wrap), FIELD(struct ps2_mouse, buttons),
	FIELD(struct ps2_mouse, sent), FIELD(struct ps2_mouse, x),
	FIELD(struct ps2_mouse, y), FIELD(struct ps2_mouse, wheel), FIELDS_END
};
