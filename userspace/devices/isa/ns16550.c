// SPDX-License-Identifier: GPL-2.0
/* National PC16550D: the serial port. Bytes leave at once, at any baud rate. */
#include <string.h>
#include "core/machine.h"

#define IER_RX	(1u << 0)
#define IER_THR	(1u << 1)
#define IIR_NONE 1
#define IIR_THR	2
#define IIR_RX	4
#define IIR_TIMEOUT 12
#define IIR_FIFO 0xc0
#define FCR_ENABLE (1u << 0)
#define FCR_CLEAR_RX (1u << 1)
#define LCR_DLAB (1u << 7)
#define MCR_OUT2 (1u << 3)
#define MCR_LOOP (1u << 4)
#define LSR_DR	(1u << 0)
#define LSR_OE	(1u << 1)
#define LSR_THRE (1u << 5)
#define LSR_TEMT (1u << 6)
#define MSR_CTS_DSR_DCD 0xb0

#define FIFO	16

/**
 * struct ns16550 - the serial port
 * @ier: and so on: registers
 * @rx: received bytes that the guest has not read
 * @rx_head: the first of them
 * @rx_len: how many
 * @tx: bytes that wait until @chardev takes them
 * @tx_len: how many
 * @thr_interrupt: the transmitter is empty, and the guest does not know yet
 * @irq: its line
 * @chardev: the other end; NULL: no line is plugged in
 * @region: its ports
 */
struct ns16550 {
	struct device device;
	uint8_t ier, fcr, lcr, mcr, lsr, scr, dll, dlm;
	uint8_t rx[FIFO];
	uint32_t rx_head, rx_len;
	uint8_t tx[FIFO];
	uint32_t tx_len;
	bool thr_interrupt;
	struct irq irq;
	struct chardev *chardev;
	struct region region;
};

static unsigned int fifo_size(const struct ns16550 *uart)
{
	return uart->fcr & FCR_ENABLE ? FIFO : 1;
}

static uint8_t interrupt_id(const struct ns16550 *uart)
{
	static const uint8_t trigger[] = { 1, 4, 8, 14 };
	uint8_t fifo = uart->fcr & FCR_ENABLE ? IIR_FIFO : 0;

	if (uart->ier & IER_RX && uart->rx_len) {
		if (uart->fcr & FCR_ENABLE &&
		    uart->rx_len < trigger[uart->fcr >> 6])
			return IIR_TIMEOUT | fifo;
		return IIR_RX | fifo;
	}
	if (uart->ier & IER_THR && uart->thr_interrupt)
		return IIR_THR | fifo;
	return IIR_NONE | fifo;
}

static void update(struct ns16550 *uart)
{
	/* On a PC, OUT2 enables the interrupt line */
	irq_set(&uart->irq, !(interrupt_id(uart) & IIR_NONE) &&
		uart->mcr & MCR_OUT2);
}

static void push(struct ns16550 *uart, uint8_t byte)
{
	if (uart->rx_len == fifo_size(uart)) {
		uart->lsr |= LSR_OE;
		return;
	}
	uart->rx[(uart->rx_head + uart->rx_len++) % FIFO] = byte;
}

/* Returns how many it took. What nobody is there for is lost */
static size_t send(struct ns16550 *uart, const uint8_t *bytes, size_t len)
{
	return uart->chardev ? uart->chardev->ops->put(uart->chardev, bytes,
						       len) : len;
}

/* Takes what there is room for */
static void receive(void *ctx)
{
	struct ns16550 *uart = ctx;
	uint8_t byte;

	/* In loopback the line outside is not connected */
	while (uart->chardev && uart->rx_len < fifo_size(uart) &&
	       !(uart->mcr & MCR_LOOP) &&
	       uart->chardev->ops->take(uart->chardev, &byte, 1))
		push(uart, byte);
	update(uart);
}

static uint8_t pop(struct ns16550 *uart)
{
	uint8_t byte;

	if (!uart->rx_len)
		return 0;
	byte = uart->rx[uart->rx_head];
	uart->rx_head = (uart->rx_head + 1) % FIFO;
	uart->rx_len--;
	return byte;
}

/* evening 9: a chip: one byte to the world outside */
static void transmit(struct ns16550 *uart, uint8_t byte)
{
	/* Lower the line, so that it rises again by an edge */
	uart->thr_interrupt = false;
	update(uart);
	if (uart->mcr & MCR_LOOP) {
		push(uart, byte);
	} else if (uart->tx_len || !send(uart, &byte, 1)) {
		/* A byte that is written although the FIFO is full is lost */
		if (uart->tx_len < fifo_size(uart))
			uart->tx[uart->tx_len++] = byte;
	}
	uart->thr_interrupt = !uart->tx_len;
}

static void sent(void *ctx)
{
	struct ns16550 *uart = ctx;
	size_t n = send(uart, uart->tx, uart->tx_len);

	if (!n)
		return;
	uart->tx_len -= n;
	memmove(uart->tx, uart->tx + n, uart->tx_len);
	/* The driver writes the next 16 bytes when all are gone */
	if (!uart->tx_len)
		uart->thr_interrupt = true;
	update(uart);
}

