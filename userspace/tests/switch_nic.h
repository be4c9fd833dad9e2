/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A NIC of the machine of virtio_driver.h on a switch that runs in another thread, and
 * another station there, whose frames go through rings of its own.
 */
#ifndef MVMM_SWITCH_NIC_H
#define MVMM_SWITCH_NIC_H

#include "devices/virtio/net.h"
#include "net/nets.h"
#include "tests/loop_round.h"
#include "tests/played_port.h"
#include "tests/switch_thread.h"
#include "tests/virtio_driver.h"

#define HEAD		sizeof(struct virtio_net_hdr_v1)
#define NIC_MAC		"\x02\0\0\0\0\1"
#define OTHER_MAC	"\x02\0\0\0\0\2"

static struct nets nets;
static struct port *other;

static inline void start_switch(void)
{
	server = switch_start("s", &error);
	assert_non_null(server);
	assert_int_equal(pthread_create(&thread, NULL, server_main, NULL), 0);
}

static inline void end_switch(void)
{
	take_over();
	switch_end(server);
	server = NULL;
}

/* The other station, whose frames go through rings of its own */
static inline void open_other(void)
{
	struct net_config config;
	char text[] = "switch=s,mac=02:00:00:00:00:02";

	played_init(&m.loop);
	assert_int_equal(net_parse(&config, text, &error), 0);
	other = net_open(&config, &error);
	assert_non_null(other);
	port_connect(&played.port, other);
	assert_int_equal(net_start(other, &m.loop, &error), 0);
}

static inline void new_machine(bool shared)
{
	static char text[64];

	strcpy(text, "switch=s,name=nic,mac=02:00:00:00:00:01");
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, shared, &error), 0);
	nets = (struct nets){ 0 };
	assert_int_equal(nets_parse(&nets, &m.config, text, &error), 0);
	assert_int_equal(nets_open(&nets, &m.config, &error), 0);
	bare_device("pci-host");
}

static inline int setup(void **state)
{
	error = (struct error){ 0 };
	start_switch();
	new_machine(!*state);
	open_other();
	return 0;
}

static inline int teardown(void **state)
{
	port_disconnect(&played.port);
	net_close(other);
	devices_destroy(&m);
	nets_close(&nets);
	memory_destroy(&m.memory);
	bare_stop();
	if (server)
		end_switch();
	return 0;
}

static inline struct nic *nic(void)
{
	return (struct nic *)m.devices;
}

static inline void start_driver(uint64_t features)
{
	driver_begin(features);
	add_queue(NIC_RX);
	add_queue(NIC_TX);
	driver_ok();
}

static inline void start(uint64_t features, const char *options)
{
	m.config.defaults = options;
	bare_device("virtio-net");
	assert_int_equal(nets_start(&nets, &m.loop, &error), 0);
	start_driver(features);
}

/* ---- frames ------------------------------------------------------------------ */

/* The descriptor @id, of either kind of ring */
static inline void offer_buffer(unsigned int queue, uint16_t id, uint32_t len)
{
	bool write = queue == NIC_RX;
	uint64_t where = BUFFERS + (queue * RING + id) * 4096;
	const struct vring_packed_desc d = { where, len, id,
		write ? VRING_DESC_F_WRITE : 0 };

	driver.queue = queue;
	if (nic()->virtio.packed) {
		offer_packed(&d, 1);
		return;
	}
	*desc(id) = (struct vring_desc){ where, len,
					 write ? VRING_DESC_F_WRITE : 0, 0 };
	offer(id);
}

static inline uint8_t *buffer(unsigned int queue, uint16_t id)
{
	return at(BUFFERS + (queue * RING + id) * 4096);
}

/* From the guest, to the other station */
static inline void send_from_guest(uint16_t id, size_t len)
{
	uint8_t *bytes = buffer(NIC_TX, id);
	size_t i;

	memset(bytes, 0, HEAD);
	for (i = 0; i < len; i++)
		bytes[HEAD + i] = i * 7 + id;
	memcpy(bytes + HEAD, OTHER_MAC NIC_MAC "\x88\xb5", FRAME_MIN);
	offer_buffer(NIC_TX, id, HEAD + len);
	kick();
}

static inline void send_to_guest(size_t len)
{
	uint8_t bytes[2048];
	size_t i;

	for (i = 0; i < len; i++)
		bytes[i] = i * 5;
	memcpy(bytes, NIC_MAC OTHER_MAC "\x88\xb5", FRAME_MIN);
	pthread_mutex_lock(&m.loop.lock);
	assert_true(played_send_frame(bytes, len, NULL));
	pthread_mutex_unlock(&m.loop.lock);
}

static size_t wanted;

/* A frame of that length: others may come, as the NIC announces itself */
static inline bool has_come(void *ctx)
{
	return played.len == wanted;
}

static inline bool is_linked(void *ctx)
{
	return other->link && nets.port[0]->link;
}

static inline bool is_cut(void *ctx)
{
	return !other->link && !nets.port[0]->link;
}

/* Until the guest has so many bytes in that buffer */
static inline bool guest_has(uint16_t id, unsigned int written)
{
	unsigned int ms = written == 800 ? 50 : 5000;
	const struct vring_packed_desc *d =
		(struct vring_packed_desc *)at(DESC) + id;
	uint32_t len = 0;

	driver.queue = NIC_RX;
	while (len != written && ms--) {
		run_once(&m.loop);
		usleep(1000);
		if (!nic()->virtio.packed)
			len = __atomic_load_n(&used()->idx, __ATOMIC_ACQUIRE) >
			      id ? used()->ring[id].len : 0;
		else if (__atomic_load_n(&d->flags, __ATOMIC_ACQUIRE) &
			 1 << VRING_PACKED_DESC_F_USED)
			len = d->len;
	}
	return len == written;
}

/* Both ways, from descriptor @id on, in the first round of the rings */
static inline void exchange(uint16_t id)
{
	size_t i;

	wanted = 100 + id;
	send_from_guest(id, wanted);
	loop_run(&m.loop, has_come, NULL);
	assert_memory_equal(played.bytes, buffer(NIC_TX, id) + HEAD, 100 + id);
	offer_buffer(NIC_RX, id, 2048);
	kick();
	send_to_guest(1000 + id);
	assert_true(guest_has(id, HEAD + 1000 + id));
	for (i = FRAME_MIN; i < 1000u + id; i++)
		assert_int_equal(buffer(NIC_RX, id)[HEAD + i], (uint8_t)(i * 5));
}

static inline bool is_direct(void)
{
	return nic()->vhost.running;
}

#endif
