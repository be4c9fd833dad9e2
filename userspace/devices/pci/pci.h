/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI: one bus with functions 0 of its slots. Configuration space, base address
 * registers, INTx and MSI-X (PCI Local Bus 3.0). The host bridge is host.c.
 */
#ifndef MVMM_PCI_H
#define MVMM_PCI_H

#include <linux/pci_regs.h>
#include "core/device.h"

#define PCI_SLOTS	32
#define PCI_BARS	7
#define PCI_ROM		6	/* the option ROM's, which has its own switch */
#define PCI_CONFIG	256
/* Where BARs are placed before the guest starts; boot/dsdt.asl has the same */
#define PCI_PORTS_FIRST	0x1000
#define PCI_PORTS_END	0x10000
#define PCI_WINDOW_FIRST	0xc0000000ull
#define PCI_WINDOW_END	0xe0000000ull
#define PCI_ECAM	0xe0000000ull
/* The least that a processor with 64-bit addresses has */
#define PCI_ADDRESS_BITS 36
/* Interrupt lines of INTA, by slot */
#define PCI_LINE(slot)	(10 + (slot) % 2)

#define MSIX_VECTORS	32
#define MSIX_WIRES	(MSIX_VECTORS + 1)

struct msix_entry {
	uint32_t address, address_high, data, control;
};

/**
 * struct msix_wire - an eventfd that makes a vector due
 * @function: whose vector
 * @watch: of the eventfd, -1: there is none. While the vector cannot be sent,
 *	or the module has no irqfds, a signal comes to the loop
 * @is_on: the module sends @message at each signal
 * @message: as in the table then
 */
struct msix_wire {
	struct pci_function *function;
	struct watch watch;
	bool is_on;
	struct msix_entry message;
};

/**
 * struct pci_function - begins each PCI device's struct
 * @device: begins this one
 * @slot: on the bus
 * @config: configuration space
 * @writable: bits of it that the guest can change
 * @fixed: @config as it was made: what the guest cannot change stays so
 * @bar: what BARs decode; those without a length are not there
 * @wanted: where the guest wants each, 0: nowhere. With machine.pci_lock, as
 *	the base of each @bar
 * @io: a bit for each BAR of ports
 * @wide: a bit for each BAR of 64 bits, which has the next one, too
 * @intx: its interrupt line
 * @intx_up: it asks for that line
 * @msix: offset of the capability, 0: none
 * @vectors: how many MSI-X has
 * @entry: of the MSI-X table
 * @pending: a bit for each vector that was masked when it was due
 * @wire: eventfds of vectors, those that have one
 * @top: where the next capability goes
 * @changed: the guest has written @size bytes of configuration space at @at; may
 *	be NULL
 * @reading: it is about to read them; may be NULL
 * @stop_dma: it is about to take bus mastering away; may be NULL
 * @signalled: an eventfd of @wire was, and MSI-X is off; may be NULL
 */
struct pci_function {
	struct device device;
	uint8_t slot;
	uint8_t config[PCI_CONFIG], writable[PCI_CONFIG], fixed[PCI_CONFIG];
	struct region bar[PCI_BARS];
	uint64_t wanted[PCI_BARS];
	uint8_t io, wide;
	struct irq intx;
	bool intx_up;
	uint8_t msix, vectors, top;
	struct msix_entry entry[MSIX_VECTORS];
	uint32_t pending;
	struct msix_wire wire[MSIX_WIRES];
	void (*changed)(struct pci_function *f, unsigned int at,
			unsigned int size);
	void (*reading)(struct pci_function *f, unsigned int at,
			unsigned int size);
	void (*stop_dma)(struct pci_function *f);
	void (*signalled)(struct pci_function *f);
};

/* In the table of fields of a PCI device, whose function is its member @f */
extern const struct field msix_fields[];
#define PCI_FIELDS(type, f)						\
	FIELD_ARRAY(type, f.config), FIELD(type, f.intx_up),		\
	FIELD(type, f.pending), FIELD_STRUCTS(type, f.entry, msix_fields)

