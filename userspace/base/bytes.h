/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers in network byte order at any address: SCSI's and the network's. */
#ifndef MVMM_BYTES_H
#define MVMM_BYTES_H

#include <stdint.h>

static inline uint16_t get_be16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static inline uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)get_be16(at) << 16 | get_be16(at + 2);
}

static inline void put_be16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static inline void put_be32(uint8_t *at, uint32_t value)
{
	put_be16(at, value >> 16);
	put_be16(at + 2, value);
}

#endif
