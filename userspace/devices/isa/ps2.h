/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is plugged into the two ports of an i8042: a keyboard and a mouse. Each
 * takes bytes and has bytes to send; neither knows the controller.
 */
#ifndef MVMM_PS2_H
#define MVMM_PS2_H

#include <stdbool.h>
#include <stdint.h>
#include "base/loop.h"
#include "base/state.h"
#include "devices/input.h"

#define PS2_ACK		0xfa
#define PS2_RESEND	0xfe
#define PS2_PASSED	0xaa	/* the self test */

#define PS2_QUEUE	16

/**
 * struct ps2_queue - bytes on their way to the controller
 * @byte: a ring
 * @first: the next one to be sent
 * @nr: how many
 */
struct ps2_queue {
	uint8_t byte[PS2_QUEUE];
	uint8_t first, nr;
};

/**
 * struct ps2_port - what both devices have
 * @replies: to commands: they go first
 * @events: keys, or motions
 * @last: what was sent last, for RESEND
 * @command: whose parameters are awaited; 0: none
 */
struct ps2_port {
	struct ps2_queue replies, events;
	uint8_t last, command;
};

extern const struct field ps2_port_fields[];

/* How many bytes fit */
static inline unsigned int ps2_room(const struct ps2_queue *queue)
{
	return PS2_QUEUE - queue->nr;
}

/* Lost if there is no room */
void ps2_put(struct ps2_queue *queue, uint8_t byte);
void ps2_reply(struct ps2_port *port, uint8_t byte);
/* False: there is nothing to be sent */
bool ps2_take(struct ps2_port *port, uint8_t *byte);
/* Was loaded. False: it is none */
bool ps2_is_valid(const struct ps2_port *port);

#define KEYBOARD_KEYS	256	/* Linux's codes, and scan codes of set 3 */

/**
 * struct at_keyboard - a keyboard of 104 keys
 * @port: see above
 * @set: of scan codes, 1 to 3
 * @leds: 1: Scroll Lock, 2: Num Lock, 4: Caps Lock
 * @rate: typematic rate and delay, as of command 0xf3
 * @enabled: it scans
 * @down: a bit for each key, by Linux's codes
 * @type: of set 3: 1: no typematic, 2: no break code; by scan code
 * @repeated: the key that is typematic; 0: none
 * @repeat_at: when it comes again, VM time; 0: never
 */
struct at_keyboard {
	struct ps2_port port;
	uint8_t set, leds, rate;
	bool enabled;
	uint8_t down[KEYBOARD_KEYS / 8];
	uint8_t type[KEYBOARD_KEYS];
	uint8_t repeated;
	uint64_t repeat_at;
};

extern const struct field at_keyboard_fields[];

/* Power-on, also by command 0xff */
void keyboard_reset(struct at_keyboard *keyboard);
/* A byte of the guest's */
void keyboard_write(struct at_keyboard *keyboard, uint8_t byte);
/* @now: VM time */
void keyboard_key(struct at_keyboard *keyboard, unsigned int code, bool down,
		  uint64_t now);
/* Repeats a key if it is time */
void keyboard_tick(struct at_keyboard *keyboard, uint64_t now);
bool keyboard_is_valid(const struct at_keyboard *keyboard, uint64_t now);

/**
 * struct ps2_mouse - a mouse with a wheel and up to five buttons
 * @port: see above
 * @id: what it is: 0; 3: with a wheel; 4: with five buttons, too
 * @rate: samples in a second, as the guest has set it. It sends as fast as the
 *	guest reads
 * @resolution: as the guest has set it
 * @knock: the last three rates, by which it becomes what @id says
 * @enabled: it reports
 * @remote: only when it is asked
 * @scaling: 2:1
 * @wrap: it sends back what it gets
 * @buttons: 1: left, 2: right, 4: middle, 8 and 16: the others
 * @sent: of them, in the last packet
 * @x: motion that was not sent yet
 * @y: the same; up is positive
 * @wheel: the same; towards the user is positive
 */
struct ps2_mouse {
	struct ps2_port port;
	uint8_t id, rate, resolution, knock[3];
	bool enabled, remote, scaling, wrap;
	uint8_t buttons, sent;
	int64_t x, y, wheel;
};

extern const struct field ps2_mouse_fields[];

void mouse_reset(struct ps2_mouse *mouse);
void mouse_write(struct ps2_mouse *mouse, uint8_t byte);
void mouse_event(struct ps2_mouse *mouse, const struct input_report *event);
/* Makes a packet if there is something to tell, and the last one was read */
void mouse_report(struct ps2_mouse *mouse);
bool mouse_is_valid(const struct ps2_mouse *mouse);

#endif
