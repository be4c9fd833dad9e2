// SPDX-License-Identifier: GPL-2.0
/*
 * An AT keyboard of 104 keys (IBM PS/2 Hardware Interface Technical Reference,
 * Keyboard and Auxiliary Device Controller, 1990). It sends codes of set 2, which
 * the controller translates to those of set 1, or those of sets 1 and 3 untranslated.
 */
#include <string.h>
#include "devices/isa/i8042.h"
#include "devices/isa/ps2.h"

#define SET_LEDS	0xed
#define ECHO		0xee
#define SCAN_SET	0xf0
#define READ_ID		0xf2
#define TYPEMATIC	0xf3
#define ENABLE		0xf4
#define DISABLE		0xf5
#define DEFAULTS	0xf6
#define ALL_TYPES	0xf7	/* to 0xfa */
#define KEY_TYPES	0xfb	/* to 0xfd */
#define RESET		0xff

#define NO_TYPEMATIC	1
#define NO_BREAK	2

#define RATE_DEFAULT	0x2b	/* 10.9 characters in a second, after 500 ms */
#define EXTENDED	0x100
#define OVERRUN		0xff	/* in sets 2 and 3: 0 */

/*
 * Set 1. The codes of the first keyboards are Linux's numbers; the keys that
 * came later have 0xe0 in front
 */
static unsigned int set1_code(unsigned int key)
{
	static const uint8_t later[] = {
		[KEY_KPENTER] = 0x1c, [KEY_RIGHTCTRL] = 0x1d,
		[KEY_KPSLASH] = 0x35, [KEY_SYSRQ] = 0x37,
		[KEY_RIGHTALT] = 0x38, [KEY_HOME] = 0x47, [KEY_UP] = 0x48,
		[KEY_PAGEUP] = 0x49, [KEY_LEFT] = 0x4b, [KEY_RIGHT] = 0x4d,
		[KEY_END] = 0x4f, [KEY_DOWN] = 0x50, [KEY_PAGEDOWN] = 0x51,
		[KEY_INSERT] = 0x52, [KEY_DELETE] = 0x53, [KEY_MUTE] = 0x20,
		[KEY_VOLUMEDOWN] = 0x2e, [KEY_VOLUMEUP] = 0x30,
		[KEY_POWER] = 0x5e, [KEY_PAUSE] = 0x46, [KEY_LEFTMETA] = 0x5b,
		[KEY_RIGHTMETA] = 0x5c, [KEY_COMPOSE] = 0x5d,
		[KEY_SLEEP] = 0x5f, [KEY_WAKEUP] = 0x63,
	};

	switch (key) {
	case KEY_ESC ... KEY_KPDOT:
	case KEY_102ND ... KEY_F12:
		return key;
	case KEY_RO:
		return 0x73;
	case KEY_KATAKANAHIRAGANA:
		return 0x70;
	case KEY_HENKAN:
		return 0x79;
	case KEY_MUHENKAN:
		return 0x7b;
	case KEY_YEN:
		return 0x7d;
	case KEY_KPCOMMA:
		return 0x7e;
	default:
		return key < sizeof(later) && later[key] ?
		       EXTENDED | later[key] : 0;
	}
}

static unsigned int set2_code(unsigned int key)
{
	unsigned int code = set1_code(key), i = 0xff;

	/* 0x83 and 0x84, which keyboards send, before their doubles */
	while (i && i8042_translate(i) != (code & 0xff))
		i--;
	return code ? (code & EXTENDED) | i : 0;
}

