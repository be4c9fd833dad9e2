// SPDX-License-Identifier: GPL-2.0
/* No firmware: mvmm boots what it is given. */
#include "boot/boot.h"
#include "without/without.h"

int firmware_open(struct machine_config *c, const char *name, const char *vars,
		  struct error *error)
{
	return left_out(error, "--firmware", "firmware");
}

void firmware_close(struct machine_config *c)
{
}

/* After firmware_open() only */
int firmware_load(struct machine *m, struct entry *entry, struct error *error)
{
	return -1;
}

int boot_order_parse(struct boot_order *order, char *text, struct error *error)
{
	return left_out(error, "--boot", "firmware");
}

uint16_t boot_order_kinds(const struct boot_order *order)
{
	return 0;
}

/* After firmware_open() only */
int boot_order_tell(const struct boot_order *order, struct machine *m,
		    struct error *error)
{
	return -1;
}
