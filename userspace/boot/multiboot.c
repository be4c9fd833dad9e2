// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a kernel by the Multiboot specification, 1 (0.6.96) or 2 (2.0): what its
 * header asks for, where it goes if it is no ELF file, and what it is told.
 */
#include <string.h>
#include "boot/boot.h"
#include "devices/vga/vga.h"

#define HIGH		0x100000ull
#define GDT		0x8000
#define INFO		0x10000		/* of INFO_MAX bytes */
#define INFO_MAX	0x40000u
#define PAGE		4096u
#define LOADER		"mvmm"

#define MAGIC_1		0x1badb002u
#define SEARCH_1	8192
#define RUNS_1		0x2badb002u
#define WANTS_VIDEO	(1u << 2)
#define HAS_ADDRESS	(1u << 16)
#define KNOWN_1		0x7u		/* of those that must be understood */

#define MAGIC_2		0xe85250d6u
#define SEARCH_2	32768
#define RUNS_2		0x36d76289u
#define TAG_OPTIONAL	1
#define FILE_BEGIN	(~0u)		/* in place of the address of what is loaded */
enum { TAG_END, TAG_INFO, TAG_ADDRESS, TAG_ENTRY, TAG_CONSOLE, TAG_VIDEO,
       TAG_ALIGN, TAG_EFI, TAG_EFI_32, TAG_EFI_64, TAG_RELOCATABLE = 10 };
enum { INFO_COMMAND = 1, INFO_LOADER, INFO_MODULE, INFO_MEMORY, INFO_MAP = 6,
       INFO_VIDEO = 8, INFO_RSDP_1 = 14, INFO_RSDP_2 };

#define WIDTH		1024		/* if the kernel has no wish of its own */
#define HEIGHT		768

/**
 * struct header - what a kernel asks for
 * @version: 1 or 2
 * @at: offset in the file
 * @has_address: the next five count, instead of what an ELF file says
 * @header: where @at goes to in memory
 * @load: the first address of what is loaded
 * @load_end: the end of it, 0: the file's
 * @bss_end: up to there it is zero, 0: no such
 * @entry: where it begins
 * @has_entry: that counts, of version 2
 * @video: it wants a linear mode
 * @width: of that, 0: no wish
 * @height: the same
 */
struct header {
	unsigned int version;
	uint32_t at;
	bool has_address, has_entry, video;
	uint32_t header, load, load_end, bss_end, entry;
	uint32_t width, height;
};

static bool word(const struct blob *image, uint64_t at, uint32_t *value)
{
	return blob_copy(image, at, value, sizeof(*value));
}

/* The magic number at a multiple of @step below @end, with @words words that sum up */
static bool find(const struct blob *image, uint32_t magic, uint32_t end,
		 unsigned int step, unsigned int words, uint32_t *at)
{
	uint8_t bytes[SEARCH_2];
	uint32_t size = image->size < end ? image->size : end, w[4], sum, i;

	if (!blob_copy(image, 0, bytes, size))
		return false;
	for (*at = 0; *at + 4 * words <= size; *at += step) {
		memcpy(w, bytes + *at, 4 * words);
		for (sum = i = 0; i < words; i++)
			sum += w[i];
		if (w[0] == magic && !sum)
			return true;
	}
	return false;
}

static unsigned int find_any(const struct blob *image, uint32_t *at)
{
	if (find(image, MAGIC_2, SEARCH_2, 8, 4, at))
		return 2;
	return find(image, MAGIC_1, SEARCH_1, 4, 3, at) ? 1 : 0;
}

bool is_multiboot(const struct blob *image)
{
	uint32_t at;

	return find_any(image, &at) != 0;
}

static int read_header_1(const struct blob *image, struct header *h,
			 struct error *error)
{
	uint32_t w[12] = { 0 }, flags;
	size_t size = sizeof(w);

	if (!word(image, h->at + 4, &flags))
		flags = 0;
	if (flags & 0xffff & ~KNOWN_1)
		return fail(error, STATUS_DATA,
			    "the Multiboot header at offset 0x%x asks for what mvmm does not know: flags 0x%x",
			    h->at, flags);
	if (!(flags & (HAS_ADDRESS | WANTS_VIDEO)))
		return 0;
	if (!(flags & WANTS_VIDEO))
		size = 32;
	if (!blob_copy(image, h->at, w, size))
		return fail(error, STATUS_DATA,
			    "the Multiboot header at offset 0x%x is cut short: flags 0x%x want %zu bytes of it",
			    h->at, flags, size);
	h->has_address = flags & HAS_ADDRESS;
	h->header = w[3];
	h->load = w[4];
	h->load_end = w[5];
	h->bss_end = w[6];
	h->entry = w[7];
	/* A text mode has a BIOS's font: nobody has set one here */
	h->video = flags & WANTS_VIDEO && !w[8];
	h->width = w[9];
	h->height = w[10];
	return 0;
}

