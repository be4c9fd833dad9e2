/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many links appear as one: a port made of ports (bond.c). Modes and the names of
 * options are those of Linux's bonding driver.
 */
#ifndef MVMM_BOND_H
#define MVMM_BOND_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"
#include "base/option.h"

#define BOND_LINKS	8

struct frame;
struct net_config;
struct port;

enum bond_mode { BOND_ACTIVE_BACKUP, BOND_BALANCE_XOR, BOND_BROADCAST,
		 BOND_8023AD };
/* Of which parts of a frame it depends which link it takes */
enum bond_hash { BOND_LAYER2, BOND_LAYER2_3, BOND_LAYER3_4 };

/**
 * struct bond_config - what --net bond(...) says
 * @links: how many; 0: it is no bond
 * @member: what each link is: as behind --net, or the name of a tap
 * @mode: who takes a frame
 * @hash: for BOND_BALANCE_XOR and BOND_8023AD
 * @fast: LACP: the other end is to speak each second, and not each 30
 * @primary: of BOND_ACTIVE_BACKUP: the link that is used when it can be, or
 *	BOND_NONE
 * @primary_name: the same, as the text has it; or NULL
 */
#define BOND_NONE	(~0u)
struct bond_config {
	unsigned int links;
	char *member[BOND_LINKS];
	enum bond_mode mode;
	enum bond_hash hash;
	bool fast;
	unsigned int primary;
	const char *primary_name;
};

/* What is between the parentheses, which is cut into pieces. -1 with @error */
int bond_parse_links(struct bond_config *config, char *text,
		     struct error *error);
/* Of a struct bond_config, behind the links */
extern const struct option_spec bond_options[];
/* After these. -1 with @error */
int bond_check(struct bond_config *config, struct error *error);
/* NULL with @error */
struct port *bond_open(const struct net_config *config, struct error *error);
/*
 * A port of @config->links ports, which are its own from here on: bond's close
 * closes them. @mac: of the system that it is for LACP. NULL: no memory; they are
 * still the caller's
 */
struct port *bond_new(const struct bond_config *config, struct port **member,
		      const uint8_t *mac);
/* Which link takes a frame, of @links > 0 that can */
unsigned int bond_choose(enum bond_hash hash, const struct frame *frame,
			 unsigned int links);

#endif
