/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine: a VM with its memory, vCPUs and devices. Threads, locks and who may
 * call what: Documentation/launcher.rst.
 */
#ifndef MVMM_MACHINE_H
#define MVMM_MACHINE_H

#include "base/clock.h"
#include "base/loop.h"
#include "char/chardev.h"
#include "core/bus.h"
#include "core/device.h"
#include "core/iothread.h"
#include "core/irq.h"
#include "core/memory.h"
#include "core/vcpu.h"

#define WEIGHT_MIN	1	/* see struct mvmm_vm_sched */
#define WEIGHT_DEFAULT	100
#define WEIGHT_MAX	10000
#define CAP_MAX		6400
#define SCI_IRQ		9	/* ACPI's interrupt: see the MADT */
#define TIMER_PIN	2	/* of the I/O APIC, where a PC has IRQ 0 */
#define IOAPIC_BASE	0xfec00000
#define LAPIC_BASE	0xfee00000
#define MACHINE_DISKS	16
#define MACHINE_PORTS	16	/* of virtio-console, with the console */
#define PORT_NAME_MAX	63
#define MACHINE_NICS	8
#define MACHINE_DEVICES	32	/* that a user adds */
#define MACHINE_VHOSTS	8

/* Where a disk is */
enum { DISK_VIRTIO, DISK_IDE, DISK_CDROM, DISK_FLOPPY };

struct block;
struct pci_function;
struct screen;
struct power;
struct balloon;
struct firmware;
struct input;
struct port;

/**
 * struct machine_nic - a NIC
 * @model: of its device
 * @port: what it is connected to
 * @mac: its address
 * @mtu: that the guest is told; 0: the network's
 * @queues: pairs of these, 0: one
 * @iothread: that serves it, or NULL
 */
struct machine_nic {
	const char *model;
	struct port *port;
	uint8_t mac[6];
	uint16_t mtu, queues;
	const char *iothread;
};

/**
 * struct machine_port - a port of virtio-console
 * @name: at most PORT_NAME_MAX bytes; NULL: it has none
 * @chardev: the other end; NULL: there is no such port
 */
struct machine_port {
	const char *name;
	struct chardev *chardev;
};

/**
 * struct machine_device - a device that is to be added
 * @name: of its class
 * @options: see device_create()
 */
struct machine_device {
	const char *name, *options;
};

/**
 * struct machine_vhost - a device that another process serves
 * @type: of device: "blk", "fs" ...
 * @socket: where it listens; NULL: it is started for @directory
 * @directory: to be shared
 * @tag: by which the guest knows a file system
 * @queues: for requests
 * @mac: of a NIC
 * @read_only: the guest cannot write to the directory
 */
struct machine_vhost {
	const char *type, *socket, *directory, *tag;
	unsigned int queues;
	uint8_t mac[6];
	bool read_only;
};

/**
 * struct flash - what is in a flash chip, and outlives a reset, as a disk does
 * @base: the guest's address
 * @data: whole sectors
 * @size: bytes of these; 0: there is none
 * @fd: a file that gets what is written; -1: none does
 */
struct flash {
	uint64_t base;
	uint8_t *data;
	uint32_t size;
	int fd;
};

/**
 * struct machine_iothread - a thread with a loop of its own
 * @name: for the options of devices
 * @poll_max: see struct loop
 */
struct machine_iothread {
	const char *name;
	uint64_t poll_max;
};

