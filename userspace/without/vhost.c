// SPDX-License-Identifier: GPL-2.0
/* No devices that other processes serve. */
#include "devices/virtio/vhost_user.h"
#include "without/without.h"

int vhost_user_add(struct machine_config *config, char *text,
		   struct error *error)
{
	return left_out(error, "--vhost-user", "vhost");
}

int share_add(struct machine_config *config, char *text, struct error *error)
{
	return left_out(error, "--share", "vhost");
}
