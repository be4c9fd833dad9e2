// SPDX-License-Identifier: GPL-2.0
/* Finds and reads the ACPI tables as an operating system does. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "boot/boot.h"
#include "devices/isa/hpet.h"
#include "devices/pci/pci.h"
#include "tests/hole.h"

#define RAM (1u << 20)

static struct memory ram;

static uint64_t get(uint64_t gpa, int size)
{
	uint64_t value = 0;

	assert_non_null(memory_at(&ram, gpa, size, MVMM_ACCESS_WRITE));
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

/* Checks a table's header; returns its length */
static uint32_t check(uint64_t gpa, const char *signature)
{
	uint32_t len = get(gpa + 4, 4);

	assert_memory_equal(ram.base + gpa, signature, 4);
	assert_int_equal(sum(gpa, len), 0);
	return len;
}

/* Finds the table with that signature from RSDP and XSDT; 0: there is none */
static uint64_t find(uint64_t rsdp, const char *signature)
{
	uint64_t xsdt = get(rsdp + 24, 8), at;
	uint32_t len = check(xsdt, "XSDT"), i;

	for (i = 36; i < len; i += 8) {
		at = get(xsdt + i, 8);
		if (!memcmp(ram.base + at, signature, 4))
			return at;
	}
	return 0;
}

static void root(void **state)
{
	uint64_t rsdp = make_acpi(&ram, 1);

	assert_memory_equal(ram.base + rsdp, "RSD PTR ", 8);
	assert_int_equal(rsdp & 15, 0);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, get(rsdp + 20, 4)), 0);
}

static void fixed_hardware(void **state)
{
	uint64_t fadt = find(make_acpi(&ram, 1), "FACP"), facs;
	uint32_t flags;

	assert_int_equal(check(fadt, "FACP"), 276);
	facs = get(fadt + 36, 4);
	assert_int_equal(facs & 63, 0);
	assert_memory_equal(ram.base + facs, "FACS", 4);
	assert_int_equal(get(facs + 4, 4), 64);
	assert_int_equal(get(fadt + 46, 2), 9);		/* SCI */
	assert_int_equal(get(fadt + 48, 4), 0);		/* always in ACPI mode */
	flags = get(fadt + 112, 4);
	assert_true(flags & 1 << 10);			/* reset register */
	assert_false(flags & 1 << 4);			/* a power button */
	assert_true(flags & 1 << 5);			/* no sleep button */
	assert_int_equal(get(fadt + 116, 1), 1);	/* it is a port */
	assert_int_equal(get(fadt + 120, 8), 0x64);
	assert_int_equal(get(fadt + 128, 1), 0xfe);
	assert_int_equal(get(fadt + 140, 8), get(fadt + 40, 4));
	/* Of what a PC may have, which is told when it is there */
	assert_int_equal(get(fadt + 109, 1), 1 << 2);	/* no VGA */
	acpi_set_boot(&ram, true, true);
	assert_int_equal(get(fadt + 109, 1), 1 << 1);
	check(fadt, "FACP");
}

/* iasl has made it, and checked it; here it is only found */
static void dsdt(void **state)
{
	uint64_t fadt = find(make_acpi(&ram, 1), "FACP");
	uint64_t at = get(fadt + 140, 8);
	uint32_t len = check(at, "DSDT");

	assert_non_null(memmem(ram.base + at, len, "_S5_", 4));
	assert_non_null(memmem(ram.base + at, len, "PCI0", 4));
	assert_non_null(memmem(ram.base + at, len, "_PRT", 4));
}

/* The one above RAM, as the machine has it */
static void window(void **state)
{
	uint64_t fadt = find(make_acpi(&ram, 1), "FACP");
	uint64_t at = get(fadt + 140, 8), len = get(at + 4, 4);
	uint64_t first = 0x180000000, end = 1ull << 40;
	uint8_t *found;

	acpi_set_window(&ram, first, end);
	assert_int_equal(check(at, "DSDT"), len);
	found = memmem(ram.base + at, len, &first, 8);
	assert_non_null(found);
	end--;
	assert_memory_equal(found + 8, &end, 8);
	end -= first - 1;
	assert_memory_equal(found + 24, &end, 8);
	/* Again, as after a reset */
	acpi_set_window(&ram, first, 1ull << 36);
	assert_int_equal(check(at, "DSDT"), len);
}

