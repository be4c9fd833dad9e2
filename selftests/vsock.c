// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets between guest and host (AF_VSOCK), for the tests: a server that sends
 * back what it gets from one client, and a client that sends a mebibyte, and looks
 * if that comes back.
 *
 *   vsock serve PORT
 *   vsock send CID PORT
 */
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK	4096
#define CHUNKS	256

static int serve(unsigned int port)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK, .svm_port = port,
				 .svm_cid = VMADDR_CID_ANY };
	int listener = socket(AF_VSOCK, SOCK_STREAM, 0), fd;
	char bytes[CHUNK];
	ssize_t n;

	if (listener < 0 || bind(listener, (void *)&a, sizeof(a)) ||
	    listen(listener, 1))
		return 1;
	fd = accept(listener, NULL, NULL);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		if (write(fd, bytes, n) != n)
			return 1;
	return n ? 1 : 0;
}

static int send_all(unsigned int cid, unsigned int port)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK, .svm_port = port,
				 .svm_cid = cid };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0), i;
	char out[CHUNK], in[CHUNK];

	if (fd < 0 || connect(fd, (void *)&a, sizeof(a)))
		return 1;
	for (i = 0; i < CHUNKS; i++) {
		memset(out, i, sizeof(out));
		if (write(fd, out, sizeof(out)) != sizeof(out) ||
		    recv(fd, in, sizeof(in), MSG_WAITALL) != sizeof(in) ||
		    memcmp(in, out, sizeof(in)))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int ret = 2;

	if (argc == 3 && !strcmp(argv[1], "serve"))
		ret = serve(atoi(argv[2]));
	else if (argc == 4 && !strcmp(argv[1], "send"))
		ret = send_all(atoi(argv[2]), atoi(argv[3]));
	if (ret)
		perror("vsock");
	return ret;
}
