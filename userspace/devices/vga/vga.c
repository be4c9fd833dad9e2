// SPDX-License-Identifier: GPL-2.0
/*
 * Standard VGA with Bochs' VBE (PCI 1234:1111, as of Bochs and QEMU): the device.
 * BAR 0 is its memory, BAR 2 has EDID, ports and VBE registers, and the ROM BAR the
 * video BIOS. Where the guest's way to the memory changes no bytes it is RAM:
 * BAR 0 always, the window at 0xa0000 in most modes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/machine.h"
#include "devices/pci/pci.h"
#include "devices/vga/vga.h"

#define ROM_FILE	"/usr/share/seabios/vgabios-stdvga.bin"
#define ROM_MAX		(256u << 10)
#define VBE_PORTS	0x1ce
#define REGISTERS_LEN	0x1000
/* In BAR 2 */
#define AT_PORTS	0x400	/* from 0x3c0 on */
#define AT_VBE		0x500
#define AT_EXTRA	0x600
#define EXTRA_LEN	8
#define LITTLE_ENDIAN_FB 0x1e1e1e1eu
#define LOG_PART	(64u * 4096)	/* a word of the log */

enum { BAR_VRAM = 0, BAR_REGISTERS = 2 };

/**
 * struct vga - the device
 * @state: its registers
 * @vram: its memory
 * @chained: a part of the planes, in the order in which the window shows it
 * @window: the whole of it, by exits
 * @ram: that part of it that is RAM now
 * @wanted: where that begins, with its length; 0: none is
 * @ports: 0x3b0 to 0x3df
 * @vbe_ports: 0x1ce to 0x1d0
 * @rom: of the ROM BAR
 * @rom_len: bytes mapped
 * @edid: of the monitor
 * @changed: since the last look: registers, or bytes by an exit
 * @phase: of what blinks, at that look
 * @xres: the monitor's pixels
 * @yres: the same
 * @romfile: the video BIOS; NULL: SeaVGABIOS, if it is there; "none": none
 * @screen: for those who look
 */
struct vga {
	struct pci_function pci;
	struct vga_state state;
	uint8_t *vram;
	struct vga_chained chained;
	struct region window, ram;
	uint64_t wanted;
	struct region ports, vbe_ports;
	uint8_t *rom;
	size_t rom_len;
	uint8_t edid[EDID_LEN];
	bool changed;
	uint64_t phase;
	unsigned int xres, yres;
	const char *romfile;
	struct screen screen;
};

static uint64_t now(const struct vga *vga)
{
	return vm_clock_now(&vga->pci.device.machine->clock);
}

/* ---- what the window is --------------------------------------------------------- */

static void leave_chain(struct vga *vga)
{
	region_unmap(&vga->ram);
	if (vga->chained.mask)
		planes_scatter(&vga->chained, vga->vram);
	vga->chained.mask = 0;
	vga->wanted = 0;
}

/* Instead of what is there, in one step. False: no room, so all of it is exits */
static bool map_window(struct vga *vga, uint64_t base, uint8_t *bytes,
		       uint32_t len)
{
	struct bus *bus = &vga->pci.device.machine->mmio;
	struct error error;
	bool mapped;

	bus_begin(bus);
	region_remove(&vga->ram);
	vga->ram.ram = bytes;
	vga->ram.len = len;
	mapped = !region_add(bus, &vga->ram, base, &error);
	bus_end(bus);
	return mapped;
}

#define WANTED_BANK (1ull << 63)

/* After any change of a register */
static void update_window(struct vga *vga)
{
	struct vga_state *s = &vga->state;
	uint8_t chain = planes_chain(s);
	uint32_t len, at = planes_window(s, &len), bank = vbe_bank(s);
	uint64_t wanted = 0;

	/* A number that says all of it */
	if (vbe_mode(s).width)
		wanted = WANTED_BANK | bank;
	else if (chain)
		wanted = (uint64_t)len << 32 | at << 2 | chain;
	if (wanted == vga->wanted)
		return;
	/* Between two banks there is nothing to bring home */
	if (!(vga->wanted & wanted & WANTED_BANK))
		leave_chain(vga);
	vga->wanted = wanted;
	if (!wanted)
		return;
	if (wanted & WANTED_BANK) {
		map_window(vga, VGA_WINDOW, vga->vram + bank, 0x10000);
		return;
	}
	vga->chained.mask = chain;
	vga->chained.len = len;
	planes_gather(&vga->chained, vga->vram);
	/* The planes have all of it as before */
	if (!map_window(vga, VGA_WINDOW + at, vga->chained.bytes, len))
		vga->chained.mask = 0;
}

