// SPDX-License-Identifier: GPL-2.0
/* A PCI function: configuration space, BARs, INTx. MSI-X is in msix.c. */
#include <stdlib.h>
#include <string.h>
#include "core/machine.h"
#include "devices/pci/pci.h"

#define HEADER_END	0x40

static unsigned int bar_register(unsigned int n)
{
	return n == PCI_ROM ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * n;
}

int pci_create(struct pci_function *f, const struct pci_id *id,
	       struct error *error)
{
	unsigned int slot;

	for (slot = 0; slot < PCI_SLOTS && f->device.machine->pci[slot]; slot++)
		;
	return pci_create_at(f, slot, id, error);
}

int pci_create_at(struct pci_function *f, unsigned int slot,
		  const struct pci_id *id, struct error *error)
{
	struct machine *m = f->device.machine;

	if (slot == PCI_SLOTS || m->pci[slot])
		return fail(error, STATUS_USAGE,
			    "the PCI bus has no free slot for %s: at most %u devices",
			    f->device.class->name, PCI_SLOTS);
	m->pci[slot] = f;
	f->slot = slot;
	f->top = HEADER_END;
	f->intx = (struct irq){ .irqs = &m->irqs, .line = PCI_LINE(slot) };
	pci_put16(f->fixed, PCI_VENDOR_ID, id->vendor);
	pci_put16(f->fixed, PCI_DEVICE_ID, id->device);
	pci_put32(f->fixed, PCI_CLASS_REVISION, id->class << 8 | id->revision);
	pci_put16(f->fixed, PCI_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor);
	pci_put16(f->fixed, PCI_SUBSYSTEM_ID, id->subsystem);
	pci_put16(f->writable, PCI_COMMAND, PCI_COMMAND_IO |
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		  PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
		  PCI_COMMAND_INTX_DISABLE);
	f->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	f->writable[PCI_INTERRUPT_LINE] = 0xff;
	return 0;
}

void pci_add_bar(struct pci_function *f, unsigned int n, bool io, bool wide)
{
	unsigned int at = bar_register(n);
	uint64_t mask = -f->bar[n].len;

	f->fixed[at] = io ? PCI_BASE_ADDRESS_SPACE_IO :
		       wide ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0;
	pci_put32(f->writable, at, mask | (n == PCI_ROM ?
					   PCI_ROM_ADDRESS_ENABLE : 0));
	if (wide)
		pci_put32(f->writable, at + 4, mask >> 32);
	f->io |= io << n;
	f->wide |= wide << n;
	/* The chips of the board win where a guest puts a BAR over them */
	f->bar[n].priority = -1;
}

void pci_set_prefetchable(struct pci_function *f, unsigned int n)
{
	f->fixed[PCI_BASE_ADDRESS_0 + 4 * n] |= PCI_BASE_ADDRESS_MEM_PREFETCH;
}

uint8_t pci_add_capability(struct pci_function *f, uint8_t id, uint8_t len)
{
	uint8_t at = f->top;

	pci_put16(f->fixed, PCI_STATUS, PCI_STATUS_CAP_LIST);
	f->fixed[at] = id;
	f->fixed[at + 1] = f->fixed[PCI_CAPABILITY_LIST];
	f->fixed[PCI_CAPABILITY_LIST] = at;
	f->top += (len + 3) & ~3;
	return at;
}

