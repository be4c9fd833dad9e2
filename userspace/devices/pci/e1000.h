/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of e1000, an Intel 82540EM: registers and interrupts (e1000.c), frames
 * from the guest (e1000_tx.c) and to it (e1000_rx.c), EEPROM and PHY (e1000_phy.c).
 * The words are those of Intel's "PCI/PCI-X Family of Gigabit Ethernet Controllers
 * Software Developer's Manual".
 */
#ifndef MVMM_E1000_H
#define MVMM_E1000_H

#include "core/machine.h"
#include "devices/pci/pci.h"
#include "net/net.h"

/*
 * Registers that are kept: name, where, and which bits there are. Those that do more
 * when they are accessed are in e1000.c
 */
#define E1000_REGISTERS(X)						\
	X(ctrl, 0x0000, 0xffffffff) X(status, 0x0008, 0xffffffff)	\
	X(eecd, 0x0010, 0xffffffff) X(eerd, 0x0014, 0xffffffff)		\
	X(ctrl_ext, 0x0018, 0xffffffff) X(mdic, 0x0020, 0xffffffff)	\
	X(fcal, 0x0028, 0xffffffff) X(fcah, 0x002c, 0xffff)		\
	X(fct, 0x0030, 0xffff) X(vet, 0x0038, 0xffff)			\
	X(icr, 0x00c0, 0x1ffff) X(itr, 0x00c4, 0xffff)			\
	X(ims, 0x00d0, 0x1ffff) X(rctl, 0x0100, 0xffffffff)		\
	X(fcttv, 0x0170, 0xffff) X(txcw, 0x0178, 0xffffffff)		\
	X(tctl, 0x0400, 0xffffffff) X(tipg, 0x0410, 0xffffffff)		\
	X(ait, 0x0458, 0xffff) X(ledctl, 0x0e00, 0xffffffff)		\
	X(pba, 0x1000, 0xffffffff) X(fcrtl, 0x2160, 0xffffffff)		\
	X(fcrth, 0x2168, 0xffff) X(rdbal, 0x2800, 0xfffffff0)		\
	X(rdbah, 0x2804, 0xffffffff) X(rdlen, 0x2808, 0xfff80)		\
	X(rdh, 0x2810, 0xffff) X(rdt, 0x2818, 0xffff)			\
	X(rdtr, 0x2820, 0xffff) X(rxdctl, 0x2828, 0xffffffff)		\
	X(radv, 0x282c, 0xffff) X(rsrpd, 0x2c00, 0xfff)			\
	X(tdbal, 0x3800, 0xfffffff0) X(tdbah, 0x3804, 0xffffffff)	\
	X(tdlen, 0x3808, 0xfff80) X(tdh, 0x3810, 0xffff)		\
	X(tdt, 0x3818, 0xffff) X(tidv, 0x3820, 0xffff)			\
	X(txdctl, 0x3828, 0xffffffff) X(tadv, 0x382c, 0xffff)		\
	X(tspmt, 0x3830, 0xffffffff) X(rxcsum, 0x5000, 0x7ff)		\
	X(wuc, 0x5800, 0xffffffff) X(wufc, 0x5808, 0xffffffff)		\
	X(wus, 0x5810, 0xffffffff) X(manc, 0x5820, 0xffffffff)

#define REGISTER_MEMBER(name, at, bits) uint32_t name;
struct e1000_registers {
	E1000_REGISTERS(REGISTER_MEMBER)
};

/* Those that are arrays */
#define STATISTICS_AT	0x4000
#define STATISTICS	64
#define MTA_AT		0x5200
#define RA_AT		0x5400
#define VFTA_AT		0x5600
#define MTA_LEN		128
#define RA_LEN		32	/* pairs */
#define VFTA_LEN	128

/* Indices of statistics; the second word of those with two comes next */
enum { MPC = 4, PRC64 = 23, GPRC = 29, BPRC, MPRC, GPTC, GORC = 34, GOTC = 36,
       RUC = 41, ROC = 43, TOR = 48, TOT = 50, TPR = 52, TPT, PTC64,
       MPTC = 60, BPTC, TSCTC };

/**
 * struct e1000_counters - those of good frames of a direction
 * @good: frames
 * @total: the same
 * @good_bytes: of two words
 * @total_bytes: the same
 * @shortest: the first of six, by length
 * @broadcast: to all
 * @multicast: to a group that is not all
 */
struct e1000_counters {
	unsigned int good, total, good_bytes, total_bytes, shortest;
	unsigned int broadcast, multicast;
};

