// SPDX-License-Identifier: GPL-2.0
/*
 * Captures: a file of pcapng (draft-ietf-opsawg-pcapng), which tcpdump and
 * wireshark read also while it is written: a block is there as a whole, or not at
 * all. What the guest sends is read a second time here, and may differ by then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "net/net.h"

#define SECTION		0x0a0d0d0a
#define INTERFACE	1
#define ENHANCED_PACKET	6
#define ETHERNET	1	/* LINKTYPE_ETHERNET */
/* Options: a code, a length, and what is padded to four bytes */
#define OPTION_END	0
#define IF_NAME		2
#define IF_TSRESOL	9
#define EPB_FLAGS	2
#define NAME_MAX_LEN	32
/* Buffers of a frame, and what is around it */
#define PIECES		160

/**
 * struct pcap - see above
 * @fd: the file, -1: writing has failed
 * @end: where the next block goes
 */
struct pcap {
	int fd;
	off_t end;
};

static uint32_t padding(size_t len)
{
	return -len & 3;
}

static void give_up(struct pcap *p, int error)
{
	dprintf(STDERR_FILENO,
		"\r\nmvmm: --net: the capture ends here: %s\r\n",
		strerror(error));
	/* Half a block would make the file unreadable */
	if (ftruncate(p->fd, p->end))
		dprintf(STDERR_FILENO,
			"\r\nmvmm: --net: its last block is not whole\r\n");
	close_fd(&p->fd);
}

static void put_block(struct pcap *p, const struct iovec *iov, int n,
		      uint32_t len)
{
	ssize_t done;

	do {
		done = writev(p->fd, iov, n);
	} while (done < 0 && errno == EINTR);
	if (done == (ssize_t)len)
		p->end += len;
	else
		give_up(p, done < 0 ? errno : ENOSPC);
}

/* The file's beginning: a section, and its only interface */
static void put_start(struct pcap *p, const char *name)
{
	struct {
		uint32_t type, len, magic;
		uint16_t major, minor;
		uint64_t section_len;
		uint32_t again;
	} __attribute__((packed)) section = { SECTION, sizeof(section),
		0x1a2b3c4d, 1, 0, ~0ull, sizeof(section) };
	struct {
		uint32_t type, len;
		uint16_t link, reserved;
		uint32_t snaplen;
		uint16_t resolution, resolution_len;
		uint8_t power, pad[3];
		uint16_t name, name_len;
		char text[NAME_MAX_LEN];
		uint32_t end, again;
	} __attribute__((packed)) interface = { INTERFACE, sizeof(interface),
		ETHERNET, 0, 0, IF_TSRESOL, 1, 9, { 0 }, IF_NAME, NAME_MAX_LEN,
		"", OPTION_END, sizeof(interface) };
	const struct iovec iov[] = { { &section, sizeof(section) },
				     { &interface, sizeof(interface) } };

	strncpy(interface.text, name, sizeof(interface.text) - 1);
	put_block(p, iov, 2, sizeof(section) + sizeof(interface));
}

void pcap_frame(struct pcap *p, const struct frame *frame, bool outward)
{
	struct {
		uint32_t type, len, interface, high, low, captured, original;
	} head = { .type = ENHANCED_PACKET, .captured = frame->len,
		   .original = frame->len };
	struct {
		uint16_t code, len;
		uint32_t flags, end, again;
	} tail = { EPB_FLAGS, 4, outward ? 2 : 1, OPTION_END, 0 };
	static const uint8_t zero[4];
	struct iovec iov[PIECES];
	struct timespec now;
	unsigned int n = 0, i;
	uint64_t ns;

	if (p->fd < 0 || frame->niov > PIECES - 3)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	ns = now.tv_sec * 1000000000ull + now.tv_nsec;
	head.high = ns >> 32;
	head.low = ns;
	head.len = tail.again = sizeof(head) + frame->len +
				padding(frame->len) + sizeof(tail);
	iov[n++] = (struct iovec){ &head, sizeof(head) };
	for (i = 0; i < frame->niov; i++)
		iov[n++] = frame->iov[i];
	iov[n++] = (struct iovec){ (void *)zero, padding(frame->len) };
	iov[n++] = (struct iovec){ &tail, sizeof(tail) };
	put_block(p, iov, n, head.len);
}

struct pcap *pcap_open(const char *path, const char *interface,
		       struct error *error)
{
	struct pcap *p = calloc(1, sizeof(*p));

	if (!p) {
		fail(error, STATUS_OS, "--net: no memory");
		return NULL;
	}
	p->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC,
		     0600);
	if (p->fd >= 0) {
		put_start(p, interface);
		return p;
	}
	fail(error, errno == EACCES ? STATUS_PERMISSION : STATUS_NO_INPUT,
	     "--net: cannot write the capture %s: %s", path, strerror(errno));
	free(p);
	return NULL;
}

void pcap_close(struct pcap *p)
{
	if (!p)
		return;
	close_fd(&p->fd);
	free(p);
}
