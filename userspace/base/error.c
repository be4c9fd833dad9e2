// SPDX-License-Identifier: GPL-2.0
/* See error.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "have.h"

void vfail(struct error *error, int status, const char *format, va_list args)
{
	error->status = status;
	vsnprintf(error->text, sizeof(error->text), format, args);
}

int fail(struct error *error, int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfail(error, status, format, args);
	va_end(args);
	return -1;
}

int fail_without(struct error *error, const char *what, const char *option,
		 const char *package)
{
	return package && !strstr(MVMM_WITHOUT, option) ?
	       fail(error, STATUS_USAGE,
		    "%s: this mvmm was built without %s: install it, and build mvmm again",
		    what, package) :
	       fail(error, STATUS_USAGE,
		    "%s: needs \"%s\"" MVMM_WITHOUT ": build it again with that",
		    what, option);
}

int explain_open(int err, const char *device, struct error *error)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return fail(error, STATUS_NO_DEVICE,
			    "%s is not there: load the module (modprobe mvmm, or insmod mvmm.ko); if that fails, dmesg says what this CPU lacks",
			    device);
	case EACCES:
	case EPERM:
		return fail(error, STATUS_PERMISSION,
			    "no permission for %s: become root or a member of its group (ls -l %s)",
			    device, device);
	case EBUSY:
		return fail(error, STATUS_BUSY,
			    "another hypervisor owns VMX or SVM: stop its VMs or unload it (for KVM: rmmod kvm_intel or kvm_amd; from 6.12 on it owns them without VMs, too, but with kvm.enable_virt_at_load=0)");
	default:
		return fail(error, STATUS_OS, "cannot use %s: %s", device,
			    strerror(err));
	}
}
