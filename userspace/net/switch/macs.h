/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which station is behind which port of a switch, for each VLAN by itself. A port
 * has a share of the table that no other can take: who forges addresses fills his
 * own.
 */
#ifndef MVMM_SWITCH_MACS_H
#define MVMM_SWITCH_MACS_H

#include <stdbool.h>
#include <stdint.h>

#define SWITCH_PORTS	64
#define MACS_PER_PORT	1024
#define MACS		(SWITCH_PORTS * MACS_PER_PORT)
#define MACS_AGE	300		/* seconds: 802.1D's */

/**
 * struct mac_entry - a station
 * @key: the VLAN, and the address: mac_key(); 0: it is free
 * @seen: when it last sent something, in seconds
 * @next: the next one of the same hash, or of those that are free: its index plus
 *	one; 0: the last one
 * @port: where
 */
struct mac_entry {
	uint64_t key;
	uint32_t seen, next;
	uint8_t port;
};

/**
 * struct macs - the table; all zero but for @seed it is empty
 * @seed: of the hash: a guest that knew it could make chains long
 * @head: of each hash: an index plus one
 * @entry: stations
 * @free: as mac_entry.next
 * @used: the entries from here on were never used
 * @of_port: how many are each port's
 */
struct macs {
	uint64_t seed;
	uint32_t head[MACS];
	struct mac_entry entry[MACS];
	uint32_t free, used;
	uint16_t of_port[SWITCH_PORTS];
};

uint64_t mac_key(unsigned int vlan, const uint8_t *mac);
/* False: it is new, and the port has its share already */
bool macs_learn(struct macs *macs, uint64_t key, unsigned int port,
		uint32_t now);
/* The port, or -1 */
int macs_find(const struct macs *macs, uint64_t key);
/* Those that were last seen so long ago go */
void macs_age(struct macs *macs, uint32_t now);
void macs_forget(struct macs *macs, unsigned int port);

#endif