/* An exit in a part that could be RAM, and is not: as if it were */
static uint64_t ram_read(struct device *device, uint64_t at, unsigned int size)
{
	struct vga *vga = (struct vga *)device;
	uint64_t value = 0;

	/* It may have changed since the bus had looked for it */
	if (at + size <= vga->ram.len)
		memcpy(&value, vga->ram.ram + at, size);
	return value;
}

static void ram_write(struct device *device, uint64_t at, uint64_t value,
		      unsigned int size)
{
	struct vga *vga = (struct vga *)device;

	if (at + size <= vga->ram.len)
		memcpy(vga->ram.ram + at, &value, size);
	vga->changed = true;
}

static uint64_t window_read(struct device *device, uint64_t at,
			    unsigned int size)
{
	struct vga *vga = (struct vga *)device;

	return planes_read(&vga->state, vga->vram, at);
}

static void window_write(struct device *device, uint64_t at, uint64_t value,
			 unsigned int size)
{
	struct vga *vga = (struct vga *)device;

	planes_write(&vga->state, vga->vram, at, value);
	vga->changed = true;
}

/* ---- registers --------------------------------------------------------------------- */

static void write_port(struct vga *vga, unsigned int port, uint8_t value)
{
	vga_port_write(&vga->state, port, value);
	vga->changed = true;
	update_window(vga);
}

static void write_vbe(struct vga *vga, unsigned int index, uint16_t value)
{
	struct vga_mode mode;

	if (vbe_write(&vga->state, index, value)) {
		mode = vbe_mode(&vga->state);
		leave_chain(vga);
		memset(vga->vram, 0, mode.width ? mode.pitch * mode.height :
						  VGA_PLANES);
	}
	vga->changed = true;
	update_window(vga);
}

static uint64_t ports_read(struct device *device, uint64_t at,
			   unsigned int size)
{
	struct vga *vga = (struct vga *)device;

	return vga_port_read(&vga->state, VGA_PORTS + at, now(vga));
}

static void ports_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	write_port((struct vga *)device, VGA_PORTS + at, value);
}

/* The index, and the data at an odd or an even port */
static uint64_t vbe_ports_read(struct device *device, uint64_t at,
			       unsigned int size)
{
	struct vga *vga = (struct vga *)device;

	return at ? vbe_read(&vga->state, vga->state.vbe_index) :
		    vga->state.vbe_index;
}

static void vbe_ports_write(struct device *device, uint64_t at, uint64_t value,
			    unsigned int size)
{
	struct vga *vga = (struct vga *)device;

	if (at)
		write_vbe(vga, vga->state.vbe_index, value);
	else
		vga->state.vbe_index = value;
}

static uint64_t registers_read(struct device *device, uint64_t at,
			       unsigned int size)
{
	struct vga *vga = (struct vga *)device;
	static const uint32_t extra[] = { EXTRA_LEN, LITTLE_ENDIAN_FB };
	uint64_t value = 0;
	unsigned int i;

	if (at < EDID_LEN)
		memcpy(&value, vga->edid + at,
		       at + size > EDID_LEN ? EDID_LEN - at : size);
	else if (at >= AT_PORTS && at < AT_PORTS + 0x20)
		for (i = 0; i < size; i++)
			value |= (uint64_t)vga_port_read(
				&vga->state, at - AT_PORTS + 0x3c0 + i,
				now(vga)) << 8 * i;
	else if (at >= AT_VBE && at < AT_VBE + 2 * VBE_NR)
		value = vbe_read(&vga->state, (at - AT_VBE) / 2);
	else if (at == AT_EXTRA || at == AT_EXTRA + 4)
		value = extra[(at - AT_EXTRA) / 4];
	return value;
}

