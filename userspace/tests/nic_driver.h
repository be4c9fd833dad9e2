/* SPDX-License-Identifier: GPL-2.0 */
/* The driver of a virtio-net: what its control queue is told. */
#ifndef MVMM_NIC_DRIVER_H
#define MVMM_NIC_DRIVER_H

#include "tests/virtio_driver.h"

/* A command on @queue. The answer */
static uint8_t nic_command(unsigned int queue, uint8_t class, uint8_t cmd,
			   const void *data, uint32_t len)
{
	uint8_t *bytes = at(BUFFERS + 0x40000);

	driver.queue = queue;
	bytes[0] = class;
	bytes[1] = cmd;
	memcpy(bytes + 2, data, len);
	*status_of(0) = 0xee;
	*desc(0) = (struct vring_desc){ BUFFERS + 0x40000, 2 + len,
					VRING_DESC_F_NEXT, 1 };
	*desc(1) = (struct vring_desc){ STATUSES, 1, VRING_DESC_F_WRITE, 0 };
	offer(0);
	kick();
	return *status_of(0);
}

#endif
