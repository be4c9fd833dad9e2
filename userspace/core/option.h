/* SPDX-License-Identifier: GPL-2.0 */
/* Values of options. */
#ifndef MVMM_OPTION_H
#define MVMM_OPTION_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Decimal, or hexadecimal with 0x; 010 is ten. @suffix: K, M or G may follow.
 * False: it is none, or too large
 */
bool parse_number(const char *text, uint64_t *value, bool suffix);

#endif
