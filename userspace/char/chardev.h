/* SPDX-License-Identifier: GPL-2.0 */
/* Where the bytes of a serial port or a console go, and come from. */
#ifndef MVMM_CHARDEV_H
#define MVMM_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chardev;

/**
 * struct chardev_ops - of a back end; the loop's lock is held
 * @put: takes bytes of the guest, and returns how many: if not all, there is no
 *	room for more, wait for @writable
 * @take: the next bytes for the guest, @len at most: if not so many, there are
 *	no more, wait for @readable
 * @is_flushed: nothing waits to be read outside, or nobody there reads it
 */
struct chardev_ops {
	size_t (*put)(struct chardev *chardev, const uint8_t *bytes,
		      size_t len);
	size_t (*take)(struct chardev *chardev, uint8_t *bytes, size_t len);
	bool (*is_flushed)(struct chardev *chardev);
};

/**
 * struct chardev - a back end, and the device that it is connected to
 * @ops: of the back end
 * @readable: of the device: there are bytes to take
 * @writable: of the device: there is room again
 * @changed: of the device, or NULL: what follows is different now
 * @is_open: somebody is at the other end; if not, bytes of the guest are lost
 * @cols: of the terminal that it is; 0: not known
 * @rows: the same
 * @ctx: the device; NULL: none is connected
 */
struct chardev {
	const struct chardev_ops *ops;
	void (*readable)(void *ctx);
	void (*writable)(void *ctx);
	void (*changed)(void *ctx);
	bool is_open;
	uint16_t cols, rows;
	void *ctx;
};

#endif
