/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Intel 8237: the ISA bus's DMA, two chips with page registers. It is a part of
 * the device that uses it (i82077.c), whose lock is held.
 */
#ifndef MVMM_I8237_H
#define MVMM_I8237_H

#include "core/machine.h"

#define DMA_CHANNELS	4

/**
 * struct dma_channel - one of four
 * @base: as the guest wrote it: where
 * @base_count: the same: how many, less one
 * @at: where it is now
 * @count: how many are left, less one
 * @mode: register
 * @page: bits 16 to 23 of its address
 */
struct dma_channel {
	uint16_t base, base_count, at, count;
	uint8_t mode, page;
};

/**
 * struct i8237 - a chip
 * @channel: its channels
 * @mask: a bit for each that is off
 * @status: a bit for each that has counted to its end
 * @command: register
 * @high: the next byte of an address or a count is its upper one
 */
struct i8237 {
	struct dma_channel channel[DMA_CHANNELS];
	uint8_t mask, status, command;
	bool high;
};

extern const struct field i8237_fields[];

void i8237_reset(struct i8237 *dma);
/* @at: a register, 0 to 15 */
uint8_t i8237_read(struct i8237 *dma, unsigned int at);
void i8237_write(struct i8237 *dma, unsigned int at, uint8_t value);
/* The page register at port 0x80 + @at of the @dma pair */
uint8_t *i8237_page(struct i8237 dma[2], unsigned int at);
/* How many bytes channel @n moves until it ends; 0: it is off */
uint32_t i8237_left(const struct i8237 *dma, unsigned int n);
/*
 * Moves @len bytes of a device's, to memory or from there; where there is none
 * they are lost, or ones. Returns how many until it ended
 */
uint32_t i8237_move(struct i8237 *dma, unsigned int n,
		    const struct memory *memory, uint8_t *bytes, uint32_t len,
		    bool to_memory);

#endif
