// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory that goes away while mvmm itself touches it: a file that was cut
 * short, huge pages that are used up. The vCPUs end with an error of RUN then;
 * here it is a SIGBUS, of which the guest is to end with a message, too.
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

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	static const char text[] =
		"mvmm run: the guest's memory cannot be had: its file was cut short, or the host has no huge pages left\n";

	if ((uint64_t)((uint8_t *)info->si_addr - guarded) < guarded_size) {
		restore_terminal();
		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
			_exit(STATUS_OS);
		_exit(STATUS_VM);
	}
	restore_terminal();
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
