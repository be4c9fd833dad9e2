// SPDX-License-Identifier: GPL-2.0
/* See keys.h. */
#include <linux/input-event-codes.h>
#include <string.h>
#include "display/keys.h"

/**
 * struct key - one of a keyboard
 * @code: Linux's
 * @plain: the character on it; 0: none
 * @shifted: with Shift
 * @name: of one without, or whose character is hard to write
 * @keysym: X11's, of one without
 */
struct key {
	uint16_t code;
	char plain, shifted;
	const char *name;
	uint16_t keysym;
};

#define CHARS(code, plain, shifted) { code, plain, shifted, NULL, 0 }

static const struct key keys[] = {
	CHARS(KEY_A, 'a', 'A'), CHARS(KEY_B, 'b', 'B'), CHARS(KEY_C, 'c', 'C'),
	CHARS(KEY_D, 'd', 'D'), CHARS(KEY_E, 'e', 'E'), CHARS(KEY_F, 'f', 'F'),
	CHARS(KEY_G, 'g', 'G'), CHARS(KEY_H, 'h', 'H'), CHARS(KEY_I, 'i', 'I'),
	CHARS(KEY_J, 'j', 'J'), CHARS(KEY_K, 'k', 'K'), CHARS(KEY_L, 'l', 'L'),
	CHARS(KEY_M, 'm', 'M'), CHARS(KEY_N, 'n', 'N'), CHARS(KEY_O, 'o', 'O'),
	CHARS(KEY_P, 'p', 'P'), CHARS(KEY_Q, 'q', 'Q'), CHARS(KEY_R, 'r', 'R'),
	CHARS(KEY_S, 's', 'S'), CHARS(KEY_T, 't', 'T'), CHARS(KEY_U, 'u', 'U'),
	CHARS(KEY_V, 'v', 'V'), CHARS(KEY_W, 'w', 'W'), CHARS(KEY_X, 'x', 'X'),
	CHARS(KEY_Y, 'y', 'Y'), CHARS(KEY_Z, 'z', 'Z'),
	CHARS(KEY_1, '1', '!'), CHARS(KEY_2, '2', '@'), CHARS(KEY_3, '3', '#'),
	CHARS(KEY_4, '4', '$'), CHARS(KEY_5, '5', '%'), CHARS(KEY_6, '6', '^'),
	CHARS(KEY_7, '7', '&'), CHARS(KEY_8, '8', '*'), CHARS(KEY_9, '9', '('),
	CHARS(KEY_0, '0', ')'),
	{ KEY_MINUS, '-', '_', "minus", 0 }, { KEY_EQUAL, '=', '+', "equal", 0 },
	CHARS(KEY_LEFTBRACE, '[', '{'), CHARS(KEY_RIGHTBRACE, ']', '}'),
	CHARS(KEY_SEMICOLON, ';', ':'), CHARS(KEY_APOSTROPHE, '\'', '"'),
	CHARS(KEY_GRAVE, '`', '~'), CHARS(KEY_BACKSLASH, '\\', '|'),
	{ KEY_COMMA, ',', '<', "comma", 0 }, { KEY_DOT, '.', '>', "dot", 0 },
	{ KEY_SLASH, '/', '?', "slash", 0 }, { KEY_SPACE, ' ', ' ', "space", 0 },
	{ KEY_ENTER, '\n', 0, "enter", 0xff0d },
	{ KEY_ENTER, '\r', 0, "return", 0 },
	{ KEY_TAB, '\t', 0, "tab", 0xff09 },
	{ KEY_TAB, 0, 0, NULL, 0xfe20 },	/* Shift and Tab, as X11 has it */
	{ KEY_BACKSPACE, '\b', 0, "backspace", 0xff08 },
	{ KEY_ESC, 0x1b, 0, "esc", 0xff1b },
	{ KEY_LEFTSHIFT, 0, 0, "shift", 0xffe1 },
	{ KEY_RIGHTSHIFT, 0, 0, "shift_r", 0xffe2 },
	{ KEY_LEFTCTRL, 0, 0, "ctrl", 0xffe3 },
	{ KEY_RIGHTCTRL, 0, 0, "ctrl_r", 0xffe4 },
	{ KEY_LEFTALT, 0, 0, "alt", 0xffe9 },
	{ KEY_RIGHTALT, 0, 0, "alt_r", 0xffea },
	{ KEY_RIGHTALT, 0, 0, "altgr", 0xfe03 },
	{ KEY_LEFTALT, 0, 0, NULL, 0xffe7 }, { KEY_RIGHTALT, 0, 0, NULL, 0xffe8 },
	{ KEY_LEFTMETA, 0, 0, "meta", 0xffeb },
	{ KEY_RIGHTMETA, 0, 0, "meta_r", 0xffec },
	{ KEY_COMPOSE, 0, 0, "menu", 0xff67 },
	{ KEY_CAPSLOCK, 0, 0, "capslock", 0xffe5 },
	{ KEY_NUMLOCK, 0, 0, "numlock", 0xff7f },
	{ KEY_SCROLLLOCK, 0, 0, "scrolllock", 0xff14 },
	{ KEY_PAUSE, 0, 0, "pause", 0xff13 },
	{ KEY_SYSRQ, 0, 0, "print", 0xff61 },
	{ KEY_HOME, 0, 0, "home", 0xff50 }, { KEY_LEFT, 0, 0, "left", 0xff51 },
	{ KEY_UP, 0, 0, "up", 0xff52 }, { KEY_RIGHT, 0, 0, "right", 0xff53 },
	{ KEY_DOWN, 0, 0, "down", 0xff54 },
	{ KEY_PAGEUP, 0, 0, "pgup", 0xff55 },
	{ KEY_PAGEDOWN, 0, 0, "pgdn", 0xff56 },
	{ KEY_END, 0, 0, "end", 0xff57 },
	{ KEY_INSERT, 0, 0, "insert", 0xff63 },
	{ KEY_DELETE, 0x7f, 0, "delete", 0xffff },
	{ KEY_DELETE, 0, 0, "del", 0 },
	{ KEY_F1, 0, 0, "f1", 0xffbe }, { KEY_F2, 0, 0, "f2", 0xffbf },
	{ KEY_F3, 0, 0, "f3", 0xffc0 }, { KEY_F4, 0, 0, "f4", 0xffc1 },
	{ KEY_F5, 0, 0, "f5", 0xffc2 }, { KEY_F6, 0, 0, "f6", 0xffc3 },
	{ KEY_F7, 0, 0, "f7", 0xffc4 }, { KEY_F8, 0, 0, "f8", 0xffc5 },
	{ KEY_F9, 0, 0, "f9", 0xffc6 }, { KEY_F10, 0, 0, "f10", 0xffc7 },
	{ KEY_F11, 0, 0, "f11", 0xffc8 }, { KEY_F12, 0, 0, "f12", 0xffc9 },
	{ KEY_102ND, 0, 0, "less", 0 },
	/* The keypad's */
	{ KEY_KP0, 0, 0, "kp_0", 0xffb0 }, { KEY_KP1, 0, 0, "kp_1", 0xffb1 },
	{ KEY_KP2, 0, 0, "kp_2", 0xffb2 }, { KEY_KP3, 0, 0, "kp_3", 0xffb3 },
	{ KEY_KP4, 0, 0, "kp_4", 0xffb4 }, { KEY_KP5, 0, 0, "kp_5", 0xffb5 },
	{ KEY_KP6, 0, 0, "kp_6", 0xffb6 }, { KEY_KP7, 0, 0, "kp_7", 0xffb7 },
	{ KEY_KP8, 0, 0, "kp_8", 0xffb8 }, { KEY_KP9, 0, 0, "kp_9", 0xffb9 },
	{ KEY_KPENTER, 0, 0, "kp_enter", 0xff8d },
	{ KEY_KPPLUS, 0, 0, "kp_add", 0xffab },
	{ KEY_KPMINUS, 0, 0, "kp_subtract", 0xffad },
	{ KEY_KPASTERISK, 0, 0, "kp_multiply", 0xffaa },
	{ KEY_KPSLASH, 0, 0, "kp_divide", 0xffaf },
	{ KEY_KPDOT, 0, 0, "kp_decimal", 0xffae },
};

