/* SPDX-License-Identifier: GPL-2.0 */
/*
 * P and Q of a row, and blocks that are lost: arithmetic in GF(2^8) by libisal,
 * whose field is md's (polynomial 0x11d, generator 2).
 */
#ifndef MVMM_RAID_PARITY_H
#define MVMM_RAID_PARITY_H

#include <stddef.h>
#include "block/raid/layout.h"

/* Blocks of a row, by member. Each has @len bytes, a multiple of 64 */

/* P and Q from all data blocks, to @parity */
void parity_make(const struct raid_row *r, uint8_t *const block[],
		 uint8_t *const parity[2], size_t len);
/*
 * The same when the data blocks [@first, @first + @n) change from @old to what
 * @block has; the P and Q before are in @block
 */
void parity_update(const struct raid_row *r, uint8_t *const block[],
		   uint8_t *const old[], unsigned int first, unsigned int n,
		   uint8_t *const parity[2], size_t len);
/*
 * Makes the data blocks of the members in @lost, a bit for each, from the other
 * blocks. False: too many are lost.
 */
bool parity_recover(const struct raid_row *r, uint8_t *const block[],
		    uint32_t lost, size_t len);

#endif
