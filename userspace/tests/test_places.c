// SPDX-License-Identifier: GPL-2.0
/*
 * Disks at other places, by a qemu-nbd: over https from a server whose certificate
 * nobody has signed, over ssh from an sshd of this test's own, and what is said where
 * the package that brings these is missing. The server is $SSHD, which need not be
 * installed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "block/block.h"
#include "tests/opened_disk.h"

#define SIZE	(8u << 20)
#define DAEMON	1	/* whose account sshd is run with, where root runs this */

static char dir[] = "/tmp/mvmm-places.XXXXXX";
static struct vm_clock vm_clock;
static struct loop loop;
static struct error error;
static char words[512];
static pid_t server, agent;
static unsigned int port;

/* ---- disks ---------------------------------------------------------------------- */

static int open_disk(const char *format, ...)
{
	struct block_config config;
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	error = (struct error){ 0 };
	assert_int_equal(block_parse(&config, words, &error), 0);
	disk = block_open(&config, &error);
	return disk ? disk->ops->start(disk, &loop, &error) : -1;
}

static void close_disk(void)
{
	if (disk)
		disk->ops->close(disk);
	disk = NULL;
}

static void opened(int ret)
{
	if (ret)
		print_error("it said: %s\n", error.text);
	assert_int_equal(ret, 0);
}

static void refused(int ret, int status, const char *part)
{
	assert_int_not_equal(ret, 0);
	if (!strstr(error.text, part))
		print_error("it said: %s\n", error.text);
	assert_non_null(strstr(error.text, part));
	assert_int_equal(error.status, status);
	close_disk();
}

static void put_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* What is served: 0x55 in its second megabyte */
static int make_image(void)
{
	FILE *file = fopen("disk.img", "w");
	int ret;

	if (!file)
		return -1;
	memset(bytes, 0x55, sizeof(bytes));
	ret = ftruncate(fileno(file), SIZE) ||
	      fseek(file, 1 << 20, SEEK_SET) ||
	      fwrite(bytes, sizeof(bytes), 1, file) != 1;
	return fclose(file) || ret;
}

static pid_t start(void)
{
	pid_t pid = fork();

	/* One that "timeout" hands on */
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Whoever of the two is first */
	setpgid(pid, pid);
	return pid;
}

static int setup(void **state)
{
	if (!mkdtemp(dir) || chmod(dir, 0755) || chdir(dir) || make_image())
		return -1;
	vm_clock_init(&vm_clock, 0);
	return loop_init(&loop, &vm_clock);
}

