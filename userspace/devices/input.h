/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys and pointers: whoever has a keyboard or a mouse (a display, a command)
 * sends events here, and the device that the guest has for them takes them. What
 * a chip makes of an event is in its file.
 */
#ifndef MVMM_INPUT_H
#define MVMM_INPUT_H

#include <linux/input-event-codes.h>
#include <stdbool.h>
#include <stdint.h>

struct device;
struct machine;

/* What a device takes */
#define INPUT_KEYS	(1u << 0)	/* EV_KEY below BTN_MISC */
#define INPUT_BUTTONS	(1u << 1)	/* EV_KEY: BTN_LEFT to BTN_EXTRA */
#define INPUT_RELATIVE	(1u << 2)	/* EV_REL: REL_X, REL_Y, REL_WHEEL ... */
#define INPUT_WHEEL	(1u << 4)	/* of that REL_WHEEL, REL_HWHEEL only */
#define INPUT_ABSOLUTE	(1u << 3)	/* EV_ABS: ABS_X, ABS_Y */

/* ABS_X and ABS_Y go from 0, the left or upper edge, to this */
#define INPUT_ABS_MAX	0x7fff

/**
 * struct input_report - an event, as Linux has it in struct input_event
 * @type: EV_KEY, EV_REL, EV_ABS
 * @code: KEY_A, BTN_LEFT, REL_X, ABS_X ...
 * @value: of EV_KEY 1: down, 0: up; else how far (REL_Y: down is positive,
 *	REL_WHEEL: up is positive), or where
 */
struct input_report {
	uint16_t type, code;
	int32_t value;
};

/**
 * struct input - a device that takes events
 * @device: whose it is; of the main loop, whose lock is held during the calls
 * @takes: INPUT_*
 * @event: one event
 * @sync: after the last one of those that belong together; or NULL
 * @next: the one registered before it
 */
struct input {
	struct device *device;
	unsigned int takes;
	void (*event)(struct device *device, const struct input_report *event);
	void (*sync)(struct device *device);
	struct input *next;
};

/*
 * For a device's create, when nothing can fail any more, and for its destroy.
 * No lock is held
 */
void input_register(struct input *input);
void input_unregister(struct input *input);
/* As if it were registered now; the main loop's lock is held */
void input_prefer(struct input *input);

/*
 * @nr events that belong together, as a motion in X and Y. Each goes to the one
 * that takes it and was registered last; without such it is lost. Codes that do
 * not exist are lost, too. Any thread, which holds no lock
 */
void input_emit(struct machine *m, const struct input_report *event,
		unsigned int nr);
/* INPUT_* that somebody takes now. Any thread, which holds no lock */
unsigned int input_taken(struct machine *m);

#endif
