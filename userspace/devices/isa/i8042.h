/* SPDX-License-Identifier: GPL-2.0 */
/* What others ask of the keyboard's controller (i8042.c). */
#ifndef MVMM_I8042_H
#define MVMM_I8042_H

#include <stdint.h>

/* The code of set 1 for one of set 2; the prefix 0xf0 is not such */
uint8_t i8042_translate(uint8_t code);

#endif