/* With those that it started */
static void end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(-*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

static int teardown(void **state)
{
	char command[64];

	close_disk();
	end(&server);
	end(&agent);
	loop_destroy(&loop);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	strcpy(strrchr(dir, '.') + 1, "XXXXXX");
	return chdir("/") || system(command);
}

/* ---- https ---------------------------------------------------------------------- */

/* Python's own server knows no ranges, without which QEMU reads nothing */
static const char https[] =
	"import http.server, ssl, urllib.parse\n"
	"class Handler(http.server.BaseHTTPRequestHandler):\n"
	"    protocol_version = 'HTTP/1.1'\n"
	"    def do_HEAD(self):\n"
	"        self.do_GET(False)\n"
	"    def do_GET(self, body=True):\n"
	"        try:\n"
	"            name = urllib.parse.unquote(self.path[1:])\n"
	"            with open(name, 'rb') as file:\n"
	"                data = file.read()\n"
	"        except OSError:\n"
	"            return self.send_error(404)\n"
	"        asked = self.headers.get('Range', 'bytes=0-')[6:]\n"
	"        first, last = asked.split('-')\n"
	"        part = data[int(first):int(last or len(data)) + 1]\n"
	"        self.send_response(206 if 'Range' in self.headers else 200)\n"
	"        self.send_header('Accept-Ranges', 'bytes')\n"
	"        self.send_header('Content-Range',\n"
	"            f'bytes {first}-{int(first) + len(part) - 1}/{len(data)}')\n"
	"        self.send_header('Content-Length', len(part))\n"
	"        self.end_headers()\n"
	"        if body:\n"
	"            self.wfile.write(part)\n"
	"    def log_message(self, *args):\n"
	"        pass\n"
	"server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)\n"
	"context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
	"context.load_cert_chain('cert.pem', 'key.pem')\n"
	"server.socket = context.wrap_socket(server.socket, server_side=True)\n"
	"print(server.server_port, flush=True)\n"
	"server.serve_forever()\n";

static void serve_https(void)
{
	int pipes[2];
	FILE *file;

	assert_int_equal(system("openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>/dev/null"),
			 0);
	put_file("https.py", https);
	assert_int_equal(pipe(pipes), 0);
	server = start();
	if (!server) {
		dup2(pipes[1], 1);
		execlp("python3", "python3", "https.py", NULL);
		_exit(1);
	}
	close(pipes[1]);
	file = fdopen(pipes[0], "r");
	assert_int_equal(fscanf(file, "%u", &port), 1);
	fclose(file);
}

/* Of a certificate QEMU 7 speaks, and QEMU 10 not: see what works without looking at it */
static const char no_file[] = "CURL: Error opening file";

static void over_https(void **state)
{
	serve_https();
	refused(open_disk("https://127.0.0.1:%u/disk.img,ro", port),
		STATUS_NO_INPUT, no_file);
	refused(open_disk("https://127.0.0.1:%u/disk.img,ro,sslverify=on", port),
		STATUS_NO_INPUT, no_file);
	opened(open_disk("https://127.0.0.1:%u/disk.img,ro,sslverify=off", port));
	assert_int_equal(disk->size, SIZE);
	assert_true(disk->read_only);
	read_some(1 << 20, 0x55);
	read_some(0, 0);
	close_disk();
	/* As a base it is only read */
	opened(open_disk("https://127.0.0.1:%u/disk.img,sslverify=off,overlay=mine",
			 port));
	write_some(1 << 20, 7);
	read_some(1 << 20, 7);
	read_some(2 << 20, 0);
	close_disk();
	refused(open_disk("https://127.0.0.1:%u/disk.img,sslverify=off", port),
		STATUS_NO_INPUT, "does not support writes");
	refused(open_disk("https://127.0.0.1:%u/none,ro,sslverify=off", port),
		STATUS_NO_INPUT, "404");
	opened(open_disk("https://127.0.0.1:%u/disk.img,ro,sslverify=off,retry=1",
			 port));
	end(&server);
	assert_int_equal(block_do(disk, BLOCK_READ, 0, bytes, sizeof(bytes)),
			 -EIO);
	close_disk();
	refused(open_disk("disk.img,sslverify=off"), STATUS_USAGE,
		"sslverify= is for https:");
	refused(open_disk("ssh://127.0.0.1/disk.img,sslverify=off"),
		STATUS_USAGE, "sslverify= is for https:");
}

/* Formats are read there, too; a comma in a name is %2C */
static void formats_over_https(void **state)
{
	/* LUKS: its CPU is measured, and may take no time with a quick hash */
	static const char *const create[] = {
		"qemu-img convert -f raw -O qcow2 disk.img a,b.qcow2",
		"printf secret >key",
		"qemu-img create -q --object secret,id=s,file=key -f luks -o key-secret=s,iter-time=10,hash-alg=sha512 disk.luks 8M",
		"qemu-img create -q --object secret,id=s,file=key -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,encrypt.hash-alg=sha512 c.qcow2 8M" };
	unsigned int i;

	for (i = 0; i < 4; i++)
		assert_int_equal(system(create[i]), 0);
	serve_https();
	opened(open_disk("https://127.0.0.1:%u/a%%2Cb.qcow2,format=qcow2,ro,sslverify=off",
			 port));
	read_some(1 << 20, 0x55);
	close_disk();
	opened(open_disk("https://127.0.0.1:%u/disk.luks,format=luks,key=key,ro,sslverify=off",
			 port));
	assert_int_equal(disk->size, SIZE);
	close_disk();
	opened(open_disk("https://127.0.0.1:%u/c.qcow2,format=qcow2,key=key,ro,sslverify=off",
			 port));
	read_some(0, 0);
	close_disk();
	refused(open_disk("https://127.0.0.1:%u/disk.luks,format=luks,key=key,ro",
			  port), STATUS_NO_INPUT, no_file);
}

/* ---- ssh ------------------------------------------------------------------------- */

static const char *sshd(void)
{
	const char *path = getenv("SSHD") ?: "/usr/sbin/sshd";

	return access(path, X_OK) ? NULL : path;
}

/*
 * Root's cache is closed to the account that sshd runs with: a copy is not. From
 * OpenSSH 9.8 on it is several programs
 */
static void copy_sshd(FILE *config)
{
	static const char *const part[][2] = {
		{ "SshdSessionPath", "sshd-session" },
		{ "SshdAuthPath", "sshd-auth" } };
	unsigned int i;

	setenv("SSHD", sshd(), 1);
	assert_int_equal(system("cp \"$SSHD\" sshd; cp \"$(dirname \"$SSHD\")\"/../lib/openssh/sshd-* . 2>/dev/null; test -x sshd"),
			 0);
	for (i = 0; i < 2; i++)
		if (!access(part[i][1], X_OK))
			fprintf(config, "%s %s/%s\n", part[i][0], dir,
				part[i][1]);
}

static void make_keys(void)
{
	FILE *file;

	assert_int_equal(system("ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f user"),
			 0);
	/* Who is root lets another one read it: sshd takes it, as it is not its own */
	if (!geteuid())
		assert_int_equal(chmod("host", 0644) ||
				 chown("disk.img", DAEMON, DAEMON), 0);
	file = fopen("config", "w");
	fprintf(file, "HostKey %s/host\nAuthorizedKeysFile %s/user.pub\n"
		"StrictModes no\nUsePAM no\nSubsystem sftp internal-sftp\n",
		dir, dir);
	copy_sshd(file);
	assert_int_equal(fclose(file), 0);
}

/* One sshd for each connection, as inetd would */
static void serve_one(int connection)
{
	char config[64], program[64];

	if (fork())
		return;
	if (!geteuid() && (setgid(DAEMON) || setuid(DAEMON)))
		_exit(1);
	snprintf(config, sizeof(config), "%s/config", dir);
	snprintf(program, sizeof(program), "%s/sshd", dir);
	dup2(connection, 0);
	dup2(connection, 1);
	execl(program, program, "-i", "-f", config, "-E", "/dev/null", NULL);
	_exit(1);
}

/* Where it was before, if it was */
static void serve_ssh(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), connection;
	socklen_t len = sizeof(at);
	int again = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &again, sizeof(again));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	port = ntohs(at.sin_port);
	server = start();
	if (!server) {
		signal(SIGCHLD, SIG_IGN);
		while ((connection = accept(fd, NULL, NULL)) >= 0) {
			serve_one(connection);
			close(connection);
		}
		_exit(1);
	}
	close(fd);
}

