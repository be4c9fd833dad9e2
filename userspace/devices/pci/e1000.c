// SPDX-License-Identifier: GPL-2.0
/*
 * e1000, an Intel 82540EM: a NIC for systems without virtio. Here are its registers
 * and interrupts; see e1000.h for the rest.
 */
#include <string.h>
#include "devices/pci/e1000.h"

#define E1000_ID	0x100e
#define MEMORY_LEN	0x20000
#define PORTS_LEN	64
/* In the window of ports */
#define IOADDR		0
#define IODATA		4

/* Registers that are not kept, or more than that */
#define E1000_CTRL	0x0000
#define E1000_STATUS	0x0008
#define E1000_EECD	0x0010
#define E1000_EERD	0x0014
#define E1000_MDIC	0x0020
#define E1000_ICR	0x00c0
#define E1000_ITR	0x00c4
#define E1000_ICS	0x00c8
#define E1000_IMS	0x00d0
#define E1000_IMC	0x00d8
#define E1000_RCTL	0x0100
#define E1000_RXCW	0x0180
#define E1000_TCTL	0x0400
#define E1000_RDT	0x2818
#define E1000_TDH	0x3810
#define E1000_TDT	0x3818
#define CAUSES		0x1ffff

/* What ITR counts, and the longest time that it can say */
#define ITR_NS		256
#define ITR_MAX		(0xffffull * ITR_NS)

void *e1000_memory(struct e1000 *e, uint64_t gpa, uint64_t len, bool write)
{
	return memory_at(&e->pci.device.machine->memory, gpa, len,
			 write ? MVMM_ACCESS_WRITE : MVMM_ACCESS_READ);
}

/* ---- interrupts ----------------------------------------------------------- */

/* Not before ITR allows the next one: until then the line stays down */
static void update(struct e1000 *e)
{
	struct loop *loop = e->pci.device.loop;
	uint64_t now, next = e->next_irq;

	if (!(e->reg.icr & e->reg.ims)) {
		pci_set_intx(&e->pci, false);
		loop_set_timer(loop, &e->moderated, 0);
		return;
	}
	if (e->pci.intx_up)
		return;
	now = vm_clock_now(loop->clock);
	if (now < next && next - now <= ITR_MAX) {
		loop_set_timer(loop, &e->moderated, next);
		return;
	}
	e->next_irq = now + e->reg.itr * ITR_NS;
	pci_set_intx(&e->pci, true);
}

static void on_moderated(void *ctx)
{
	update(ctx);
}

void e1000_cause(struct e1000 *e, uint32_t bits)
{
	e->reg.icr |= bits & CAUSES;
	update(e);
}

/* ---- statistics ----------------------------------------------------------- */

void e1000_count(struct e1000 *e, unsigned int which)
{
	if (e->statistics[which] != ~0u)
		e->statistics[which]++;
}

static void count_bytes(struct e1000 *e, unsigned int which, size_t n)
{
	uint64_t sum = e->statistics[which] |
		       (uint64_t)e->statistics[which + 1] << 32;

	sum += n;
	e->statistics[which] = sum;
	e->statistics[which + 1] = sum >> 32;
}

/* @first is the counter of the shortest ones */
static void count_size(struct e1000 *e, unsigned int first, size_t len)
{
	static const size_t up_to[] = { 64, 127, 255, 511, 1023 };
	unsigned int i = 0;

	while (i < sizeof(up_to) / sizeof(up_to[0]) && len > up_to[i])
		i++;
	e1000_count(e, first + i);
}

void e1000_count_frame(struct e1000 *e, const struct e1000_counters *which,
		       const uint8_t *head, size_t len)
{
	e1000_count(e, which->good);
	e1000_count(e, which->total);
	count_bytes(e, which->good_bytes, len);
	count_bytes(e, which->total_bytes, len);
	count_size(e, which->shortest, len);
	if (mac_is_broadcast(head))
		e1000_count(e, which->broadcast);
	else if (head[0] & 1)
		e1000_count(e, which->multicast);
}

/* Reading clears it; of two words, reading the second one clears both */
static uint32_t read_statistic(struct e1000 *e, unsigned int i)
{
	bool pairs = (i >= GORC && i < GOTC + 2) || (i >= TOR && i < TOT + 2);
	uint32_t value = e->statistics[i];

	if (pairs && !(i & 1))
		return value;
	e->statistics[i] = 0;
	if (pairs)
		e->statistics[i - 1] = 0;
	return value;
}

