/* SPDX-License-Identifier: GPL-2.0 */
/* What a viewer's keys and pointer are to the guest (keyboard.c). */
#ifndef MVMM_VNC_KEYBOARD_H
#define MVMM_VNC_KEYBOARD_H

#include <linux/input-event-codes.h>
#include <stdbool.h>
#include <stdint.h>

struct machine;

/**
 * struct viewer_input - of all viewers together: the guest has one keyboard
 * @machine: whose
 * @down: a bit for each key that is
 * @buttons: VNC's mask: left, middle, right, wheel up, wheel down
 * @x: where the pointer was
 * @y: the same
 */
struct viewer_input {
	struct machine *machine;
	uint64_t down[(KEY_MAX + 64) / 64];
	uint8_t buttons;
	int x, y;
};

void viewer_key(struct viewer_input *input, uint16_t code, bool down);
/* What nobody can release any more */
void viewer_release(struct viewer_input *input);
/* @width, @height: of the screen */
void viewer_pointer(struct viewer_input *input, uint8_t buttons, int x, int y,
		    int width, int height);
/* A scan code of set 1, 0x80: with 0xe0 before it. 0: there is no such key */
uint16_t key_by_scan_code(uint32_t code);

#endif
