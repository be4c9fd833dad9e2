// SPDX-License-Identifier: GPL-2.0
/*
 * MSI-X (PCI Local Bus 3.0, 6.8.2): interrupts as messages, with a table.
 *
 * What this process has to say it says by MVMM_VM_MSI: that is one call, as
 * writing an eventfd is, tells if the message was none, and needs no change of
 * the module's when the guest rewrites the table, as Linux does to mask a
 * vector and to move it to another CPU. Eventfds are for others.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "core/machine.h"
#include "devices/pci/pci.h"

#define ENTRY_BYTES	16

const struct field msix_fields[] = {
	FIELD(struct msix_entry, address),
	FIELD(struct msix_entry, address_high),
	FIELD(struct msix_entry, data), FIELD(struct msix_entry, control),
	FIELDS_END
};

void pci_add_msix(struct pci_function *f, unsigned int vectors,
		  unsigned int bar, uint32_t table, uint32_t pending)
{
	uint8_t at = pci_add_capability(f, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	unsigned int i;

	for (i = 0; i < MSIX_WIRES; i++)
		f->wire[i].watch.fd = -1;
	f->msix = at;
	f->vectors = vectors;
	pci_put16(f->fixed, at + PCI_MSIX_FLAGS, vectors - 1);
	pci_put16(f->writable, at + PCI_MSIX_FLAGS,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_put32(f->fixed, at + PCI_MSIX_TABLE, table | bar);
	pci_put32(f->fixed, at + PCI_MSIX_PBA, pending | bar);
}

static uint16_t flags(const struct pci_function *f)
{
	return f->msix ? pci_get16(f->config, f->msix + PCI_MSIX_FLAGS) : 0;
}

bool msix_enabled(const struct pci_function *f)
{
	return flags(f) & PCI_MSIX_FLAGS_ENABLE;
}

/* A message is a write to memory, which it may not do without being master */
static bool is_masked(const struct pci_function *f, unsigned int vector)
{
	return !pci_is_master(f) || flags(f) & PCI_MSIX_FLAGS_MASKALL ||
	       f->entry[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

static void send(struct pci_function *f, unsigned int vector)
{
	const struct msix_entry *e = &f->entry[vector];
	struct machine *m = f->device.machine;
	uint64_t address = (uint64_t)e->address_high << 32 | e->address;
	/* What the guest has written may be no message: then nobody takes it */
	int ret = mvmm_msi(m->vm, address, e->data);

	if (ret < 0 && ret != -EINVAL)
		machine_end(m, STATUS_VM, "an interrupt message was refused: %s",
			    strerror(-ret));
}

/* evening 18: as a message */
void msix_notify(struct pci_function *f, unsigned int vector)
{
	if (vector >= f->vectors || !msix_enabled(f))
		return;
	if (is_masked(f, vector))
		f->pending |= 1u << vector;
	else
		send(f, vector);
}

/* ---- eventfds ------------------------------------------------------------ */

static void unwire(struct msix_wire *w)
{
	if (w->is_on)
		mvmm_irqfd(w->function->device.machine->vm, w->watch.fd,
			   MVMM_IRQFD_DEASSIGN, 0, 0);
	w->is_on = false;
}

/*
 * A signal is never lost: whoever takes over, loop or module, finds what the
 * eventfd has counted.
 */
static void update_wire(struct pci_function *f, unsigned int vector)
{
	const struct msix_entry *e = &f->entry[vector];
	struct msix_wire *w = &f->wire[vector];
	struct machine *m = f->device.machine;
	bool open;

	if (w->watch.fd < 0)
		return;
	open = m->irqfd && vector < f->vectors && msix_enabled(f) &&
	       !is_masked(f, vector);
	if (!open || memcmp(&w->message, e, sizeof(*e)))
		unwire(w);
	if (open && !w->is_on) {
		loop_watch(f->device.loop, &w->watch, 0);
		w->message = *e;
		/* No message, or no room for one more: then it is the loop's */
		w->is_on = !mvmm_irqfd(m->vm, w->watch.fd, 0,
				       (uint64_t)e->address_high << 32 |
				       e->address, e->data);
	}
	if (!w->is_on)
		loop_watch(f->device.loop, &w->watch, EPOLLIN);
}

static void collect(struct msix_wire *w)
{
	struct pci_function *f = w->function;

	if (!eventfd_take(w->watch.fd))
		return;
	if (msix_enabled(f))
		msix_notify(f, w - f->wire);
	else if (f->signalled)
		f->signalled(f);
}

static void on_signalled(void *ctx, uint32_t events)
{
	collect(ctx);
}

int msix_eventfd(struct pci_function *f, unsigned int vector)
{
	/* The last one is of no vector */
	unsigned int n = vector < f->vectors ? vector : MSIX_VECTORS;
	struct msix_wire *w = &f->wire[n];
	int fd;

	if (w->watch.fd >= 0)
		return w->watch.fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	w->function = f;
	w->watch = (struct watch){ on_signalled, w, fd, 0 };
	update_wire(f, n);
	return fd;
}

void msix_collect(struct pci_function *f)
{
	unsigned int i;

	for (i = 0; i < MSIX_WIRES; i++)
		if (f->wire[i].watch.fd >= 0 && !f->wire[i].is_on)
			collect(&f->wire[i]);
}

void msix_destroy(struct pci_function *f)
{
	unsigned int i;

	for (i = 0; i < MSIX_WIRES; i++) {
		struct msix_wire *w = &f->wire[i];

		if (w->watch.fd < 0)
			continue;
		unwire(w);
		loop_watch(f->device.loop, &w->watch, 0);
		close_fd(&w->watch.fd);
	}
}

/* ---- the table ----------------------------------------------------------- */

void msix_send_pending(struct pci_function *f)
{
	unsigned int i;

	for (i = 0; i < MSIX_VECTORS; i++)
		update_wire(f, i);
	for (i = 0; f->pending && i < f->vectors && msix_enabled(f); i++) {
		if (!(f->pending & 1u << i) || is_masked(f, i))
			continue;
		f->pending &= ~(1u << i);
		send(f, i);
	}
}

uint64_t msix_read(const struct pci_function *f, uint64_t at, unsigned int size)
{
	uint64_t value = 0;

	if (at >= MSIX_PENDING_AT)
		return at == MSIX_PENDING_AT ? f->pending : 0;
	/* Aligned, so that it is within one entry */
	if (at / ENTRY_BYTES >= f->vectors || at & (size - 1))
		return 0;
	memcpy(&value, (const uint8_t *)f->entry + at, size);
	return value;
}

void msix_write(struct pci_function *f, uint64_t at, uint64_t value,
		unsigned int size)
{
	if (at / ENTRY_BYTES >= f->vectors || at & (size - 1))
		return;
	memcpy((uint8_t *)f->entry + at, &value, size);
	msix_send_pending(f);
}
