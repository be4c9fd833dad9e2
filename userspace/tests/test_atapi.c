// SPDX-License-Identifier: GPL-2.0
/* piix3-ide: a CD-ROM's packets, its tray, and other media. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail
#include "tests/ide_registers.h"

/* Returns how many bytes came; -1: it failed */
static int packet_with(const uint8_t *p, uint16_t limit, bool dma)
{
	unsigned int len = 0, n;

	task(CD_PORT, dma, 0, limit << 8, 0);
	outb(CD_PORT + 7, 0xa0);
	assert_int_equal(inb(CD_PORT + 2), ATAPI_COMMAND);
	assert_int_equal(status(CD_PORT), READY | ATA_DRQ);
	out_words(CD_PORT, p, 12);
	if (dma)
		bus_master(1, true);
	while (inb(CD_PORT + 0x206) & ATA_DRQ) {
		assert_true(interrupted(1));
		assert_int_equal(inb(CD_PORT + 2), ATAPI_TO_HOST);
		n = inb(CD_PORT + 4) | inb(CD_PORT + 5) << 8;
		assert_in_range(n, 1, limit ? limit : 0xffff);
		in_words(CD_PORT, bytes + len, (n + 1) & ~1);
		len += n;
	}
	assert_true(interrupted(1));
	assert_int_equal(inb(CD_PORT + 2), ATAPI_COMMAND | ATAPI_TO_HOST);
	return status(CD_PORT) & ATA_ERR ? -1 : (int)len;
}

#define PACKET(...) packet_with((const uint8_t[12]){ __VA_ARGS__ }, 2048, false)

/* Key, code, qualifier of the last one */
static uint32_t sense(void)
{
	assert_int_equal(PACKET(0x03, 0, 0, 0, 18), 18);
	return bytes[2] << 16 | bytes[12] << 8 | bytes[13];
}

static void says_what_it_is(void **state)
{
	assert_int_equal(PACKET(0x12, 0, 0, 0, 36), 36);
	assert_int_equal(bytes[0], 5);
	assert_memory_equal(bytes + 8, "MVMM    CD-ROM", 14);
	assert_int_equal(PACKET(0x12, 0, 0, 0, 5), 5);
	assert_int_equal(PACKET(0x12, 1, 0x80, 0, 36), -1);
	assert_int_equal(sense(), 0x052400);
	assert_int_equal(sense(), 0);
	assert_int_equal(PACKET(0x25), 8);
	assert_memory_equal(bytes, "\0\0\0\xc7\0\0\x08\0", 8);
	assert_int_equal(PACKET(0x43, 2, 0, 0, 0, 0, 0, 0, 0xff), 20);
	assert_memory_equal(bytes, "\0\x12\1\1" "\0\x14\1\0\0\0\2\0"
			    "\0\x14\xaa\0\0\0\4\x32", 20);
	assert_int_equal(PACKET(0x43, 0, 1, 0, 0, 0, 0, 0, 12), 12);
	assert_int_equal(PACKET(0x43, 0, 5, 0, 0, 0, 0, 0, 12), -1);
	/* All features; those that count now; one */
	assert_int_equal(PACKET(0x46, 0, 0, 0, 0, 0, 0, 0, 0xff), 64);
	assert_memory_equal(bytes, "\0\0\0\x3c\0\0\0\x08", 8);
	assert_int_equal(PACKET(0x46, 1, 0, 0, 0, 0, 0, 0, 0xff), 60);
	assert_int_equal(PACKET(0x46, 2, 0, 0x10, 0, 0, 0, 0, 0xff), 20);
	assert_int_equal(PACKET(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 0xff), 28);
	assert_int_equal(bytes[1], 26);
	assert_int_equal(PACKET(0x1a, 0, 0x3f, 0, 0xff), 32);
	assert_int_equal(PACKET(0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 0xff), -1);
	assert_int_equal(PACKET(0x5a, 0, 0xea, 0, 0, 0, 0, 0, 0xff), -1);
	assert_int_equal(sense(), 0x053900);
	assert_int_equal(PACKET(0x51, 0, 0, 0, 0, 0, 0, 0, 0xff), 34);
	assert_int_equal(PACKET(0x2a), -1);	/* nothing writes */
	assert_int_equal(sense(), 0x052000);
	/* The interrupt is for the data, and what failed is still known */
	assert_int_equal(PACKET(0x2a), -1);
	outb(CD_PORT + 7, 0xa1);
	assert_true(interrupted(1));
	in_words(CD_PORT, bytes, 512);
	assert_false(interrupted(1));
	assert_int_equal(bytes[1], 0x85);
	assert_int_equal(bytes[0], 0xc0);
	assert_int_equal(sense(), 0x052000);
}

