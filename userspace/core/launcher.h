/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the mvmm command share. Threads, the lock and who may call
 * what: Documentation/launcher.rst.
 */
#ifndef MVMM_LAUNCHER_H
#define MVMM_LAUNCHER_H

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include "core/bus.h"
#include "devices/isa/devices.h"
#include "libmvmm.h"

/*
 * Exit statuses of the command itself, from sysexits.h. The guest can choose
 * any status, these too, by a write to the debug-exit port.
 */
enum {
	STATUS_USAGE = 64,	/* wrong options */
	STATUS_DATA = 65,	/* a file is not what it should be */
	STATUS_NO_INPUT = 66,	/* a file cannot be read */
	STATUS_NO_DEVICE = 69,	/* no /dev/mvmm: the module is not loaded */
	STATUS_VM = 70,		/* the VM was stopped: a bug, or a bad guest */
	STATUS_OS = 71,		/* out of memory and the like */
	STATUS_BUSY = 75,	/* another VMM owns the CPU's extension */
	STATUS_TRIPLE_FAULT = 76,
	STATUS_PERMISSION = 77,
	STATUS_RESET = 78,	/* the guest reset itself, after a panic say */
};

#define VCPUS_MAX	16
#define WEIGHT_MIN	1	/* see struct mvmm_vm_sched */
#define WEIGHT_DEFAULT	100
#define WEIGHT_MAX	10000
#define CAP_MAX		6400
#define SCI_IRQ		9	/* ACPI's interrupt: see the MADT */
#define TIMER_PIN	2	/* of the I/O APIC, where a PC has IRQ 0 */

/* An error for the user: what failed, with what value, and what to do */
struct error {
	int status;
	char text[512];
};

