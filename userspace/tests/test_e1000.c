// SPDX-License-Identifier: GPL-2.0
/* e1000: registers, EEPROM, PHY, frames both ways, and what a driver may not. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#undef fail
#include "tests/e1000_driver.h"

#define LINE		11	/* of slot 1 */
#define DATA		0x20

static uint8_t frame[FRAME_MAX];

static int setup(void **state)
{
	unsigned int i;

	make_e1000();
	for (i = 0; i < sizeof(frame); i++)
		frame[i] = i * 7;
	memcpy(frame, nic_mac, MAC_LEN);
	memcpy(frame + 6, "\2\2\2\2\2\2\x08\0", 8);
	return 0;
}

static int teardown(void **state)
{
	assert_true(adds_up(&nic->port));
	assert_true(adds_up(&played.port));
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}

/* ---- registers ------------------------------------------------------------ */

static void registers(void **state)
{
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x100e8086);
	assert_int_equal(nic_read(0x0008), 0x283);
	nic_write(0x0008, 0);
	assert_int_equal(nic_read(0x0008), 0x283);
	assert_int_equal(nic_read(0x5400), 0x01010102);
	assert_int_equal(nic_read(0x5404), 0x80000101);
	/* Tables, bits that there are not, and what is no register */
	nic_write(0x5200 + 4 * 127, 5);
	assert_int_equal(nic_read(0x5200 + 4 * 127), 5);
	nic_write(0x2808, ~0u);
	assert_int_equal(nic_read(0x2808), 0xfff80);
	nic_write(0x1fffc, 5);
	assert_int_equal(nic_read(0x1fffc), 0);
	/* By ports, as Linux resets it */
	outs(NIC_PORTS, 0x0000, 4);
	outs(NIC_PORTS + 4, CTRL_RST, 4);
	assert_int_equal(ins(NIC_PORTS + 4, 4) & CTRL_RST, 0);
	assert_int_equal(nic_read(0x5200 + 4 * 127), 0);
	assert_int_equal(nic_read(0x2808), 0);
	assert_int_equal(nic_read(0x5400), 0x01010102);
}

/* A bit goes into the EEPROM, and one comes out */
static bool clocked(bool in)
{
	uint32_t lines = 2 | (in ? 4 : 0) | 0x40;

	nic_write(0x0010, lines);
	nic_write(0x0010, lines | 1);
	return nic_read(0x0010) & 8;
}

static uint16_t microwire(unsigned int word)
{
	uint16_t value = 0;
	int i;

	nic_write(0x0010, 0x40);
	assert_true(nic_read(0x0010) & 0x80);
	clocked(true);
	clocked(true);
	clocked(false);
	for (i = 5; i >= 0; i--)
		clocked(word >> i & 1);
	for (i = 0; i < 16; i++)
		value = value << 1 | clocked(false);
	nic_write(0x0010, 0);
	return value;
}

static void eeprom(void **state)
{
	uint16_t sum = 0, word;
	unsigned int i;

	for (i = 0; i < 64; i++) {
		nic_write(0x0014, i << 8 | 1);
		assert_true(nic_read(0x0014) & 0x10);
		word = nic_read(0x0014) >> 16;
		assert_int_equal(microwire(i), word);
		sum += word;
		if (i < 3)
			assert_int_equal(word, nic_mac[2 * i] |
					 nic_mac[2 * i + 1] << 8);
	}
	assert_int_equal(sum, 0xbaba);
	nic_write(0x0014, 0xff01);
	assert_int_equal(nic_read(0x0014) >> 16, 0);
}

static uint16_t phy(unsigned int reg)
{
	nic_write(0x0020, 2u << 26 | 1u << 21 | reg << 16);
	assert_int_equal(nic_read(0x0020) >> 28, 1);
	return nic_read(0x0020);
}

