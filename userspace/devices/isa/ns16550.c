// SPDX-License-Identifier: GPL-2.0
/* National PC16550D: the serial port. Bytes leave at once, at any baud rate. */
#include <string.h>
#include "devices.h"

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

void ns16550_init(struct ns16550 *uart, struct irq_line irq,
		  bool (*send)(void *ctx, uint8_t byte),
		  void (*has_room)(void *ctx), void *ctx)
{
	memset(uart, 0, sizeof(*uart));
	uart->irq = irq;
	uart->send = send;
	uart->has_room = has_room;
	uart->ctx = ctx;
	uart->dll = 12;		/* 9600 baud */
}

static unsigned int fifo_size(const struct ns16550 *uart)
{
	return uart->fcr & FCR_ENABLE ? NS16550_FIFO : 1;
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
	uart->rx[(uart->rx_head + uart->rx_len++) % NS16550_FIFO] = byte;
}

unsigned int ns16550_room(const struct ns16550 *uart)
{
	return fifo_size(uart) - uart->rx_len;
}

bool ns16550_receive(struct ns16550 *uart, uint8_t byte)
{
	if (!ns16550_room(uart))
		return false;
	push(uart, byte);
	update(uart);
	return true;
}

static uint8_t pop(struct ns16550 *uart)
{
	uint8_t byte;

	if (!uart->rx_len)
		return 0;
	byte = uart->rx[uart->rx_head];
	uart->rx_head = (uart->rx_head + 1) % NS16550_FIFO;
	uart->rx_len--;
	return byte;
}

static void transmit(struct ns16550 *uart, uint8_t byte)
{
	/* Lower the line, so that it rises again by an edge */
	uart->thr_interrupt = false;
	update(uart);
	if (uart->mcr & MCR_LOOP) {
		push(uart, byte);
	} else if (!uart->thr_full && !uart->send(uart->ctx, byte)) {
		uart->thr = byte;
		uart->thr_full = true;
	}
	/* A byte that was written although the transmitter is full is lost */
	uart->thr_interrupt = !uart->thr_full;
}

void ns16550_sent(struct ns16550 *uart)
{
	if (!uart->thr_full || !uart->send(uart->ctx, uart->thr))
		return;
	uart->thr_full = false;
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
			uart->thr_interrupt = !uart->thr_full;
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
			(uart->thr_full ? 0 : LSR_THRE | LSR_TEMT);
		uart->lsr &= ~LSR_OE;
		return value;
	case 6:
		return modem_status(uart);
	default:
		return uart->scr;
	}
}

void ns16550_access(void *opaque, uint64_t offset, void *data,
		    unsigned int size, bool write)
{
	struct ns16550 *uart = opaque;
	unsigned int waiting = uart->rx_len;
	uint8_t *value = data;

	if (write)
		write_register(uart, offset, *value);
	else
		*value = read_register(uart, offset);
	update(uart);
	/* The line has fallen: what comes now is an edge */
	if (waiting && !uart->rx_len)
		uart->has_room(uart->ctx);
}
