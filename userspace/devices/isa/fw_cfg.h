/* SPDX-License-Identifier: GPL-2.0 */
/* What a firmware is told of the machine (fw_cfg.c). */
#ifndef MVMM_FW_CFG_H
#define MVMM_FW_CFG_H

#include <stdint.h>

#define FW_CFG_FILES	16
#define FW_CFG_NAME	56

/**
 * struct fw_cfg_file - a named item
 * @name: as the firmware knows it
 * @data: its content, which does not change while the guest runs
 * @len: bytes
 */
struct fw_cfg_file {
	char name[FW_CFG_NAME];
	const void *data;
	uint32_t len;
};

/**
 * struct firmware - what a firmware is told
 * @file: items that have names
 * @files: how many
 * @ecam: in one of them, where ECAM is: 8 bytes; NULL: in none
 */
struct firmware {
	struct fw_cfg_file file[FW_CFG_FILES];
	unsigned int files;
	uint8_t *ecam;
};

#endif