static void phy_and_link(void **state)
{
	start_e1000(0);
	assert_int_equal(phy(2), 0x0141);
	assert_int_equal(phy(3), 0x0c20);
	assert_int_equal(phy(1) & 0x24, 0x24);
	/* It cannot be written, this one can; another PHY is not there */
	nic_write(0x0020, 1u << 26 | 1u << 21 | 2u << 16 | 7);
	assert_int_equal(phy(2), 0x0141);
	nic_write(0x0020, 1u << 26 | 1u << 21 | 4u << 16 | 0x1e1);
	assert_int_equal(phy(4), 0x1e1);
	nic_write(0x0020, 2u << 26 | 2u << 21);
	assert_true(nic_read(0x0020) & 1u << 30);
	nic_write(0x0020, 2u << 26 | 1u << 21 | 1u << 29);
	assert_int_equal(nic_read(0x00c0), ICR_MDAC);
	/* The cable is pulled, and is in again */
	port_set_link(&played.port, false);
	assert_true(noted.up[LINE]);
	assert_int_equal(nic_read(0x00c0), ICR_LSC);
	assert_false(noted.up[LINE]);
	assert_int_equal(nic_read(0x0008), 0x281);
	assert_int_equal(phy(1) & 0x24, 0);
	played.frames = 0;
	port_set_link(&played.port, true);
	assert_int_equal(nic_read(0x00c0), ICR_LSC);
	assert_int_equal(nic_read(0x0008), 0x283);
	/* Switches are told */
	assert_int_equal(played.frames, 1);
	assert_memory_equal(played.bytes + 6, nic_mac, MAC_LEN);
}

static void interrupts(void **state)
{
	nic_write(0x00c8, ICR_LSC);
	assert_false(noted.up[LINE]);
	nic_write(0x00d0, ICR_LSC);
	assert_true(noted.up[LINE]);
	nic_write(0x00d8, ICR_LSC);
	assert_false(noted.up[LINE]);
	nic_write(0x00d0, ICR_LSC);
	nic_write(0x00c0, ICR_LSC);
	assert_false(noted.up[LINE]);
	assert_int_equal(nic_read(0x00c0), 0);
	/* The next one not before its time */
	nic_write(0x00c4, 1000);
	nic_write(0x00c8, ICR_LSC);
	assert_true(noted.up[LINE]);
	assert_int_equal(nic_read(0x00c0), ICR_LSC);
	nic_write(0x00c8, ICR_LSC);
	assert_false(noted.up[LINE]);
	m.clock.stopped_at += 255999;
	run_timers();
	assert_false(noted.up[LINE]);
	m.clock.stopped_at++;
	run_timers();
	assert_true(noted.up[LINE]);
}

/* ---- from the guest ------------------------------------------------------- */

static void sends(void **state)
{
	memcpy(at(TX_BUFFER), frame, 100);
	start_e1000(0);
	tx_put(0, TX_BUFFER, 60, 0);
	tx_ring(1);
	/* Its end is not there yet */
	assert_int_equal(played.frames, 0);
	assert_int_equal(tx_head(), 0);
	tx_put(1, TX_BUFFER + 60, 40 | EOP_RS << 24, 0);
	tx_ring(2);
	assert_int_equal(played.frames, 1);
	assert_int_equal(tx_head(), 2);
	assert_false(tx_desc(0)[12] & 1);
	assert_true(tx_desc(1)[12] & 1);
	assert_int_equal(nic_read(0x00c0), ICR_TXDW | ICR_TXQE);
	assert_int_equal(played.len, 100);
	assert_memory_equal(played.bytes, frame, 100);
	assert_int_equal(nic_read(0x4080), 1);
	assert_int_equal(nic_read(0x4080), 0);
	assert_int_equal(nic_read(0x4090), 104);
	assert_int_equal(nic_read(0x4090), 104);
	assert_int_equal(nic_read(0x4094), 0);
	assert_int_equal(nic_read(0x4090), 0);
}

/* Who has no room says so, and the ring waits */
static void sends_later(void **state)
{
	memcpy(at(TX_BUFFER), frame, 100);
	start_e1000(0);
	played.full = true;
	tx_put(0, TX_BUFFER, 100 | EOP_RS << 24, 0);
	tx_ring(1);
	assert_int_equal(tx_head(), 0);
	assert_false(tx_desc(0)[12] & 1);
	assert_int_equal(nic->port.to_peer.in, 0);
	played.full = false;
	port_ready(&played.port);
	assert_int_equal(tx_head(), 1);
	assert_int_equal(played.frames, 1);
}

