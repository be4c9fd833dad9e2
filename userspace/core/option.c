// SPDX-License-Identifier: GPL-2.0
/* Values of options: see option.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include "core/option.h"

bool parse_number(const char *text, uint64_t *value, bool suffix)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, hex ? 16 : 10);
	if (errno)
		return false;
	if (suffix && *end) {
		switch (*end++) {
		case 'K': case 'k':
			shift = 10;
			break;
		case 'M': case 'm':
			shift = 20;
			break;
		case 'G': case 'g':
			shift = 30;
			break;
		default:
			return false;
		}
	}
	if (*end || *value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}
