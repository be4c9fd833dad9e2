// SPDX-License-Identifier: GPL-2.0
/*
 * A firmware in place of a kernel: its image is a ROM below 4 GiB, of which the
 * end is also below 1 MiB, and what it has to know is in fw_cfg.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "boot/boot.h"
#include "devices/isa/fw_cfg.h"

#define ROM_END		(4ull << 30)
#define ROM_MAX		(8u << 20)
#define PAGE		4096u
/* ACPI's tables are made in so much */
#define SCRATCH		0x100000
/* The q35's firmware puts ECAM there */
#define LOW_RAM_LIMIT	0xb0000000ull
#define RESET_IP	0xfff0
#define E820_RAM	1
#define SERIAL_PORT	0x3f8

/* What a new machine has, unless the file has more */
static int read_flash(struct flash *f, const char *vars, struct error *error)
{
	struct blob blob;
	struct stat st;
	bool good;

	if (blob_open(&blob, OVMF_VARS, error))
		return -1;
	f->data = aligned_alloc(PAGE, blob.size);
	f->size = blob.size;
	good = f->data && blob.size % PAGE == 0 && blob.size <= ROM_MAX &&
	       blob_copy(&blob, 0, f->data, blob.size);
	blob_free(&blob);
	if (!good)
		return fail(error, STATUS_NO_INPUT, "%s cannot be read",
			    OVMF_VARS);
	if (!vars)
		return 0;
	f->fd = open(vars, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (f->fd < 0 || fstat(f->fd, &st))
		return fail(error, STATUS_NO_INPUT, "--firmware-vars %s: %s",
			    vars, strerror(errno));
	if (flock(f->fd, LOCK_EX | LOCK_NB))
		return fail(error, STATUS_NO_INPUT,
			    "--firmware-vars %s: another guest has it", vars);
	if (st.st_size && (!S_ISREG(st.st_mode) || st.st_size != f->size))
		return fail(error, STATUS_DATA,
			    "--firmware-vars %s: %lld bytes are no variables of OVMF, which have %u: a file that is not there is made",
			    vars, (long long)st.st_size, f->size);
	if (st.st_size ? pread(f->fd, f->data, f->size, 0) != f->size :
			 pwrite(f->fd, f->data, f->size, 0) != f->size)
		return fail(error, STATUS_OS,
			    "--firmware-vars %s cannot be %s", vars,
			    st.st_size ? "read" : "written");
	return 0;
}

int firmware_open(struct machine_config *c, const char *name, const char *vars,
		  struct error *error)
{
	bool uefi = !strcmp(name, "uefi");
	const char *path = uefi ? OVMF_CODE :
			   strcmp(name, "bios") ? name : SEABIOS;
	struct blob blob;
	size_t before;

	if (c->ram_size > LOW_RAM_LIMIT)
		return fail(error, STATUS_USAGE,
			    "--firmware: at most --mem 2816M");
	if (blob_open(&blob, path, error))
		return path == name ? -1 :
		       fail(error, STATUS_NO_INPUT,
			    "--firmware %s: %s cannot be read: install the package %s",
			    name, path, uefi ? "ovmf" : "seabios");
	if (!blob.size || blob.size % PAGE || blob.size > ROM_MAX) {
		fail(error, STATUS_DATA,
		     "%s: a firmware has whole pages, at most 8 MiB, not %zu bytes",
		     path, blob.size);
		blob_free(&blob);
		return -1;
	}
	/* What is seen below 1 MiB is all there */
	before = blob.size < SHADOW_ROM ? SHADOW_ROM - blob.size : 0;
	c->firmware = calloc(1, sizeof(*c->firmware));
	c->rom_size = before + blob.size;
	c->rom = aligned_alloc(PAGE, c->rom_size);
	if (c->rom)
		memset(c->rom, 0xff, before);
	if (!c->firmware || !c->rom ||
	    !blob_copy(&blob, 0, c->rom + before, blob.size)) {
		fail(error, STATUS_NO_INPUT, "%s cannot be read", path);
		firmware_close(c);
	}
	blob_free(&blob);
	if (!c->rom)
		return -1;
	c->flash.fd = -1;
	if (!uefi || !read_flash(&c->flash, vars, error)) {
		c->flash.base = ROM_END - c->rom_size - c->flash.size;
		return 0;
	}
	firmware_close(c);
	return -1;
}

void firmware_close(struct machine_config *c)
{
	struct firmware *f = c->firmware;
	unsigned int i;

	for (i = 0; f && i < f->files; i++)
		free((void *)f->file[i].data);
	free(f);
	free(c->rom);
	free(c->flash.data);
	if (c->flash.size)
		close_fd(&c->flash.fd);
	c->firmware = NULL;
	c->rom = NULL;
	c->flash = (struct flash){ .fd = -1 };
}

/* A copy of @data. -1 with @error */
static int add_file(struct firmware *f, const char *name, const void *data,
		    size_t len, struct error *error)
{
	struct fw_cfg_file *file = &f->file[f->files];
	void *copy = malloc(len);

	if (!copy)
		return fail(error, STATUS_OS, "no memory for the firmware");
	memcpy(copy, data, len);
	*file = (struct fw_cfg_file){ .data = copy, .len = len };
	strcpy(file->name, name);
	f->files++;
	return 0;
}

int firmware_tell(struct firmware *f, const char *name, const void *data,
		  size_t len, struct error *error)
{
	return add_file(f, name, data, len, error);
}

struct e820_entry {
	uint64_t address, length;
	uint32_t type;
} __attribute__((packed));

/* They are made where a kernel would find them, in memory that no guest sees */
static int add_acpi(struct machine *m, struct error *error)
{
	struct firmware *f = m->config.firmware;
	struct memory scratch = { .base = calloc(1, SCRATCH) };
	struct acpi_files files;

	if (!scratch.base)
		return fail(error, STATUS_OS, "no memory for ACPI's tables");
	acpi_of_machine(m, &scratch);
	acpi_make_files(&scratch, &files);
	free(scratch.base);
	if (add_file(f, "etc/acpi/tables", files.tables, sizeof(files.tables),
		     error))
		return -1;
	f->ecam = (uint8_t *)f->file[f->files - 1].data +
		  (files.ecam - files.tables);
	return add_file(f, "etc/acpi/rsdp", files.rsdp, sizeof(files.rsdp),
			error) ||
	       add_file(f, "etc/table-loader", files.loader, files.loader_len,
			error) ? -1 : 0;
}

int firmware_load(struct machine *m, struct entry *entry, struct error *error)
{
	struct firmware *f = m->config.firmware;
	struct memory *memory = &m->memory;
	struct e820_entry ram[] = {
		{ 0, memory->low, E820_RAM },
		{ HIGH_RAM, memory->high, E820_RAM } };
	uint16_t serial = SERIAL_PORT;

	/* The state of RESET; only these are in the run page */
	entry->regs = (struct mvmm_regs){ .rflags = 2, .rip = RESET_IP,
					  .rdx = 0x600 };
	return add_acpi(m, error) ||
	       add_file(f, "etc/e820", ram,
			sizeof(ram[0]) * (memory->high ? 2 : 1), error) ||
	       /* What is on the screen goes there, too, if there is one */
	       add_file(f, "etc/sercon-port", &serial, sizeof(serial),
			error) ? -1 : 0;
}
