// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed kernels: gzip, and xz and zstd if their libraries were there, which are
 * loaded when such a kernel comes.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/library.h"
#include "boot/boot.h"
#include "have.h"
#ifdef HAVE_XZ
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#include <zstd_errors.h>
#endif

/* Far above any kernel, and what a file made for it would fill the host with */
#define UNPACKED_MAX	(1ull << 30)
#define STEP		(1u << 20)

/**
 * struct piece - of both ends
 * @in: the compressed bytes that are left
 * @out: room for the others
 * @in_len: bytes there
 * @out_len: the same
 */
struct piece {
	const uint8_t *in;
	uint8_t *out;
	size_t in_len, out_len;
};

enum step { GOES_ON, AT_END, BROKEN, NO_MEMORY };

static void *gzip_start(void)
{
	z_stream *z = calloc(1, sizeof(*z));

	/* With a gzip header */
	if (z && inflateInit2(z, 16 + MAX_WBITS) != Z_OK) {
		free(z);
		return NULL;
	}
	return z;
}

static enum step gzip_step(void *state, struct piece *p)
{
	z_stream *z = state;
	int ret;

	/* Pieces have at most STEP bytes */
	z->next_in = (uint8_t *)p->in;
	z->avail_in = p->in_len;
	z->next_out = p->out;
	z->avail_out = p->out_len;
	ret = inflate(z, Z_NO_FLUSH);
	p->in = z->next_in;
	p->in_len = z->avail_in;
	p->out_len = z->avail_out;
	return ret == Z_STREAM_END ? AT_END : ret == Z_OK ? GOES_ON :
	       ret == Z_MEM_ERROR ? NO_MEMORY : BROKEN;
}

static void gzip_end(void *state)
{
	inflateEnd(state);
	free(state);
}

#ifdef HAVE_XZ
#define XZ_MEMORY	(256ull << 20)

static struct {
	typeof(&lzma_stream_decoder) stream_decoder;
	typeof(&lzma_code) code;
	typeof(&lzma_end) end;
} xz;
static struct library xz_library = {
	.file = "liblzma.so.5", .name = "liblzma",
	.needs = "a kernel in xz needs liblzma", .package = "liblzma5" };
static const struct library_call xz_calls[] = {
	{ "lzma_stream_decoder", &xz.stream_decoder },
	{ "lzma_code", &xz.code }, { "lzma_end", &xz.end }, { NULL, NULL } };

static void *xz_start(void)
{
	lzma_stream *l = calloc(1, sizeof(*l));

	if (l && xz.stream_decoder(l, XZ_MEMORY, 0) != LZMA_OK) {
		free(l);
		return NULL;
	}
	return l;
}

static enum step xz_step(void *state, struct piece *p)
{
	lzma_stream *l = state;
	lzma_ret ret;

	l->next_in = p->in;
	l->avail_in = p->in_len;
	l->next_out = p->out;
	l->avail_out = p->out_len;
	ret = xz.code(l, LZMA_RUN);
	p->in = l->next_in;
	p->in_len = l->avail_in;
	p->out_len = l->avail_out;
	return ret == LZMA_STREAM_END ? AT_END : ret == LZMA_OK ? GOES_ON :
	       ret == LZMA_MEM_ERROR || ret == LZMA_MEMLIMIT_ERROR ? NO_MEMORY :
	       BROKEN;
}

static void xz_end(void *state)
{
	xz.end(state);
	free(state);
}
#endif

#ifdef HAVE_ZSTD
static struct {
	typeof(&ZSTD_createDStream) createDStream;
	typeof(&ZSTD_decompressStream) decompressStream;
	typeof(&ZSTD_freeDStream) freeDStream;
	typeof(&ZSTD_getErrorCode) getErrorCode;
	typeof(&ZSTD_isError) isError;
} zstd;
static struct library zstd_library = {
	.file = "libzstd.so.1", .name = "libzstd",
	.needs = "a kernel in zstd needs libzstd", .package = "libzstd1" };
static const struct library_call zstd_calls[] = {
	{ "ZSTD_createDStream", &zstd.createDStream },
	{ "ZSTD_decompressStream", &zstd.decompressStream },
	{ "ZSTD_freeDStream", &zstd.freeDStream },
	{ "ZSTD_getErrorCode", &zstd.getErrorCode },
	{ "ZSTD_isError", &zstd.isError }, { NULL, NULL } };

static void *zstd_start(void)
{
	return zstd.createDStream();
}

static enum step zstd_step(void *state, struct piece *p)
{
	ZSTD_inBuffer in = { p->in, p->in_len, 0 };
	ZSTD_outBuffer out = { p->out, p->out_len, 0 };
	size_t ret = zstd.decompressStream(state, &out, &in);

