// SPDX-License-Identifier: GPL-2.0
/* A browser's request, which is anybody's. A libFuzzer target: "make fuzz". */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "display/vnc/web.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct web_request request;
	/* Of its own size, so that what is read behind it shows */
	char *head = malloc(size + 4);

	if (!head)
		return 0;
	memcpy(head, data, size);
	memcpy(head + size, "\r\n\r\n", 4);
	if (!web_parse(head, size + 4, size & 1, &request) && !request.socket &&
	    (strstr(request.path, "..") == request.path ||
	     strstr(request.path, "/.") || request.path[0] == '/'))
		abort();
	free(head);
	return 0;
}
