// SPDX-License-Identifier: GPL-2.0
/* e1000: which frames the guest gets, and how. */
#include <linux/if_ether.h>
#include <string.h>
#include "devices/pci/e1000.h"

#define RCTL_EN		(1u << 1)
#define RCTL_UPE	(1u << 3)
#define RCTL_MPE	(1u << 4)
#define RCTL_LPE	(1u << 5)
#define RCTL_BAM	(1u << 15)
#define RCTL_VFE	(1u << 18)
#define RCTL_BSEX	(1u << 25)
#define RCTL_SECRC	(1u << 26)

#define FCS_LEN		4
#define SHORTEST	60	/* without it */
#define LONGEST		1518	/* if there are no long ones; with a tag */
#define RX_HEAD		18	/* addresses, a tag, a type */

#define RX_EOP		2
#define RX_IXSM		4	/* no checksum was looked at */
#define RX_VP		8	/* a tag was taken out */

/* A descriptor's end, which is written when it is done */
struct rx_done {
	uint16_t length, checksum;
	uint8_t status, errors;
	uint16_t special;
};

static unsigned int ring_size(const struct e1000 *e)
{
	return e->reg.rdlen / E1000_DESC;
}

/* Descriptors that the driver has given; none if it has said nonsense */
static unsigned int available(const struct e1000 *e)
{
	unsigned int n = ring_size(e), head = e->reg.rdh, tail = e->reg.rdt;

	if (head >= n || tail >= n)
		return 0;
	return tail >= head ? tail - head : n - head + tail;
}

static size_t buffer_size(const struct e1000 *e)
{
	size_t size = 2048u >> (e->reg.rctl >> 16 & 3);

	/* The largest one with it is reserved */
	return e->reg.rctl & RCTL_BSEX && size < 2048 ? size * 16 : size;
}

/* ---- the filter ----------------------------------------------------------- */

static bool in_group(const struct e1000 *e, const uint8_t *mac)
{
	static const uint8_t shifts[] = { 4, 3, 2, 0 };
	unsigned int shift = shifts[e->reg.rctl >> 12 & 3];
	unsigned int hash = (mac[4] >> shift | mac[5] << (8 - shift)) & 0xfff;

	return e->mta[hash / 32] >> hash % 32 & 1;
}

static bool is_own(const struct e1000 *e, const uint8_t *mac)
{
	uint32_t low = mac[0] | mac[1] << 8 | mac[2] << 16 |
		       (uint32_t)mac[3] << 24;
	uint32_t high = mac[4] | mac[5] << 8;
	unsigned int i;

	for (i = 0; i < RA_LEN; i += 2)
		if (e->ra[i + 1] & RAH_AV && e->ra[i] == low &&
		    (e->ra[i + 1] & 0xffff) == high)
			return true;
	return false;
}

static bool is_tagged(const struct e1000 *e, const uint8_t *head, size_t len)
{
	return len >= RX_HEAD && head[12] == e->reg.vet >> 8 &&
	       head[13] == (e->reg.vet & 0xff);
}

static bool accepts(const struct e1000 *e, const uint8_t *head, size_t len)
{
	uint32_t rctl = e->reg.rctl;

	if (rctl & RCTL_VFE && is_tagged(e, head, len)) {
		unsigned int id = (head[14] << 8 | head[15]) & 0xfff;

		if (!(e->vfta[id / 32] >> id % 32 & 1))
			return false;
	}
	if (mac_is_broadcast(head))
		return rctl & (RCTL_BAM | RCTL_MPE);
	if (is_own(e, head))
		return true;
	return head[0] & 1 ? rctl & RCTL_MPE || in_group(e, head) :
			     rctl & RCTL_UPE;
}

/* ---- into the ring -------------------------------------------------------- */

/**
 * struct arrival - a frame, as it comes into the guest's memory
 * @frame: it
 * @niov: its buffer that is next
 * @skip: bytes of this that are done
 * @hole: at 12, four bytes are left out
 * @at: bytes of the frame that are done
 * @pads: zeros at its end
 */
struct arrival {
	const struct frame *frame;
	unsigned int niov;
	size_t skip, at, pads;
	bool hole;
};

/* Copies @len bytes at most, which do not cross the hole; returns how many */
static size_t copy_some(struct arrival *a, uint8_t *to, size_t len)
{
	const struct iovec *iov = a->frame->iov + a->niov;
	size_t n;

	if (a->niov == a->frame->niov) {
		n = len < a->pads ? len : a->pads;
		if (to)
			memset(to, 0, n);
		a->pads -= n;
		return n;
	}
	n = iov->iov_len - a->skip;
	n = n < len ? n : len;
	if (to)
		memcpy(to, (const uint8_t *)iov->iov_base + a->skip, n);
	a->skip += n;
	a->at += n;
	if (a->skip == iov->iov_len) {
		a->niov++;
		a->skip = 0;
	}
	return n;
}

