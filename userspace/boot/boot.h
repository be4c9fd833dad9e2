/* SPDX-License-Identifier: GPL-2.0 */
/* What fills the guest's memory before it starts. */
#ifndef MVMM_BOOT_H
#define MVMM_BOOT_H

#include <stddef.h>
#include <stdio.h>
#include "base/error.h"
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

/*
 * If it is compressed (gzip, xz, zstd), it is in memory afterwards, unpacked.
 * 0, or -1 with @error: broken, or by what this mvmm cannot read
 */
int blob_unpack(struct blob *blob, struct error *error);

#define BOOT_MODULES 8

/**
 * struct boot - what the guest gets besides the kernel
 * @initrd: for Linux they are one, one after the other; for others modules
 * @name: their files
 * @nr: how many
 * @append: the command line of Linux
 * @given: what of it the user gave
 * @rsdp: ACPI's root, 0: none
 * @framebuffer: where linear modes of the screen are, 0: there is no screen
 * @width: of such a mode, which the loader wants; 0: none
 * @height: the same
 */
struct boot {
	struct blob initrd[BOOT_MODULES];
	const char *name[BOOT_MODULES];
	unsigned int nr;
	const char *append, *given;
	uint64_t rsdp;
	uint64_t framebuffer;
	uint32_t width, height;
};

void boot_free(struct boot *boot);

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
/* Debian's package ovmf: the firmware, and its variables before the first start */
#define OVMF_CODE "/usr/share/OVMF/OVMF_CODE_4M.fd"
#define OVMF_VARS "/usr/share/OVMF/OVMF_VARS_4M.fd"
/*
 * A firmware, "bios", "uefi" or a file, which becomes a part of @c until
 * firmware_close(). Variables of "uefi" are in file @vars, which is made if there is
 * none; NULL: they are gone at the end. 0, or -1 with @error
 */
int firmware_open(struct machine_config *c, const char *name, const char *vars,
		  struct error *error);
void firmware_close(struct machine_config *c);
/* What it is told, and its start. 0, or -1 with @error */
int firmware_load(struct machine *m, struct entry *entry, struct error *error);
/* A file of fw_cfg's, with a copy of @data. -1 with @error */
int firmware_tell(struct firmware *f, const char *name, const void *data,
		  size_t len, struct error *error);

/**
 * struct boot_order - what a firmware boots first (--boot)
 * @kinds: letters, as QEMU has them; NULL: it is the firmware's choice
 * @menu: a key shows what there is
 * @wait: for that key, ms
 */
struct boot_order {
	const char *kinds;
	bool menu;
	uint16_t wait;
};

/* @text is cut into pieces, which @order keeps. 0, or -1 with @error */
int boot_order_parse(struct boot_order *order, char *text, struct error *error);
/* As CMOS has it: a nibble for each of the first three */
uint16_t boot_order_kinds(const struct boot_order *order);
/* The devices are there. 0, or -1 with @error */
int boot_order_tell(const struct boot_order *order, struct machine *m,
		    struct error *error);
/* The NICs' ROMs, for SeaBIOS (netboot.c). 0, or -1 with @error */
int netboot_tell(struct machine *m, struct error *error);

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
/* Where its linear modes are, 0: there is no VGA. After pci_assign() */
uint64_t framebuffer_find(struct machine *m);
/* There is one: it is in such a mode, of 32 bits */
void framebuffer_set(struct machine *m, unsigned int width,
		     unsigned int height);
/* By Multiboot 1 or 2; @boot gets the mode that it wants */
int load_multiboot(const struct memory *memory, const struct blob *image,
		   struct boot *boot, struct entry *entry, struct error *error);
/* Whichever of these it is, or what else it is is said */
int load_kernel(const struct memory *memory, const struct blob *image,
		struct boot *boot, struct entry *entry, struct error *error);
int load_flat(const struct memory *memory, const struct blob *image,
	      uint64_t at, struct entry *entry, struct error *error);
/* A .COM file, with a little of DOS around it (com.S); @append: its arguments */
int load_com(const struct memory *memory, const struct blob *image,
	     const char *append, struct entry *entry, struct error *error);
bool is_elf(const struct blob *image);
bool is_multiboot(const struct blob *image);
/* A note says that it begins by PVH */
bool elf_has_pvh(const struct blob *image);

/* Its segments only: the physical address of its entry, and their end */
int load_elf_segments(const struct memory *memory, const struct blob *image,
		      uint64_t *entry, uint64_t *end, struct error *error);

/* What starts which way */
enum image_kind { IMAGE_KERNEL, IMAGE_COM, IMAGE_DISK, IMAGE_CD };

/* By its beginning, and a .COM by its name. -1 with @error: it cannot be read */
int image_look(const char *path, enum image_kind *kind, struct error *error);
/*
 * For the loaders: Linux begins at @rip, its 64-bit entry, or that of 32 bits, with
 * the setup header @h and initrds at @at. The command line has at most
 * LINUX_APPEND_MAX bytes
 */
#define LINUX_APPEND_MAX 0xffffu
struct setup_header;
void enter_linux(const struct memory *memory, const struct setup_header *h,
		 const struct boot *boot, const uint64_t *at, uint64_t rip,
		 bool long_mode, struct entry *entry);
/*
 * For the loaders: @what, @size bytes for @at, is not between @lowest and the end of
 * low memory. Says how much memory would do, if any. Returns -1
 */
int no_room(const struct memory *memory, const char *what, uint64_t lowest,
	    uint64_t at, uint64_t size, struct error *error);
/*
 * For the loaders: put the initrds between @above and @max (0: no limit), each at
 * whole pages, with zeros behind it, its address in @at; make the segments that
 * the boot protocols want; begin in 32-bit protected mode, with a GDT at @gdt
 */
int place_initrds(const struct memory *memory, const struct boot *boot,
		  uint64_t above, uint64_t max, uint64_t at[BOOT_MODULES],
		  struct error *error);
void flat_segments(struct mvmm_sregs *sregs, uint16_t code, uint16_t data,
		   bool long_mode);
void enter_protected(const struct memory *memory, uint64_t gdt,
		     struct entry *entry);

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
 * @ecam: in @tables, where the firmware has put ECAM: 8 bytes
 * @loader: etc/table-loader: how a firmware puts them together
 * @loader_len: bytes of it
 */
struct acpi_files {
	uint8_t rsdp[36], tables[0x1400];
	uint8_t *ecam;
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