/*
 * It has the user's key: libssh looks for others only in the user's home. It is setgid,
 * so the kernel does not end it with this program: "timeout" does
 */
static void start_agent(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/agent", dir);
	setenv("SSH_AUTH_SOCK", path, 1);
	agent = start();
	if (!agent) {
		dup2(open("/dev/null", O_RDWR), 1);
		execlp("timeout", "timeout", "110", "ssh-agent", "-D", "-a",
		       path, NULL);
		_exit(1);
	}
	assert_int_equal(system("for i in $(seq 100); do ssh-add -q user 2>/dev/null && exit; sleep 0.1; done; exit 1"),
			 0);
}

/* Whom sshd lets in; NULL: that account has no name */
static const char *account(void)
{
	const struct passwd *who = getpwuid(geteuid() ? geteuid() : DAEMON);

	return who ? who->pw_name : NULL;
}

static int open_over_ssh(const char *query, const char *options)
{
	return open_disk("ssh://%s@127.0.0.1:%u%s/disk.img%s%s", account(),
			 port, dir, query, options);
}

/* As QEMU writes it, of the host's key */
static void fingerprint(char *text)
{
	FILE *file = popen("cut -d' ' -f2 host.pub | base64 -d | sha256sum", "r");

	assert_int_equal(fscanf(file, "%64s", text), 1);
	pclose(file);
}

static void over_ssh(void **state)
{
	char right[65], query[128];

	if (!sshd() || system("command -v ssh-agent >/dev/null")) {
		print_message("skipped: no sshd, which \"scripts/setup unpacked openssh-server\" brings, or no ssh-agent\n");
		skip();
	}
	if (!account()) {
		print_message("skipped: sshd's account has no name\n");
		skip();
	}
	port = 0;
	make_keys();
	fingerprint(right);
	serve_ssh();
	start_agent();
	/* Nobody knows this host */
	refused(open_over_ssh("", ""), STATUS_NO_INPUT, "host key");
	refused(open_over_ssh("?host_key_check=sha256:00", ""), STATUS_NO_INPUT,
		"does not match");
	snprintf(query, sizeof(query), "?host_key_check=sha256:%s", right);
	opened(open_over_ssh(query, ""));
	assert_int_equal(disk->size, SIZE);
	read_some(1 << 20, 0x55);
	write_some(2 << 20, 3);
	assert_int_equal(block_do(disk, BLOCK_FLUSH, 0, NULL, 0), 0);
	close_disk();
	opened(open_over_ssh("?host_key_check=no", ",ro"));
	assert_true(disk->read_only);
	read_some(2 << 20, 3);
	close_disk();
	/* It is in the file */
	opened(open_disk("disk.img"));
	read_some(2 << 20, 3);
	close_disk();
	refused(open_over_ssh("none?host_key_check=no", ""), STATUS_NO_INPUT,
		"No such file");
	refused(open_over_ssh("", ",format=luks,key=user"), STATUS_USAGE,
		"key= is for files");
	/* QEMU does not connect again: another one does */
	opened(open_over_ssh("?host_key_check=no", ""));
	end(&server);
	serve_ssh();
	read_some(2 << 20, 3);
}

