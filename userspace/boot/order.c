// SPDX-License-Identifier: GPL-2.0
/*
 * What a firmware boots first: --boot. SeaBIOS and OVMF read the names of devices, as
 * Open Firmware has them, in fw_cfg; and SeaBIOS the order of kinds in CMOS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "boot/boot.h"
#include "devices/ide/ide.h"

#define KINDS		"acdn"	/* the letters of QEMU's -boot */
#define MENU_WAIT	2500	/* SeaBIOS' own */
/* What PCI functions are, of those that can be booted */
enum { CLASS_DISK = 0x0100, CLASS_IDE = 0x0101, CLASS_ETHERNET = 0x0200 };

static const struct option_spec options[] = {
	{ .name = "order", .kind = OPTION_STRING,
	  OPTION_AT(struct boot_order, kinds), .max = 4,
	  .help = "letters, first things first: a floppy, c disk, d CD-ROM, n network" },
	{ .name = "menu", .kind = OPTION_BOOL, OPTION_AT(struct boot_order, menu),
	  .help = "Esc shows what there is to boot" },
	{ .name = "menu-wait", .kind = OPTION_NUMBER,
	  OPTION_AT(struct boot_order, wait), .def = MENU_WAIT, .max = 65535,
	  .help = "ms for that key" },
	OPTIONS_END
};

int boot_order_parse(struct boot_order *order, char *text, struct error *error)
{
	struct error why = { 0 };
	const char *p;

	options_default(options, order);
	if (options_parse(options, order, text, false, &why))
		return fail(error, STATUS_USAGE, "--boot: %s", why.text);
	if (order->wait != MENU_WAIT && !order->menu)
		return fail(error, STATUS_USAGE,
			    "--boot: menu-wait goes with menu");
	for (p = order->kinds ? order->kinds : ""; *p; p++)
		if (!strchr(KINDS, *p) || strchr(p + 1, *p))
			return fail(error, STATUS_USAGE,
				    "--boot order=%s: the letters are a, c, d and n, once each",
				    order->kinds);
	return 0;
}

uint16_t boot_order_kinds(const struct boot_order *order)
{
	/* Of a, c, d, n; the first one is in the lowest nibble */
	static const uint8_t numbers[] = { 1, 2, 3, 4 };
	const char *p = order->kinds ? order->kinds : "";
	uint16_t kinds = 0;
	unsigned int i;

	for (i = 0; p[i] && i < 3; i++)
		kinds |= numbers[strchr(KINDS, p[i]) - KINDS] << 4 * i;
	return kinds;
}

/* A line for each drive at IDE that is a CD-ROM, or not */
static void add_ide(FILE *out, const struct ide *ide, bool cd)
{
	unsigned int i;

	for (i = 0; i < IDE_CHANNELS * IDE_DRIVES; i++) {
		const struct ide_drive *d =
			&ide->channel[i / IDE_DRIVES].drive[i % IDE_DRIVES];

		if (d->block && d->cd == cd)
			fprintf(out, "/pci@i0cf8/ide@%x/drive@%x/disk@%x\n",
				ide->pci.slot, i / IDE_DRIVES, i % IDE_DRIVES);
	}
}

static void add_kind(FILE *out, struct machine *m, char kind)
{
	unsigned int slot;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		const struct pci_function *f = m->pci[slot];
		unsigned int class = f ? pci_get16(f->fixed, PCI_CLASS_DEVICE) : 0;

		if (class == CLASS_IDE && kind != 'n')
			add_ide(out, (const struct ide *)f, kind == 'd');
		else if (class == CLASS_DISK && kind == 'c')
			fprintf(out, "/pci@i0cf8/scsi@%x/disk@0,0\n", slot);
		else if (class == CLASS_ETHERNET && kind == 'n')
			fprintf(out, "/pci@i0cf8/ethernet@%x/ethernet-phy@0\n",
				slot);
	}
}

/*
 * NULL: no memory. A floppy has no name here, as there is no ISA bridge for it: what
 * comes before it in the list, and no more, SeaBIOS tries first
 */
static char *make_lines(const struct boot_order *order, struct machine *m)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const char *p;

	if (!out)
		return NULL;
	for (p = order->kinds; *p && *p != 'a'; p++)
		add_kind(out, m, *p);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

int boot_order_tell(const struct boot_order *order, struct machine *m,
		    struct error *error)
{
	struct firmware *f = m->config.firmware;
	uint16_t menu = order->menu;
	char *text;
	int ret = 0;

	if (order->kinds) {
		text = make_lines(order, m);
		if (!text)
			return fail(error, STATUS_OS, "--boot: no memory");
		/* With its end, as QEMU's has it */
		if (*text)
			ret = firmware_tell(f, "bootorder", text,
					    strlen(text) + 1, error);
		free(text);
		/* Of the two, OVMF is the one with variables */
		if (!ret && !m->config.flash.size && strchr(order->kinds, 'n'))
			ret = netboot_tell(m, error);
	}
	if (ret || !menu)
		return ret;
	return firmware_tell(f, "etc/show-boot-menu", &menu, sizeof(menu),
			     error) ||
	       firmware_tell(f, "etc/boot-menu-wait", &order->wait,
			     sizeof(order->wait), error) ? -1 : 0;
}