static void mcfg(void **state)
{
	uint64_t at = find(make_acpi(&ram, 1), "MCFG");

	assert_int_equal(check(at, "MCFG"), 60);
	assert_int_equal(get(at + 44, 8), PCI_ECAM);
	assert_int_equal(get(at + 52, 4), 0);	/* segment 0, bus 0 to 0 */
}

static void hpet(void **state)
{
	uint64_t rsdp = make_acpi(&ram, 1), at;

	assert_int_equal(find(rsdp, "HPET"), 0);
	acpi_add_hpet(&ram);
	at = find(rsdp, "HPET");
	assert_int_equal(check(at, "HPET"), 56);
	assert_int_equal(get(at + 36, 4), HPET_ID);
	assert_int_equal(get(at + 40, 1), 0);		/* in memory */
	assert_int_equal(get(at + 44, 8), 0xfed00000);
	/* The others are where they were */
	assert_int_not_equal(find(rsdp, "APIC"), 0);
	assert_int_not_equal(find(rsdp, "FACP"), 0);
	/* After a reset there is one again, and without local APICs, too */
	rsdp = make_acpi(&ram, 0);
	acpi_add_hpet(&ram);
	assert_int_equal(find(rsdp, "HPET"), at);
	assert_int_equal(find(rsdp, "APIC"), 0);
}

/* Has to end with status 0, and says so */
static void run(const char *format, const char *dir, const char *name)
{
	char command[256];

	snprintf(command, sizeof(command), format, dir, name);
	assert_int_equal(system(command), 0);
}

/*
 * iasl takes the table to pieces, and makes it of these once more: what its
 * compiler refuses, or reads as something else, is none. The header has the
 * compiler's name then, and so another checksum
 */
static void compile(const char *dir, const char *name, uint64_t at)
{
	uint32_t len = check(at, name);
	uint8_t *again = calloc(1, len + 1);
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.dat", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(ram.base + at, len, 1, f), 1);
	fclose(f);
	run("cd %s && iasl -d %s.dat >log 2>&1", dir, name);
	run("cd %s && iasl -ve %s.dsl >>log 2>&1", dir, name);
	snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fread(again, 1, len + 1, f), len);
	fclose(f);
	memcpy(again + 28, ram.base + at + 28, 8);
	again[9] = get(at + 9, 1);
	assert_memory_equal(again, ram.base + at, len);
	free(again);
}

static void tables_of_iasl(void **state)
{
	static const char *const names[] = { "FACP", "APIC", "MCFG", "HPET" };
	char dir[] = "/tmp/mvmm-acpi.XXXXXX";
	uint64_t rsdp = make_acpi(&ram, 3);
	unsigned int i;

	acpi_add_hpet(&ram);
	assert_non_null(mkdtemp(dir));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		compile(dir, names[i], find(rsdp, names[i]));
	run("rm -r %s%s", dir, "");
}

struct found {
	unsigned int cpus, ioapics, overrides, nmis;
};

