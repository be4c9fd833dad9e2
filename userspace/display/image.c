// SPDX-License-Identifier: GPL-2.0
/* A picture as a file: PNG (ISO 15948), or PPM (P6). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "display/image.h"

/* Red, green, blue; in front of each row @margin bytes that are zero */
static uint8_t *make_bytes(const struct surface *s, size_t margin, size_t *len)
{
	size_t row = margin + 3 * (size_t)s->width;
	const uint32_t *pixel = s->pixels;
	uint8_t *bytes, *at;
	unsigned int x, y;

	*len = row * s->height;
	bytes = at = malloc(*len);
	for (y = 0; bytes && y < s->height; y++) {
		memset(at, 0, margin);
		at += margin;
		for (x = 0; x < s->width; x++, pixel++, at += 3) {
			at[0] = *pixel >> 16;
			at[1] = *pixel >> 8;
			at[2] = *pixel;
		}
	}
	return bytes;
}

static void put_32(uint8_t *at, uint32_t value)
{
	at[0] = value >> 24;
	at[1] = value >> 16;
	at[2] = value >> 8;
	at[3] = value;
}

/* What fails shows when the file is closed */
static void write_chunk(FILE *file, const char *type, const void *data,
			uint32_t len)
{
	uint8_t head[8], end[4];

	put_32(head, len);
	memcpy(head + 4, type, 4);
	put_32(end, crc32(crc32(0, head + 4, 4), data, len));
	fwrite(head, sizeof(head), 1, file);
	fwrite(data, 1, len, file);
	fwrite(end, sizeof(end), 1, file);
}

static int write_png(const struct surface *s, FILE *file)
{
	static const uint8_t magic[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a,
					 '\n' };
	/* 8 bits, red, green and blue; rows are not filtered */
	uint8_t head[13] = { [8] = 8, [9] = 2 };
	size_t len;
	uint8_t *bytes = make_bytes(s, 1, &len);
	uLongf packed_len = compressBound(len);
	uint8_t *packed = bytes ? malloc(packed_len) : NULL;
	int ret = packed && compress2(packed, &packed_len, bytes, len,
				      Z_BEST_SPEED) == Z_OK ? 0 : -1;

	put_32(head, s->width);
	put_32(head + 4, s->height);
	if (!ret) {
		fwrite(magic, sizeof(magic), 1, file);
		write_chunk(file, "IHDR", head, sizeof(head));
		write_chunk(file, "IDAT", packed, packed_len);
		write_chunk(file, "IEND", "", 0);
	}
	free(packed);
	free(bytes);
	return ret;
}

static int write_ppm(const struct surface *s, FILE *file)
{
	size_t len;
	uint8_t *bytes = make_bytes(s, 0, &len);

	if (!bytes)
		return -1;
	fprintf(file, "P6\n%u %u\n255\n", s->width, s->height);
	fwrite(bytes, 1, len, file);
	free(bytes);
	return 0;
}

int image_write(const struct surface *surface, const char *path,
		struct error *error)
{
	size_t len = strlen(path);
	bool ppm = len > 4 && !strcmp(path + len - 4, ".ppm");
	FILE *file = fopen(path, "we");
	int ret;

	if (!file)
		return fail(error, STATUS_OS, "%s: %s", path, strerror(errno));
	ret = ppm ? write_ppm(surface, file) : write_png(surface, file);
	if (ret)
		fail(error, STATUS_OS, "%s: no memory", path);
	if (ferror(file))
		ret = fail(error, STATUS_OS, "%s: it cannot be written", path);
	if (fclose(file) && !ret)
		ret = fail(error, STATUS_OS, "%s: %s", path, strerror(errno));
	return ret;
}