/**
 * struct pci_id - what a function says it is
 */
struct pci_id {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class;		/* 24 bits */
	uint8_t revision;
};

/* For a device's create: puts it into the next free slot. -1 with @error */
int pci_create(struct pci_function *f, const struct pci_id *id,
	       struct error *error);
/* The same into this one, which is the board's */
int pci_create_at(struct pci_function *f, unsigned int slot,
		  const struct pci_id *id, struct error *error);
/* @region: its ops, device and len, a power of two, are set */
void pci_add_bar(struct pci_function *f, unsigned int n, bool io, bool wide);
/* After it: reads have no side effects. A wide one goes above 4 GiB then */
void pci_set_prefetchable(struct pci_function *f, unsigned int n);
/* Returns its offset; its bytes after the first two are the caller's */
uint8_t pci_add_capability(struct pci_function *f, uint8_t id, uint8_t len);
/*
 * MSI-X with its table and pending bits in memory BAR @bar, at @table and
 * @pending; the accesses there are passed on to msix_read() and msix_write()
 */
void pci_add_msix(struct pci_function *f, unsigned int vectors,
		  unsigned int bar, uint32_t table, uint32_t pending);
uint64_t msix_read(const struct pci_function *f, uint64_t at,
		   unsigned int size);
void msix_write(struct pci_function *f, uint64_t at, uint64_t value,
		unsigned int size);
#define MSIX_PENDING_AT 0x800	/* from the table, in msix_read() */

/* The rest: the device's lock is held */
void pci_reset(struct pci_function *f);
int pci_loaded(struct pci_function *f, struct error *error);
/* Level-triggered, while MSI-X is off */
void pci_set_intx(struct pci_function *f, bool up);
bool msix_enabled(const struct pci_function *f);
/* Sends the vector, or remembers it while it is masked */
void msix_notify(struct pci_function *f, unsigned int vector);
/* After anything that may have opened or closed a mask, or changed a message */
void msix_send_pending(struct pci_function *f);
/*
 * For who is not in this process, a vhost back end: each signal of it is as a
 * msix_notify(), masked or not, whatever the guest makes of the vector. One of
 * no vector (@vector is not less than there are) is for a queue without one.
 * All of them interrupt by @signalled while MSI-X is off. It is the function's;
 * a negative errno: there are no more
 */
int msix_eventfd(struct pci_function *f, unsigned int vector);
/* For the device's saving, when nobody signals any more: none is on its way */
void msix_collect(struct pci_function *f);
/* For its destroy */
void msix_destroy(struct pci_function *f);
/* May it access memory? */
bool pci_is_master(const struct pci_function *f);

uint32_t pci_config_read(struct pci_function *f, unsigned int at,
			 unsigned int size);
void pci_config_write(struct pci_function *f, unsigned int at, uint32_t value,
		      unsigned int size);
/* Where wide BARs may be besides the window below 4 GiB; empty: nowhere */
struct pci_window {
	uint64_t first, end;
};

/* From the end of RAM to that of what the guest's processor can address */
struct pci_window pci_high_window(struct machine *m);
/* As a firmware: addresses for all BARs of the machine. -1 with @error */
int pci_assign(struct machine *m, struct error *error);

static inline uint16_t pci_get16(const uint8_t *config, unsigned int at)
{
	return config[at] | config[at + 1] << 8;
}

static inline void pci_put16(uint8_t *config, unsigned int at, uint16_t value)
{
	config[at] = value;
	config[at + 1] = value >> 8;
}

static inline uint32_t pci_get32(const uint8_t *config, unsigned int at)
{
	return pci_get16(config, at) |
	       (uint32_t)pci_get16(config, at + 2) << 16;
}

static inline void pci_put32(uint8_t *config, unsigned int at, uint32_t value)
{
	pci_put16(config, at, value);
	pci_put16(config, at + 2, value >> 16);
}

#endif