/**
 * struct machine_config - what is to be made
 * @device: /dev/mvmm
 * @vcpus: 1 to VCPUS_MAX
 * @weight: WEIGHT_*, or 0: the default
 * @cap: per cent of one CPU, 0: no limit
 * @ram_size: bytes
 * @memfd: RAM is a memfd, not private memory
 * @ephemeral: what is written to its disks is gone at the end
 * @disk: what its disks are: from machine_create() on they are the machine's
 * @disks: how many
 * @disk_bus: of each, DISK_*
 * @boot_kinds: what CMOS says of the order in which disks are booted
 * @close_disk: for the end; NULL: the caller does that
 * @nic: its NICs; what they are connected to stays the caller's
 * @nics: how many
 * @disk_options: of the virtio-blk of each; NULL: none
 * @iothread: its I/O threads
 * @iothreads: how many
 * @vhost: devices of other processes, which need @memfd
 * @vhosts: how many
 * @port: ports of a virtio-console. If the console is one of them it is port 0,
 *	and the serial port has none
 * @ports: one more than the last
 * @add: devices besides those of the board. Each disk that none of them takes
 *	gets a virtio-blk
 * @nr_add: how many
 * @rom: a firmware, which ends at 4 GiB and stays the caller's; NULL: none
 * @rom_size: bytes of it
 * @flash: below it, what the firmware can write
 * @firmware: what it is told (fw_cfg.h)
 * @defaults: options of each device that has them; NULL: none
 * @reset: resets the machine for the guest, see machine_reset(); NULL: that ends it
 * @machine_check: a vCPU's thread calls it when memory was broken that this vCPU
 *	(own) or another one has touched. Returns 0; -errno: the guest cannot be
 *	told, but by -EBUSY of another's later. NULL: that ends the machine
 * @after_run: for tests: a vCPU's thread calls it, with @after_run_ctx, before
 *	it completes an exit; or NULL
 */
struct machine_config {
	const char *device;
	unsigned int vcpus;
	uint32_t weight, cap;
	uint64_t ram_size;
	bool memfd, ephemeral;
	struct block *disk[MACHINE_DISKS];
	unsigned int disks;
	uint8_t disk_bus[MACHINE_DISKS];
	uint16_t boot_kinds;
	void (*close_disk)(struct block *disk);
	struct machine_nic nic[MACHINE_NICS];
	unsigned int nics;
	const char *disk_options[MACHINE_DISKS];
	struct machine_iothread iothread[MACHINE_IOTHREADS];
	unsigned int iothreads;
	struct machine_vhost vhost[MACHINE_VHOSTS];
	unsigned int vhosts;
	struct machine_port port[MACHINE_PORTS];
	unsigned int ports;
	struct machine_device add[MACHINE_DEVICES];
	unsigned int nr_add;
	uint8_t *rom;
	uint64_t rom_size;
	struct flash flash;
	struct firmware *firmware;
	const char *defaults;
	void (*reset)(struct machine *m);
	int (*machine_check)(struct vcpu *v, bool own);
	void (*after_run)(void *ctx, struct vcpu *v);
	void *after_run_ctx;
};

/**
 * struct machine - see above
 * @config: what was asked for
 * @system: system fd
 * @vm: VM fd
 * @apic: the vCPUs have local APICs, and there is an I/O APIC
 * @irqfd: the module turns signals of eventfds into messages
 * @nr_vcpus: entries of @vcpu in use
 * @vcpu: by id
 * @memory: the guest's
 * @ports: who answers at which I/O port
 * @mmio: who answers at which address outside memory
 * @irqs: interrupt lines
 * @clock: VM time
 * @tsc_khz: of the guest: the host's, or that of a state's host
 * @guest_time: while it is paused: the guest's, which the module keeps
 * @loop: the main loop, which is the main thread's
 * @iothread: those that serve some of the devices
 * @iothreads: how many
 * @console: the user's
 * @serial: what the serial port is connected to, or NULL
 * @devices: all of them
 * @power: one of them
 * @balloon: one of them, or NULL
 * @inputs: devices that take keys and pointers; with @loop.lock
 * @floppies: what CMOS says of floppy drives, as they were at first: media change
 * @hpet: there is one, to which ACPI's table points
 * @i8042: there is one, with a keyboard and a mouse
 * @vga: there is one
 * @screen: the one that is seen, or NULL. With @loop.lock, while not @pausing
 * @seen: the one that was looked at last, which may be gone
 * @beeps: tones that the speaker has begun, for those who show the screen; atomic
 * @legacy: the sources of lines 0 and 8, which it can replace
 * @pci: those on the PCI bus, by slot
 * @ecam: where ECAM was last
 * @pci_lock: guards where their BARs are. Taken after a device's lock
 * @disks_taken: a bit for each that has a device
 * @vhosts_made: how many of these have a device
 * @nics_made: how many have a device
 * @running: vCPUs whose thread has not returned; with @loop.lock
 * @standing: how many of these stand, since the machine is paused; the same
 * @stands: signalled when one more stands, or has returned; the same
 * @goes: signalled when they are to go on; the same
 * @pausing: they are to stand. Changed with @loop.lock held
 * @resetting: an enum reset: they stand until that is done. The same
 * @resetter: the loop does that
 * @shutdown_code: the byte of CMOS that tells why a CPU is reset, or NULL
 * @end_lock: guards what follows
 * @warnings: how many were printed
 * @wake: signalled when an interrupt for vCPU 0 may have come: without local
 *	APICs it waits here while the guest is halted; with @irqs.lock
 * @ended: the threads are to return
 * @end: why it ended, and the exit status
 */
