/* SPDX-License-Identifier: GPL-2.0 */
/* What a qemu-nbd of mvmm's own may do, which parses what a guest has written. */
#ifndef MVMM_SANDBOX_H
#define MVMM_SANDBOX_H

#include <stdbool.h>

/**
 * struct sandbox - what the child needs; made by the parent, as it may not allocate
 * @rules: Landlock's, -1: this kernel has none
 * @spaces: namespaces of its own, as for unshare(); 0: none
 */
struct sandbox {
	int rules, spaces;
};

/*
 * For a server of @path: it may read what the user may, but write only beside the
 * image, which may have parts there, or with @read_only nowhere. Without @network
 * it has none. What this kernel does not have is left out
 */
void sandbox_make(struct sandbox *sandbox, const char *path, bool read_only,
		  bool network);
void sandbox_free(struct sandbox *sandbox);
/* In the child, before exec(); it has no new privileges already */
void sandbox_enter(const struct sandbox *sandbox);

#endif
