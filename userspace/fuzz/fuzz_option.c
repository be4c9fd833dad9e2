// SPDX-License-Identifier: GPL-2.0
/*
 * What a user, or a program on the control socket, writes behind options: a letter
 * that says which one, and its text, in each line. A libFuzzer target: "make fuzz".
 */
#include <stdlib.h>
#include <string.h>
#include "block/block.h"
#include "boot/boot.h"
#include "char/ports.h"
#include "core/device.h"
#include "devices/virtio/vhost_user.h"
#include "display/display.h"
#include "net/nets.h"

/* Of one command line. They keep pointers into its text */
static struct machine_config config;
static struct boot_order order;
static struct display display;
static struct nets nets;
static struct ports ports;

static int parse(char kind, char *text, struct error *error)
{
	struct block_config block;
	const char *name;

	switch (kind) {
	case 'b':
		return boot_order_parse(&order, text, error);
	case 'd':
		name = strsep(&text, ",");
		return device_check(name, text, error);
	case 'k':
		return block_parse(&block, text, error);
	case 'n':
		return nets_parse(&nets, &config, text, error);
	case 'p':
		return ports_parse(&ports, text, error);
	case 's':
		return share_add(&config, text, error);
	case 'v':
		return vhost_user_add(&config, text, error);
	case 'y':
		return display_parse(&display, text, error);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text, *line;
	struct error error = { 0 };

	if (!text)
		return 0;
	config = (struct machine_config){ 0 };
	order = (struct boot_order){ 0 };
	display = (struct display){ 0 };
	nets = (struct nets){ 0 };
	ports = (struct ports){ 0 };
	/* The first one that is refused ends a launcher, and says why */
	while ((line = strsep(&rest, "\n")) && *line)
		if (parse(line[0], line + 1, &error)) {
			if (!error.text[0] || !error.status)
				abort();
			break;
		}
	nets_close(&nets);
	free(text);
	return 0;
}