struct machine {
	struct machine_config config;
	int system, vm;
	bool apic, irqfd;
	unsigned int nr_vcpus;
	struct vcpu vcpu[VCPUS_MAX];
	struct memory memory;
	struct bus ports, mmio;
	struct irqs irqs;
	struct vm_clock clock;
	struct mvmm_clock guest_time;
	uint64_t tsc_khz;
	struct loop loop;
	struct iothread iothread[MACHINE_IOTHREADS];
	unsigned int iothreads;
	struct chardev *console, *serial;
	struct device *devices;
	struct power *power;
	struct balloon *balloon;
	struct input *inputs;
	uint8_t floppies;
	bool hpet, i8042, vga;
	struct screen *screen, *seen;
	unsigned int beeps;
	struct irq *legacy[2];
	struct pci_function *pci[32];
	uint64_t ecam;
	pthread_mutex_t pci_lock;
	uint32_t disks_taken;
	unsigned int vhosts_made, nics_made;
	unsigned int running, standing;
	pthread_cond_t stands, goes;
	bool pausing;
	uint8_t resetting;
	struct timer resetter;
	const uint8_t *shutdown_code;
	pthread_mutex_t end_lock;
	unsigned int warnings;
	pthread_cond_t wake;
	bool ended;
	struct error end;
};

/* How the first vCPU starts */
struct entry {
	struct mvmm_sregs sregs;	/* segments and control registers */
	struct mvmm_regs regs;
};

/* -1 with @error, and nothing to destroy. @console: the user's */
int machine_create(struct machine *m, const struct machine_config *config,
		   struct chardev *console, struct error *error);
void machine_destroy(struct machine *m);
/*
 * VM, vCPUs and devices are destroyed and made anew, as in machine_create(); loop
 * and memory stay. The machine is paused, and the caller the loop's thread, which
 * has given its lock back. -1 with @error: only to be destroyed
 */
int machine_rebuild(struct machine *m, struct error *error);
/* The vCPUs are as after RESET, and do not run: the first one starts so */
int machine_enter(struct machine *m, struct entry *entry, struct error *error);
/*
 * Runs until the guest ends; the exit status and the reason are in m->end.
 * @entry: NULL: the machine was loaded
 */
int machine_run(struct machine *m, struct entry *entry, struct error *error);
/* Stops all threads. The first call counts. Any thread, any lock but end_lock */
void machine_end(struct machine *m, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* What of a machine: its CPUs, if the firmware knows how to go on; all of it */
enum reset { RESET_NONE, RESET_CPUS, RESET_BOARD };
/* The guest wants it: no vCPU goes on before. The main loop's lock is held */
void machine_reset(struct machine *m, enum reset what);
bool machine_ended(struct machine *m);
/*
 * Pausing: called by the loop, whose lock is held, and given back meanwhile.
 * Afterwards no vCPU is in RUN, each has completed its last exit, VM time and
 * the guest's time stand, no I/O thread calls anything, and no device has
 * anything in flight. machine_resume() undoes it, and the guest is told that it
 * was stopped
 */
void machine_pause(struct machine *m);
void machine_resume(struct machine *m);
/* Are the vCPUs to stand? Any thread */
bool machine_pausing(struct machine *m);
/* Starts one, whose name top and ps show. False: it has ended the machine */
bool machine_thread(struct machine *m, pthread_t *thread, void *(*fn)(void *ctx),
		    void *ctx, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* A line for the user: what the guest did wrong. Only the first few are shown */
void machine_warn(struct machine *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
#define MACHINE_WARNINGS 16
/* Makes vCPU 0 look at the PIC. @irqs.lock is held */
void machine_tell_pic(struct machine *m);

#endif