#define NR (sizeof(keys) / sizeof(keys[0]))

uint16_t key_by_name(const char *name, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < NR; i++) {
		if (keys[i].name && strlen(keys[i].name) == len &&
		    !strncmp(keys[i].name, name, len))
			return keys[i].code;
		/* A letter or a digit has the name that is on it */
		if (len == 1 && *name > ' ' && keys[i].plain == *name)
			return keys[i].code;
	}
	return 0;
}

uint16_t key_by_char(char c, bool *shift)
{
	unsigned int i;

	for (i = 0; c && i < NR; i++) {
		if (keys[i].plain != c && keys[i].shifted != c)
			continue;
		*shift = keys[i].plain != c;
		return keys[i].code;
	}
	return 0;
}

uint16_t key_by_keysym(uint32_t keysym)
{
	unsigned int i;
	bool shift;

	if (keysym >= 0x20 && keysym < 0x7f)
		return key_by_char(keysym, &shift);
	for (i = 0; keysym && i < NR; i++)
		if (keys[i].keysym == keysym)
			return keys[i].code;
	return 0;
}

uint16_t cp437(uint8_t code)
{
	/* Those below a space, 0x7f, and those from 0x80 on */
	static const uint16_t low[] = {
		0x0020, 0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022,
		0x25d8, 0x25cb, 0x25d9, 0x2642, 0x2640, 0x266a, 0x266b, 0x263c,
		0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7, 0x25ac, 0x21a8,
		0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194, 0x25b2, 0x25bc,
	};
	static const uint16_t high[] = {
		0x2302, 0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5,
		0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4,
		0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb,
		0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7,
		0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa,
		0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab,
		0x00bb, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562,
		0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b,
		0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e,
		0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c,
		0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553,
		0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590,
		0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5,
		0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5,
		0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7,
		0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0,
		0x00a0,
	};

	return code < 0x20 ? low[code] : code < 0x7f ? code : high[code - 0x7f];
}