/* ---- the machine ---------------------------------------------------------- */

/* At once, but by the loop, and not before a paused machine goes on */
void e1000_resume_later(struct e1000 *e)
{
	struct loop *loop = e->pci.device.loop;

	loop_set_timer(loop, &e->resumed, vm_clock_now(loop->clock) + 1);
}

bool e1000_is_paused(struct e1000 *e)
{
	if (!machine_pausing(e->pci.device.machine))
		return false;
	e1000_resume_later(e);
	return true;
}

/* Switches learn where it is */
static void announce(struct e1000 *e)
{
	uint8_t mac[MAC_LEN] = { e->ra[0], e->ra[0] >> 8, e->ra[0] >> 16,
				 e->ra[0] >> 24, e->ra[1], e->ra[1] >> 8 };

	e->moved = false;
	if (e->ra[1] & RAH_AV)
		port_announce(&e->port, mac);
}

static void on_resumed(void *ctx)
{
	struct e1000 *e = ctx;

	if (e->moved && e1000_has_link(e))
		announce(e);
	port_ready(&e->port);
	e1000_transmit(e);
}

static void link_changed(struct port *port)
{
	struct e1000 *e = e1000_of_port(port);

	if (e->had_link == e1000_has_link(e))
		return;
	e->had_link = e1000_has_link(e);
	e1000_set_link(e, e->had_link);
	e1000_cause(e, ICR_LSC);
	/* Whoever is there now does not know of the guest */
	if (e->had_link && !machine_pausing(e->pci.device.machine))
		announce(e);
}

static void ready(struct port *port)
{
	e1000_transmit(e1000_of_port(port));
}

/* ---- registers ------------------------------------------------------------ */

static void reset_registers(struct e1000 *e)
{
	const uint8_t *mac = e->mac;

	memset(&e->reg, 0, sizeof(e->reg));
	memset(e->mta, 0, sizeof(e->mta));
	memset(e->ra, 0, sizeof(e->ra));
	memset(e->vfta, 0, sizeof(e->vfta));
	memset(e->statistics, 0, sizeof(e->statistics));
	e->checksum = e->segments = (struct e1000_context){ 0 };
	e->sent = 0;
	e->next_irq = 0;
	e->reg.ctrl = 0x00140241;	/* its own speed, and a link */
	e->reg.status = 0x00000281;	/* 1000 Mbit/s, full duplex */
	e->reg.vet = 0x8100;
	e->reg.pba = 0x00100030;
	e->reg.ledctl = 0x602;
	e->ra[0] = mac[0] | mac[1] << 8 | mac[2] << 16 | (uint32_t)mac[3] << 24;
	e->ra[1] = mac[4] | mac[5] << 8 | RAH_AV;
	e1000_write_eecd(e, 0);
	e1000_reset_phy(e);
	e->had_link = e1000_has_link(e);
	update(e);
	/* Without a driver no frame waits: its sender would for ever */
	if (e->waits)
		e1000_resume_later(e);
	e->waits = false;
}

/**
 * struct kept - a register
 * @at: its address
 * @bits: that there are
 * @member: where it is in struct e1000_registers
 */
static const struct kept {
	uint32_t at, bits;
	size_t member;
} kept[] = {
#define REGISTER_KEPT(name, at, bits)					\
	{ at, bits, offsetof(struct e1000_registers, name) },
	E1000_REGISTERS(REGISTER_KEPT)
};
#define KEPT (sizeof(kept) / sizeof(kept[0]))

static uint32_t *value_of(struct e1000 *e, const struct kept *k)
{
	return (uint32_t *)((char *)&e->reg + k->member);
}

static const struct kept *find(uint32_t at)
{
	unsigned int i;

	for (i = 0; i < KEPT; i++)
		if (kept[i].at == at)
			return &kept[i];
	return NULL;
}

/* A word of a table, or NULL */
static uint32_t *table_at(struct e1000 *e, uint32_t at)
{
	if (at >= MTA_AT && at < MTA_AT + sizeof(e->mta))
		return &e->mta[(at - MTA_AT) / 4];
	if (at >= RA_AT && at < RA_AT + sizeof(e->ra))
		return &e->ra[(at - RA_AT) / 4];
	if (at >= VFTA_AT && at < VFTA_AT + sizeof(e->vfta))
		return &e->vfta[(at - VFTA_AT) / 4];
	return NULL;
}

static uint32_t read_icr(struct e1000 *e)
{
	uint32_t value = e->reg.icr;

	e->reg.icr = 0;
	update(e);
	return value;
}