static int read_tag(const struct blob *image, struct header *h, uint32_t at,
		    uint16_t type, uint16_t flags, uint32_t size,
		    struct error *error)
{
	uint32_t w[4] = { 0 };
	static const uint8_t words[] = {
		[TAG_ADDRESS] = 4, [TAG_ENTRY] = 1, [TAG_VIDEO] = 3 };
	unsigned int want = type < sizeof(words) ? words[type] : 0;

	if (size < 8 + 4 * want || !blob_copy(image, at + 8, w, 4 * want))
		return fail(error, STATUS_DATA,
			    "the Multiboot tag %u at offset 0x%x is cut short: 0x%x bytes",
			    type, at, size);
	switch (type) {
	case TAG_ADDRESS:
		h->has_address = true;
		h->header = w[0];
		h->load = w[1] == FILE_BEGIN ? w[0] - h->at : w[1];
		h->load_end = w[2];
		h->bss_end = w[3];
		return 0;
	case TAG_ENTRY:
		h->has_entry = true;
		h->entry = w[0];
		return 0;
	case TAG_VIDEO:
		h->video = true;
		h->width = w[0];
		h->height = w[1];
		return 0;
	case TAG_INFO:
	case TAG_CONSOLE:
	case TAG_ALIGN:
	case TAG_RELOCATABLE:
		return 0;
	default:
		/* An EFI's boot services are for those who find an EFI */
		if (flags & TAG_OPTIONAL ||
		    (type >= TAG_EFI && type <= TAG_EFI_64))
			return 0;
		return fail(error, STATUS_DATA,
			    "the Multiboot header's tag %u at offset 0x%x is not known, and not optional",
			    type, at);
	}
}

static int read_header_2(const struct blob *image, struct header *h,
			 struct error *error)
{
	uint32_t arch = 0, len = 0, at = h->at + 16, end, tag, size;

	word(image, h->at + 4, &arch);
	word(image, h->at + 8, &len);
	if (arch)
		return fail(error, STATUS_DATA,
			    "the Multiboot header at offset 0x%x is for architecture %u, not for i386 (0)",
			    h->at, arch);
	end = len <= SEARCH_2 ? h->at + len : h->at + SEARCH_2;
	while (at + 8 <= end) {
		if (!word(image, at, &tag) || !word(image, at + 4, &size) ||
		    size < 8 || size > end - at)
			return fail(error, STATUS_DATA,
				    "the Multiboot tag at offset 0x%x is cut short, or has no end",
				    at);
		if ((uint16_t)tag == TAG_END)
			break;
		if (read_tag(image, h, at, tag, tag >> 16, size, error))
			return -1;
		at += (size + 7) & ~7u;
	}
	if (h->has_address && !h->has_entry)
		return fail(error, STATUS_DATA,
			    "the Multiboot header at offset 0x%x has an address, and no entry (tag %u)",
			    h->at, TAG_ENTRY);
	return 0;
}

/* As the header says, which knows addresses and not offsets */
static int load_by_address(const struct memory *memory,
			   const struct blob *image, const struct header *h,
			   uint64_t *end, struct error *error)
{
	uint64_t from = (uint64_t)h->at - (h->header - h->load);
	uint64_t len, zeros = 0;
	uint8_t *to;

	if (h->load > h->header || h->header - h->load > h->at ||
	    (h->load_end && h->load_end < h->load))
		return fail(error, STATUS_DATA,
			    "the Multiboot header at offset 0x%x, for 0x%x, does not agree with what is loaded to 0x%x .. 0x%x",
			    h->at, h->header, h->load, h->load_end);
	len = h->load_end ? h->load_end - h->load : image->size - from;
	if (h->bss_end > h->load + len)
		zeros = h->bss_end - h->load - len;
	to = memory_at(memory, h->load, len + zeros, MVMM_ACCESS_WRITE);
	if (!to || h->load < HIGH)
		return no_room(memory, "the kernel", HIGH, h->load, len + zeros,
			       error);
	if (!blob_copy(image, from, to, len))
		return fail(error, STATUS_DATA,
			    "the kernel's 0x%llx bytes at offset 0x%llx are not in the file of 0x%zx bytes",
			    (unsigned long long)len, (unsigned long long)from,
			    image->size);
	memset(to + len, 0, zeros);
	*end = h->load + len + zeros;
	return 0;
}