/* Set 3: a byte for each key, that of set 2 for most */
static unsigned int set3_code(unsigned int key)
{
	static const uint8_t other[] = {
		[KEY_ESC] = 0x08, [KEY_LEFTCTRL] = 0x11, [KEY_BACKSLASH] = 0x5c,
		[KEY_LEFTALT] = 0x19, [KEY_CAPSLOCK] = 0x14, [KEY_F1] = 0x07,
		[KEY_F2] = 0x0f, [KEY_F3] = 0x17, [KEY_F4] = 0x1f,
		[KEY_F5] = 0x27, [KEY_F6] = 0x2f, [KEY_F7] = 0x37,
		[KEY_F8] = 0x3f, [KEY_F9] = 0x47, [KEY_F10] = 0x4f,
		[KEY_NUMLOCK] = 0x76, [KEY_SCROLLLOCK] = 0x5f,
		[KEY_KPASTERISK] = 0x7e, [KEY_KPMINUS] = 0x84,
		[KEY_KPPLUS] = 0x7c, [KEY_102ND] = 0x13, [KEY_F11] = 0x56,
		[KEY_F12] = 0x5e, [KEY_KPENTER] = 0x79, [KEY_RIGHTCTRL] = 0x58,
		[KEY_KPSLASH] = 0x77, [KEY_SYSRQ] = 0x57, [KEY_RIGHTALT] = 0x39,
		[KEY_HOME] = 0x6e, [KEY_UP] = 0x63, [KEY_PAGEUP] = 0x6f,
		[KEY_LEFT] = 0x61, [KEY_RIGHT] = 0x6a, [KEY_END] = 0x65,
		[KEY_DOWN] = 0x60, [KEY_PAGEDOWN] = 0x6d, [KEY_INSERT] = 0x67,
		[KEY_DELETE] = 0x64, [KEY_PAUSE] = 0x62, [KEY_LEFTMETA] = 0x8b,
		[KEY_RIGHTMETA] = 0x8c, [KEY_COMPOSE] = 0x8d,
	};
	unsigned int code;

	if (key < sizeof(other) && other[key])
		return other[key];
	code = set2_code(key);
	return code & EXTENDED ? 0 : code;
}

static bool is_down(const struct at_keyboard *k, unsigned int key)
{
	return k->down[key / 8] >> key % 8 & 1;
}

static bool either(const struct at_keyboard *k, unsigned int left,
		   unsigned int right)
{
	return is_down(k, left) || is_down(k, right);
}

/*
 * Two keys are four on the first keyboards: Print Screen is Shift and the
 * keypad's asterisk, or with Alt SysRq; Pause is Ctrl and Num Lock, with Ctrl
 * Break, and is let go at once
 */
static size_t special(const struct at_keyboard *k, unsigned int key, bool down,
		      uint8_t *out)
{
	static const uint8_t pause[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14,
					 0xf0, 0x77 };
	static const uint8_t cancel[] = { 0xe0, 0x7e, 0xe0, 0xf0, 0x7e };
	static const uint8_t print[] = { 0xe0, 0x12, 0xe0, 0x7c };
	static const uint8_t printed[] = { 0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12 };
	static const uint8_t sysrq[] = { 0xf0, 0x84 };
	const uint8_t *from;
	size_t len;

	if (key == KEY_PAUSE) {
		bool ctrl = either(k, KEY_LEFTCTRL, KEY_RIGHTCTRL);

		from = ctrl ? cancel : pause;
		len = !down ? 0 : ctrl ? sizeof(cancel) : sizeof(pause);
	} else if (either(k, KEY_LEFTALT, KEY_RIGHTALT)) {
		from = down ? sysrq + 1 : sysrq;
		len = down ? 1 : 2;
	} else {
		/* Who holds Shift or Ctrl needs no other */
		bool held = either(k, KEY_LEFTSHIFT, KEY_RIGHTSHIFT) ||
			    either(k, KEY_LEFTCTRL, KEY_RIGHTCTRL);

		from = !down ? printed : held ? print + 2 : print;
		len = !down ? held ? 3 : 6 : held ? 2 : 4;
	}
	memcpy(out, from, len);
	return len;
}

/* Set 1 of set 2, as the controller would make it. Returns how many are left */
static size_t to_set1(uint8_t *codes, size_t len)
{
	uint8_t released = 0;
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (codes[i] == 0xf0) {
			released = 0x80;
			continue;
		}
		codes[n++] = i8042_translate(codes[i]) | released;
		released = 0;
	}
	return n;
}

#define CODES_MAX 8