/* Fills in @error; returns -1, so that callers can "return fail(...)" */
int fail(struct error *error, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- guest memory and loaders (load_*.c) ------------------------------ */

#define RAM_MAX		(3ull << 30)	/* above it are devices */
#define IOAPIC_BASE	0xfec00000
#define LAPIC_BASE	0xfee00000
#define RAM_MIN		(1ull << 20)
#define HOLE_START	0xa0000		/* VGA and option ROMs: no RAM */
#define HOLE_END	0xc0000

struct ram {
	uint8_t *base;
	uint64_t size;
};

/* The address of [gpa, gpa + len), or NULL if not all of it is RAM */
void *ram_at(const struct ram *ram, uint64_t gpa, uint64_t len);

/* Ends mvmm with a message if memory of the guest is not there (guard.c) */
void guard_memory(const void *base, uint64_t size);

/* A file in memory */
struct blob {
	uint8_t *data;
	size_t size;
};

int blob_read(struct blob *blob, const char *path, struct error *error);
void blob_free(struct blob *blob);

/* How the first vCPU starts */
struct entry {
	struct mvmm_sregs sregs;	/* segments and control registers */
	struct mvmm_regs regs;
};

/* What the guest gets besides the kernel */
struct boot {
	struct blob initrd;		/* empty: none */
	const char *append;		/* the command line */
	uint64_t rsdp;			/* ACPI's root, 0: none */
};

/*
 * Each loader puts an image into RAM and fills in @entry. Returns 0, or -1 with
 * @error. The image is hostile: every offset in it is checked.
 */
int load_bzimage(const struct ram *ram, const struct blob *image,
		 const struct boot *boot, struct entry *entry,
		 struct error *error);
int load_elf(const struct ram *ram, const struct blob *image,
	     const struct boot *boot, struct entry *entry,
	     struct error *error);
int load_flat(const struct ram *ram, const struct blob *image, uint64_t at,
	      struct entry *entry, struct error *error);
bool is_elf(const struct blob *image);
/*
 * For the loaders: put the initrd between @above and @max (0: no limit); make
 * the segments that the boot protocols want
 */
int place_initrd(const struct ram *ram, const struct blob *initrd,
		 uint64_t above, uint64_t max, uint64_t *gpa,
		 struct error *error);
void flat_segments(struct mvmm_sregs *sregs, uint16_t code, uint16_t data,
		   bool long_mode);

/*
 * Writes the ACPI tables for @apics local APICs (0: a PC without them). Returns
 * the RSDP's address.
 */
uint64_t make_acpi(const struct ram *ram, unsigned int apics);

/* ---- terminal (terminal.c) -------------------------------------------- */

struct ring {
	uint8_t bytes[65536];
	unsigned int head, len;
};

struct terminal {
	bool tty;		/* stdin is a terminal: there are escapes */
	bool escaped;		/* the last byte was Ctrl-A */
	bool closed;		/* the input has ended */
	struct ring in;		/* typed bytes that the guest has not read yet */
	int out_fd;		/* stdout, or the same without blocking */
	struct ring out;	/* what the guest sent and nobody has read yet */
	bool in_line;		/* the guest's last line has not ended */
};

enum terminal_event { TERMINAL_NONE, TERMINAL_QUIT, TERMINAL_HELP,
		      TERMINAL_POWERDOWN, TERMINAL_FULL };

/*
 * Raw mode if stdin is a terminal and mvmm in its foreground. atexit() and all
 * fatal signals undo it. The first SIGTERM signals the eventfd @powerdown, the
 * second is fatal.
 */
void terminal_open(struct terminal *t, int powerdown);
void terminal_close(void);
/* Is there a reason to read now? A terminal only in the foreground */
bool terminal_readable(struct terminal *t);
/* The next typed byte for the guest; false: there is none */
bool terminal_take(struct terminal *t, uint8_t *byte);
/* Queues typed bytes, without the escapes. Returns what the escapes ask for */
enum terminal_event terminal_filter(struct terminal *t, const uint8_t *typed,
				    size_t len);
enum terminal_event terminal_read(struct terminal *t);
/* Queues a byte of the guest; false: no room */
bool terminal_put(struct terminal *t, uint8_t byte);
/* Writes what can be written without waiting. 0, or a negative errno */
int terminal_flush(struct terminal *t);

/* ---- the machine (machine.c, vcpu.c) ---------------------------------- */

struct machine_config {
	const char *device;
	unsigned int vcpus;	/* 1 .. VCPUS_MAX */
	uint32_t weight;	/* WEIGHT_*, or 0: the default */
	uint32_t cap;		/* per cent of one CPU, 0: no limit */
	uint64_t ram_size;
	bool memfd;		/* RAM is a memfd, not private memory */
};

struct machine;

/**
 * struct vcpu - a vCPU and its thread
 * @machine: the machine it belongs to
 * @id: vCPU id and APIC id; 0 boots
 * @fd: vCPU fd
 * @run: the run page
 * @guest: for libmvmm, which completes the exits
 * @thread: runs vcpu_main()
 */
struct vcpu {
	struct machine *machine;
	unsigned int id;
	int fd;
	struct mvmm_run *run;
	struct mvmm_guest guest;
	pthread_t thread;
};

/**
 * struct machine - a VM and its devices
 * @system: system fd
 * @vm: VM fd
 * @apic: the vCPUs have local APICs, and there is an I/O APIC
 * @nr_vcpus: entries of @vcpu in use
 * @vcpu: by id
 * @ram: guest memory
 * @lock: guards everything below, except the fds
 * @wake: without local APICs the vCPU waits here while the guest is halted
 * @io_event: eventfd that wakes the I/O thread
 * @timer: timerfd of the i8254's channel 0
 * @powerdown: eventfd by which SIGTERM presses the power button
 * @ports: who answers at which I/O port
 * @mmio: who answers at which address outside RAM
 * @pic: the interrupt controllers of an old PC
 * @ioapic: used if @apic
 * @pit: the timer chip
 * @rtc: the real-time clock
 * @uart: the serial port, connected to the terminal
 * @power: ways to end
 * @terminal: stdin
 * @unheard: the button was pressed, and the guest had not enabled it
 * @dropped: the user was told that typed bytes get lost
 * @ended: the threads shall return
 * @end: why it ended, and the exit status
 */
struct machine {
	int system, vm;
	bool apic;
	unsigned int nr_vcpus;
	struct vcpu vcpu[VCPUS_MAX];
	struct ram ram;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int io_event, timer, powerdown;
	struct bus ports, mmio;
	struct i8259 pic;
	struct i82093aa ioapic;
	struct i8254 pit;
	struct mc146818 rtc;
	struct ns16550 uart;
	struct power power;
	struct terminal terminal;
	bool unheard, dropped;
	bool ended;
	struct error end;
};

int machine_create(struct machine *m, const struct machine_config *config,
		   struct error *error);
void machine_destroy(struct machine *m);
/* Runs until the guest ends; the exit status and the reason are in m->end */
int machine_run(struct machine *m, struct entry *entry, struct error *error);
/* Stops all threads. The first call counts. m->lock is held */
void machine_end(struct machine *m, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Makes vCPU 0 look at the PIC. m->lock is held */
void machine_tell_pic(struct machine *m);
int vcpu_create(struct machine *m, unsigned int id, struct error *error);
void vcpu_destroy(struct vcpu *v);
void *vcpu_main(void *vcpu);
uint64_t now_ns(void);

/* ---- what the scheduler shows (sched_table.c, sched_plot.c) ----------- */

enum sched_state { SCHED_BLOCKED, SCHED_WAITING, SCHED_RUNNING };

/* A line of /sys/kernel/debug/mvmm/sched */
struct sched_row {
	uint64_t vm;
	int pid;
	unsigned int weight, cap, vcpu;
	enum sched_state state;
	int cpu;		/* the slot, which is a CPU's number; -1: none */
	uint64_t run, wait, block;	/* ms */
};

/* A line of the tracepoint mvmm_sched */
struct sched_event {
	uint64_t us;
	uint64_t vm;
	unsigned int vcpu;
	enum sched_state from, to;
	int cpu;
};

/* Return false if the line is of another kind; a line ends at '\n' or 0 */
bool sched_row_parse(const char *line, struct sched_row *row);
bool sched_event_parse(const char *line, struct sched_event *event);
/* Prints the table with aligned columns; @text is the file's content */
void sched_table_print(FILE *out, const char *text);
/* Draws @trace as SVG; @table was read when the trace began. 0, or -1 */
int sched_plot(FILE *out, const char *table, const char *trace,
	       struct error *error);

/* ---- subcommands ------------------------------------------------------ */

int cmd_run(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_sched(int argc, char **argv);
/* Fills in @error for a failure to open @device or create a VM; returns -1 */
int explain_open(int err, const char *device, struct error *error);

#endif
