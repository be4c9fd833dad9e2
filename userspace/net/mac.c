// SPDX-License-Identifier: GPL-2.0
/* Addresses of stations: as a user writes them, and for who was given none. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "net/net.h"

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int net_parse_mac(uint8_t *mac, const char *text, struct error *error)
{
	const char *at = text;
	unsigned int i;

	for (i = 0; i < MAC_LEN; i++, at += 3) {
		int high = digit(at[0]), low = high < 0 ? -1 : digit(at[1]);

		if (low < 0 || at[2] != (i + 1 < MAC_LEN ? ':' : 0))
			break;
		mac[i] = high << 4 | low;
	}
	if (i < MAC_LEN)
		return fail(error, STATUS_USAGE,
			    "mac=%s is no address: write 52:54:00:12:34:56, say",
			    text);
	if (mac[0] & 1 || !memcmp(mac, "\0\0\0\0\0", MAC_LEN))
		return fail(error, STATUS_USAGE,
			    "mac=%s is not the address of one NIC",
			    text);
	return 0;
}

char *mac_text(const uint8_t *mac, char text[MAC_TEXT])
{
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
	return text;
}

/* FNV-1a; with its end mixed, as each bit of the address depends on all */
static uint64_t hash(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3;
	h ^= h >> 32;
	return h * 0x9e3779b97f4a7c15;
}

void net_mac(const char *text, uint8_t *mac)
{
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	char host[65] = "";
	uint64_t h;

	if (fd < 0 || read(fd, host, sizeof(host) - 1) <= 0)
		gethostname(host, sizeof(host) - 1);
	if (fd >= 0)
		close(fd);
	h = hash(hash(0xcbf29ce484222325, host), text);
	h ^= h >> 29;
	memcpy(mac, &h, MAC_LEN);
	mac[0] = (mac[0] & ~1) | 2;
}
