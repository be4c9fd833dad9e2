/* SPDX-License-Identifier: GPL-2.0 */
/* The fds that userspace holds, and how their ioctls are dispatched. */
#ifndef MVMM_FD_FD_H
#define MVMM_FD_FD_H

#include <linux/fs.h>
#include "vcpu.h"

int mvmm_vm_create(u32 flags);
void mvmm_vm_put(struct mvmm_vm *vm);
int mvmm_vcpu_create(struct mvmm_vm *vm, u32 id);
long mvmm_vcpu_state_ioctl(struct mvmm_vcpu *vcpu, unsigned int cmd,
			   unsigned long arg);

#define MVMM_MAX_STRUCT 1600

/* MVMM_OUT: the handler gets zeroes, and @size is all that the caller says */
enum mvmm_use { MVMM_IN, MVMM_OUT, MVMM_INOUT };

/**
 * struct mvmm_ioctl - one ioctl that takes a struct
 * @cmd: its number, MVMM_*
 * @min: size of the struct's first version
 * @size: the struct's size now, at most MVMM_MAX_STRUCT
 * @use: what the struct is for; if it is output, it is copied back when @fn
 *	returns 0 or more, -ENOSPC or -EINTR
 * @fn: handler; @obj is the fd's private data, @arg the kernel's copy
 */
struct mvmm_ioctl {
	unsigned int cmd;
	u32 min;
	u32 size;
	enum mvmm_use use;
	long (*fn)(void *obj, void *arg);
};

#define MVMM_IOCTL(_cmd, _type, _last, _use, _fn) {			\
	.cmd = (_cmd), .min = offsetofend(struct mvmm_##_type, _last),	\
	.size = sizeof(struct mvmm_##_type) + BUILD_BUG_ON_ZERO(	\
		sizeof(struct mvmm_##_type) > MVMM_MAX_STRUCT),		\
	.use = MVMM_##_use, .fn = (_fn) }

/* A handler that passes its pointers to a function with their real types */
#define MVMM_HANDLER(_name, _fn)					\
static long _name(void *obj, void *arg)					\
{									\
	return _fn(obj, arg);						\
}

long mvmm_dispatch(const struct mvmm_ioctl *table, int nr, void *obj,
		   unsigned int cmd, unsigned long arg);

#endif
