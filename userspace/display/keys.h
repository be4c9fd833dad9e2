/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys by their names, by the characters that a US keyboard has on them, and by
 * X11's keysyms, as Linux's codes (keys.c). And a character set of PCs.
 */
#ifndef MVMM_KEYS_H
#define MVMM_KEYS_H

#include <stdbool.h>
#include <stdint.h>

/* 0: there is none */
uint16_t key_by_name(const char *name, unsigned int len);
/* @shift: with that */
uint16_t key_by_char(char c, bool *shift);
uint16_t key_by_keysym(uint32_t keysym);
/* Of code page 437 */
uint16_t cp437(uint8_t code);

#endif
