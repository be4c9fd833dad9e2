// SPDX-License-Identifier: GPL-2.0
/* ACPI says it all. */
#include "boot/boot.h"
#include "without/without.h"

void make_mptable(const struct memory *memory, unsigned int cpus)
{
}

void make_smbios(const struct memory *memory, unsigned int cpus)
{
}
