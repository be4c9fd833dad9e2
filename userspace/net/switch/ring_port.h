/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A port on two rings in shared memory, and a socket over which each end wakes the
 * other by a byte. The same at both ends; how they meet is below.
 */
#ifndef MVMM_SWITCH_RING_PORT_H
#define MVMM_SWITCH_RING_PORT_H

#include <sys/socket.h>
#include "net/switch/ring.h"

/**
 * struct ring_port - see above
 * @watch: of the socket, -1: there is none
 * @memory: both rings, or NULL
 * @in: from the other end
 * @out: to there
 * @waits: the peer does not take the next frame of @in
 * @full: the peer was told that @out has no room
 * @offloads: PORT_*: both ends know of them
 * @follows: @port.takes is what the other end says; else it takes all of these
 * @place: of the rings of a guest's NIC, in @memory
 * @given: a descriptor came along with a byte, and is its now; NULL: it is closed
 * @lost: the socket was closed; error: a positive errno, 0: by the other end
 */
struct ring_port {
	struct port port;
	struct watch watch;
	void *memory;
	struct ring in, out;
	bool waits, full, follows;
	unsigned int offloads;
	uint32_t *place;
	void (*given)(struct ring_port *ring, int fd);
	void (*lost)(struct ring_port *ring, int error);
};

/* The other end, which made the memory, has its rings the other way round */
enum ring_end { RING_OF_GUEST, RING_OF_SWITCH };

/* All zero before. What is left to the caller: ops, lost */
void ring_port_init(struct ring_port *ring, const struct port_ops *ops);
/* Sealed, empty. Its descriptor, or -1 with errno */
int ring_make_memory(void);
/* Both rings are in @memory, not used before. 0, or -1 with errno: it is none */
int ring_port_map(struct ring_port *ring, int memory, enum ring_end end);
/*
 * It was mapped. The loop's lock is held. 0; or -errno, and @fd is still the caller's
 */
int ring_port_use(struct ring_port *ring, int fd);
bool ring_receive(struct port *port, const struct frame *frame);
void ring_flush(struct port *port);
void ring_ready(struct port *port);
void ring_changed(struct port *port);
/* What both ends have agreed on; before it is used */
void ring_port_agree(struct ring_port *ring, unsigned int offloads,
		     enum ring_end end);
/* Along with a byte. The descriptor stays the caller's. 0, or -1 with errno */
int ring_port_give(struct ring_port *ring, int fd);
/* Ends it, without a word to @lost */
void ring_port_close(struct ring_port *ring);

/* A descriptor that comes with a message, or -1. There may be more: they are closed */
int take_fd(struct msghdr *message);
/* And one that goes along, or -1; it stays the caller's. 0, or -1: not all at once */
int send_with_fd(int to, const void *bytes, size_t len, int fd);

/* ---- how they meet --------------------------------------------------------- */

#define RING_MAGIC	"mvmmsw1"	/* with its end, 8 bytes */

/**
 * struct ring_hello - what a guest says first, in one piece
 * @magic: RING_MAGIC
 * @mac: its NIC's address
 * @fixed: 1: no other will do
 * @offloads: PORT_* that it knows
 * @options: switch_options, as text, with its end
 */
struct ring_hello {
	char magic[8];
	uint8_t mac[MAC_LEN], fixed, offloads;
	char options[NET_PORT_OPTIONS];
};

/**
 * struct ring_welcome - the answer, in one piece, with the memory's descriptor
 * @magic: RING_MAGIC
 * @status: 0; or STATUS_*, and then there is no memory
 * @mac: the address that it gets: nobody else here has it
 * @offloads: of those that the guest knows, what the switch knows, too
 * @direct: 1: the guest may hand over the rings of its NIC
 * @text: why not
 */
struct ring_welcome {
	char magic[8];
	uint32_t status;
	uint8_t mac[MAC_LEN], offloads, direct;
	char text[108];
};

#endif
