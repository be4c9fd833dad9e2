// SPDX-License-Identifier: GPL-2.0
/* No virtio-balloon. */
#include "devices/virtio/balloon.h"
#include "without/without.h"

/* There is none */
void balloon_print(const struct balloon *balloon, FILE *out)
{
}