static uint32_t read_register(struct e1000 *e, uint32_t at)
{
	const uint32_t *word = table_at(e, at);
	const struct kept *k;

	if (word)
		return *word;
	if (at >= STATISTICS_AT && at < STATISTICS_AT + 4 * STATISTICS)
		return read_statistic(e, (at - STATISTICS_AT) / 4);
	switch (at) {
	case E1000_ICR:
		return read_icr(e);
	default:
		k = find(at);
		return k ? *value_of(e, k) : 0;
	}
}

static void write_ctrl(struct e1000 *e, uint32_t value)
{
	if (value & CTRL_RST) {
		reset_registers(e);
		return;
	}
	e->reg.ctrl = value & ~CTRL_PHY_RST;
	if (value & CTRL_PHY_RST)
		e1000_reset_phy(e);
}

/* What follows when it was written */
static void written(struct e1000 *e, uint32_t at)
{
	switch (at) {
	case E1000_IMS:
		update(e);
		break;
	case E1000_RCTL:
	case E1000_RDT:
		e1000_receive_again(e);
		break;
	case E1000_TDH:
		/* Another packet is the first one */
		e->sent = 0;
		break;
	case E1000_TCTL:
	case E1000_TDT:
		e1000_transmit(e);
		break;
	}
}

static void write_kept(struct e1000 *e, uint32_t at, uint32_t value)
{
	const struct kept *k = find(at);

	if (!k)
		return;
	*value_of(e, k) = value & k->bits;
	written(e, at);
}

static void write_register(struct e1000 *e, uint32_t at, uint32_t value)
{
	uint32_t *word = table_at(e, at);

	if (word) {
		/* The second word of an address has half of it */
		*word = word >= e->ra && word < e->ra + RA_LEN && at & 4 ?
			value & RAH_BITS : value;
		return;
	}
	switch (at) {
	case E1000_CTRL:
		write_ctrl(e, value);
		break;
	case E1000_STATUS:
		break;
	case E1000_EECD:
		e1000_write_eecd(e, value);
		break;
	case E1000_EERD:
		e1000_write_eerd(e, value);
		break;
	case E1000_MDIC:
		e1000_write_mdic(e, value);
		break;
	case E1000_ICR:
		e->reg.icr &= ~value;
		update(e);
		break;
	case E1000_ICS:
		e1000_cause(e, value);
		break;
	case E1000_IMS:
		write_kept(e, at, e->reg.ims | value);
		break;
	case E1000_IMC:
		e->reg.ims &= ~value;
		update(e);
		break;
	default:
		write_kept(e, at, value);
	}
}

static uint64_t memory_read(struct device *device, uint64_t at,
			    unsigned int size)
{
	return read_register((struct e1000 *)device, at);
}

static void memory_write(struct device *device, uint64_t at, uint64_t value,
			 unsigned int size)
{
	write_register((struct e1000 *)device, at, value);
}

static uint64_t ports_read(struct device *device, uint64_t at,
			   unsigned int size)
{
	struct e1000 *e = (struct e1000 *)device;

	return at == IOADDR ? e->address :
	       at == IODATA ? read_register(e, e->address) : 0;
}

static void ports_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	struct e1000 *e = (struct e1000 *)device;

	if (at == IOADDR)
		e->address = value & (MEMORY_LEN - 4);
	else if (at == IODATA)
		write_register(e, e->address, value);
}

/* ---- the device ----------------------------------------------------------- */

/* It may have become the bus's master, or is none any more */
static void config_written(struct pci_function *f, unsigned int at,
			   unsigned int size)
{
	struct e1000 *e = (struct e1000 *)f;

	if (at > PCI_COMMAND || at + size <= PCI_COMMAND)
		return;
	e1000_receive_again(e);
	e1000_transmit(e);
}

static const struct port_ops port_ops = {
	.receive = e1000_receive, .ready = ready, .changed = link_changed };

