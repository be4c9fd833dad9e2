// SPDX-License-Identifier: GPL-2.0
/* Ioctls: copy the struct in once, call the handler, copy it out. */
#include <linux/uaccess.h>
#include "fd.h"

static const struct mvmm_ioctl *find(const struct mvmm_ioctl *table, int nr,
				     unsigned int cmd)
{
	int i;

	for (i = 0; i < nr; i++)
		if (table[i].cmd == cmd)
			return &table[i];
	return NULL;
}

/* tour 5: every ioctl but RUN comes through here */

/**
 * mvmm_dispatch() - find an ioctl in a table, and execute it
 * @table: the ioctls
 * @nr: entries of @table
 * @obj: for the handler
 * @cmd: from the caller
 * @arg: address of the caller's struct
 *
 * Context: may sleep. Return: what the handler returns; -ENOTTY, -EFAULT,
 * -EINVAL, -E2BIG by the ABI's rules.
 */
long mvmm_dispatch(const struct mvmm_ioctl *table, int nr, void *obj,
		   unsigned int cmd, unsigned long arg)
{
	const struct mvmm_ioctl *ioctl = find(table, nr, cmd);
	void __user *user = (void __user *)arg;
	u64 buf[MVMM_MAX_STRUCT / sizeof(u64)] __uninitialized; /* filled below */
	u32 size;
	long ret;

	if (!ioctl)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < ioctl->min)
		return -EINVAL;
	/* No struct will ever be so long: no need to look for zeroes beyond */
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (ioctl->use == MVMM_OUT) {
		memset(buf, 0, ioctl->size);
		if (size > ioctl->size &&
		    clear_user(user + ioctl->size, size - ioctl->size))
			return -EFAULT;
	} else {
		ret = copy_struct_from_user(buf, ioctl->size, user, size);
		if (ret)
			return ret;
	}
	ret = ioctl->fn(obj, buf);
	if (ioctl->use == MVMM_IN ||
	    (ret < 0 && ret != -ENOSPC && ret != -EINTR))
		return ret;
	*(u32 *)buf = size;
	if (copy_to_user(user, buf, min(size, ioctl->size)))
		return -EFAULT;
	return ret;
}
