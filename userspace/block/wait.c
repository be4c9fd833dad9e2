// SPDX-License-Identifier: GPL-2.0
/* A request for those who wait for it. */
#include "block/block.h"

static void ended(struct block_request *request)
{
	*(bool *)request->ctx = true;
}

int block_do_locked(struct block *block, enum block_op op, uint64_t at,
		    void *buffer, uint64_t len, bool stable)
{
	struct iovec iov = { buffer, len };
	bool done = false;
	struct block_request r = { .op = op, .at = at, .len = len, .iov = &iov,
				   .niov = !!buffer, .stable = stable,
				   .done = ended, .ctx = &done };

	block->ops->submit(block, &r);
	while (!done)
		block->ops->drain(block);
	return r.result;
}

int block_do(struct block *block, enum block_op op, uint64_t at, void *buffer,
	     uint64_t len)
{
	int ret;

	pthread_mutex_lock(&block->loop->lock);
	ret = block_do_locked(block, op, at, buffer, len, false);
	pthread_mutex_unlock(&block->loop->lock);
	return ret;
}