static void registers_write(struct device *device, uint64_t at, uint64_t value,
			    unsigned int size)
{
	struct vga *vga = (struct vga *)device;
	unsigned int i;

	/* An index and its data in one, say: from the lowest port on */
	if (at >= AT_PORTS && at < AT_PORTS + 0x20)
		for (i = 0; i < size; i++)
			write_port(vga, at - AT_PORTS + 0x3c0 + i,
				   value >> 8 * i);
	else if (at >= AT_VBE && at < AT_VBE + 2 * VBE_NR && size > 1)
		write_vbe(vga, (at - AT_VBE) / 2, value);
}

/* Where a guest has put BAR 0 where it cannot be RAM */
static uint64_t vram_read(struct device *device, uint64_t at, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, ((struct vga *)device)->vram + at, size);
	return value;
}

static void vram_write(struct device *device, uint64_t at, uint64_t value,
		       unsigned int size)
{
	memcpy(((struct vga *)device)->vram + at, &value, size);
	((struct vga *)device)->changed = true;
}

static uint64_t rom_read(struct device *device, uint64_t at, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, ((struct vga *)device)->rom + at, size);
	return value;
}

static void rom_write(struct device *device, uint64_t at, uint64_t value,
		      unsigned int size)
{
}

/* ---- those who look --------------------------------------------------------------------- */

/* Has the guest written to these pages of a region? Without a log, yes */
static bool take_log(const struct region *r, uint64_t at, uint64_t len,
		     uint64_t *first, uint64_t *end)
{
	uint64_t bits[VGA_VRAM / LOG_PART] = { 0 };
	uint64_t from = at / LOG_PART * LOG_PART, page;
	uint64_t pages = (at + len - from + 4095) / 4096;

	*first = at + len;
	*end = at;
	if (!r->ram_on)
		return false;
	if (mvmm_get_dirty_log(r->bus->memory_vm, r->base + from, pages * 4096,
			       bits))
		memset(bits, 0xff, sizeof(bits));
	for (page = 0; page < pages; page++) {
		if (!(bits[page / 64] >> page % 64 & 1))
			continue;
		if (*first == at + len)
			*first = from + page * 4096;
		*end = from + (page + 1) * 4096;
	}
	return *end > at;
}

/* Rows of a linear mode that were written to; none: false */
static bool changed_rows(struct vga *vga, const struct vga_mode *mode,
			 struct vga_view *view)
{
	const struct region *bar = &vga->pci.bar[BAR_VRAM];
	uint64_t first, end, a, b;
	bool wrote, banked;

	wrote = take_log(bar, mode->start,
			 (uint64_t)mode->pitch * (mode->height - 1) +
			 mode->width * ((mode->bits + 7) / 8), &first, &end);
	banked = take_log(&vga->ram, 0, vga->ram.len, &a, &b);
	/* Through the window: who does so draws what is small */
	view->first = 0;
	view->end = mode->height;
	if (banked || !wrote)
		return banked;
	view->first = first < mode->start ? 0 :
		      (first - mode->start) / mode->pitch;
	view->end = (end - mode->start + mode->pitch - 1) / mode->pitch;
	return true;
}

static bool has_changed(struct vga *vga, struct vga_view *view)
{
	struct vga_mode mode = vbe_mode(&vga->state);
	uint64_t first, end, phase;
	bool changed = vga->changed;

	vga->changed = false;
	/* Half a blink of the cursor; characters blink half as often */
	phase = mode.width ? 0 : view->now / vga_frame_ns(&vga->state) / 8;
	if (phase != vga->phase &&
	    !(vga->state.attr[ATTR_MODE] & ATTR_GRAPHICS) &&
	    !(vga->state.crtc[CRTC_CURSOR_START] & 0x20))
		changed = true;
	vga->phase = phase;
	view->all = changed;
	if (mode.width)
		return changed_rows(vga, &mode, view) || changed;
	/* In both all the bytes are in the window */
	return take_log(&vga->ram, 0, vga->ram.len, &first, &end) || changed;
}

