// SPDX-License-Identifier: GPL-2.0
/* What a drive has without a medium: a disk of no bytes. */
#include <errno.h>
#include <stdlib.h>
#include "block/block.h"

static int start(struct block *block, struct loop *loop, struct error *error)
{
	block->loop = loop;
	return 0;
}

static void submit(struct block *block, struct block_request *request)
{
	request->result = request->len ? -ENOMEDIUM : 0;
	request->done(request);
}

/* Nothing is ever in flight */
static void nothing(struct block *block)
{
}

static void close_empty(struct block *block)
{
	free(block);
}

struct block *block_empty(void)
{
	static const struct block_ops ops = {
		.start = start, .submit = submit, .drain = nothing,
		.cancel = nothing, .close = close_empty };
	struct block *block = calloc(1, sizeof(*block));

	if (block)
		block->ops = &ops;
	return block;
}
