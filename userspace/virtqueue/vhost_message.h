/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of vhost-user (QEMU's docs/interop/vhost-user.rst), as both ends have them:
 * the front end, which has a device, and the back end, which serves its queues.
 */
#ifndef MVMM_VHOST_MESSAGE_H
#define MVMM_VHOST_MESSAGE_H

#include <linux/vhost_types.h>
#include <stddef.h>
#include <stdint.h>

/* Requests of the front end's */
enum { GET_FEATURES = 1, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE,
       SET_VRING_NUM = 8, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE,
       SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR, GET_PROTOCOL_FEATURES,
       SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE, SEND_RARP,
       GET_CONFIG = 24, SET_CONFIG };

#define FLAG_VERSION	1u
#define FLAG_REPLY	4u
#define FLAG_NEED_REPLY	8u
/* Protocol features */
#define P_MQ		(1ull << 0)
#define P_RARP		(1ull << 2)
#define P_REPLY_ACK	(1ull << 3)
#define P_CONFIG	(1ull << 9)
/* Among those of the device: there are protocol features */
#define VHOST_F_PROTOCOL	30
/* Beside the number of a ring: no descriptor comes along */
#define VHOST_NO_FD	0x100ull

#define CONFIG_MAX	256
#define REGIONS		8	/* that each back end has room for */
struct region_of_memory {
	uint64_t gpa, size, user, offset;
};

struct vhost_message {
	uint32_t request, flags, size;
	union {
		uint64_t value;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct {
			uint32_t nr, reserved;
			struct region_of_memory region[REGIONS];
		} table;
		struct {
			uint32_t at, size, flags;
			uint8_t bytes[CONFIG_MAX];
		} config;
	};
} __attribute__((packed));

/* What is before the payload */
#define VHOST_HEADER	offsetof(struct vhost_message, value)

#endif