static void reads_a_cd(void **state)
{
	const uint8_t read[12] = { 0x28, 0, 0, 0, 0, 3, 0, 0, 9 };
	const uint16_t limits[] = { 2048, 0xffff, 0, 512, 30, 7 };
	unsigned int i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		memset(bytes, 0, sizeof(bytes));
		assert_int_equal(packet_with(read, limits[i], false), 9 * 2048);
		assert_memory_equal(bytes, cd.data + 3 * 2048, 9 * 2048);
	}
	prd(0, BUFFERS, 9 * 2048 | LAST);
	assert_int_equal(packet_with(read, 0, true), 0);
	assert_memory_equal(at(BUFFERS), cd.data + 3 * 2048, 9 * 2048);
	assert_int_equal(bus_master_ends(1), BM_INTERRUPT);
	/* An answer that is no sector goes that way, too */
	prd(0, BUFFERS, 8 | LAST);
	assert_int_equal(packet_with((const uint8_t[12]){ 0x25 }, 0, true), 0);
	assert_memory_equal(at(BUFFERS), "\0\0\0\xc7\0\0\x08\0", 8);
	bus_master_ends(1);
	assert_int_equal(PACKET(0xa8, 0, 0, 0, 0, 199, 0, 0, 0, 1), 2048);
	assert_int_equal(PACKET(0xbe, 0, 0, 0, 0, 1, 0, 0, 1, 0x10), 2048);
	assert_memory_equal(bytes, cd.data + 2048, 2048);
	assert_int_equal(PACKET(0xbe, 0, 0, 0, 0, 1, 0, 0, 1, 0xf8), -1);
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 0), 0);
	assert_int_equal(PACKET(0xa8, 0, 0, 0, 0, 199, 0, 0, 0, 2), -1);
	assert_int_equal(sense(), 0x052100);
	cd.result = -EIO;
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 1), -1);
	assert_int_equal(sense(), 0x031100);
}

static void tray(void **state)
{
	assert_int_equal(PACKET(0x1e, 0, 0, 0, 1), 0);
	assert_int_equal(PACKET(0x1b, 0, 0, 0, 2), -1);
	assert_int_equal(sense(), 0x055302);
	assert_int_equal(PACKET(0x1e), 0);
	assert_int_equal(PACKET(0x1b, 0, 0, 0, 2), 0);
	assert_int_equal(PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
	assert_memory_equal(bytes, "\0\6\4\x10\3\1\0\0", 8);
	assert_int_equal(PACKET(0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8), -1);
	assert_int_equal(PACKET(0x00), -1);
	assert_int_equal(sense(), 0x023a00);
	assert_int_equal(PACKET(0x25), -1);
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 1), -1);
	assert_int_equal(PACKET(0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8), 8);
	assert_int_equal(bytes[1], 0x10);
	move();
	/* It comes back, and that is told once */
	assert_int_equal(PACKET(0x1b, 0, 0, 0, 3), 0);
	assert_int_equal(PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
	assert_memory_equal(bytes, "\0\6\4\x10\2\2\0\0", 8);
	assert_int_equal(PACKET(0x00), -1);
	assert_int_equal(sense(), 0x062800);
	assert_int_equal(PACKET(0x00), 0);
}