/* ---- what it is told ------------------------------------------------------------ */

/**
 * struct info - it grows in the guest's memory
 * @memory: the guest's
 * @len: bytes of it, of INFO_MAX
 */
struct info {
	const struct memory *memory;
	uint32_t len;
};

/* Zeros if @data is NULL. Its address; what does not fit is not there */
static uint32_t put(struct info *info, const void *data, uint32_t len)
{
	uint8_t *to = info->memory->base + INFO + info->len;
	uint32_t at = INFO + info->len;

	if (len > INFO_MAX - info->len)
		return 0;
	if (data)
		memcpy(to, data, len);
	else
		memset(to, 0, len);
	info->len += len;
	return at;
}

static void put_align(struct info *info)
{
	put(info, NULL, -info->len & 7);
}

static uint32_t put_text(struct info *info, const char *text)
{
	return put(info, text, strlen(text) + 1);
}

struct range {
	uint64_t address, size;
	uint32_t type, reserved;
} __attribute__((packed));

static unsigned int ranges(const struct memory *memory, struct range map[4])
{
	map[0] = (struct range){ 0, 0x9fc00, 1, 0 };
	map[1] = (struct range){ 0xe0000, HIGH - 0xe0000, 2, 0 };
	map[2] = (struct range){ HIGH, memory->low - HIGH, 1, 0 };
	map[3] = (struct range){ HIGH_RAM, memory->high, 1, 0 };
	return memory->high ? 4 : 3;
}

/* Red, green and blue: where each begins, and its bits */
static const uint8_t colours[6] = { 16, 8, 8, 8, 0, 8 };

struct info_1 {
	uint32_t flags, lower, upper, device, command, modules, module;
	uint32_t symbols[4], map_len, map, drives_len, drives, config, loader;
	uint32_t apm, vbe[4];
	uint64_t framebuffer;
	uint32_t pitch, width, height;
	uint8_t depth, type, colour[6];
} __attribute__((packed));

static void make_map_1(struct info *info, struct info_1 *i)
{
	struct range map[4];
	unsigned int nr = ranges(info->memory, map), n;
	/* Of each entry, without itself */
	uint32_t size = 20;

	put_align(info);
	i->map = INFO + info->len;
	for (n = 0; n < nr; n++) {
		put(info, &size, sizeof(size));
		put(info, &map[n], size);
	}
	i->map_len = INFO + info->len - i->map;
}

static void make_info_1(struct info *info, const struct boot *boot,
			const uint64_t *at)
{
	struct info_1 i = { .flags = 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9,
			    .lower = 639, .modules = boot->nr };
	uint32_t self = put(info, NULL, sizeof(i)), m[4] = { 0 };
	unsigned int n;

	i.upper = (info->memory->low - HIGH) >> 10;
	i.command = put_text(info, boot->given);
	i.loader = put_text(info, LOADER);
	make_map_1(info, &i);
	i.module = put(info, NULL, boot->nr * sizeof(m));
	for (n = 0; n < boot->nr; n++) {
		m[0] = at[n];
		m[1] = at[n] + boot->initrd[n].size;
		m[2] = put_text(info, boot->name[n]);
		memcpy(info->memory->base + i.module + n * sizeof(m), m,
		       sizeof(m));
	}
	if (boot->width) {
		i.flags |= 1 << 12;
		i.framebuffer = boot->framebuffer;
		i.pitch = 4 * boot->width;
		i.width = boot->width;
		i.height = boot->height;
		i.depth = 32;
		i.type = 1;
		memcpy(i.colour, colours, sizeof(colours));
	}
	memcpy(info->memory->base + self, &i, sizeof(i));
}

/* @more, if any, comes behind @data. Nothing if it does not fit */
static void put_tag(struct info *info, uint32_t type, const void *data,
		    uint32_t len, const char *more)
{
	uint32_t all = more ? strlen(more) + 1 : 0;
	uint32_t head[2] = { type, 8 + len + all };

	if (all + len + 16 > INFO_MAX - info->len)
		return;
	put(info, head, sizeof(head));
	put(info, data, len);
	if (more)
		put(info, more, all);
	put_align(info);
}

