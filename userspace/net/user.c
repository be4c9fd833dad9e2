// SPDX-License-Identifier: GPL-2.0
/*
 * --net user: a way out without privileges. passt is a process of its own, which
 * confines itself; it makes the guest's connections, and is started and ended
 * here. It speaks the protocol of stream.c, on one end of a pair of sockets.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/option.h"
#include "net/stream.h"

#define ADDRESS_LEN	46		/* of IPv6, as text */
#define SPEC_LEN	64

/**
 * struct user - see above
 * @fd: its end of the pair, until it is started
 * @pid: passt's, 0: it does not run
 */
struct user {
	struct stream_port stream;
	int fd;
	pid_t pid;
};

static void on_lost(struct stream_port *s, int error)
{
	dprintf(STDERR_FILENO,
		"\r\nmvmm: --net user: passt has ended: the guest has no network any more\r\n");
}

static int user_start(struct port *port, struct error *error)
{
	struct user *u = (struct user *)port;
	int fd = u->fd;

	u->fd = -1;
	return stream_port_use(&u->stream, fd) ?
	       fail(error, STATUS_OS, "--net user: cannot wait for passt") : 0;
}

/* It ends when its socket does; the signal is for one that is stopped or slow */
static void user_close(struct port *port)
{
	struct user *u = (struct user *)port;

	close_fd(&u->fd);
	if (u->pid) {
		kill(u->pid, SIGKILL);
		while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	stream_free(&u->stream);
}

/* Of @text up to @end, 0: it is none */
static unsigned int port_number(const char *text, const char *end)
{
	char copy[8];
	size_t len = end - text;
	uint64_t value;

	if (!len || len >= sizeof(copy))
		return 0;
	memcpy(copy, text, len);
	copy[len] = 0;
	return parse_number(copy, &value, false) && value <= 65535 ? value : 0;
}

/*
 * "tcp:[ADDRESS]:PORT-:GUEST", as QEMU has it, becomes "[ADDRESS/]PORT:GUEST", as
 * passt has it
 */
static int make_spec(const char *text, char *spec, struct error *error)
{
	bool known = !strncmp(text, "tcp:", 4) || !strncmp(text, "udp:", 4);
	const char *address = known ? text + 4 : "";
	const char *dash = strstr(address, "-:");
	const char *port = dash ? memrchr(address, ':', dash - address) : NULL;
	int len = port ? port - address : SPEC_LEN;
	unsigned int from = 0, to = 0;

	if (port) {
		from = port_number(port + 1, dash);
		to = port_number(dash + 2, text + strlen(text));
	}
	/* Of IPv6 */
	if (len >= 2 && *address == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	if (!from || !to || len > ADDRESS_LEN)
		return fail(error, STATUS_USAGE,
			    "--net user: hostfwd=%s is not known: write tcp::8080-:80, say",
			    text);
	snprintf(spec, SPEC_LEN, "%.*s%s%u:%u", len, address, len ? "/" : "",
		 from, to);
	return 0;
}

/**
 * struct command - passt's arguments
 * @argv: these
 * @n: how many
 * @spec: of forwards
 * @fd: its end of the pair
 */
struct command {
	char *argv[16 + 2 * NET_FORWARDS];
	unsigned int n;
	char spec[NET_FORWARDS][SPEC_LEN], fd[12];
};

static void add(struct command *c, const char *word)
{
	c->argv[c->n++] = (char *)word;
}

/* Without forwards nothing of the host's leads to the guest */
static int make_command(struct command *c, const struct net_config *config,
			int fd, struct error *error)
{
	bool tcp = false, udp = false;
	unsigned int i;

	snprintf(c->fd, sizeof(c->fd), "%d", fd);
	add(c, "passt");
	add(c, "--foreground");
	add(c, "--quiet");
	add(c, "--stderr");
	add(c, "--fd");
	add(c, c->fd);
	for (i = 0; i < config->forwards; i++) {
		const char *text = config->forward[i];
		bool is_udp = !strncmp(text, "udp:", 4);

		if (make_spec(text, c->spec[i], error))
			return -1;
		add(c, is_udp ? "-u" : "-t");
		add(c, c->spec[i]);
		*(is_udp ? &udp : &tcp) = true;
	}
	if (!tcp) {
		add(c, "-t");
		add(c, "none");
	}
	if (!udp) {
		add(c, "-u");
		add(c, "none");
	}
	return 0;
}

/* In the child: @failed tells why this was all */
static void run_passt(char *const *argv, int fd, int failed)
{
	int nothing = open("/dev/null", O_RDWR), err;

	dup2(nothing, STDIN_FILENO);
	dup2(nothing, STDOUT_FILENO);
	/* Ctrl-C on the terminal is the guest's */
	setsid();
	fcntl(fd, F_SETFD, 0);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) < 0)
		_exit(1);
	_exit(127);
}

/* Returns a positive errno if it does not run */
static int spawn(struct user *u, char *const *argv, int fd)
{
	int failed[2], err = 0;

	if (pipe2(failed, O_CLOEXEC))
		return errno;
	u->pid = fork();
	if (!u->pid)
		run_passt(argv, fd, failed[1]);
	if (u->pid < 0)
		err = errno;
	close(failed[1]);
	/* It ends without a word when the program has taken the child's place */
	if (u->pid > 0 && read(failed[0], &err, sizeof(err)) > 0)
		waitpid(u->pid, NULL, 0);
	close(failed[0]);
	if (err)
		u->pid = 0;
	return err;
}

static int launch(struct user *u, const struct net_config *config,
		  struct error *error)
{
	struct command command = { .n = 0 };
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail(error, STATUS_OS, "--net user: %s",
			    strerror(errno));
	u->fd = pair[0];
	fcntl(u->fd, F_SETFL, O_NONBLOCK);
	ret = make_command(&command, config, pair[1], error);
	if (!ret) {
		int err = spawn(u, command.argv, pair[1]);

		if (err)
			ret = fail(error, STATUS_NO_INPUT,
				   "--net user: passt: %s: install the package passt",
				   strerror(err));
	}
	close(pair[1]);
	return ret;
}

struct port *user_open(const struct net_config *config, struct error *error)
{
	static const struct port_ops ops = {
		.start = user_start, .receive = stream_receive,
		.ready = stream_ready, .close = user_close };
	struct user *u = (struct user *)stream_port_new(sizeof(*u), &ops,
							"user");

	if (!u) {
		fail(error, STATUS_OS, "--net: no memory");
		return NULL;
	}
	u->fd = -1;
	u->stream.lost = on_lost;
	if (!launch(u, config, error))
		return &u->stream.port;
	user_close(&u->stream.port);
	return NULL;
}