static void look(struct device *device, void *view, bool all)
{
	struct vga *vga = (struct vga *)device;
	struct vga_view *v = view;

	*v = (struct vga_view){ .state = vga->state, .chained = vga->chained,
				.vram = vga->vram, .now = now(vga),
				.all = true };
	if (!all)
		v->nothing = !has_changed(vga, v);
}

static const struct screen_ops screen_ops = {
	.view_size = sizeof(struct vga_view), .look = look, .draw = vga_draw,
	.text = vga_text,
};

/* ---- the device ------------------------------------------------------------------------------ */

/* A power of two with the file's bytes. 0, or -1 with @error */
static int read_rom(struct vga *vga, struct error *error)
{
	const char *path = vga->romfile ? vga->romfile : ROM_FILE;
	size_t len = 4096, done = 0;
	struct stat st;
	ssize_t n = 1;
	int fd;

	if (!strcmp(path, "none"))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && !vga->romfile)
		return 0;
	if (fd < 0 || fstat(fd, &st)) {
		fail(error, STATUS_NO_INPUT, "romfile=%s: %s", path,
		     strerror(errno));
		close_fd(&fd);
		return -1;
	}
	while (len < (uint64_t)st.st_size && len < ROM_MAX)
		len *= 2;
	if (len < (uint64_t)st.st_size) {
		close(fd);
		return fail(error, STATUS_DATA,
			    "romfile=%s has more than %u bytes", path, ROM_MAX);
	}
	vga->rom = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vga->rom == MAP_FAILED) {
		vga->rom = NULL;
		n = -1;
	}
	vga->rom_len = len;
	while (n > 0 && done < len) {
		n = read(fd, vga->rom + done, len - done);
		done += n > 0 ? n : 0;
	}
	close(fd);
	return n < 0 ? fail(error, STATUS_NO_INPUT, "romfile=%s: %s", path,
			    strerror(errno)) : 0;
}

static void destroy(struct device *device)
{
	struct vga *vga = (struct vga *)device;
	unsigned int n;

	if (vga->screen.device) {
		screen_remove(&vga->screen);
		device->machine->vga = false;
	}
	region_unmap(&vga->ram);
	region_unmap(&vga->window);
	region_unmap(&vga->ports);
	region_unmap(&vga->vbe_ports);
	for (n = 0; n < PCI_BARS; n++)
		region_unmap(&vga->pci.bar[n]);
	if (vga->rom)
		munmap(vga->rom, vga->rom_len);
}

static void make_bars(struct vga *vga)
{
	static const struct region_ops vram = { .max = 8, .read = vram_read,
						.write = vram_write };
	static const struct region_ops registers = {
		.max = 4, .read = registers_read, .write = registers_write };
	static const struct region_ops rom = { .max = 8, .read = rom_read,
					       .write = rom_write };
	struct device *device = &vga->pci.device;
	struct region *bar = vga->pci.bar;

	bar[BAR_VRAM] = (struct region){ &vram, device, .len = VGA_VRAM,
		.ram = vga->vram, .ram_flags = MVMM_REGION_LOG_DIRTY };
	bar[BAR_REGISTERS] = (struct region){ &registers, device,
					      .len = REGISTERS_LEN };
	pci_add_bar(&vga->pci, BAR_VRAM, false, false);
	pci_set_prefetchable(&vga->pci, BAR_VRAM);
	pci_add_bar(&vga->pci, BAR_REGISTERS, false, false);
	if (!vga->rom)
		return;
	bar[PCI_ROM] = (struct region){ &rom, device, .len = vga->rom_len,
		.ram = vga->rom, .ram_flags = MVMM_REGION_READONLY };
	pci_add_bar(&vga->pci, PCI_ROM, false, false);
}

