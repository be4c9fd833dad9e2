// SPDX-License-Identifier: GPL-2.0
/*
 * A driver of e1000 that writes at will: to its registers, and to its rings, whose
 * descriptors have meaning now and then. A libFuzzer target: "make fuzz".
 */
#include <stdlib.h>
#include "tests/e1000_driver.h"
#include "tests/loop_round.h"

/* What is done, one after another */
struct step {
	uint8_t what, size;
	uint16_t at;
	uint32_t value;
} __attribute__((packed));

static void come(const struct step *s)
{
	static uint8_t bytes[FRAME_MAX];

	memcpy(bytes, s->size & 1 ? nic_mac : (uint8_t *)&s->value, 4);
	memcpy(bytes + 12, "\x81", 2);
	memcpy(bytes + 14, &s->value, 4);
	pthread_mutex_lock(&m.loop.lock);
	played_send_frame(bytes, 10 + s->at % (FRAME_MAX - 10), NULL);
	pthread_mutex_unlock(&m.loop.lock);
}

static void change_network(const struct step *s)
{
	pthread_mutex_lock(&m.loop.lock);
	played.full = s->size & 1;
	played.limit = s->size & 4 ? played.frames + s->at % 8 : 0;
	port_set_link(&played.port, !(s->size & 2));
	port_ready(&played.port);
	pthread_mutex_unlock(&m.loop.lock);
}

/* Of old ones, contexts and data; their buffers are mostly there */
static void write_desc(const struct step *s)
{
	uint8_t *d = tx_desc(s->size % NIC_RING);
	uint64_t buffer = BUFFERS + (s->value & 0xffff);

	memcpy(d, &buffer, 8);
	memcpy(d + 8, &s->at, 2);
	memcpy(d + 10, &s->value, 4);
	if (s->size & 0x10)
		d[10] = s->size & 0x20 ? 0x10 : 0;
}

static void do_step(const struct step *s)
{
	unsigned int size = 1u << (s->size & 3);
	uint64_t value = s->value;

	switch (s->what % 12) {
	case 0:
		cfg_write(s->at & 0xfc, s->value, 4);
		break;
	case 1:
		bus_access(&m.ports, NIC_PORTS + s->at % 64, &value, size,
			   s->size & 4);
		break;
	case 2:
		reg_write(s->at * 2 + (s->size & 4 ? s->value % 4 : 0),
			  s->value, size);
		break;
	case 3:
		reg_read(s->at * 2, size);
		break;
	case 4:
		memcpy((uint8_t *)at(s->size & 1 ? TX_RING : RX_RING) +
		       s->at % 0x8000, &value, 4);
		break;
	case 5:
		write_desc(s);
		break;
	case 6:
		nic_write(0x3818, s->value % NIC_RING);
		break;
	case 7:
		nic_write(0x2818, s->value % NIC_RING);
		break;
	case 8:
		start_e1000(s->value);
		break;
	case 9:
		come(s);
		break;
	case 10:
		change_network(s);
		break;
	default:
		m.clock.stopped_at += s->value;
		run_timers();
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	make_e1000();
	start_e1000(1u << 15);
	for (; size >= sizeof(step); size -= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		do_step(&step);
		data += sizeof(step);
		if (!adds_up(&nic->port) || !adds_up(&played.port))
			abort();
	}
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}