static void skip_tag(struct arrival *a)
{
	size_t left = 4;

	while (left)
		left -= copy_some(a, NULL, left);
	a->hole = false;
}

/* @to: NULL: nowhere */
static void copy(struct arrival *a, uint8_t *to, size_t len)
{
	size_t done = 0, n;

	while (done < len) {
		n = len - done;
		if (a->hole && a->at == 2 * MAC_LEN)
			skip_tag(a);
		else if (a->hole && n > 2 * MAC_LEN - a->at)
			n = 2 * MAC_LEN - a->at;
		/* An empty buffer of the frame's gives nothing */
		done += copy_some(a, to ? to + done : NULL, n);
	}
}

/* One descriptor's part: a buffer that is no memory loses it */
static void fill(struct e1000 *e, struct arrival *a, size_t len,
		 struct rx_done done)
{
	uint64_t ring = (uint64_t)e->reg.rdbah << 32 | e->reg.rdbal;
	uint8_t *desc = e1000_memory(e, ring + e->reg.rdh * E1000_DESC,
				     E1000_DESC, true);
	uint64_t buffer = 0;

	if (desc)
		memcpy(&buffer, desc, sizeof(buffer));
	copy(a, desc ? e1000_memory(e, buffer, len, true) : NULL, len);
	if (desc) {
		uint8_t status = done.status;

		done.status = 0;
		memcpy(desc + 8, &done, sizeof(done));
		/* The driver looks at it first */
		__atomic_store_n(desc + 12, status, __ATOMIC_RELEASE);
	}
	if (++e->reg.rdh == ring_size(e))
		e->reg.rdh = 0;
}

static const struct e1000_counters counters = {
	GPRC, TPR, GORC, TOR, PRC64, BPRC, MPRC
};

/* There are descriptors enough. @len: in the guest's memory */
static void deliver(struct e1000 *e, struct arrival *a, size_t len,
		    uint16_t special)
{
	const size_t room = buffer_size(e);
	bool strips = a->hole;
	size_t n;

	for (; len; len -= n) {
		struct rx_done done = { .status = DESC_DD };

		n = len < room ? len : room;
		done.length = n;
		if (n == len)
			done.status |= RX_EOP | RX_IXSM | (strips ? RX_VP : 0);
		if (n == len && strips)
			done.special = special;
		fill(e, a, n, done);
	}
}

/* Fewer are left than the driver wants */
static bool is_low(const struct e1000 *e)
{
	return available(e) <= ring_size(e) >> (1 + (e->reg.rctl >> 8 & 3));
}

bool e1000_take(struct e1000 *e, const struct frame *frame)
{
	struct port *port = &e->port;
	struct arrival a = { .frame = frame };
	uint8_t head[RX_HEAD];
	size_t len, n, needs;

	if (!(e->reg.rctl & RCTL_EN) || !pci_is_master(&e->pci)) {
		port_drop(&port->from_peer, DROP_NO_LINK);
		return true;
	}
	if (e1000_is_paused(e))
		return false;
	n = frame_peek(frame, head, sizeof(head));
	if (n < FRAME_MIN || frame->len > FRAME_MAX ||
	    (frame->len > LONGEST && !(e->reg.rctl & RCTL_LPE))) {
		e1000_count(e, n < FRAME_MIN ? RUC : ROC);
		port_drop(&port->from_peer, DROP_LENGTH);
		return true;
	}
	if (!accepts(e, head, n)) {
		port_drop(&port->from_peer, DROP_FILTER);
		return true;
	}
	a.hole = e->reg.ctrl & CTRL_VME && is_tagged(e, head, n);
	len = frame->len < SHORTEST ? SHORTEST : frame->len;
	a.pads = len - frame->len + FCS_LEN;
	n = len + (e->reg.rctl & RCTL_SECRC ? 0 : FCS_LEN) - (a.hole ? 4 : 0);
	needs = (n + buffer_size(e) - 1) / buffer_size(e);
	if (needs > available(e)) {
		/* A ring that is too small is no reason to wait for ever */
		e->waits = needs < ring_size(e);
		if (e->waits)
			return false;
		e1000_count(e, MPC);
		port_drop(&port->from_peer, DROP_LENGTH);
		return true;
	}
	deliver(e, &a, n, head[14] << 8 | head[15]);
	e1000_count_frame(e, &counters, head, len + FCS_LEN);
	port_sent(port, frame);
	e->waits = false;
	e1000_cause(e, ICR_RXT0 | (is_low(e) ? ICR_RXDMT0 : 0));
	return true;
}

bool e1000_receive(struct port *port, const struct frame *frame)
{
	struct e1000 *e = e1000_of_port(port);

	if (!e1000_is_looped(e))
		return e1000_take(e, frame);
	port_drop(&port->from_peer, DROP_NO_LINK);
	return true;
}

void e1000_receive_again(struct e1000 *e)
{
	if (!e->waits)
		return;
	e->waits = false;
	port_ready(&e->port);
}
