/* SPDX-License-Identifier: GPL-2.0 */
/* What mvmm run is asked for (run_options.c), and does (run.c). */
#ifndef MVMM_RUN_H
#define MVMM_RUN_H

#include "block/block.h"
#include "boot/boot.h"
#include "char/ports.h"
#include "cmd/config.h"
#include "core/machine.h"
#include "display/display.h"
#include "net/nets.h"

#define RUN_SHORT	32

#define RUN_REBOOT	1

/**
 * struct run_options - the command line
 * @image: a file, which becomes one of those or a disk; NULL: none was given
 * @kernel: the same
 * @initrd: the same
 * @initrds: how many
 * @given: the kernel's command line, NULL: none was given
 * @append: the same, with a console
 * @firmware: the same, or "bios", "uefi"
 * @vars: a file for that one's variables; NULL: they are gone at the end
 * @flat: a file; NULL: none was given
 * @load: a directory with a saved machine; NULL: it boots
 * @control: a socket; NULL: nobody listens
 * @display: who is shown the screen
 * @on_reset: what becomes of a guest that resets itself: 0: it ends, RUN_REBOOT:
 *	it boots again, 2: the latter if it has a firmware
 * @boot: what a firmware boots first
 * @at: where the flat image goes
 * @has_at: that was given
 * @host: nothing was given to boot
 * @com: @kernel is a .COM program
 * @stats: they are printed at the end
 * @packed: virtio devices offer packed rings
 * @virtio_console: what the terminal is: 0: a serial port, 1: hvc0
 * @balloon: options of the virtio-balloon, if there is one
 * @vsock: of the virtio-vsock
 * @save_every: ms, 0: never
 * @save_to: a directory; NULL: RAM stays where it is
 * @reload_every: exits, 0: never
 * @in_config: options come from a file now
 * @config: such files
 * @disk: as opened
 * @disk_options: of their devices
 * @nets: networks
 * @ports: of virtio-console
 * @machine: the rest
 */
struct run_options {
	const char *image, *kernel, *initrd[BOOT_MODULES], *firmware, *vars;
	const char *flat, *given, *load, *control;
	unsigned int initrds;
	char *append;
	struct display display;
	struct boot_order boot;
	uint64_t at;
	bool has_at, host, com, stats, packed;
	unsigned int virtio_console, on_reset;
	char balloon[RUN_SHORT], vsock[RUN_SHORT];
	uint64_t save_every, reload_every;
	const char *save_to;
	bool in_config;
	struct config config;
	struct block_config disk[MACHINE_DISKS];
	char disk_options[MACHINE_DISKS][64];
	struct nets nets;
	struct ports ports;
	struct machine_config machine;
};

/* 0, or the exit status: it has said why. Ends the process after --help */
int run_options_parse(struct run_options *o, int argc, char **argv);
void run_options_free(struct run_options *o);

#endif
