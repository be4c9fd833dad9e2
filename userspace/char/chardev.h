/* SPDX-License-Identifier: GPL-2.0 */
/* Where the bytes of a serial port go, and come from. */
#ifndef MVMM_CHARDEV_H
#define MVMM_CHARDEV_H

#include <stdbool.h>
#include <stdint.h>

struct chardev;

/**
 * struct chardev_ops - of a back end; the loop's lock is held
 * @put: takes a byte of the guest; false: no room, wait for @writable
 * @take: the next byte for the guest; false: there is none, wait for @readable
 * @is_flushed: nothing waits to be read outside
 */
struct chardev_ops {
	bool (*put)(struct chardev *chardev, uint8_t byte);
	bool (*take)(struct chardev *chardev, uint8_t *byte);
	bool (*is_flushed)(struct chardev *chardev);
};

/**
 * struct chardev - a back end, and the device that it is connected to
 * @ops: of the back end
 * @readable: of the device: there are bytes to take
 * @writable: of the device: there is room again
 * @ctx: the device; NULL: none is connected
 */
struct chardev {
	const struct chardev_ops *ops;
	void (*readable)(void *ctx);
	void (*writable)(void *ctx);
	void *ctx;
};

#endif