static size_t codes_of(const struct at_keyboard *k, unsigned int key, bool down,
		       uint8_t *out)
{
	unsigned int code = k->set == 3 ? set3_code(key) : set2_code(key);
	size_t n = 0;

	if (!code)
		return 0;
	if (k->set == 3 && !down && k->type[code] & NO_BREAK)
		return 0;
	if (k->set != 3 && (key == KEY_PAUSE || key == KEY_SYSRQ)) {
		n = special(k, key, down, out);
	} else {
		if (code & EXTENDED)
			out[n++] = 0xe0;
		if (!down)
			out[n++] = 0xf0;
		out[n++] = code;
	}
	return k->set == 1 ? to_set1(out, n) : n;
}

/* All of a key's bytes, or none: then the last place tells of the loss */
static void send(struct at_keyboard *k, unsigned int key, bool down)
{
	uint8_t codes[CODES_MAX];
	size_t len = codes_of(k, key, down, codes), i;
	struct ps2_queue *events = &k->port.events;

	if (!k->enabled || !len)
		return;
	if (len < ps2_room(events))
		for (i = 0; i < len; i++)
			ps2_put(events, codes[i]);
	else
		ps2_put(events, k->set == 1 ? OVERRUN : 0);
}

static bool is_typematic(const struct at_keyboard *k, unsigned int key)
{
	if (key == KEY_PAUSE)
		return false;
	return k->set != 3 || !(k->type[set3_code(key) & 0xff] & NO_TYPEMATIC);
}

void keyboard_key(struct at_keyboard *k, unsigned int key, bool down,
		  uint64_t now)
{
	uint8_t bit = 1u << key % 8;

	/* What repeats, repeats here */
	if (key >= KEYBOARD_KEYS || is_down(k, key) == down)
		return;
	if (!set1_code(key))
		return;
	/* Before it counts as held: Print Screen looks at the others only */
	send(k, key, down);
	k->down[key / 8] ^= bit;
	if (!down) {
		if (k->repeated == key)
			k->repeated = k->repeat_at = 0;
		return;
	}
	k->repeated = is_typematic(k, key) ? key : 0;
	k->repeat_at = k->repeated ?
		       now + ((k->rate >> 5 & 3) + 1) * 250000000ull : 0;
}

void keyboard_tick(struct at_keyboard *k, uint64_t now)
{
	/* (8 + A) * 2^B * 1/240 s */
	uint64_t period = (8 + (k->rate & 7)) * (1ull << (k->rate >> 3 & 3)) *
			  1000000000ull / 240;

	if (!k->repeat_at || now < k->repeat_at)
		return;
	/* A guest that does not read gets no more of them */
	if (!k->port.events.nr)
		send(k, k->repeated, true);
	k->repeat_at = now + period;
}

/* Of set 3, after power-on */
static void default_types(struct at_keyboard *k)
{
	static const uint8_t make_only[] = {
		0x07, 0x08, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x39, 0x3f,
		0x47, 0x4f, 0x56, 0x57, 0x58, 0x5e, 0x5f, 0x62, 0x65, 0x67,
		0x69, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73,
		0x74, 0x75, 0x76, 0x77, 0x79, 0x7a, 0x7d, 0x7e, 0x84,
		0x8b, 0x8c, 0x8d };
	static const uint8_t make_break[] = { 0x11, 0x12, 0x14, 0x19, 0x59 };
	size_t i;

	memset(k->type, NO_BREAK, sizeof(k->type));
	for (i = 0; i < sizeof(make_only); i++)
		k->type[make_only[i]] = NO_BREAK | NO_TYPEMATIC;
	for (i = 0; i < sizeof(make_break); i++)
		k->type[make_break[i]] = NO_TYPEMATIC;
}

static void set_defaults(struct at_keyboard *k)
{
	k->set = 2;
	k->rate = RATE_DEFAULT;
	k->port.command = 0;
	k->port.events.nr = 0;
	k->repeated = k->repeat_at = 0;
	default_types(k);
}

void keyboard_reset(struct at_keyboard *k)
{
	set_defaults(k);
	k->leds = 0;
	k->enabled = true;
	k->port.replies.nr = 0;
}