static void check_entry(uint64_t at, struct found *f)
{
	switch (get(at, 1)) {
	case 0:
		assert_int_equal(get(at + 1, 1), 8);
		assert_int_equal(get(at + 2, 1), f->cpus);
		assert_int_equal(get(at + 3, 1), f->cpus);
		assert_int_equal(get(at + 4, 4), 1);
		f->cpus++;
		break;
	case 1:
		assert_int_equal(get(at + 1, 1), 12);
		assert_int_equal(get(at + 4, 4), 0xfec00000);
		assert_int_equal(get(at + 8, 4), 0);
		f->ioapics++;
		break;
	case 2:
		assert_int_equal(get(at + 1, 1), 10);
		assert_int_equal(get(at + 2, 1), 0);
		if (get(at + 3, 1)) {
			assert_int_equal(get(at + 3, 1), 9);
			assert_int_equal(get(at + 4, 4), 9);
			assert_int_equal(get(at + 8, 2), 0xd);
		} else {
			assert_int_equal(get(at + 4, 4), 2);
			assert_int_equal(get(at + 8, 2), 0);
		}
		f->overrides++;
		break;
	case 4:
		assert_int_equal(get(at + 1, 1), 6);
		assert_int_equal(get(at + 2, 1), 0xff);
		assert_int_equal(get(at + 3, 2), 0);
		assert_int_equal(get(at + 5, 1), 1);
		f->nmis++;
		break;
	default:
		assert_int_equal(get(at, 1), 0);
	}
}

static void madt_of(unsigned int cpus)
{
	uint64_t madt = find(make_acpi(&ram, cpus), "APIC"), at, end;
	struct found f = { 0 };

	end = madt + check(madt, "APIC");
	assert_int_equal(get(madt + 36, 4), 0xfee00000);
	assert_int_equal(get(madt + 40, 4), 1);
	for (at = madt + 44; at < end; at += get(at + 1, 1)) {
		assert_true(get(at + 1, 1) >= 6);
		check_entry(at, &f);
	}
	assert_int_equal(at, end);
	assert_int_equal(f.cpus, cpus);
	assert_int_equal(f.ioapics, 1);
	assert_int_equal(f.overrides, 2);
	assert_int_equal(f.nmis, 1);
}

static void madt(void **state)
{
	madt_of(1);
	madt_of(2);
	madt_of(16);
}

static void no_apic(void **state)
{
	uint64_t rsdp = make_acpi(&ram, 0);

	assert_int_equal(find(rsdp, "APIC"), 0);
	assert_int_not_equal(find(rsdp, "FACP"), 0);
	assert_int_equal(check(get(rsdp + 24, 8), "XSDT"), 52);
}

/* The tables are where the loaders' memory maps say reserved; none overlap */
static void places(void **state)
{
	struct { uint64_t at, len; } t[7];
	uint64_t rsdp = make_acpi(&ram, VCPUS_MAX);
	unsigned int i, j;

	acpi_add_hpet(&ram);
	t[0].at = rsdp;
	t[0].len = 36;
	t[1].at = get(rsdp + 24, 8);
	t[2].at = find(rsdp, "FACP");
	t[3].at = find(rsdp, "APIC");
	t[4].at = get(t[2].at + 140, 8);
	t[5].at = find(rsdp, "MCFG");
	t[6].at = find(rsdp, "HPET");
	for (i = 0; i < 7; i++) {
		if (i)
			t[i].len = get(t[i].at + 4, 4);
		assert_true(t[i].at >= 0xe0000 && t[i].at + t[i].len <= RAM);
		for (j = 0; j < i; j++)
			assert_true(t[i].at >= t[j].at + t[j].len ||
				    t[j].at >= t[i].at + t[i].len);
	}
}

static int setup(void **state)
{
	ram = ram_with_hole(RAM);
	return ram.base ? 0 : -1;
}

static int teardown(void **state)
{
	free(ram.base);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(root, setup, teardown),
		cmocka_unit_test_setup_teardown(fixed_hardware, setup,
						teardown),
		cmocka_unit_test_setup_teardown(dsdt, setup, teardown),
		cmocka_unit_test_setup_teardown(window, setup, teardown),
		cmocka_unit_test_setup_teardown(mcfg, setup, teardown),
		cmocka_unit_test_setup_teardown(hpet, setup, teardown),
		cmocka_unit_test_setup_teardown(tables_of_iasl, setup,
						teardown),
		cmocka_unit_test_setup_teardown(madt, setup, teardown),
		cmocka_unit_test_setup_teardown(no_apic, setup, teardown),
		cmocka_unit_test_setup_teardown(places, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
