// SPDX-License-Identifier: GPL-2.0
/* See reset.h. */
#include <string.h>
#include "manage/reset.h"

/* Registers of a local APIC */
#define APIC_SPIV	0xf0
#define APIC_LINT0	0x350

/*
 * The shutdown code with which a firmware goes on where the guest wants it (IBM AT
 * Technical Reference, BIOS listing, TEST1 and SHUT4 to SHUTA): it does not touch
 * devices then, which have to be as they were. Others are a boot
 */
static bool goes_on(const struct machine *m)
{
	switch (m->shutdown_code ? *m->shutdown_code : 0) {
	case 0x05:	/* an EOI, then by the address at 40:67 */
	case 0x09:	/* after a move of a block, which the BIOS does */
	case 0x0a:	/* by the address at 40:67 */
	case 0x0b:	/* by an IRET there */
	case 0x0c:	/* by a RETF there */
		return true;
	}
	return false;
}

static void reset_vcpu(struct vcpu *v)
{
	struct mvmm_run *run = v->run;
	int ret = mvmm_reset(v->fd, 0);

	/* What RUN was to do at first was for an exit that is forgotten */
	run->retire = run->set_cr = run->irq_window = 0;
	if (ret)
		machine_end(v->machine, STATUS_VM,
			    "vCPU %u cannot be reset: %s", v->id,
			    strerror(-ret));
}

/*
 * The CPU's reset closes the local APIC to the PIC. A firmware that goes on does not
 * open it again, as one of a PC without local APICs does not: it stays as it was
 */
static void reset_but_pic(struct vcpu *v)
{
	static const uint16_t reg[] = { APIC_SPIV, APIC_LINT0 };
	uint32_t kept[2] = { 0 };
	unsigned int i;
	bool all = v->machine->apic;

	for (i = 0; i < 2; i++)
		all = all && !mvmm_apic_access(v->fd, reg[i], &kept[i], false);
	reset_vcpu(v);
	for (i = 0; i < 2; i++)
		all = all && !mvmm_apic_access(v->fd, reg[i], &kept[i], true);
}

void reset_machine(struct machine *m)
{
	bool board;
	unsigned int i;

	pthread_mutex_lock(&m->loop.lock);
	board = m->resetting == RESET_BOARD || !goes_on(m);
	pthread_mutex_unlock(&m->loop.lock);
	/* First: what devices send while they are reset is lost with it */
	if (board)
		devices_reset(m);
	for (i = 0; i < m->nr_vcpus; i++)
		if (board || i)
			reset_vcpu(&m->vcpu[i]);
		else
			reset_but_pic(&m->vcpu[i]);
	/* The interrupts that wait for vCPU 0 may be others now */
	mvmm_kick(m->vcpu[0].fd);
	__atomic_store_n(&m->resetting, RESET_NONE, __ATOMIC_RELEASE);
}