bool pci_is_master(const struct pci_function *f)
{
	return pci_get16(f->config, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

static uint64_t bar_address(const struct pci_function *f, unsigned int n)
{
	unsigned int at = bar_register(n);
	uint64_t address = pci_get32(f->config, at);

	if (f->wide & 1u << n)
		address |= (uint64_t)pci_get32(f->config, at + 4) << 32;
	return address & -f->bar[n].len;
}

/* Where the guest wants this BAR; 0: nowhere */
static uint64_t wanted_at(const struct pci_function *f, unsigned int n)
{
	uint16_t command = pci_get16(f->config, PCI_COMMAND);
	bool on = command & (f->io & 1u << n ? PCI_COMMAND_IO :
					       PCI_COMMAND_MEMORY);

	if (n == PCI_ROM)
		on &= f->config[PCI_ROM_ADDRESS] & PCI_ROM_ADDRESS_ENABLE;
	return on && f->bar[n].len ? bar_address(f, n) : 0;
}

/*
 * Maps all BARs where the guest wants them: also those of other functions, for
 * which there may be room now. Over another BAR, or beyond the bus, one answers
 * nowhere. Of the others, which may be other threads', only what @pci_lock
 * guards is looked at.
 */
static void map_bars(struct pci_function *changed)
{
	struct machine *m = changed->device.machine;
	unsigned int slot, n;
	struct error error;

	pthread_mutex_lock(&m->pci_lock);
	bus_begin(&m->ports);
	bus_begin(&m->mmio);
	for (n = 0; n < PCI_BARS; n++) {
		changed->wanted[n] = wanted_at(changed, n);
		if (changed->bar[n].base != changed->wanted[n])
			region_remove(&changed->bar[n]);
	}
	for (slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_function *f = m->pci[slot];

		for (n = 0; f && n < PCI_BARS; n++) {
			if (f->wanted[n] && !f->bar[n].bus)
				region_add(f->io & 1u << n ? &m->ports :
							     &m->mmio,
					   &f->bar[n], f->wanted[n], &error);
		}
	}
	bus_end(&m->mmio);
	bus_end(&m->ports);
	pthread_mutex_unlock(&m->pci_lock);
}

static void update_intx(struct pci_function *f)
{
	uint16_t command = pci_get16(f->config, PCI_COMMAND);

	if (f->intx_up)
		f->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	else
		f->config[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
	irq_set(&f->intx, f->intx_up && !msix_enabled(f) &&
		!(command & PCI_COMMAND_INTX_DISABLE));
}

void pci_set_intx(struct pci_function *f, bool up)
{
	if (f->intx_up == up)
		return;
	f->intx_up = up;
	update_intx(f);
}

uint32_t pci_config_read(struct pci_function *f, unsigned int at,
			 unsigned int size)
{
	uint32_t value = 0;

	if (f->reading)
		f->reading(f, at, size);
	memcpy(&value, f->config + at, size);
	return value;
}

/* evening 12: a function on PCI */
void pci_config_write(struct pci_function *f, unsigned int at, uint32_t value,
		      unsigned int size)
{
	unsigned int i;

	/* A function whose mastership ends has nothing in flight then */
	if (f->stop_dma && pci_is_master(f) && at <= PCI_COMMAND &&
	    at + size > PCI_COMMAND &&
	    !(value >> 8 * (PCI_COMMAND - at) & PCI_COMMAND_MASTER))
		f->stop_dma(f);
	for (i = at; i < at + size; i++, value >>= 8)
		f->config[i] = (f->config[i] & ~f->writable[i]) |
			       (value & f->writable[i]);
	map_bars(f);
	update_intx(f);
	if (f->msix)
		msix_send_pending(f);
	if (f->changed)
		f->changed(f, at, size);
}

void pci_reset(struct pci_function *f)
{
	unsigned int i;

	memcpy(f->config, f->fixed, PCI_CONFIG);
	for (i = 0; i < f->vectors; i++)
		f->entry[i].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	map_bars(f);
	update_intx(f);
	if (f->msix)
		msix_send_pending(f);
}

int pci_loaded(struct pci_function *f, struct error *error)
{
	unsigned int i;

	for (i = 0; i < PCI_CONFIG; i++) {
		uint8_t own = i == PCI_STATUS ? PCI_STATUS_INTERRUPT : 0;

		if ((f->config[i] ^ f->fixed[i]) & ~(f->writable[i] | own))
			return fail(error, STATUS_DATA,
				    "config byte 0x%x is 0x%x: it is of another device",
				    i, f->config[i]);
	}
	map_bars(f);
	update_intx(f);
	if (f->msix)
		msix_send_pending(f);
	return 0;
}

static unsigned int address_bits(struct machine *m)
{
	struct mvmm_cpuid_entry *entry = NULL;
	int nr = mvmm_get_cpuid(m->system, &entry), i;
	unsigned int bits = PCI_ADDRESS_BITS;

	for (i = 0; i < nr; i++)
		if (entry[i].leaf == 0x80000008 && (entry[i].eax & 0xff) > bits)
			bits = entry[i].eax & 0xff;
	free(entry);
	return bits < 48 ? bits : 48;
}

struct pci_window pci_high_window(struct machine *m)
{
	struct pci_window w = { .end = 1ull << address_bits(m) };

	w.first = (HIGH_RAM + m->memory.high + (1ull << 30) - 1) >> 30 << 30;
	if (w.first > w.end)
		w.first = w.end;
	return w;
}

/* False: there is no room in @window for it */
static bool place_bar(struct pci_function *f, unsigned int n,
		      struct pci_window *window)
{
	unsigned int reg = bar_register(n);
	uint64_t len = f->bar[n].len, at = (window->first + len - 1) & -len;

	if (at < window->first || at > window->end || len > window->end - at)
		return false;
	pci_put32(f->config, reg, at | f->fixed[reg]);
	if (f->wide & 1u << n)
		pci_put32(f->config, reg + 4, at >> 32);
	window->first = at + len;
	return true;
}

static int assign_bar(struct pci_function *f, unsigned int n,
		      struct pci_window window[3], struct error *error)
{
	enum { PORTS, LOW, HIGH };
	bool io = f->io & 1u << n, wide = f->wide & 1u << n;
	bool prefetchable = f->fixed[bar_register(n)] &
			    PCI_BASE_ADDRESS_MEM_PREFETCH;

	if (io ? place_bar(f, n, &window[PORTS]) :
	    (wide && prefetchable && place_bar(f, n, &window[HIGH])) ||
	    place_bar(f, n, &window[LOW]) ||
	    (wide && place_bar(f, n, &window[HIGH])))
		return 0;
	return fail(error, STATUS_USAGE,
		    "no room on the PCI bus for %llu bytes of %s",
		    (unsigned long long)f->bar[n].len, f->device.class->name);
}

int pci_assign(struct machine *m, struct error *error)
{
	struct pci_window window[] = {
		{ PCI_PORTS_FIRST, PCI_PORTS_END },
		{ PCI_WINDOW_FIRST, PCI_WINDOW_END }, pci_high_window(m) };
	unsigned int slot, n, i;

	/* Those that can be nowhere else come first, then the wide ones */
	for (i = 0; i < 2 * PCI_SLOTS; i++) {
		struct pci_function *f = m->pci[i % PCI_SLOTS];
		bool wide = i >= PCI_SLOTS;

		for (n = 0; f && n < PCI_BARS; n++)
			if (f->bar[n].len && !(f->wide & 1u << n) == !wide &&
			    assign_bar(f, n, window, error))
				return -1;
	}
	for (slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_function *f = m->pci[slot];

		if (f && f->config[PCI_INTERRUPT_PIN])
			f->config[PCI_INTERRUPT_LINE] = PCI_LINE(slot);
	}
	return 0;
}
