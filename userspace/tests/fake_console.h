/* SPDX-License-Identifier: GPL-2.0 */
/* A console that nobody reads or writes, for tests of a whole machine. */
#ifndef MVMM_FAKE_CONSOLE_H
#define MVMM_FAKE_CONSOLE_H

#include "char/chardev.h"

static size_t console_put(struct chardev *chardev, const uint8_t *bytes,
			  size_t len)
{
	return len;
}

static size_t console_take(struct chardev *chardev, uint8_t *bytes, size_t len)
{
	return 0;
}

static bool console_is_flushed(struct chardev *chardev)
{
	return true;
}

static const struct chardev_ops console_ops = { console_put, console_take,
						console_is_flushed };
static struct chardev console = { .ops = &console_ops };

#endif