/* 0xf7 or 0xfb: typematic only; 8, c: make and break; 9, d: make; 0xfa: all */
static uint8_t type_of(uint8_t command)
{
	switch (command) {
	case ALL_TYPES:
	case KEY_TYPES:
		return NO_BREAK;
	case ALL_TYPES + 1:
	case KEY_TYPES + 1:
		return NO_TYPEMATIC;
	case ALL_TYPES + 2:
	case KEY_TYPES + 2:
		return NO_TYPEMATIC | NO_BREAK;
	default:
		return 0;
	}
}

/* False: it is none, so it is a command */
static bool take_parameter(struct at_keyboard *k, uint8_t byte)
{
	uint8_t command = k->port.command;

	k->port.command = 0;
	if (command >= KEY_TYPES && command <= KEY_TYPES + 2) {
		/* A list of keys, up to the next command */
		if (byte >= SET_LEDS)
			return false;
		k->type[byte] = type_of(command);
		k->port.command = command;
		ps2_reply(&k->port, PS2_ACK);
		return true;
	}
	if (!command || byte >= SET_LEDS)
		return false;
	ps2_reply(&k->port, command == SCAN_SET && byte > 3 ? PS2_RESEND :
							      PS2_ACK);
	switch (command) {
	case SET_LEDS:
		k->leds = byte & 7;
		break;
	case TYPEMATIC:
		k->rate = byte & 0x7f;
		break;
	case SCAN_SET:
		if (!byte)
			ps2_reply(&k->port, k->set);
		else if (byte <= 3)
			k->set = byte;
		k->port.events.nr = 0;
		break;
	}
	return true;
}

void keyboard_write(struct at_keyboard *k, uint8_t byte)
{
	if (take_parameter(k, byte))
		return;
	if (byte == PS2_RESEND) {
		ps2_reply(&k->port, k->port.last);
		return;
	}
	if (byte == ECHO) {
		ps2_reply(&k->port, ECHO);
		return;
	}
	if (byte < ECHO && byte != SET_LEDS) {
		ps2_reply(&k->port, PS2_RESEND);
		return;
	}
	/* There are no others from here on but 0xef and 0xf1 */
	ps2_reply(&k->port, byte == 0xef || byte == 0xf1 ? PS2_RESEND :
							    PS2_ACK);
	switch (byte) {
	case SET_LEDS:
	case SCAN_SET:
	case TYPEMATIC:
	case KEY_TYPES ... KEY_TYPES + 2:
		k->port.command = byte;
		break;
	case READ_ID:
		ps2_reply(&k->port, 0xab);
		ps2_reply(&k->port, 0x83);
		break;
	case ENABLE:
		k->enabled = true;
		k->port.events.nr = 0;
		break;
	case DISABLE:
	case DEFAULTS:
		set_defaults(k);
		k->enabled = byte == DEFAULTS;
		break;
	case ALL_TYPES ... ALL_TYPES + 3:
		memset(k->type, type_of(byte), sizeof(k->type));
		break;
	case RESET:
		/* What is held stays so: nobody has let go */
		keyboard_reset(k);
		ps2_reply(&k->port, PS2_ACK);
		ps2_reply(&k->port, PS2_PASSED);
		break;
	}
}

bool keyboard_is_valid(const struct at_keyboard *k, uint64_t now)
{
	return ps2_is_valid(&k->port) && k->set >= 1 && k->set <= 3 &&
	       k->repeat_at <= now + 1000000000ull;
}

const struct field at_keyboard_fields[] = {
	FIELD_ONE(struct at_keyboard, port, ps2_port_fields),
	FIELD(struct at_keyboard, set), FIELD(struct at_keyboard, leds),
	FIELD(struct at_keyboard, rate), FIELD(struct at_keyboard, enabled),
	FIELD_ARRAY(struct at_keyboard, down),
	FIELD_ARRAY(struct at_keyboard, type),
	FIELD(struct at_keyboard, repeated),
	FIELD(struct at_keyboard, repeat_at), FIELDS_END
};
