/* SPDX-License-Identifier: GPL-2.0 */
/* Pictures as files (image.c). */
#ifndef MVMM_IMAGE_H
#define MVMM_IMAGE_H

#include "base/error.h"
#include "display/screen.h"

/* PNG, or PPM if the name ends so. 0, or -1 with @error */
int image_write(const struct surface *surface, const char *path,
		struct error *error);

#endif
