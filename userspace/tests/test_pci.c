// SPDX-License-Identifier: GPL-2.0
/* PCI: where BARs are placed, sized and moved, those of 64 bits above RAM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/pci/pci.h"
#include "tests/bare.h"

#define GIB	(1ull << 30)

/* A device with a wide BAR 0, and one of 32 bits: each answers with its number */
struct probe {
	struct pci_function pci;
	uint64_t len;
	bool prefetch;
};

static uint64_t wide_read(struct device *device, uint64_t at, unsigned int size)
{
	return 0x40 + device->number;
}

static uint64_t narrow_read(struct device *device, uint64_t at,
			    unsigned int size)
{
	return 0x20 + device->number;
}

static int create(struct device *device, struct error *why)
{
	static const struct region_ops wide = { .max = 8, .read = wide_read };
	static const struct region_ops narrow = { .read = narrow_read };
	static const struct pci_id id = { 0x1234, 1, 0, 0, 0xff0000, 0 };
	struct probe *p = (struct probe *)device;

	p->pci.bar[0] = (struct region){ &wide, device, .len = p->len };
	p->pci.bar[2] = (struct region){ &narrow, device, .len = 4096 };
	if (pci_create(&p->pci, &id, why))
		return -1;
	pci_add_bar(&p->pci, 0, false, true);
	if (p->prefetch)
		pci_set_prefetchable(&p->pci, 0);
	pci_add_bar(&p->pci, 2, false, false);
	return 0;
}

static void reset(struct device *device)
{
	pci_reset((struct pci_function *)device);
}

static int loaded(struct device *device, struct error *why)
{
	return pci_loaded((struct pci_function *)device, why);
}

static void destroy(struct device *device)
{
	unsigned int n;

	for (n = 0; n < PCI_BARS; n++)
		region_unmap(&((struct pci_function *)device)->bar[n]);
}

static const struct option_spec options[] = {
	{ "len", OPTION_SIZE, OPTION_AT(struct probe, len), .def = 1 << 20,
	  .min = 16, .help = "bytes of BAR 0" },
	{ "prefetch", OPTION_BOOL, OPTION_AT(struct probe, prefetch),
	  .help = "it is prefetchable" },
	OPTIONS_END
};

static const struct field fields[] = {
	PCI_FIELDS(struct probe, pci), FIELDS_END
};

static const struct device_class probe = {
	.name = "probe", .help = "a PCI device for tests",
	.size = sizeof(struct probe), .options = options, .fields = fields,
	.create = create, .reset = reset, .loaded = loaded, .destroy = destroy,
};
DEVICE_CLASS(probe);

static uint32_t cfg_read(unsigned int slot, unsigned int reg, unsigned int size)
{
	outs(0xcf8, 1u << 31 | slot << 11 | (reg & 0xfc), 4);
	return ins(0xcfc + (reg & 3), size);
}

static void cfg_write(unsigned int slot, unsigned int reg, uint32_t value)
{
	outs(0xcf8, 1u << 31 | slot << 11 | (reg & 0xfc), 4);
	outs(0xcfc + (reg & 3), value, reg == PCI_COMMAND ? 2 : 4);
}

static uint64_t bar(unsigned int slot)
{
	return (cfg_read(slot, 0x10, 4) & ~0xfu) |
	       (uint64_t)cfg_read(slot, 0x14, 4) << 32;
}

static void move(unsigned int slot, uint64_t at)
{
	cfg_write(slot, 0x10, at);
	cfg_write(slot, 0x14, at >> 32);
}

static uint8_t look(uint64_t at)
{
	uint8_t byte = 0;

	bus_access(&m.mmio, at, &byte, 1, false);
	return byte;
}

static int setup(void **state)
{
	bare_start();
	bare_device("pci-host");
	return 0;
}

static int teardown(void **state)
{
	bare_stop();
	return 0;
}