#define CTRL_SLU	(1u << 6)
#define CTRL_RST	(1u << 26)
#define CTRL_VME	(1u << 30)
#define CTRL_PHY_RST	(1u << 31)
#define STATUS_LU	(1u << 1)
#define RAH_AV		(1u << 31)
#define RAH_BITS	0x8003ffffu
/* Causes of interrupts */
#define ICR_TXDW	(1u << 0)
#define ICR_TXQE	(1u << 1)
#define ICR_LSC		(1u << 2)
#define ICR_RXDMT0	(1u << 4)
#define ICR_RXT0	(1u << 7)
#define ICR_MDAC	(1u << 9)

#define E1000_DESC	16	/* bytes of a descriptor */
#define DESC_DD		1	/* in its status: done */

/**
 * struct e1000_context - which checksums, and how segments are made: what a context
 *	descriptor has said
 * @ipcss: where the IP header begins
 * @ipcso: where its checksum goes
 * @ipcse: its last byte, 0: to the end
 * @tucss: the same of the TCP or UDP header
 * @tucso: the same
 * @tucse: the same
 * @mss: bytes of a segment
 * @header: bytes of the headers before it
 * @flags: TUCMD
 */
struct e1000_context {
	uint8_t ipcss, ipcso;
	uint16_t ipcse;
	uint8_t tucss, tucso;
	uint16_t tucse, mss;
	uint8_t header, flags;
};

#define PHY_REGISTERS	32

/**
 * struct e1000 - the device
 * @port: of which the network is the peer
 * @given: the address that this machine's user gave it
 * @resumed: the machine goes on, or there is more to send
 * @moderated: an interrupt that ITR has held off is due
 * @sending: a frame is being sent, which may end the link: not another now
 * @waits: a frame waits for descriptors
 * @had_link: as the driver was told
 * @moved: it was loaded, and nobody knows of it yet
 * @packet: what the guest sends, in one
 * @segment: a part of it with headers of its own
 * @reg: registers
 * @mac: of the EEPROM: it stays when a guest is loaded
 * @address: what IOADDR points to
 * @eeprom_in: bits that were shifted into the EEPROM since it was selected
 * @eeprom_bits: how often its clock went up since then
 * @phy: registers of the PHY
 * @mta: groups, by a hash
 * @ra: addresses
 * @vfta: VLANs
 * @statistics: counters
 * @checksum: for packets
 * @segments: for those that are to be cut
 * @sent: how much of such a packet has been, as there was no room for the rest
 * @next_irq: not before this moment in VM time
 */
struct e1000 {
	struct pci_function pci;
	struct port port;
	const uint8_t *given;
	struct timer resumed, moderated;
	bool sending, waits, had_link, moved;
	uint8_t packet[FRAME_MAX], segment[FRAME_MAX];
	struct e1000_registers reg;
	uint8_t mac[MAC_LEN];
	uint32_t address;
	uint16_t eeprom_in, eeprom_bits;
	uint16_t phy[PHY_REGISTERS];
	uint32_t mta[MTA_LEN], ra[RA_LEN], vfta[VFTA_LEN];
	uint32_t statistics[STATISTICS];
	struct e1000_context checksum, segments;
	uint32_t sent;
	uint64_t next_irq;
};

/* In all of these the lock is held */

/* Memory that it may access now, or NULL */
void *e1000_memory(struct e1000 *e, uint64_t gpa, uint64_t len, bool write);
/* One of @bits has happened */
void e1000_cause(struct e1000 *e, uint32_t bits);
/* Counts one more */
void e1000_count(struct e1000 *e, unsigned int which);
/* A good frame of a direction, whose first bytes are @head; @len with its check */
void e1000_count_frame(struct e1000 *e, const struct e1000_counters *which,
		       const uint8_t *head, size_t len);
/* A paused machine does it when it goes on */
bool e1000_is_paused(struct e1000 *e);
void e1000_resume_later(struct e1000 *e);

/* What the ring has, as far as the peer takes it */
void e1000_transmit(struct e1000 *e);
/* A frame for the ring. False: there is no room, and it is noted that one waits */
bool e1000_take(struct e1000 *e, const struct frame *frame);
/* Of its port: a loopback cuts the wire */
bool e1000_receive(struct port *port, const struct frame *frame);
/* There are more descriptors, or it was switched off: who waits may go on */
void e1000_receive_again(struct e1000 *e);

/* What is sent comes back, and goes nowhere else */
bool e1000_is_looped(const struct e1000 *e);
void e1000_reset_phy(struct e1000 *e);
void e1000_set_link(struct e1000 *e, bool up);
/* The registers by which they are reached are written */
void e1000_write_mdic(struct e1000 *e, uint32_t value);
void e1000_write_eerd(struct e1000 *e, uint32_t value);
void e1000_write_eecd(struct e1000 *e, uint32_t value);

static inline struct e1000 *e1000_of_port(struct port *port)
{
	return (struct e1000 *)((char *)port - offsetof(struct e1000, port));
}

static inline bool e1000_has_link(const struct e1000 *e)
{
	return e->port.peer && e->port.peer->link;
}

#endif
