// SPDX-License-Identifier: GPL-2.0
/* Libraries that are not needed to start: see library.h. */
#include <dlfcn.h>
#include <string.h>
#include "base/library.h"

int library_load(struct library *library, const struct library_call *calls,
		 struct error *error)
{
	void *handle, *function;

	if (library->handle)
		return 0;
	handle = dlopen(library->file, RTLD_NOW);
	if (!handle)
		return fail(error, STATUS_NO_INPUT,
			    "%s: install the package %s (%s)", library->needs,
			    library->package, dlerror());
	for (; calls->symbol; calls++) {
		function = dlsym(handle, calls->symbol);
		if (!function) {
			dlclose(handle);
			return fail(error, STATUS_OS, "%s has no %s",
				    library->name, calls->symbol);
		}
		memcpy(calls->to, &function, sizeof(function));
	}
	library->handle = handle;
	return 0;
}