static int create(struct device *device, struct error *error)
{
	static const struct pci_id id = { 0x8086, E1000_ID, 0x8086, 0x001e,
					  0x020000, 2 };
	static const struct region_ops memory_ops = {
		.min = 4, .max = 4, .read = memory_read, .write = memory_write };
	static const struct region_ops ports_ops = {
		.min = 4, .max = 4, .read = ports_read, .write = ports_write };
	struct machine *m = device->machine;
	struct e1000 *e = (struct e1000 *)device;
	const struct machine_nic *is = &m->config.nic[m->nics_made++];

	if (pci_create(&e->pci, &id, error))
		return -1;
	e->pci.fixed[PCI_INTERRUPT_PIN] = 1;
	e->pci.bar[0] = (struct region){ &memory_ops, device,
					 .len = MEMORY_LEN };
	e->pci.bar[1] = (struct region){ &ports_ops, device, .len = PORTS_LEN };
	pci_add_bar(&e->pci, 0, false, false);
	pci_add_bar(&e->pci, 1, true, false);
	e->pci.changed = config_written;
	e->port = (struct port){ .ops = &port_ops, .loop = device->loop,
				 .name = "e1000", .link = true };
	e->given = is->mac;
	e->resumed = (struct timer){ on_resumed, e, 0, NULL };
	e->moderated = (struct timer){ on_moderated, e, 0, NULL };
	pthread_mutex_lock(device->lock);
	port_connect(&e->port, is->port);
	pthread_mutex_unlock(device->lock);
	return 0;
}

static void reset(struct device *device)
{
	struct e1000 *e = (struct e1000 *)device;

	memcpy(e->mac, e->given, MAC_LEN);
	pci_reset(&e->pci);
	reset_registers(e);
}

/* The guest may be elsewhere now */
static int loaded(struct device *device, struct error *error)
{
	struct e1000 *e = (struct e1000 *)device;
	unsigned int i;

	for (i = 0; i < KEPT; i++)
		if (*value_of(e, &kept[i]) & ~kept[i].bits)
			return fail(error, STATUS_DATA,
				    "register 0x%x has bits that there are not",
				    kept[i].at);
	e->address &= MEMORY_LEN - 4;
	e->moved = true;
	e1000_resume_later(e);
	if (pci_loaded(&e->pci, error))
		return -1;
	/* As the driver knows it: what is different here it is told */
	e->had_link = e->reg.status & STATUS_LU;
	if (e->had_link != e1000_has_link(e))
		e->reg.icr |= ICR_LSC;
	e->had_link = e1000_has_link(e);
	e1000_set_link(e, e->had_link);
	update(e);
	return 0;
}

static void destroy(struct device *device)
{
	struct e1000 *e = (struct e1000 *)device;

	pthread_mutex_lock(device->lock);
	port_disconnect(&e->port);
	loop_set_timer(device->loop, &e->resumed, 0);
	loop_set_timer(device->loop, &e->moderated, 0);
	pthread_mutex_unlock(device->lock);
	region_unmap(&e->pci.bar[0]);
	region_unmap(&e->pci.bar[1]);
}

static const struct field register_fields[] = {
#define REGISTER_FIELD(name, at, bits) FIELD(struct e1000_registers, name),
	E1000_REGISTERS(REGISTER_FIELD) FIELDS_END
};

static const struct field context_fields[] = {
	FIELD(struct e1000_context, ipcss), FIELD(struct e1000_context, ipcso),
	FIELD(struct e1000_context, ipcse), FIELD(struct e1000_context, tucss),
	FIELD(struct e1000_context, tucso), FIELD(struct e1000_context, tucse),
	FIELD(struct e1000_context, mss), FIELD(struct e1000_context, header),
	FIELD(struct e1000_context, flags), FIELDS_END
};

/* One struct as a list of one */
#define FIELD_STRUCT_ONE(member, table)					\
	{ #member, FIELD_STRUCT, offsetof(struct e1000, member), 1,	\
	  sizeof(MEMBER(struct e1000, member)), table }

static const struct field fields[] = {
	PCI_FIELDS(struct e1000, pci), FIELD_STRUCT_ONE(reg, register_fields),
	FIELD_ARRAY(struct e1000, mac), FIELD(struct e1000, address),
	FIELD(struct e1000, eeprom_in), FIELD(struct e1000, eeprom_bits),
	FIELD_ARRAY(struct e1000, phy), FIELD_ARRAY(struct e1000, mta),
	FIELD_ARRAY(struct e1000, ra), FIELD_ARRAY(struct e1000, vfta),
	FIELD_ARRAY(struct e1000, statistics),
	FIELD_STRUCT_ONE(checksum, context_fields),
	FIELD_STRUCT_ONE(segments, context_fields),
	FIELD(struct e1000, sent), FIELD(struct e1000, next_irq), FIELDS_END
};

/* A user adds one by --net */
static const struct device_class e1000 = {
	.name = "e1000", .size = sizeof(struct e1000), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded, .destroy = destroy,
};
DEVICE_CLASS(e1000);