/* ---- Ceph, and what is missing ----------------------------------------------------- */

/* Before the one that is installed */
static void play(const char *script, char **path)
{
	char with[512];

	*path = strdup(getenv("PATH"));
	assert_int_equal(mkdir("bin", 0755), 0);
	put_file("bin/qemu-nbd", script);
	assert_int_equal(chmod("bin/qemu-nbd", 0755), 0);
	snprintf(with, sizeof(with), "%s/bin:%s", dir, *path);
	setenv("PATH", with, 1);
}

static void play_no_more(char *path)
{
	setenv("PATH", path, 1);
	free(path);
}

/* A played one says with what it was called, and then what the real one would */
static void ceph(void **state)
{
	static const char script[] =
		"#!/bin/sh\n"
		"echo \"$@\" >said\n"
		"echo 'qemu: module block-block-rbd not found, do you want to install qemu-block-extra package?' >&2\n"
		"echo \"qemu-nbd: Failed to blk_new_open 'rbd:pool/image': Unknown protocol 'rbd'\" >&2\n"
		"exit 1\n";
	char *path, said[256] = "";
	FILE *file;

	play(script, &path);
	refused(open_disk("rbd:pool/image:id=me:conf=/etc/ceph/ceph.conf"),
		STATUS_NO_INPUT,
		"Unknown protocol 'rbd': install the package qemu-block-extra");
	file = fopen("said", "r");
	assert_non_null(fgets(said, sizeof(said), file));
	fclose(file);
	assert_string_equal(said, "-f raw --cache writeback --discard=unmap -- rbd:pool/image:id=me:conf=/etc/ceph/ceph.conf\n");
	refused(open_disk("rbd:pool/image,format=luks,key=disk.img"),
		STATUS_USAGE, "key= is for files");
	play_no_more(path);
}

/* The real one, which does not see the package's files */
static void without_package(void **state)
{
	static const char script[] =
		"#!/bin/sh\n"
		"PATH=${PATH#*:}\n"
		"exec unshare --user --map-root-user --mount sh -c '\n"
		"for d in /usr/lib*/qemu /usr/lib/*/qemu; do\n"
		"	[ ! -d $d ] || mount -t tmpfs none $d || exit\n"
		"done\n"
		"exec qemu-nbd \"$@\"' sh \"$@\"\n";
	static const char *const places[] = { "https://127.0.0.1:1/x",
					      "ssh://127.0.0.1:1/x", "rbd:a/b" };
	unsigned int i;
	char *path;

	if (system("unshare --user --map-root-user --mount mount -t tmpfs none /mnt 2>/dev/null")) {
		print_message("skipped: unshare may not mount\n");
		skip();
	}
	play(script, &path);
	for (i = 0; i < 3; i++)
		refused(open_disk("%s,ro", places[i]), STATUS_NO_INPUT,
			"install the package qemu-block-extra");
	play_no_more(path);
}

/*
 * libcurl would ask a proxy. libssh also reads ~/.ssh/config, of the account's home
 * whatever $HOME is: who has written there what holds for 127.0.0.1 tests that, too
 */
static void ask_no_proxy(void)
{
	static const char *const names[] = { "http_proxy", "https_proxy",
		"HTTPS_PROXY", "all_proxy", "ALL_PROXY", "NO_PROXY" };
	unsigned int i;

	for (i = 0; i < 6; i++)
		unsetenv(names[i]);
	setenv("no_proxy", "*", 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(over_https), TEST(formats_over_https), TEST(over_ssh),
		TEST(ceph), TEST(without_package),
	};
	struct block_config config = { .path = "nbd://" };

	alarm(120);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	ask_no_proxy();
	block_open(&config, &error);
	if (system("qemu-nbd --version >/dev/null 2>&1") ||
	    strstr(error.text, "libnbd-dev")) {
		printf("skipped: there is no qemu-nbd, or no libnbd-dev: scripts/setup packages\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
