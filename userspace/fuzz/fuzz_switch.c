// SPDX-License-Identifier: GPL-2.0
/*
 * A switch with ports of several kinds: frames of any bytes from any of them, ports
 * that come and go, VLANs and mirrors that change; and what is said of a port. All
 * counters add up afterwards. A libFuzzer target: "make fuzz".
 */
#include <stdlib.h>
#include "net/switch/switch.h"
#include "tests/played_port.h"

#define PLUGS	6

static struct ether_switch sw;
static struct played_port plug[PLUGS];
static struct switch_port *port[PLUGS];
static const uint8_t own_mac[MAC_LEN] = { 2 };
static uint64_t copies, gone_in;

static void plug_in(unsigned int i, char *text)
{
	struct switch_config config = { 0 };
	struct error error = { 0 };

	if (port[i] || options_parse(switch_options, &config, text, false,
				     &error))
		return;
	port[i] = switch_add(&sw, NULL, &config, &error);
	plug[i] = played;
	if (port[i])
		port_connect(&port[i]->port, &plug[i].port);
	else if (!error.text[0])
		abort();
}

static void check_counts(const struct port_count *c)
{
	if (c->in != sum_of(c))
		abort();
}

static void pull_out(unsigned int i)
{
	if (!port[i])
		return;
	check_counts(&port[i]->port.from_peer);
	check_counts(&port[i]->port.to_peer);
	copies += port[i]->copies + port[i]->own;
	gone_in += port[i]->port.to_peer.in;
	switch_remove(port[i]);
	port[i] = NULL;
}

static void set_vlans(struct switch_port *p, const char *text)
{
	struct error error = { 0 };
	struct vlans vlans, again;
	char written[8192];

	if (vlan_parse(&vlans, text, &error))
		return;
	vlan_text(&vlans, written, sizeof(written));
	if (vlan_parse(&again, written, &error) ||
	    memcmp(&again, &vlans, sizeof(vlans)))
		abort();
	switch_set_vlans(p, &vlans);
}

static void send_frame(struct played_port *from, const uint8_t *data,
		       size_t len)
{
	const struct iovec iov[] = { { (void *)data, len / 2 },
				     { (void *)(data + len / 2),
				       len - len / 2 } };
	const struct frame frame = { .iov = iov, .niov = 2, .len = len };

	port_send(&from->port, &frame);
	port_flush(&from->port);
}

/* What is done, to which port, and how many bytes behind it belong to it */
struct step {
	uint8_t what, which, len;
};

static void do_step(struct step s, const uint8_t *data)
{
	unsigned int i = s.which % PLUGS;
	char text[256] = "";

	memcpy(text, data, s.len);
	switch (s.what % 8) {
	case 0:
		plug_in(i, text);
		break;
	case 1:
		pull_out(i);
		break;
	case 2:
		plug[i].full = !plug[i].full;
		break;
	case 3:
		if (port[i])
			set_vlans(port[i], text);
		break;
	case 4:
		switch_mirror(&sw, s.len ? 1ull << data[0] % SWITCH_PORTS :
			      ~0ull, port[i]);
		break;
	case 5:
		switch_tick(&sw, sw.now + s.len * 10);
		break;
	case 6:
		/* As from another bridge */
		memmove(text + 17, text, 40);
		memcpy(text, "\x01\x80\xc2\0\0\0\2\0\0\0\0\1\0\x27\x42\x42\3",
		       17);
		if (port[i])
			send_frame(&plug[i], (uint8_t *)text, 60);
		break;
	default:
		if (port[i])
			send_frame(&plug[i], data, s.len);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;
	unsigned int i;

	/* The table is large, and cleared by who has used it */
	played_init(NULL);
	copies = gone_in = 0;
	sw.spans = false;
	if (size && data[0] & 0x80)
		switch_span(&sw, 0x8000, own_mac);
	for (i = 0; i < 3; i++)
		plug_in(i, (char []){ "vlan=trunk" });
	while (size >= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		if (step.len > size)
			step.len = size;
		do_step(step, data);
		data += step.len;
		size -= step.len;
	}
	for (i = 0; i < PLUGS; i++)
		pull_out(i);
	if (copies != gone_in || sw.used || sw.mirror)
		abort();
	for (i = 0; i < SWITCH_PORTS; i++)
		if (sw.macs.of_port[i])
			abort();
	return 0;
}
