// SPDX-License-Identifier: GPL-2.0
/* See macs.h. */
#include <endian.h>
#include <string.h>
#include "net/switch/macs.h"

uint64_t mac_key(unsigned int vlan, const uint8_t *mac)
{
	uint32_t high;
	uint16_t low;

	memcpy(&high, mac, sizeof(high));
	memcpy(&low, mac + sizeof(high), sizeof(low));
	return (uint64_t)vlan << 48 | (uint64_t)be32toh(high) << 16 | be16toh(low);
}

static uint32_t *chain(struct macs *m, uint64_t key)
{
	uint64_t h = (key ^ m->seed) * 0x9e3779b97f4a7c15;

	h = (h ^ h >> 29 ^ m->seed) * 0xbf58476d1ce4e5b9;
	return &m->head[h >> 32 & (MACS - 1)];
}

int macs_find(const struct macs *m, uint64_t key)
{
	uint32_t i = *chain((struct macs *)m, key);

	for (; i; i = m->entry[i - 1].next)
		if (m->entry[i - 1].key == key)
			return m->entry[i - 1].port;
	return -1;
}

/* There is one: no port has more than its share */
static struct mac_entry *new_entry(struct macs *m)
{
	struct mac_entry *e;

	if (!m->free)
		return &m->entry[m->used++];
	e = &m->entry[m->free - 1];
	m->free = e->next;
	return e;
}

bool macs_learn(struct macs *m, uint64_t key, unsigned int port, uint32_t now)
{
	uint32_t *first = chain(m, key), i = *first;
	struct mac_entry *e;

	while (i && m->entry[i - 1].key != key)
		i = m->entry[i - 1].next;
	e = i ? &m->entry[i - 1] : NULL;
	if (!e || e->port != port) {
		if (m->of_port[port] == MACS_PER_PORT)
			return false;
		m->of_port[port]++;
	}
	if (!e) {
		e = new_entry(m);
		*e = (struct mac_entry){ .key = key, .next = *first };
		*first = e - m->entry + 1;
	} else if (e->port != port) {
		m->of_port[e->port]--;
	}
	e->port = port;
	e->seen = now;
	return true;
}

static void drop(struct macs *m, struct mac_entry *e)
{
	uint32_t *at = chain(m, e->key), number = e - m->entry + 1;

	while (*at != number)
		at = &m->entry[*at - 1].next;
	*at = e->next;
	m->of_port[e->port]--;
	*e = (struct mac_entry){ .next = m->free };
	m->free = number;
}

void macs_age(struct macs *m, uint32_t now)
{
	uint32_t i;

	for (i = 0; i < m->used; i++)
		if (m->entry[i].key && now - m->entry[i].seen >= MACS_AGE)
			drop(m, &m->entry[i]);
}

void macs_forget(struct macs *m, unsigned int port)
{
	uint32_t i;

	for (i = 0; m->of_port[port] && i < m->used; i++)
		if (m->entry[i].key && m->entry[i].port == port)
			drop(m, &m->entry[i]);
}