static void tags(void **state)
{
	memcpy(at(TX_BUFFER), frame, 60);
	start_e1000(0);
	nic_write(0x0400, 2 | 8);
	tx_put(0, TX_BUFFER, 40 | (EOP_RS | 0x40) << 24, 0x0123u << 16);
	tx_ring(1);
	/* Not as long as VME is off; short ones become longer */
	assert_int_equal(played.len, 60);
	assert_memory_equal(played.bytes, frame, 40);
	assert_int_equal(played.bytes[59], 0);
	nic_write(0x0000, nic_read(0x0000) | CTRL_VME);
	tx_put(1, TX_BUFFER, 60 | (EOP_RS | 0x40) << 24, 0x0123u << 16);
	tx_ring(2);
	assert_int_equal(played.len, 64);
	assert_memory_equal(played.bytes + 12, "\x81\0\x01\x23\x08\0", 6);
	assert_memory_equal(played.bytes + 16, frame + 12, 48);
}

static uint16_t sum_up(const uint8_t *bytes, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void old_checksum(void **state)
{
	memcpy(at(TX_BUFFER), frame, 61);
	memset((uint8_t *)at(TX_BUFFER) + 40, 0, 2);
	start_e1000(0);
	tx_put(0, TX_BUFFER, 61 | 40 << 16 | (EOP_RS | 4) << 24, 20 << 8);
	tx_ring(1);
	assert_int_equal(sum_up(played.bytes + 20, 41, 0), 0xffff);
	/* One that is not in the frame changes nothing */
	tx_put(1, TX_BUFFER, 61 | 60 << 16 | (EOP_RS | 4) << 24, 20 << 8);
	tx_ring(2);
	assert_memory_equal(played.bytes, at(TX_BUFFER), 61);
}

/* ---- segments ------------------------------------------------------------- */

#define HEADERS_LEN	54

/* IPv4 and TCP; the pseudo header is summed without the length */
static void write_headers(uint8_t *h)
{
	static const uint8_t ip[] = { 0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6,
				      0, 0, 10, 0, 0, 1, 10, 0, 0, 2 };
	static const uint8_t tcp[] = { 0x10, 0, 0, 80, 0xff, 0xff, 0xff, 0xf0,
				       0, 0, 0, 1, 0x50, 0x19, 1, 0 };
	uint16_t sum = sum_up(ip + 12, 8, 6);

	memcpy(h, frame, 14);
	memcpy(h + 14, ip, sizeof(ip));
	memset(h + 34, 0, 20);
	memcpy(h + 34, tcp, sizeof(tcp));
	h[50] = sum >> 8;
	h[51] = sum;
}

static void put_context(unsigned int i, uint8_t flags, uint32_t header,
			uint32_t mss, uint32_t len)
{
	tx_put(i, 14 | 24 << 8 | 33u << 16 | 34ull << 32 | 50ull << 40, len | (flags | DATA) << 24, header << 8 | mss << 16);
}

static void check_segment(size_t from, size_t len, bool last)
{
	const uint8_t *b = played.bytes;
	uint32_t sequence = 0xfffffff0 + from;

	assert_int_equal(played.len, HEADERS_LEN + len);
	assert_int_equal(b[16] << 8 | b[17], 40 + len);
	assert_int_equal(b[18] << 8 | b[19], 0x1234 + from / 1000);
	assert_int_equal(b[38] << 24 | b[39] << 16 | b[40] << 8 | b[41],
			 (int)sequence);
	assert_int_equal(b[47], last ? 0x19 : 0x10);
	assert_int_equal(sum_up(b + 14, 20, 0), 0xffff);
	assert_int_equal(sum_up(b + 34, 20 + len,
				sum_up(b + 26, 8, 6 + 20 + len)), 0xffff);
	assert_memory_equal(b + HEADERS_LEN, frame + from, len);
}

static void segments(void **state)
{
	uint8_t *h = at(TX_BUFFER);

	write_headers(h);
	memcpy(h + HEADERS_LEN, frame, 2500);
	start_e1000(0);
	put_context(0, 7, HEADERS_LEN, 1000, 2500);
	tx_put(1, TX_BUFFER, HEADERS_LEN | 0x10 << 16 | (DATA | 4) << 24, 3 << 8);
	tx_put(2, TX_BUFFER + HEADERS_LEN,
	    2500 | 0x10 << 16 | (DATA | 4 | EOP_RS) << 24, 3 << 8);
	/* It waits in the middle, is saved there, and goes on */
	played.limit = 2;
	tx_ring(3);
	assert_int_equal(played.frames, 2);
	check_segment(1000, 1000, false);
	assert_int_equal(tx_head(), 1);
	assert_int_equal(nic->sent, 2000);
	played.limit = 0;
	port_ready(&played.port);
	assert_int_equal(played.frames, 3);
	check_segment(2000, 500, true);
	assert_int_equal(tx_head(), 3);
	assert_true(tx_desc(2)[12] & 1);
	assert_int_equal(nic->sent, 0);
	/* Checksums without segments: then the length is in the sum */
	put_context(3, 3, 0, 0, 0);
	h[16] = (40 + 100) >> 8;
	h[17] = 40 + 100;
	h[50] = sum_up(h + 26, 8, 6 + 120) >> 8;
	h[51] = sum_up(h + 26, 8, 6 + 120);
	tx_put(4, TX_BUFFER, 154 | 0x10 << 16 | (DATA | EOP_RS) << 24, 3 << 8);
	tx_ring(5);
	assert_int_equal(played.len, 154);
	assert_int_equal(sum_up(played.bytes + 14, 20, 0), 0xffff);
	assert_int_equal(sum_up(played.bytes + 34, 120,
				sum_up(h + 26, 8, 6 + 120)), 0xffff);
}

/* Each packet is dropped, and the ring goes on */
static void nonsense(void **state)
{
	unsigned int i = 0;

	memcpy(at(TX_BUFFER), frame, 100);
	start_e1000(0);
	tx_put(i++, TX_BUFFER, 13 | EOP_RS << 24, 0);
	tx_put(i++, 1ull << 40, 60 | EOP_RS << 24, 0);
	tx_put(i++, TX_BUFFER, 0xfffff | 0x10 << 16 | (DATA | EOP_RS) << 24, 0);
	tx_put(i++, TX_BUFFER, 60 | 0x70 << 16 | (DATA | EOP_RS) << 24, 0);
	tx_ring(i);
	assert_int_equal(tx_head(), i);
	assert_int_equal(nic->port.to_peer.dropped[DROP_LENGTH], 4);
	/* Headers that are longer than the packet, or no segment's size */
	put_context(i++, 7, 200, 1000, 100);
	tx_put(i++, TX_BUFFER, 100 | 0x10 << 16 | (DATA | 4 | EOP_RS) << 24, 0);
	put_context(i++, 7, HEADERS_LEN, 0, 100);
	tx_put(i++, TX_BUFFER, 100 | 0x10 << 16 | (DATA | 4 | EOP_RS) << 24, 0);
	tx_ring(i);
	assert_int_equal(tx_head(), i);
	assert_int_equal(nic->port.to_peer.dropped[DROP_HEADER], 2);
	/* A context within a packet */
	tx_put(i++, TX_BUFFER, 60 | 0x10 << 16 | DATA << 24, 0);
	put_context(i++, 7, HEADERS_LEN, 1000, 100);
	tx_put(i++, TX_BUFFER, 60 | 0x10 << 16 | (DATA | EOP_RS) << 24, 0);
	tx_ring(i);
	assert_int_equal(nic->port.to_peer.dropped[DROP_LENGTH], 5);
	assert_int_equal(played.frames, 0);
	/* A tail, and a ring, that cannot be */
	tx_ring(NIC_RING);
	nic_write(0x3804, ~0u);
	tx_ring(i + 1);
	assert_int_equal(tx_head(), i + 1);
	/* Without mastership nothing moves */
	cfg_write(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	tx_ring(0);
	assert_int_equal(tx_head(), i + 1);
}

/* A ring that has no end takes its turns */
static void endless(void **state)
{
	unsigned int i, n = 8192;

	start_e1000(0);
	nic_write(0x3800, RX_BUFFER);
	nic_write(0x3808, n * E1000_DESC);
	for (i = 0; i < n; i++)
		memset((uint8_t *)at(RX_BUFFER) + i * E1000_DESC, 0,
		       E1000_DESC);
	tx_ring(n - 1);
	assert_in_range(tx_head(), 1024, 4096);
	for (i = 0; i < 8; i++) {
		m.clock.stopped_at++;
		run_timers();
	}
	/* What is less than the longest packet may become one yet */
	assert_int_equal(tx_head(), n - 1024);
}

/* A packet of many small segments: not all of them at once, either */
static void many_segments(void **state)
{
	const unsigned int len = 10000;
	uint8_t *h = at(TX_BUFFER);
	unsigned int i;

	write_headers(h);
	memset(h + HEADERS_LEN, 0, len);
	start_e1000(0);
	put_context(0, 7, HEADERS_LEN, 1, len);
	tx_put(1, TX_BUFFER, (HEADERS_LEN + len) | 0x10 << 16 |
	    (DATA | 4 | EOP_RS) << 24, 3 << 8);
	tx_ring(2);
	assert_in_range(played.frames, 1, 4096);
	assert_int_equal(tx_head(), 1);
	for (i = 0; i < 8; i++) {
		m.clock.stopped_at++;
		run_timers();
	}
	assert_int_equal(played.frames, len);
	assert_int_equal(tx_head(), 2);
}

/* ---- to the guest --------------------------------------------------------- */

static bool come(size_t len)
{
	return played_send_frame(frame, len, NULL);
}

static void receives(void **state)
{
	start_e1000(0);
	rx_give(8);
	assert_true(come(100));
	assert_int_equal(rx_length(0), 104);
	assert_int_equal(rx_desc(0)[12], 7);
	assert_memory_equal(at(RX_BUFFER), frame, 100);
	assert_int_equal(nic_read(0x00c0), ICR_RXT0 | ICR_RXDMT0);
	/* A short one becomes longer */
	assert_true(come(20));
	assert_int_equal(rx_length(1), 64);
	assert_int_equal(((uint8_t *)at(RX_BUFFER + 4096))[20], 0);
	/* Without the check sequence */
	nic_write(0x0100, 2 | 1u << 26);
	assert_true(come(100));
	assert_int_equal(rx_length(2), 100);
	assert_int_equal(nic_read(0x4074), 3);
	assert_int_equal(nic_read(0x40c0), 104 + 64 + 104);
	/* A long one, in several */
	assert_true(come(1600));
	assert_int_equal(nic->port.from_peer.dropped[DROP_LENGTH], 1);
	nic_write(0x0100, 2 | 1u << 5 | 3u << 16);
	assert_true(come(600));
	assert_int_equal(rx_desc(3)[12], 1);
	assert_int_equal(rx_length(3), 256);
	assert_int_equal(rx_desc(5)[12], 7);
	assert_int_equal(rx_length(5), 604 - 512);
	assert_memory_equal(at(RX_BUFFER + 5 * 4096), frame + 512, 88);
	assert_int_equal(nic_read(0x2810), 6);
}

static void waits(void **state)
{
	start_e1000(0);
	rx_give(0);
	assert_false(come(100));
	played.readied = 0;
	nic_write(0x2818, 2);
	assert_int_equal(played.readied, 1);
	assert_true(come(100));
	assert_true(come(100));
	assert_false(come(100));
	/* A driver that goes leaves nobody waiting */
	nic_write(0x0000, CTRL_RST);
	m.clock.stopped_at++;
	run_timers();
	assert_int_equal(played.readied, 2);
	assert_true(come(100));
	assert_int_equal(nic->port.from_peer.dropped[DROP_NO_LINK], 1);
	/* Nor does a frame wait for a ring that is too small for it */
	start_e1000(1u << 5 | 3u << 16);
	rx_give(15);
	assert_true(come(9000));
	assert_int_equal(nic->port.from_peer.dropped[DROP_LENGTH], 1);
	assert_int_equal(nic_read(0x4010), 1);
	/* A head and a tail that cannot be */
	nic_write(0x2818, 99);
	assert_false(come(100));
	nic_write(0x2810, 99);
	assert_false(come(100));
	nic_write(0x2810, 0);
	nic_write(0x2818, 2);
	assert_true(come(100));
}

static bool gets(const char *to)
{
	uint64_t out = nic->port.from_peer.out;

	memcpy(frame, to, MAC_LEN);
	nic_write(0x2810, 0);
	assert_true(come(60));
	return nic->port.from_peer.out == out + 1;
}

static void filter(void **state)
{
	static const char other[] = "\2\1\1\1\1\2";
	static const char group[] = "\1\0\x5e\0\x12\x34";
	static const char all[] = "\xff\xff\xff\xff\xff\xff";
	unsigned int shift;

	start_e1000(0);
	rx_give(8);
	assert_true(gets("\2\1\1\1\1\1"));
	assert_false(gets(other));
	assert_false(gets(group));
	assert_false(gets(all));
	nic_write(0x0100, 2 | 1u << 3);
	assert_true(gets(other));
	nic_write(0x0100, 2 | 1u << 15);
	assert_true(gets(all));
	nic_write(0x0100, 2 | 1u << 4);
	assert_true(gets(group));
	/* Each of the four hashes */
	for (shift = 0; shift < 4; shift++) {
		static const uint16_t hash[] = { 0x341, 0x682, 0xd04, 0x412 };

		nic_write(0x0100, 2 | shift << 12);
		assert_false(gets(group));
		nic_write(0x5200 + hash[shift] / 32 * 4,
			  1u << hash[shift] % 32);
		assert_true(gets(group));
		nic_write(0x5200 + hash[shift] / 32 * 4, 0);
	}
	/* Another address */
	nic_write(0x5408, 0x01010102);
	nic_write(0x540c, 0x80000201);
	assert_true(gets(other));
	nic_write(0x540c, 0x00000201);
	assert_false(gets(other));
}

static void tags_taken_out(void **state)
{
	memcpy(frame + 12, "\x81\0\x21\x23\x08\0", 6);
	start_e1000(0);
	rx_give(8);
	assert_true(come(100));
	assert_int_equal(rx_length(0), 104);
	nic_write(0x0000, nic_read(0x0000) | CTRL_VME);
	assert_true(come(100));
	assert_int_equal(rx_length(1), 100);
	assert_int_equal(rx_desc(1)[12], 15);
	assert_memory_equal(rx_desc(1) + 14, "\x23\x21", 2);
	assert_memory_equal(at(RX_BUFFER + 4096), frame, 12);
	assert_memory_equal(at(RX_BUFFER + 4096 + 12), frame + 16, 84);
	nic_write(0x0100, 2 | 1u << 18);
	assert_true(come(100));
	assert_int_equal(nic->port.from_peer.dropped[DROP_FILTER], 1);
	nic_write(0x5600 + 0x123 / 32 * 4, 1u << 0x123 % 32);
	assert_true(come(100));
	assert_int_equal(rx_length(2), 100);
}

/* ---- saved ---------------------------------------------------------------- */

static void saved(void **state)
{
	json_t *all, *bad;

	start_e1000(1u << 15);
	rx_give(8);
	nic_write(0x5404, 0x80000909);
	nic_write(0x00c8, ICR_LSC);
	all = devices_save(&m);
	assert_non_null(all);
	devices_destroy(&m);
	memory_destroy(&m.memory);
	nic_mac[5] = 9;
	make_e1000();
	assert_int_equal(devices_load(&m, all, &error), 0);
	/* Its address is the one it had, and switches are told */
	nic_mac[5] = 1;
	rx_give(8);
	nic_write(0x0014, 2 << 8 | 1);
	assert_int_equal(nic_read(0x0014) >> 16, 0x0101);
	played.frames = 0;
	m.clock.stopped_at += 10;
	run_timers();
	assert_int_equal(played.frames, 1);
	assert_memory_equal(played.bytes + 6, "\2\1\1\1\x09\x09", MAC_LEN);
	assert_true(noted.up[LINE]);
	assert_int_equal(nic_read(0x00c0), ICR_LSC);
	assert_true(come(60));
	assert_int_equal(nic->port.from_peer.dropped[DROP_FILTER], 1);
	frame[4] = frame[5] = 9;
	assert_true(come(60));
	assert_int_equal(rx_length(0), 64);
	/* Bits that no register has */
	bad = json_array_get(json_object_get(json_object_get(all, "e1000.0"),
					     "reg"), 0);
	json_object_set_new(bad, "rdlen", json_integer(0xffffffff));
	assert_int_equal(devices_load(&m, all, &error), -1);
	assert_non_null(strstr(error.text, "register 0x2808"));
	json_decref(all);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers), TEST(eeprom), TEST(phy_and_link),
		TEST(interrupts), TEST(sends), TEST(sends_later), TEST(tags),
		TEST(old_checksum), TEST(segments), TEST(nonsense),
		TEST(endless), TEST(many_segments), TEST(receives),
		TEST(waits), TEST(filter), TEST(tags_taken_out), TEST(saved) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
