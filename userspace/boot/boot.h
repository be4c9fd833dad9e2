/* SPDX-License-Identifier: GPL-2.0 */
/* What fills the guest's memory before it starts. */
#ifndef MVMM_BOOT_H
#define MVMM_BOOT_H

#include <stddef.h>
#include <stdio.h>
#include "core/error.h"
#include "core/machine.h"
#include "core/memory.h"

/**
 * struct blob - the content of a file
 * @data: in memory; or
 * @size: bytes
 * @file: where it is, and @data is NULL
 */
struct blob {
	uint8_t *data;
	size_t size;
	FILE *file;
};

/* Opens it. A kernel is large: it is read to where it goes, and not before */
int blob_open(struct blob *blob, const char *path, struct error *error);
/* Reads it into memory */
int blob_read(struct blob *blob, const char *path, struct error *error);
/* False: not all of that is there */
bool blob_copy(const struct blob *blob, uint64_t at, void *to, uint64_t len);
void blob_free(struct blob *blob);

/* What the guest gets besides the kernel */
struct boot {
	struct blob initrd;		/* empty: none */
	const char *append;		/* the command line */
	uint64_t rsdp;			/* ACPI's root, 0: none */
};

/*
 * The host's own kernel, whose path goes to @kernel, and an initramfs made for it:
 * a shell that sees the directories that @m shares, or else this one, which is added
 * to them (host.c); with drivers for its disks, NICs and devices. Says
 * so to the user. 0, or -1 with @error
 */
int host_boot(struct machine_config *m, const char **kernel,
	      struct boot *boot, struct error *error);
/* Debian's package seabios */
#define SEABIOS "/usr/share/seabios/bios-256k.bin"
/*
 * A firmware, "bios" or a file, which becomes a part of @c until firmware_close().
 * 0, or -1 with @error
 */
int firmware_open(struct machine_config *c, const char *name,
		  struct error *error);
void firmware_close(struct machine_config *c);
/* What it is told, and its start. 0, or -1 with @error */
int firmware_load(struct machine *m, struct entry *entry, struct error *error);
/*
 * Each loader puts an image into RAM and fills in @entry. Returns 0, or -1 with
 * @error. The image is hostile: every offset in it is checked.
 */
int load_bzimage(const struct memory *memory, const struct blob *image,
		 const struct boot *boot, struct entry *entry,
		 struct error *error);
int load_elf(const struct memory *memory, const struct blob *image,
	     const struct boot *boot, struct entry *entry,
	     struct error *error);
int load_flat(const struct memory *memory, const struct blob *image,
	      uint64_t at, struct entry *entry, struct error *error);
bool is_elf(const struct blob *image);
/*
 * For the loaders: Linux begins at @rip, its 64-bit entry, with the setup header @h
 * and an initrd at @initrd. The command line has at most LINUX_APPEND_MAX bytes
 */
#define LINUX_APPEND_MAX 0xffffu
struct setup_header;
void enter_linux(const struct memory *memory, const struct setup_header *h,
		 const struct boot *boot, uint64_t initrd, uint64_t rip,
		 struct entry *entry);
/*
 * For the loaders: put the initrd between @above and @max (0: no limit); make
 * the segments that the boot protocols want
 */
int place_initrd(const struct memory *memory, const struct blob *initrd,
		 uint64_t above, uint64_t max, uint64_t *gpa,
		 struct error *error);
void flat_segments(struct mvmm_sregs *sregs, uint16_t code, uint16_t data,
		   bool long_mode);

/*
 * Writes the ACPI tables for @apics local APICs (0: a PC without them). Returns
 * the RSDP's address.
 */
uint64_t make_acpi(const struct memory *memory, unsigned int apics);
/*
 * After it: PCI devices may be from @first to before @end, above 4 GiB. Not called:
 * nowhere there
 */
void acpi_set_window(const struct memory *memory, uint64_t first, uint64_t end);
/* After it: what of these there is. Not called: neither */
void acpi_set_boot(const struct memory *memory, bool i8042, bool vga);
/* After it, once: there is a HPET */
void acpi_add_hpet(const struct memory *memory);
/* All of these, as @m has it, in @memory, which may be another. The RSDP */
uint64_t acpi_of_machine(struct machine *m, const struct memory *memory);

#define ACPI_STEP	128

/**
 * struct acpi_files - what fw_cfg has of ACPI
 * @rsdp: etc/acpi/rsdp
 * @tables: etc/acpi/tables
 * @loader: etc/table-loader: how a firmware puts them together
 * @loader_len: bytes of it
 */
struct acpi_files {
	uint8_t rsdp[36], tables[0xf00];
	uint8_t loader[ACPI_STEP * 24];
	size_t loader_len;
};

/*
 * Last of all: of the tables, which are changed. Without these @memory may be one
 * of 1 MiB that no guest sees
 */
void acpi_make_files(const struct memory *memory, struct acpi_files *files);
/* The byte with which the sum of all @len bytes is 0 */
uint8_t table_checksum(const void *data, size_t len);
/* The MP table for so many CPUs, all with a local APIC; at 0xf0000 */
void make_mptable(const struct memory *memory, unsigned int cpus);
/* The SMBIOS tables of a machine with so many CPUs; at 0xf2000 */
void make_smbios(const struct memory *memory, unsigned int cpus);

#endif