/* What the window below 4 GiB has no room for, or what may be prefetched */
static void placed(void **state)
{
	bare_device_with("probe", "len=128M");
	bare_device_with("probe", "len=1M,prefetch");
	bare_device_with("probe", "len=256M");
	bare_device_with("probe", "len=256M");
	bare_device_with("probe", "len=8G,prefetch");
	m.memory.high = 3 * GIB + 4096;
	assert_int_equal(pci_assign(&m, &error), 0);
	assert_int_equal(bar(1), PCI_WINDOW_FIRST + (128 << 20));
	assert_int_equal(cfg_read(1, 0x10, 4) & 0xf, 4);
	/* From the next GiB above RAM on */
	assert_int_equal(bar(2), 8 * GIB);
	assert_int_equal(cfg_read(2, 0x10, 4) & 0xf, 0xc);
	assert_int_equal(bar(3), PCI_WINDOW_FIRST + (256 << 20));
	assert_int_equal(bar(4), 8 * GIB + (256 << 20));
	assert_int_equal(bar(5), 16 * GIB);
	/* BAR 2 has 32 bits */
	assert_true(cfg_read(4, 0x18, 4) >= PCI_WINDOW_FIRST);
	assert_true(cfg_read(4, 0x18, 4) < PCI_WINDOW_END);
	cfg_write(5, PCI_COMMAND, PCI_COMMAND_MEMORY);
	assert_int_equal(look(24 * GIB - 1), 0x44);
	assert_int_equal(look(24 * GIB), 0xff);
	/* Beyond what the processor can address there is nothing */
	bare_device_with("probe", "len=64G,prefetch");
	assert_int_equal(pci_assign(&m, &error), -1);
	assert_non_null(strstr(error.text, "no room on the PCI bus"));
}

/* RAM up to the processor's limit */
static void no_window(void **state)
{
	bare_device_with("probe", "len=1M,prefetch");
	m.memory.high = 61 * GIB;
	assert_true(pci_high_window(&m).first == pci_high_window(&m).end);
	assert_int_equal(pci_assign(&m, &error), 0);
	assert_int_equal(bar(1), PCI_WINDOW_FIRST + (1 << 20));
}

static void sized_and_moved(void **state)
{
	json_t *saved;

	bare_device_with("probe", "len=8G,prefetch");
	bare_device_with("probe", "len=1M");
	assert_int_equal(pci_assign(&m, &error), 0);
	cfg_write(1, PCI_COMMAND, PCI_COMMAND_MEMORY);
	cfg_write(2, PCI_COMMAND, PCI_COMMAND_MEMORY);
	/* As Linux sizes it, but with decoding on: others still answer */
	cfg_write(1, 0x10, ~0u);
	assert_int_equal(cfg_read(1, 0x10, 4), 0xc);
	cfg_write(1, 0x14, ~0u);
	assert_int_equal(cfg_read(1, 0x14, 4), 0xfffffffe);
	assert_int_equal(look(bar(2)), 0x41);
	move(1, 1ull << 45);
	assert_int_equal(look((1ull << 45) + 4 * GIB), 0x40);
	assert_int_equal(look(8 * GIB), 0xff);
	/* Over another that is there: that one answers, until it goes */
	move(2, 1ull << 45);
	assert_int_equal(look(1ull << 45), 0x40);
	move(1, 1ull << 46);
	assert_int_equal(look(1ull << 45), 0x41);
	/* A move to another process, and a reset */
	saved = devices_save(&m);
	teardown(NULL);
	setup(NULL);
	bare_device_with("probe", "len=8G,prefetch");
	bare_device_with("probe", "len=1M");
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	assert_int_equal(look((1ull << 46) + 8 * GIB - 1), 0x40);
	assert_int_equal(look(1ull << 45), 0x41);
	devices_reset(&m);
	assert_int_equal(bar(1), 0);
	assert_int_equal(look(1ull << 46), 0xff);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(placed), TEST(no_window), TEST(sized_and_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
