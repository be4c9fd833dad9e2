// SPDX-License-Identifier: GPL-2.0
/*
 * virtiofsd, the back end of a shared directory: started, and ended. It locks
 * itself into the directory, by namespaces and seccomp; what this needs without
 * being root, and a mount that is read-only, is made before it is executed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/loop.h"
#include "devices/virtio/vhost_user.h"

#define END_MS		2000

/*
 * That of its own project, which Debian 13 and Fedora have, and QEMU's, of Debian
 * 12, with other options. The lab's jobs read the names here, too
 */
static const char *const programs[] = {
	"/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd",
};

/* In the child there are only system calls: others may have threads with locks */
static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) ==
		    (ssize_t)strlen(text);

	close_fd(&fd);
	return good;
}

/**
 * struct plan - what the child does
 * @directory: to be shared, by its full name
 * @read_only: as it is
 * @root: we are
 * @socket: on which it waits for the one connection, which is there already
 * @uid_map: our user is root in the child's world
 * @gid_map: the same for the group
 * @program: one of programs
 * @argv: of virtiofsd
 */
struct plan {
	char directory[PATH_MAX];
	bool read_only, root;
	int socket;
	char uid_map[32], gid_map[32];
	const char *program;
	const char *argv[16];
	char fd[32], source[PATH_MAX + 8];
};

/* A world in which it may do what it does as root */
static const char *enter_namespaces(const struct plan *p)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (p->root && !p->read_only)
		return NULL;
	if (unshare(CLONE_NEWNS | (p->root ? 0 : CLONE_NEWUSER)))
		return "namespaces";
	if (!p->root && (!put("/proc/self/setgroups", "deny") ||
			 !put("/proc/self/uid_map", p->uid_map) ||
			 !put("/proc/self/gid_map", p->gid_map)))
		return "a user namespace";
	if (!p->read_only)
		return NULL;
	/* With all that is mounted below it */
	if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) ||
	    mount(p->directory, p->directory, NULL, MS_BIND | MS_REC, NULL) ||
	    mount_setattr(AT_FDCWD, p->directory, AT_RECURSIVE, &attr,
			  sizeof(attr)))
		return "a mount that is read-only";
	return NULL;
}

static void child(struct plan *p)
{
	const char *what = enter_namespaces(p), *why;
	int null = open("/dev/null", O_RDWR);

	if (!what) {
		what = "a session of its own";
		/* Neither this terminal's keys, nor what is typed */
		if (null >= 0 && setsid() >= 0 &&
		    dup2(null, STDIN_FILENO) >= 0 &&
		    !fcntl(p->socket, F_SETFD, 0)) {
			execv(p->program, (char **)p->argv);
			what = p->program;
		}
	}
	why = strerrordesc_np(errno);
	dprintf(STDERR_FILENO, "mvmm run: --share %s: %s: %s\n", p->directory,
		what, why ? why : "?");
	_exit(127);
}

static void make_plan(struct plan *p)
{
	unsigned int n = 0;

	snprintf(p->fd, sizeof(p->fd), "--fd=%d", p->socket);
	snprintf(p->source, sizeof(p->source), "source=%s", p->directory);
	snprintf(p->uid_map, sizeof(p->uid_map), "0 %u 1", geteuid());
	snprintf(p->gid_map, sizeof(p->gid_map), "0 %u 1", getegid());
	p->argv[n++] = p->program;
	p->argv[n++] = p->fd;
	if (p->program == programs[0]) {
		p->argv[n++] = "--shared-dir";
		p->argv[n++] = p->directory;
		p->argv[n++] = "--sandbox=namespace";
		p->argv[n++] = "--cache=auto";
		p->argv[n++] = "--log-level=error";
	} else {
		p->argv[n++] = "-f";
		p->argv[n++] = "-o";
		p->argv[n++] = p->source;
		p->argv[n++] = "-o";
		p->argv[n++] = "sandbox=namespace,cache=auto,log_level=err";
	}
	/* Only root may have more than it has */
	if (!p->root)
		p->argv[n++] = "--rlimit-nofile=0";
}

/*
 * A socket of virtiofsd's, without a name in the file system, and one that is
 * connected to it. Anybody may guess or read the name that it has: so it has room
 * for one connection, and if that is another's there is no share
 */
static int make_sockets(int *listener, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(address.sun_family);
	int fd;

	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*listener >= 0 && fd >= 0 &&
	    !bind(*listener, (void *)&address, len)) {
		len = sizeof(address);
		if (!getsockname(*listener, (void *)&address, &len) &&
		    !listen(*listener, 0) &&
		    !connect(fd, (void *)&address, len) &&
		    !fcntl(fd, F_SETFL, 0))
			return fd;
	}
	fail(error, STATUS_OS, "--share: no socket: %s", errno == EAGAIN ?
	     "another process was faster to connect to virtiofsd's" :
	     strerror(errno));
	close_fd(listener);
	close_fd(&fd);
	return -1;
}

static int check(const struct machine_vhost *config, struct plan *p,
		 struct error *error)
{
	struct stat st;
	unsigned int i;

	if (!realpath(config->directory, p->directory) ||
	    stat(p->directory, &st))
		return fail(error, STATUS_NO_INPUT, "--share %s: %s",
			    config->directory, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return fail(error, STATUS_NO_INPUT,
			    "--share %s is not a directory",
			    config->directory);
	/* Its options are separated by commas */
	if (strchr(p->directory, ','))
		return fail(error, STATUS_USAGE,
			    "--share %s: virtiofsd takes no name with a comma",
			    config->directory);
	for (i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		p->program = programs[i];
		if (!access(p->program, X_OK))
			return 0;
	}
	return fail(error, STATUS_NO_INPUT,
		    "--share %s: there is no %s: install the package virtiofsd, on Debian 12 qemu-system-common",
		    config->directory, programs[0]);
}

int virtiofsd_start(const struct machine_vhost *config, pid_t *pid,
		    struct error *error)
{
	struct plan p = { .read_only = config->read_only,
			  .root = !geteuid() };
	int fd;

	if (check(config, &p, error))
		return -1;
	fd = make_sockets(&p.socket, error);
	if (fd < 0)
		return -1;
	make_plan(&p);
	*pid = fork();
	if (!*pid)
		child(&p);
	close_fd(&p.socket);
	if (*pid > 0)
		return fd;
	*pid = 0;
	close_fd(&fd);
	return fail(error, STATUS_OS, "--share: no process: %s",
		    strerror(errno));
}

void virtiofsd_end(pid_t pid, int fd)
{
	struct pollfd end = { .fd = fd };
	unsigned int ms;

	/* What we see is the parent of the one that serves, which goes with it */
	kill(pid, SIGTERM);
	/* Nobody is told of its end where SIGCHLD is ignored: it is an error then */
	for (ms = 0; !waitpid(pid, NULL, WNOHANG); ms += 10) {
		if (ms == END_MS)
			kill(pid, SIGKILL);
		poll(NULL, 0, 10);
	}
	/* If that one does not either: the end of the connection ends it */
	if (fd >= 0)
		poll(&end, 1, END_MS);
}
