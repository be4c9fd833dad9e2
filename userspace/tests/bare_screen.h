/* SPDX-License-Identifier: GPL-2.0 */
/* The machine of bare.h with a screen, for tests of those who look at it. */
#ifndef MVMM_BARE_SCREEN_H
#define MVMM_BARE_SCREEN_H

#include "tests/bare.h"

/* Also when there was one before. 0, or -1 with error */
static int bare_screen(void)
{
	memory_destroy(&m.memory);
	bare_start();
	if (memory_create(&m.memory, RAM_MIN, false, &error))
		return -1;
	bare_device("i8259");
	bare_device("pci-host");
	bare_device_with("vga", "romfile=none");
	return 0;
}

#endif