/* The user opens the tray, and puts another CD in */
static void media(void **state)
{
	struct in_memory none = { 0 }, other = { 0 };
	json_t *saved;

	memory_init(&none, 0);
	memory_init(&other, 100 * 4);
	/* What the guest has locked stays; it hears that somebody wants it */
	assert_int_equal(PACKET(0x1e, 0, 0, 0, 1), 0);
	assert_int_equal(put_in(&cd, &none, false), -1);
	assert_non_null(strstr(error.text, "locked"));
	assert_int_equal(PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
	assert_memory_equal(bytes, "\0\6\4\x10\1\2\0\0", 8);
	assert_int_equal(PACKET(0x00), 0);
	/* By force, while it is read */
	cd.waits = true;
	task(CD_PORT, 0, 0, 2048 << 8, 0);
	outb(CD_PORT + 7, 0xa0);
	out_words(CD_PORT, (const uint8_t[12]){ 0x28, 0, 0, 0, 0, 0, 0, 0, 9 }, 12);
	assert_non_null(cd.pending);
	assert_int_equal(put_in(&cd, &none, true), 0);
	assert_null(cd.pending);
	assert_true(interrupted(1));
	assert_int_equal(status(CD_PORT), READY | ATA_ERR);
	assert_int_equal(sense(), 0x023a00);
	assert_int_equal(PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
	assert_memory_equal(bytes, "\0\6\4\x10\3\1\0\0", 8);
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 1), -1);
	assert_int_equal(sense(), 0x023a00);
	/* A tray that is closed without a disc: there is no news of one */
	assert_int_equal(PACKET(0x1b, 0, 0, 0, 3), 0);
	assert_int_equal(PACKET(0x00), -1);
	assert_int_equal(sense(), 0x023a00);
	assert_int_equal(PACKET(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 0xff), 28);
	assert_int_equal(bytes[2], 0x70);
	/* The other one is told once, and is as large as it is */
	assert_int_equal(put_in(&none, &other, true), 0);
	assert_int_equal(PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
	assert_memory_equal(bytes, "\0\6\4\x10\2\2\0\0", 8);
	assert_int_equal(PACKET(0x00), -1);
	assert_int_equal(sense(), 0x062800);
	assert_int_equal(PACKET(0x25), 8);
	assert_memory_equal(bytes, "\0\0\0\x63\0\0\x08\0", 8);
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 99, 0, 0, 1), 2048);
	assert_memory_equal(bytes, other.data + 99 * 2048, 2048);
	assert_int_equal(PACKET(0x28, 0, 0, 0, 0, 100, 0, 0, 1), -1);
	assert_int_equal(sense(), 0x052100);
	/* Half way through the sectors of a read, which the new one has not */
	task(CD_PORT, 0, 0, 2048 << 8, 0);
	outb(CD_PORT + 7, 0xa0);
	out_words(CD_PORT, (const uint8_t[12]){ 0x28, 0, 0, 0, 0, 80, 0, 0, 20 },
		  12);
	in_words(CD_PORT, bytes, 2048);
	other.block.size = cd.block.size;
	cd.block.size = 4096;
	assert_int_equal(put_in(&other, &cd, true), 0);
	assert_int_equal(status(CD_PORT), READY | ATA_ERR);
	/* An open tray keeps nobody from it, although it was locked */
	assert_int_equal(PACKET(0x00), -1);
	assert_int_equal(PACKET(0x1e, 0, 0, 0, 1), 0);
	assert_int_equal(put_in(&cd, &none, false), -1);
	assert_int_equal(put_in(&cd, &none, true), 0);
	assert_int_equal(put_in(&none, &cd, false), 0);
	assert_int_equal(put_in(&cd, &none, false), -1);
	cd.waits = false;
	/* A packet that does not read goes on, before its bytes and behind them */
	task(CD_PORT, 0, 0, 2048 << 8, 0);
	outb(CD_PORT + 7, 0xa0);
	assert_int_equal(put_in(&cd, &other, true), 0);
	assert_int_equal(status(CD_PORT), READY | ATA_DRQ);
	out_words(CD_PORT, (const uint8_t[12]){ 0x12, 0, 0, 0, 36 }, 12);
	assert_int_equal(put_in(&other, &cd, true), 0);
	assert_true(interrupted(1));
	assert_int_equal(status(CD_PORT), READY | ATA_DRQ);
	in_words(CD_PORT, bytes, 36);
	assert_memory_equal(bytes + 8, "MVMM    CD-ROM", 14);
	assert_int_equal(status(CD_PORT), READY);
	/* Nor do the last sectors of a read, which are in the buffer */
	assert_int_equal(PACKET(0x00), -1);
	task(CD_PORT, 0, 0, 2048 << 8, 0);
	outb(CD_PORT + 7, 0xa0);
	out_words(CD_PORT, (const uint8_t[12]){ 0x28, 0, 0, 0, 0, 1, 0, 0, 1 }, 12);
	assert_int_equal(put_in(&cd, &none, true), 0);
	saved = devices_save(&m);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	in_words(CD_PORT, bytes, 2048);
	assert_memory_equal(bytes, cd.data + 2048, 2048);
	assert_int_equal(status(CD_PORT), READY);
	/* The machine's reset unlocks it */
	assert_int_equal(put_in(&none, &other, true), 0);
	devices_reset(&m);
	assert_int_equal(put_in(&other, &none, false), 0);
	assert_int_equal(put_in(&none, &cd, false), 0);
	/* A disk is no medium */
	assert_int_equal(put_in(&disk, &other, true), 1);
	free(none.data);
	free(other.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_what_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_a_cd, setup, teardown),
		cmocka_unit_test_setup_teardown(tray, setup, teardown),
		cmocka_unit_test_setup_teardown(media, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