static void make_video_2(struct info *info, const struct boot *boot)
{
	struct {
		uint64_t at;
		uint32_t pitch, width, height;
		uint8_t depth, type, reserved[2], colour[6];
	} __attribute__((packed)) video = {
		boot->framebuffer, 4 * boot->width, boot->width, boot->height,
		32, 1, { 0 }, { 0 } };

	memcpy(video.colour, colours, sizeof(colours));
	put_tag(info, INFO_VIDEO, &video, sizeof(video), NULL);
}

static void make_info_2(struct info *info, const struct boot *boot,
			const uint64_t *at)
{
	const struct memory *memory = info->memory;
	uint32_t basic[2] = { 639, (memory->low - HIGH) >> 10 };
	struct {
		uint32_t size, version;
		struct range map[4];
	} map = { sizeof(struct range), 0, { { 0 } } };
	unsigned int nr = ranges(memory, map.map), n;

	put(info, NULL, 8);
	put_tag(info, INFO_COMMAND, NULL, 0, boot->given);
	put_tag(info, INFO_LOADER, NULL, 0, LOADER);
	put_tag(info, INFO_MEMORY, basic, sizeof(basic), NULL);
	put_tag(info, INFO_MAP, &map, 8 + nr * sizeof(map.map[0]), NULL);
	for (n = 0; n < boot->nr; n++) {
		uint32_t m[2] = { at[n], at[n] + boot->initrd[n].size };

		put_tag(info, INFO_MODULE, m, sizeof(m), boot->name[n]);
	}
	if (boot->width)
		make_video_2(info, boot);
	if (boot->rsdp) {
		put_tag(info, INFO_RSDP_1, memory->base + boot->rsdp, 20, NULL);
		put_tag(info, INFO_RSDP_2, memory->base + boot->rsdp, 36, NULL);
	}
	put_tag(info, TAG_END, NULL, 0, NULL);
	memcpy(memory->base + INFO, &info->len, sizeof(info->len));
}

/* Without a screen it has to do with none */
static void choose_mode(const struct header *h, struct boot *boot)
{
	if (!h->video || !boot->framebuffer)
		return;
	boot->width = h->width && h->width <= VBE_X_MAX ? h->width & ~7u : 0;
	boot->height = h->height && h->height <= VBE_Y_MAX ? h->height : 0;
	if (!boot->width || !boot->height) {
		boot->width = WIDTH;
		boot->height = HEIGHT;
	}
}

int load_multiboot(const struct memory *memory, const struct blob *image,
		   struct boot *boot, struct entry *entry, struct error *error)
{
	uint64_t at[BOOT_MODULES], start = 0, end = 0;
	struct info info = { .memory = memory };
	struct header h = { 0 };

	if (memory->low < 2 * HIGH)
		return no_room(memory, "a kernel", HIGH, HIGH, HIGH, error);
	if (strlen(boot->given) > LINUX_APPEND_MAX)
		return fail(error, STATUS_USAGE,
			    "the command line has %zu bytes, the most is %u",
			    strlen(boot->given), LINUX_APPEND_MAX);
	h.version = find_any(image, &h.at);
	if (!h.version)
		return fail(error, STATUS_DATA, "no Multiboot header");
	if (h.version == 1 ? read_header_1(image, &h, error) :
			     read_header_2(image, &h, error))
		return -1;
	if (!h.has_address && !is_elf(image))
		return fail(error, STATUS_DATA,
			    "the Multiboot kernel is no ELF file, and its header at offset 0x%x says no address",
			    h.at);
	if (h.has_address ? load_by_address(memory, image, &h, &end, error) :
			    load_elf_segments(memory, image, &start, &end,
					      error))
		return -1;
	if (h.has_address || h.has_entry)
		start = h.entry;
	if (start < HIGH || start >= end)
		return fail(error, STATUS_DATA,
			    "the kernel's entry, 0x%llx, is not in what was loaded, 0x%llx .. 0x%llx",
			    (unsigned long long)start, HIGH,
			    (unsigned long long)end);
	if (place_initrds(memory, boot, end, 0, at, error))
		return -1;
	choose_mode(&h, boot);
	if (h.version == 1)
		make_info_1(&info, boot, at);
	else
		make_info_2(&info, boot, at);
	enter_protected(memory, GDT, entry);
	entry->regs = (struct mvmm_regs){
		.rip = start, .rbx = INFO, .rflags = 2,
		.rax = h.version == 1 ? RUNS_1 : RUNS_2 };
	return 0;
}
