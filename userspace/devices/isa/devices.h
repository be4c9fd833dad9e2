/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The chips. Each is a struct, without global state; an init function makes it,
 * and an access function of type device_access does what the guest asks for.
 * Offsets are relative to the chip's first port. The caller of every function
 * here holds the machine's lock.
 */
#ifndef MVMM_DEVICES_H
#define MVMM_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads or writes a chip's registers. @data has @size bytes; before a read they
 * are all ones
 */
typedef void (*device_access)(void *device, uint64_t offset, void *data,
			      unsigned int size, bool write);

/* An interrupt line. The receiver decides whether edges or the level count */
struct irq_line {
	void (*set)(void *ctx, unsigned int irq, bool level);
	void *ctx;
	unsigned int irq;
};

static inline void irq_set(const struct irq_line *line, bool level)
{
	if (line->set)
		line->set(line->ctx, line->irq, level);
}

/* ---- i8259: two interrupt controllers in cascade (i8259.c) ------------ */

struct i8259_chip {
	uint8_t irr, isr, imr, lines, elcr;
	uint8_t base;		/* vector of its first input */
	uint8_t init_step;	/* next ICW expected, 0: none */
	bool needs_icw4;
	bool auto_eoi, rotate_auto, special_mask, special_nested;
	bool read_isr, poll;
	uint8_t lowest;		/* input of lowest priority */
};

struct i8259 {
	struct i8259_chip chip[2];	/* master at 0x20, slave at 0xa0 */
};

void i8259_init(struct i8259 *pic);
void i8259_set(void *pic, unsigned int irq, bool level);
bool i8259_pending(const struct i8259 *pic);
/* The INTA cycle. Returns the vector, a spurious one if nothing is pending */
uint8_t i8259_ack(struct i8259 *pic);
void i8259_master(void *pic, uint64_t offset, void *data, unsigned int size,
		  bool write);
void i8259_slave(void *pic, uint64_t offset, void *data, unsigned int size,
		 bool write);
/* Ports 0x4d0, 0x4d1: edge or level, a bit for each input */
void i8259_elcr(void *pic, uint64_t offset, void *data, unsigned int size,
		bool write);

/* ---- i82093aa: the I/O APIC (i82093aa.c) ------------------------------ */

#define I82093AA_PINS 24

/**
 * struct i82093aa - turns changes of its pins into messages to local APICs
 * @select: the register that IOWIN accesses
 * @id: bits 24 .. 27, as the guest wrote them
 * @lines: a bit for each pin that is up, regardless of its polarity bit
 * @pin: the redirection table
 * @send: sends a message in the format of an MSI; returns if anyone took it
 * @ctx: first argument of @send
 */
struct i82093aa {
	uint8_t select;
	uint32_t id, lines;
	uint64_t pin[I82093AA_PINS];
	bool (*send)(void *ctx, uint64_t address, uint32_t data);
	void *ctx;
};

void i82093aa_init(struct i82093aa *chip,
		   bool (*send)(void *ctx, uint64_t address, uint32_t data),
		   void *ctx);
void i82093aa_set(void *chip, unsigned int pin, bool level);
/* The guest has ended the level interrupt @vector at a local APIC */
void i82093aa_eoi(struct i82093aa *chip, uint8_t vector);
/* IOREGSEL at 0x00, IOWIN at 0x10, EOI at 0x40 */
void i82093aa_access(void *chip, uint64_t offset, void *data,
		     unsigned int size, bool write);

/* ---- i8254: the timer (i8254.c) --------------------------------------- */

#define I8254_HZ 1193182
/* The shortest period that a guest gets: each needs the host's CPU */
#define I8254_MIN_NS 200000