static void write_register(struct ns16550 *uart, uint64_t reg, uint8_t value)
{
	switch (reg) {
	case 0:
		if (uart->lcr & LCR_DLAB)
			uart->dll = value;
		else
			transmit(uart, value);
		break;
	case 1:
		if (uart->lcr & LCR_DLAB) {
			uart->dlm = value;
			break;
		}
		if (value & IER_THR && !(uart->ier & IER_THR))
			uart->thr_interrupt = !uart->tx_len;
		uart->ier = value & 0xf;
		break;
	case 2:
		if ((value ^ uart->fcr) & FCR_ENABLE || value & FCR_CLEAR_RX)
			uart->rx_len = 0;
		uart->fcr = value & (FCR_ENABLE | 0xc0);
		break;
	case 3:
		uart->lcr = value;
		break;
	case 4:
		uart->mcr = value & 0x1f;
		receive(uart);
		break;
	case 7:
		uart->scr = value;
		break;
	}
}

static uint8_t modem_status(const struct ns16550 *uart)
{
	uint8_t m = uart->mcr;

	if (!(m & MCR_LOOP))
		return MSR_CTS_DSR_DCD;
	/* RTS, DTR, OUT1, OUT2 come back as CTS, DSR, RI, DCD */
	return (m & 2) << 3 | (m & 1) << 5 | (m & 4) << 4 | (m & 8) << 4;
}

static uint8_t read_register(struct ns16550 *uart, uint64_t reg)
{
	uint8_t value;

	switch (reg) {
	case 0:
		return uart->lcr & LCR_DLAB ? uart->dll : pop(uart);
	case 1:
		return uart->lcr & LCR_DLAB ? uart->dlm : uart->ier;
	case 2:
		value = interrupt_id(uart);
		if ((value & 0xf) == IIR_THR)
			uart->thr_interrupt = false;
		return value;
	case 3:
		return uart->lcr;
	case 4:
		return uart->mcr;
	case 5:
		value = uart->lsr | (uart->rx_len ? LSR_DR : 0) |
			(uart->tx_len ? 0 : LSR_THRE | LSR_TEMT);
		uart->lsr &= ~LSR_OE;
		return value;
	case 6:
		return modem_status(uart);
	default:
		return uart->scr;
	}
}

/* The guest has read the last byte. The line has fallen: what comes is an edge */
static void take_more(struct ns16550 *uart, unsigned int before)
{
	update(uart);
	if (before && !uart->rx_len)
		receive(uart);
}

static uint64_t ns16550_read(struct device *device, uint64_t at,
			     unsigned int size)
{
	struct ns16550 *uart = (struct ns16550 *)device;
	unsigned int before = uart->rx_len;
	uint8_t value = read_register(uart, at);

	take_more(uart, before);
	return value;
}

static void ns16550_write(struct device *device, uint64_t at, uint64_t value,
			  unsigned int size)
{
	struct ns16550 *uart = (struct ns16550 *)device;
	unsigned int before = uart->rx_len;

	write_register(uart, at, value);
	take_more(uart, before);
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .read = ns16550_read,
					       .write = ns16550_write };
	struct ns16550 *uart = (struct ns16550 *)device;
	struct machine *m = device->machine;

	uart->irq = (struct irq){ .irqs = &m->irqs, .line = 4 };
	uart->chardev = m->serial;
	if (uart->chardev) {
		uart->chardev->readable = receive;
		uart->chardev->writable = sent;
		uart->chardev->ctx = uart;
	}
	uart->region = (struct region){ &ops, device, .len = 8 };
	return region_map(&m->ports, &uart->region, 0x3f8, error);
}

static void reset(struct device *device)
{
	struct ns16550 *uart = (struct ns16550 *)device;

	uart->dll = 12;		/* 9600 baud */
	update(uart);
}

static int loaded(struct device *device, struct error *error)
{
	struct ns16550 *uart = (struct ns16550 *)device;

	if (uart->rx_head >= FIFO || uart->rx_len > FIFO ||
	    uart->tx_len > FIFO)
		return fail(error, STATUS_DATA,
			    "rx_head is %u, rx_len %u, tx_len %u: the FIFOs have %u bytes",
			    uart->rx_head, uart->rx_len, uart->tx_len, FIFO);
	update(uart);
	/* What waited may find room here */
	sent(uart);
	return 0;
}

static void destroy(struct device *device)
{
	struct ns16550 *uart = (struct ns16550 *)device;

	if (uart->chardev)
		uart->chardev->ctx = NULL;
}

static const struct field fields[] = {
	FIELD(struct ns16550, ier), FIELD(struct ns16550, fcr),
	FIELD(struct ns16550, lcr), FIELD(struct ns16550, mcr),
	FIELD(struct ns16550, lsr), FIELD(struct ns16550, scr),
	FIELD(struct ns16550, dll), FIELD(struct ns16550, dlm),
	FIELD_ARRAY(struct ns16550, rx), FIELD(struct ns16550, rx_head),
	FIELD(struct ns16550, rx_len), FIELD_ARRAY(struct ns16550, tx),
	FIELD(struct ns16550, tx_len), FIELD(struct ns16550, thr_interrupt),
	FIELDS_END
};

static const struct device_class ns16550 = {
	.name = "ns16550", .size = sizeof(struct ns16550), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(ns16550);
