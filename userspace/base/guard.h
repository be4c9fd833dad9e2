/* SPDX-License-Identifier: GPL-2.0 */
/* Guest memory that goes away (guard.c). */
#ifndef MVMM_GUARD_H
#define MVMM_GUARD_H

#include <stdint.h>

/*
 * Ends mvmm with a message when it touches memory of these that is not there,
 * and then calls @restore, which has to be async-signal-safe
 */
void guard_memory(const void *base, uint64_t size, void (*restore)(void));
/* This thread is in RUN, which tells of broken memory that the guest touches */
extern _Thread_local volatile int guard_in_run;

#endif
