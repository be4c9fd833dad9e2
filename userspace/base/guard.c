// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory that goes away while mvmm itself touches it: a file that was cut short,
 * huge pages that are used up. Where a vCPU's RUN ends by an error, here SIGBUS does.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "base/error.h"
#include "base/guard.h"

/* Static because a handler takes no argument */
static const uint8_t *guarded;
static uint64_t guarded_size;
static void (*restore_terminal)(void);

_Thread_local volatile int guard_in_run;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	static const char text[] =
		"mvmm run: the guest's memory cannot be had: its file was cut short, the host has no huge pages left, or it is broken\n";

	/* Broken memory: RUN tells what the guest touched (AR); AO: nobody has yet */
	if ((info->si_code == BUS_MCEERR_AR && guard_in_run) ||
	    info->si_code == BUS_MCEERR_AO)
		return;
	restore_terminal();
	if ((uint64_t)((uint8_t *)info->si_addr - guarded) < guarded_size)
		_exit(write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ?
		      STATUS_OS : STATUS_VM);
	signal(sig, SIG_DFL);
	raise(sig);
}

void guard_memory(const void *base, uint64_t size, void (*restore)(void))
{
	struct sigaction action = { .sa_sigaction = on_sigbus,
				    .sa_flags = SA_SIGINFO };

	restore_terminal = restore;
	guarded = base;
	guarded_size = size;
	sigaction(SIGBUS, &action, NULL);
}