	p->in += in.pos;
	p->in_len -= in.pos;
	p->out_len -= out.pos;
	if (zstd.getErrorCode(ret) == ZSTD_error_memory_allocation)
		return NO_MEMORY;
	return zstd.isError(ret) ? BROKEN : ret ? GOES_ON : AT_END;
}

static void zstd_end(void *state)
{
	zstd.freeDStream(state);
}
#endif

/* Without @start: this mvmm was built without @package. @library: is loaded first */
static const struct unpacker {
	const char *name, *package;
	unsigned int len;
	uint8_t magic[6];
	void *(*start)(void);
	enum step (*step)(void *state, struct piece *p);
	void (*end)(void *state);
	struct library *library;
	const struct library_call *calls;
} unpackers[] = {
	{ "gzip", NULL, 2, { 0x1f, 0x8b }, gzip_start, gzip_step, gzip_end,
	  NULL, NULL },
	{ "xz", "liblzma-dev", 6, { 0xfd, '7', 'z', 'X', 'Z', 0 },
#ifdef HAVE_XZ
	  xz_start, xz_step, xz_end, &xz_library, xz_calls
#else
	  NULL, NULL, NULL, NULL, NULL
#endif
	},
	{ "zstd", "libzstd-dev", 4, { 0x28, 0xb5, 0x2f, 0xfd },
#ifdef HAVE_ZSTD
	  zstd_start, zstd_step, zstd_end, &zstd_library, zstd_calls
#else
	  NULL, NULL, NULL, NULL, NULL
#endif
	},
};

/* Room for another STEP */
static bool grow(struct blob *to, struct piece *p)
{
	uint8_t *more = realloc(to->data, to->size + STEP);

	if (!more)
		return false;
	to->data = more;
	p->out = more + to->size;
	p->out_len = STEP;
	return true;
}

/* What is behind the end does not count, as gzip and xz pad files */
static int unpack(const struct unpacker *u, void *state,
		  const struct blob *from, struct blob *to, struct error *error)
{
	static const char text[] =
		"the kernel, compressed by %s, is %s after 0x%zx bytes, at offset 0x%zx of 0x%zx: unpack it by hand to see why";
	uint8_t *in = malloc(STEP);
	enum step step = in ? GOES_ON : NO_MEMORY;
	struct piece p = { 0 };
	size_t at = 0, n;

	while (step == GOES_ON) {
		if (!p.in_len) {
			n = from->size - at < STEP ? from->size - at : STEP;
			if (!n || !blob_copy(from, at, in, n))
				break;
			p.in = in;
			p.in_len = n;
			at += n;
		}
		if (to->size > UNPACKED_MAX - STEP)
			break;
		if (!grow(to, &p)) {
			step = NO_MEMORY;
			break;
		}
		step = u->step(state, &p);
		to->size = p.out - to->data + STEP - p.out_len;
	}
	free(in);
	if (step == AT_END)
		return 0;
	if (step == NO_MEMORY)
		return fail(error, STATUS_OS, "no memory to unpack the kernel");
	return fail(error, STATUS_DATA, text, u->name,
		    step == BROKEN ? "broken" :
		    to->size > UNPACKED_MAX - STEP ? "too large" : "cut short",
		    to->size, at - p.in_len, from->size);
}

static const struct unpacker *unpacker_of(const struct blob *blob)
{
	uint8_t magic[6];
	unsigned int i;

	for (i = 0; i < sizeof(unpackers) / sizeof(unpackers[0]); i++)
		if (blob_copy(blob, 0, magic, unpackers[i].len) &&
		    !memcmp(magic, unpackers[i].magic, unpackers[i].len))
			return &unpackers[i];
	return NULL;
}

int blob_unpack(struct blob *blob, struct error *error)
{
	const struct unpacker *u = unpacker_of(blob);
	struct blob to = { 0 };
	void *state;
	int ret;

	if (!u)
		return 0;
	if (!u->start)
		return fail(error, STATUS_DATA,
			    "the kernel is compressed by %s, and this mvmm was built without %s: unpack it first, or build mvmm with the package",
			    u->name, u->package);
	if (u->library && library_load(u->library, u->calls, error))
		return -1;
	state = u->start();
	if (!state)
		return fail(error, STATUS_OS, "no memory to unpack the kernel");
	ret = unpack(u, state, blob, &to, error);
	u->end(state);
	if (ret) {
		blob_free(&to);
		return -1;
	}
	blob_free(blob);
	*blob = to;
	return 0;
}
