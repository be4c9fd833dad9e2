/* SPDX-License-Identifier: GPL-2.0 */
/* A vCPU and its thread. */
#ifndef MVMM_VCPU_H
#define MVMM_VCPU_H

#include <pthread.h>
#include "base/error.h"
#include "base/state.h"
#include "libmvmm.h"

#define VCPUS_MAX	255	/* as the module has them */

struct machine;

/**
 * struct vcpu - a vCPU and its thread
 * @machine: the machine it belongs to
 * @id: vCPU id and APIC id; 0 boots
 * @fd: vCPU fd
 * @run: the run page
 * @guest: for libmvmm, which completes the exits
 * @thread: runs vcpu_main()
 * @check_due: a machine check, since another vCPU has met broken memory; any thread
 */
struct vcpu {
	struct machine *machine;
	unsigned int id;
	int fd;
	struct mvmm_run *run;
	struct mvmm_guest guest;
	pthread_t thread;
	bool check_due;
};

int vcpu_create(struct machine *m, unsigned int id, struct error *error);
void vcpu_destroy(struct vcpu *v);
void *vcpu_main(void *vcpu);

/* The state (vcpu_state.c), while it is not in RUN */
extern const struct field vcpu_fields[];	/* of struct mvmm_vcpu_state */
/* A new reference; NULL with @error */
json_t *vcpu_save(struct vcpu *v, struct error *error);
int vcpu_load(struct vcpu *v, const json_t *saved, struct error *error);

#endif
