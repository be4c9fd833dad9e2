// SPDX-License-Identifier: GPL-2.0
/*
 * A pattern on a screen, for the tests. A guest draws it, and L1 looks at the
 * screenshot, a PPM, pixel by pixel.
 *
 *   screen linear            fills 1024x768 pixels, without any driver
 *   screen fb                draws the negative, by the driver's framebuffer
 *   screen text              sets 80x25 characters, and writes a line, also so
 *   screen check FILE        is it that pattern?
 *   screen check-fb FILE     is it the negative?
 *   screen check-text FILE   are it the line's pixels?
 *   screen check-13 FILE     are it the columns of floppy.S?
 *   screen check-12 FILE     its planes?
 *   screen words FONT FILE   prints what a console has written with that font, 256
 *                            characters of 8x16
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tests/vga_modes.h"

#define LINE	"Hello from the guest"
#define ROW	3

/* Of each pixel another one: what is moved, or of the wrong colour, is seen */
static uint32_t colour(unsigned int x, unsigned int y)
{
	return (((x * 7) ^ (y * 13)) & 0xff) << 16 | ((x + y) & 0xff) << 8 |
	       ((x * y >> 4) & 0xff);
}

/* The first PCI device that is no bridge is the VGA */
#define BAR_0	"/sys/bus/pci/devices/0000:00:01.0/resource0"

static void vbe(unsigned int index, unsigned int value)
{
	outw(index, 0x1ce);
	outw(value, 0x1cf);
}

static int linear(void)
{
	int fd = open(BAR_0, O_RDWR);
	volatile uint32_t *pixel;
	unsigned int x, y;

	if (fd < 0 || iopl(3))
		return 1;
	pixel = mmap(NULL, VGA_VRAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pixel == MAP_FAILED)
		return 1;
	vbe(VBE_X, 1024);
	vbe(VBE_Y, 768);
	vbe(VBE_BPP, 32);
	vbe(VBE_ENABLE, VBE_ENABLED);
	inb(0x3da);
	outb(ATTR_ON, 0x3c0);
	for (y = 0; y < 768; y++)
		for (x = 0; x < 1024; x++)
			*pixel++ = colour(x, y);
	return 0;
}

/* The driver takes them from memory of its own, a little later */
static int framebuffer(void)
{
	int fd = open("/dev/fb0", O_RDWR);
	size_t len = 1024 * 768 * sizeof(uint32_t);
	volatile uint32_t *pixel;
	unsigned int x, y;

	if (fd < 0)
		return 1;
	pixel = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pixel == MAP_FAILED)
		return 1;
	for (y = 0; y < 768; y++)
		for (x = 0; x < 1024; x++)
			*pixel++ = ~colour(x, y);
	return 0;
}

/* ---- text, by the registers --------------------------------------------------- */

static void put(unsigned int port, uint8_t value)
{
	outb(value, port);
}

static uint8_t get(unsigned int port)
{
	return inb(port);
}

/* A font of which each character has its own stripes */
static uint8_t glyph(uint8_t code, unsigned int line)
{
	return line ? code << (line & 3) | line : 0;
}

static int text(void)
{
	int fd = open("/dev/mem", O_RDWR);
	volatile uint8_t *window;
	unsigned int i, line;

	if (fd < 0 || iopl(3))
		return 1;
	window = mmap(NULL, VGA_WINDOW_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, VGA_WINDOW);
	if (window == MAP_FAILED)
		return 1;
	/* No linear mode any more */
	outw(VBE_ENABLE, 0x1ce);
	outw(0, 0x1cf);
	/* The font goes to plane 2 */
	mode_set(&mode_12, put, get);
	put(0x3c4, SEQ_MAP_MASK);
	put(0x3c5, 4);
	for (i = 0; i < 256; i++)
		for (line = 0; line < 16; line++)
			window[32 * i + line] = glyph(i, line);
	mode_set(&mode_03, put, get);
	mode_colours(put);
	put(0x3d4, CRTC_CURSOR_START);
	put(0x3d5, 0x20);
	for (i = 0; i < 2000; i++) {
		window[0x18000 + 2 * i] = ' ';
		window[0x18000 + 2 * i + 1] = 0x07;
	}
	for (i = 0; i < strlen(LINE); i++)
		window[0x18000 + 2 * (80 * ROW + i)] = LINE[i];
	return 0;
}

/* ---- what is seen of it --------------------------------------------------------- */

struct picture {
	unsigned int width, height;
	uint8_t *bytes;
};

