/* SPDX-License-Identifier: GPL-2.0 */
/* What others ask of the balloon (balloon.c). */
#ifndef MVMM_BALLOON_H
#define MVMM_BALLOON_H

#include <stdio.h>

struct balloon;

/* What it has, and what the guest has told of its memory */
void balloon_print(const struct balloon *balloon, FILE *out);

#endif
