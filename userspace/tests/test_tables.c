// SPDX-License-Identifier: GPL-2.0
/* Finds and reads the MP table and SMBIOS as an operating system does. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "boot/boot.h"
#include "devices/pci/pci.h"

#define RAM	(1u << 20)

static struct memory ram;

static uint64_t get(uint64_t gpa, int size)
{
	uint64_t value = 0;

	assert_true(gpa + size <= RAM);
	memcpy(&value, ram.base + gpa, size);
	return value;
}

static uint8_t sum(uint64_t gpa, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s += get(gpa++, 1);
	return s;
}

/* Where BIOSes have such things, on a boundary of 16 bytes */
static uint64_t find(const char *signature)
{
	uint64_t at;

	for (at = 0xf0000; at < RAM; at += 16)
		if (!memcmp(ram.base + at, signature, strlen(signature)))
			return at;
	return 0;
}

/* ---- MP table ------------------------------------------------------------------- */

struct seen {
	unsigned int cpus, boot, buses, ioapics, interrupts, local;
	uint8_t isa_pin[16], pci_pin[PCI_SLOTS];
};

static void see_interrupt(struct seen *s, uint64_t at)
{
	unsigned int bus = get(at + 4, 1), irq = get(at + 5, 1);

	assert_int_equal(get(at + 1, 1), 0);
	if (!bus)
		s->pci_pin[irq >> 2] = get(at + 7, 1);
	else
		s->isa_pin[irq] = get(at + 7, 1);
	s->interrupts++;
}

static struct seen read_mptable(void)
{
	uint64_t pointer = find("_MP_"), table, at, end;
	static const unsigned int len[] = { 20, 8, 8, 8, 8 };
	struct seen s = { 0 };
	unsigned int entries = 0, type;

	assert_int_not_equal(pointer, 0);
	assert_int_equal(sum(pointer, 16), 0);
	table = get(pointer + 4, 4);
	assert_memory_equal(ram.base + table, "PCMP", 4);
	end = table + get(table + 4, 2);
	assert_int_equal(sum(table, end - table), 0);
	assert_int_equal(get(table + 36, 4), 0xfee00000);
	for (at = table + 44; at < end; at += len[type]) {
		type = get(at, 1);
		assert_true(type <= 4);
		entries++;
		if (type == 0) {
			assert_int_equal(get(at + 1, 1), s.cpus++);
			s.boot += get(at + 3, 1) >> 1 & 1;
		} else if (type == 3) {
			see_interrupt(&s, at);
		}
		s.buses += type == 1;
		s.ioapics += type == 2;
		s.local += type == 4;
	}
	assert_int_equal(at, end);
	assert_int_equal(entries, get(table + 34, 2));
	return s;
}

static void mptable(void **state)
{
	struct seen s;

	make_mptable(&ram, 1);
	s = read_mptable();
	assert_int_equal(s.cpus, 1);
	make_mptable(&ram, VCPUS_MAX);
	s = read_mptable();
	assert_int_equal(s.cpus, VCPUS_MAX);
	assert_int_equal(s.boot, 1);
	assert_int_equal(s.buses, 2);
	assert_int_equal(s.ioapics, 1);
	assert_int_equal(s.local, 2);
	/* What the board does: the timer on pin 2, PCI's lines where they are */
	assert_int_equal(s.isa_pin[0], 2);
	assert_int_equal(s.isa_pin[4], 4);
	assert_int_equal(s.isa_pin[10], 0);
	assert_int_equal(s.pci_pin[1], PCI_LINE(1));
	assert_int_equal(s.pci_pin[2], PCI_LINE(2));
}

/* ---- SMBIOS ---------------------------------------------------------------------- */

/* The structure's text @n; NULL: there are fewer */
static const char *text(uint64_t at, unsigned int n)
{
	const char *s = (char *)ram.base + at + get(at + 1, 1);

	while (--n && *s)
		s += strlen(s) + 1;
	return *s ? s : NULL;
}

static uint64_t next(uint64_t at)
{
	at += get(at + 1, 1);
	while (get(at, 2))
		at++;
	return at + 2;
}

/* How many of that type; @at: the last one */
static unsigned int count(uint8_t type, uint64_t *at)
{
	uint64_t entry = find("_SM_"), table = get(entry + 24, 4), s = table;
	unsigned int structures = get(entry + 28, 2), n = 0, i;

	assert_int_equal(sum(entry, 31), 0);
	assert_int_equal(sum(entry + 16, 15), 0);
	for (i = 0; i < structures; i++, s = next(s)) {
		/* Handles are unique */
		assert_int_equal(get(s + 2, 2), i);
		if (get(s, 1) != type)
			continue;
		*at = s;
		n++;
	}
	assert_int_equal(s, table + get(entry + 22, 2));
	return n;
}

static void smbios(void **state)
{
	uint64_t at, array;

	ram.size = ram.low = 512u << 20;
	ram.high = 0;
	make_smbios(&ram, 2);
	assert_int_equal(count(0, &at), 1);
	assert_string_equal(text(at, 1), "mvmm");
	assert_int_equal(count(1, &at), 1);
	assert_string_equal(text(at, 2), "virtual machine");
	assert_int_equal(count(3, &at), 1);
	assert_int_equal(count(4, &at), 2);
	assert_string_equal(text(at, get(at + 4, 1)), "CPU 1");
	assert_string_equal(text(at, get(at + 7, 1)), "mvmm");
	assert_int_equal(count(16, &array), 1);
	assert_int_equal(get(array + 7, 4), 512 << 10);
	assert_int_equal(count(17, &at), 1);
	assert_int_equal(get(at + 4, 2), get(array + 2, 2));
	assert_int_equal(get(at + 12, 2), 512);
	assert_int_equal(count(19, &at), 1);
	assert_int_equal(get(at + 8, 4), (512 << 10) - 1);
	assert_int_equal(count(127, &at), 1);
	/* 64 CPUs, and memory that old fields have no room for */
	ram.size = 5ull << 40;
	ram.low = 3ull << 30;
	ram.high = ram.size - ram.low;
	make_smbios(&ram, VCPUS_MAX);
	assert_int_equal(count(4, &at), VCPUS_MAX);
	assert_int_equal(count(16, &at), 1);
	assert_int_equal(get(at + 7, 4), 0x80000000);
	assert_int_equal(get(at + 15, 8), ram.size);
	assert_int_equal(count(17, &at), 1);
	assert_int_equal(get(at + 12, 2), 0x7fff);
	assert_int_equal(get(at + 28, 4), 5u << 20);
	assert_int_equal(count(19, &at), 2);
	assert_int_equal(get(at + 4, 4), UINT32_MAX);
	assert_int_equal(get(at + 15, 8), 4ull << 30);
}

static int setup(void **state)
{
	ram = (struct memory){ .base = calloc(1, RAM), .size = RAM,
			       .low = RAM };
	return ram.base ? 0 : -1;
}

static int teardown(void **state)
{
	free(ram.base);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(mptable), TEST(smbios) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