struct i8254_channel {
	uint8_t mode, access;
	bool bcd, gate;
	uint16_t reload;	/* 0 stands for 65536 */
	bool loaded;
	uint64_t start;		/* when counting began, ns */
	uint64_t stop;		/* when the gate went low, ns */
	uint8_t write_low;
	bool write_high_next, read_high_next;
	uint16_t latch;
	uint8_t latched;	/* bytes of the latch yet to be read */
	uint8_t status;
	bool status_latched;
};

struct i8254 {
	struct i8254_channel channel[3];
	bool speaker;
	struct irq_line irq;	/* OUT of channel 0 */
	bool fired;		/* this one-shot has raised its interrupt */
	uint64_t edges;		/* of the periodic modes, raised so far */
	uint64_t now;		/* set by the caller before each call, ns */
};

void i8254_init(struct i8254 *pit, struct irq_line irq);
void i8254_access(void *pit, uint64_t offset, void *data, unsigned int size,
		  bool write);
/* Port 0x61: gate of channel 2, speaker, refresh, OUT of channel 2 */
void i8254_port61(void *pit, uint64_t offset, void *data, unsigned int size,
		  bool write);
/* Raises due interrupts. Returns when to call again, in ns, or 0: not at all */
uint64_t i8254_update(struct i8254 *pit);

/* ---- mc146818: the real-time clock (mc146818.c) ----------------------- */

struct mc146818 {
	uint8_t index;
	uint8_t ram[128];
	int64_t offset;		/* guest time minus host time, s */
	int64_t (*clock)(void);	/* host time, s since 1970 */
};

void mc146818_init(struct mc146818 *rtc, int64_t (*clock)(void));
void mc146818_access(void *rtc, uint64_t offset, void *data, unsigned int size,
		     bool write);

/* ---- ns16550: the serial port (ns16550.c) ----------------------------- */

#define NS16550_FIFO 16

struct ns16550 {
	uint8_t ier, fcr, lcr, mcr, lsr, scr, dll, dlm;
	uint8_t rx[NS16550_FIFO];
	unsigned int rx_head, rx_len;
	uint8_t thr;
	bool thr_full;		/* @thr waits until @send takes it */
	bool thr_interrupt;
	struct irq_line irq;
	bool (*send)(void *ctx, uint8_t byte);
	void (*has_room)(void *ctx);
	void *ctx;
};

/*
 * @send: returns false if there is no room: then the transmitter stays full
 * until ns16550_sent(). @has_room: the guest has emptied the receiver
 */
void ns16550_init(struct ns16550 *uart, struct irq_line irq,
		  bool (*send)(void *ctx, uint8_t byte),
		  void (*has_room)(void *ctx), void *ctx);
void ns16550_access(void *uart, uint64_t offset, void *data, unsigned int size,
		    bool write);
/* Returns false when the FIFO is full: offer the byte again later */
bool ns16550_receive(struct ns16550 *uart, uint8_t byte);
unsigned int ns16550_room(const struct ns16550 *uart);
/* @send has room again */
void ns16550_sent(struct ns16550 *uart);

/* ---- i8042, power, debug exit: ways to end (power.c, i8042.c) --------- */

struct power {
	void (*off)(void *ctx, int status);	/* @status: the exit status */
	void (*reset)(void *ctx);
	void *ctx;
	struct irq_line sci;	/* ACPI's interrupt */
	uint16_t pm1_status, pm1_enable, pm1_control;
	uint64_t (*clock)(void);	/* ns, for the PM timer */
};

/* Port 0x64: only the command that resets the CPU does something */
void i8042_command(void *power, uint64_t offset, void *data, unsigned int size,
		   bool write);
/* ACPI's fixed hardware: PM1a at 0x600, PM timer at 0x608 */
void acpi_pm_access(void *power, uint64_t offset, void *data,
		    unsigned int size, bool write);
/* Presses the button. False: the guest has not enabled it */
bool acpi_power_button(struct power *power);
/* Port 0xf4: a write ends the VM; the byte is the exit status */
void debug_exit_access(void *power, uint64_t offset, void *data,
		       unsigned int size, bool write);

#endif
