// SPDX-License-Identifier: GPL-2.0
/* A request for those who wait for it. */
#include "block/block.h"

static void nothing(struct block_request *request)
{
}

int block_do(struct block *block, enum block_op op, uint64_t at, void *buffer,
	     uint64_t len)
{
	struct iovec iov = { buffer, len };
	struct block_request r = { .op = op, .at = at, .len = len, .iov = &iov,
				   .niov = !!buffer, .done = nothing };

	pthread_mutex_lock(&block->loop->lock);
	block->ops->submit(block, &r);
	block->ops->drain(block);
	pthread_mutex_unlock(&block->loop->lock);
	return r.result;
}
