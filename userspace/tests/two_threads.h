/* SPDX-License-Identifier: GPL-2.0 */
/* The machine of virtio_driver.h with two I/O threads, "one" and "two". */
#ifndef MVMM_TWO_THREADS_H
#define MVMM_TWO_THREADS_H

#include "tests/virtio_driver.h"

/* The threads do not run yet, and there is no device */
static void two_threads_begin(void)
{
	static const struct machine_config threads = {
		.iothread = { { .name = "one" }, { .name = "two" } },
		.iothreads = 2 };

	bare_start();
	pthread_mutex_init(&m.pci_lock, NULL);
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	m.config = threads;
	assert_int_equal(iothreads_create(&m, &error), 0);
}

#endif