static int map_ports(struct vga *vga, struct error *error)
{
	static const struct region_ops ports = { .read = ports_read,
						 .write = ports_write };
	static const struct region_ops vbe_ports = {
		.max = 2, .read = vbe_ports_read, .write = vbe_ports_write };
	static const struct region_ops window = { .read = window_read,
						  .write = window_write };
	static const struct region_ops ram = { .max = 8, .read = ram_read,
					       .write = ram_write };
	struct device *device = &vga->pci.device;
	struct machine *m = device->machine;

	vga->ports = (struct region){ &ports, device, .len = VGA_NR_PORTS };
	vga->vbe_ports = (struct region){ &vbe_ports, device, .len = 3 };
	vga->window = (struct region){ &window, device, .len = VGA_WINDOW_LEN };
	vga->ram = (struct region){ &ram, device, .priority = 1,
				    .ram_flags = MVMM_REGION_LOG_DIRTY };
	return region_map(&m->ports, &vga->ports, VGA_PORTS, error) ||
	       region_map(&m->ports, &vga->vbe_ports, VBE_PORTS, error) ||
	       region_map(&m->mmio, &vga->window, VGA_WINDOW, error) ? -1 : 0;
}

static int create(struct device *device, struct error *error)
{
	static const struct pci_id id = { 0x1234, 0x1111, 0x1af4, 0x1100,
					  0x030000, 2 };
	struct vga *vga = (struct vga *)device;
	struct machine *m = device->machine;

	if (m->vga)
		return fail(error, STATUS_USAGE, "--device vga: there is one");
	vga->vram = memory_take(&m->memory, VGA_VRAM);
	vga->chained.bytes = memory_take(&m->memory, VGA_CHAINED_MAX);
	if (!vga->vram || !vga->chained.bytes)
		return fail(error, STATUS_OS, "vga: no memory");
	edid_make(vga->edid, vga->xres, vga->yres);
	if (read_rom(vga, error) || pci_create(&vga->pci, &id, error) ||
	    map_ports(vga, error)) {
		destroy(device);
		return -1;
	}
	make_bars(vga);
	vga->screen = (struct screen){ .device = device, .ops = &screen_ops };
	screen_put(&vga->screen, true);
	m->vga = true;
	return 0;
}

static void reset(struct device *device)
{
	struct vga *vga = (struct vga *)device;

	leave_chain(vga);
	vga_power_on(&vga->state);
	pci_reset(&vga->pci);
	update_window(vga);
	vga->changed = true;
}

/* The planes have all of it then */
static void saving(struct device *device)
{
	struct vga *vga = (struct vga *)device;

	if (vga->chained.mask)
		planes_scatter(&vga->chained, vga->vram);
}

static int loaded(struct device *device, struct error *error)
{
	struct vga *vga = (struct vga *)device;

	if (!vga_state_is_sane(&vga->state))
		return fail(error, STATUS_DATA, "registers that cannot be");
	if (pci_loaded(&vga->pci, error))
		return -1;
	/* What was chained is old: the memory is the loaded one */
	vga->chained.mask = 0;
	leave_chain(vga);
	update_window(vga);
	vga->changed = true;
	return 0;
}

static const struct option_spec options[] = {
	{ "xres", OPTION_NUMBER, OPTION_AT(struct vga, xres), .def = 1024,
	  .min = 640, .max = VBE_X_MAX, .help = "the monitor's pixels in a row" },
	{ "yres", OPTION_NUMBER, OPTION_AT(struct vga, yres), .def = 768,
	  .min = 400, .max = VBE_Y_MAX, .help = "its rows" },
	{ "romfile", OPTION_STRING, OPTION_AT(struct vga, romfile),
	  .help = "the video BIOS, or none" },
	OPTIONS_END
};

static const struct field fields[] = {
	PCI_FIELDS(struct vga, pci),
	{ "state", FIELD_STRUCT, offsetof(struct vga, state), 1,
	  sizeof(struct vga_state), vga_fields },
	FIELDS_END
};

static const struct device_class vga = {
	.name = "vga", .help = "a screen: standard VGA with Bochs' VBE",
	.size = sizeof(struct vga), .options = options, .fields = fields,
	.create = create, .reset = reset, .loaded = loaded, .saving = saving,
	.destroy = destroy,
};
DEVICE_CLASS(vga);
