/* SPDX-License-Identifier: GPL-2.0 */
/* Frames of spanning trees (IEEE 802.1D-2004, clause 9), as bytes and as a struct. */
#ifndef MVMM_SWITCH_BPDU_H
#define MVMM_SWITCH_BPDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPDU_FRAME	60

/**
 * struct stp_vector - a priority vector: less is better
 * @root: the root's identifier
 * @cost: of the way there
 * @bridge: who says so
 * @port: by which of its ports
 */
struct stp_vector {
	uint64_t root;
	uint32_t cost;
	uint64_t bridge;
	uint16_t port;
};

/**
 * struct stp_times - in seconds
 * @age: since the root has said it
 * @max_age: when that is too old
 * @hello: how often it is said
 * @forward_delay: in each state of a port whose neighbour is not heard
 */
struct stp_times {
	uint8_t age, max_age, hello, forward_delay;
};

enum bpdu_kind { BPDU_CONFIG, BPDU_TCN, BPDU_RST };
/* As they are numbered in frames; of a config BPDU it is DESIGNATED */
enum bpdu_role { BPDU_UNKNOWN, BPDU_ALTERNATE, BPDU_ROOT, BPDU_DESIGNATED };

/**
 * struct bpdu - what one says
 * @kind: of a TCN there is nothing else
 * @role: of the port that it came from
 * @tc: the topology has changed
 * @tc_ack: that was heard
 * @proposal: may I forward?
 * @agreement: you may
 * @learning: it does
 * @forwarding: the same
 * @vector: see above
 * @times: the same
 */
struct bpdu {
	enum bpdu_kind kind;
	enum bpdu_role role;
	bool tc, tc_ack, proposal, agreement, learning, forwarding;
	struct stp_vector vector;
	struct stp_times times;
};

/* 01:80:c2:00:00:00, to which they go */
bool bpdu_is_for_us(const uint8_t *mac);
/* @len bytes of a frame without a tag. False: it is none */
bool bpdu_parse(struct bpdu *bpdu, const uint8_t *frame, size_t len);
/* From the station @mac */
void bpdu_write(uint8_t frame[BPDU_FRAME], const struct bpdu *bpdu,
		const uint8_t *mac);

#endif