static int load(const char *path, struct picture *p)
{
	FILE *file = fopen(path, "r");
	size_t len;

	if (!file || fscanf(file, "P6 %u %u 255", &p->width, &p->height) != 2 ||
	    fgetc(file) != '\n')
		return 1;
	len = 3ul * p->width * p->height;
	p->bytes = malloc(len);
	return fread(p->bytes, 1, len, file) != len || fgetc(file) != EOF;
}

static int differs(const struct picture *p, unsigned int x, unsigned int y,
		   uint32_t expected)
{
	const uint8_t *at = p->bytes + 3 * (y * p->width + x);
	uint32_t found = at[0] << 16 | at[1] << 8 | at[2];

	if (found == expected)
		return 0;
	printf("# of %ux%u (%u, %u) is %06x, not %06x\n", p->width, p->height,
	       x, y, found, expected);
	return 1;
}

static int check(const char *path, uint32_t flip)
{
	struct picture p;
	unsigned int x, y;

	if (load(path, &p))
		return 1;
	for (y = 0; y < p.height; y++)
		for (x = 0; x < p.width; x++)
			if (differs(&p, x, y, colour(x, y) ^ flip))
				return 1;
	return p.width < 640;
}

static int check_text(const char *path)
{
	unsigned int x, y, i;
	struct picture p;

	if (load(path, &p) || p.width != 720 || p.height != 400)
		return 1;
	for (i = 0; i < strlen(LINE); i++)
		for (y = 0; y < 16; y++)
			for (x = 0; x < 9; x++)
				if (differs(&p, 9 * i + x, 16 * ROW + y,
					    x < 8 && glyph(LINE[i], y) & 0x80 >> x ?
					    mode_colour(7) : mode_colour(0)))
					return 1;
	return 0;
}

/* Column 40 has that colour of the BIOS's palette; it may draw lines twice */
static int check_13(const char *path)
{
	struct picture p;
	unsigned int y;

	if (load(path, &p) || p.width % 320 || p.height % 200 || p.height == 480)
		return 1;
	for (y = 0; y < p.height; y++)
		if (differs(&p, 40 * (p.width / 320), y, 0xff0000) ||
		    differs(&p, 0, y, 0))
			return 1;
	return 0;
}

static int check_12(const char *path)
{
	struct picture p;
	unsigned int x, y;

	if (load(path, &p) || p.width != 640 || p.height != 480)
		return 1;
	for (y = 0; y < 480; y++)
		for (x = 0; x < 640; x++)
			if (differs(&p, x, y, y < 240 ? 0xaa0000 : 0x00aa00))
				return 1;
	return 0;
}

static const uint8_t *at(const struct picture *p, unsigned int x, unsigned int y)
{
	return p->bytes + 3 * (y * p->width + x);
}

/* Whatever its colours are: no letter has the corner of its cell */
static char word(const struct picture *p, uint8_t font[256][16], unsigned int x,
		 unsigned int y)
{
	uint8_t rows[16] = { 0 };
	unsigned int i, j;

	for (i = 0; i < 16; i++)
		for (j = 0; j < 8; j++)
			rows[i] |= memcmp(at(p, x + j, y + i), at(p, x, y), 3) ?
				   0x80 >> j : 0;
	for (i = ' '; i < 127; i++)
		if (!memcmp(rows, font[i], 16))
			return i;
	/* The cursor, or none */
	return '?';
}

static int words(const char *path, const char *picture)
{
	FILE *file = fopen(path, "r");
	uint8_t font[256][16];
	unsigned int x, y;
	struct picture p;

	if (!file || fread(font, sizeof(font), 1, file) != 1 ||
	    load(picture, &p))
		return 1;
	for (y = 0; y + 16 <= p.height; y += 16) {
		for (x = 0; x + 8 <= p.width; x += 8)
			putchar(word(&p, font, x, y));
		putchar('\n');
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "linear"))
		return linear();
	if (argc == 2 && !strcmp(argv[1], "fb"))
		return framebuffer();
	if (argc == 2 && !strcmp(argv[1], "text"))
		return text();
	if (argc == 3 && !strcmp(argv[1], "check"))
		return check(argv[2], 0);
	if (argc == 3 && !strcmp(argv[1], "check-fb"))
		return check(argv[2], 0xffffff);
	if (argc == 3 && !strcmp(argv[1], "check-text"))
		return check_text(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "check-13"))
		return check_13(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "check-12"))
		return check_12(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "words"))
		return words(argv[2], argv[3]);
	return 2;
}
