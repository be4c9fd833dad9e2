// SPDX-License-Identifier: GPL-2.0
/* See server.h. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/listen.h"
#include "net/stream.h"
#include "net/switch/server.h"

#define NS		1000000000ull
#define WATCH_NS	100000000

/* ---- the directory -------------------------------------------------------- */

/* Of the user's run time: nobody else's sockets are there */
static void base_path(char *path, size_t len)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (run && *run == '/')
		snprintf(path, len, "%s/mvmm", run);
	else if (!geteuid())
		snprintf(path, len, "/run/mvmm");
	else
		snprintf(path, len, "/tmp/mvmm-%u", geteuid());
}

static bool is_name(const char *name)
{
	const char *at = name;

	while (isalnum((unsigned char)*at) || (*at && strchr("-_.", *at)))
		at++;
	return *name && *name != '.' && !*at && at - name < SWITCH_NAME;
}

int switch_path(char *path, size_t len, const char *name, const char *file,
		struct error *error)
{
	char base[128];

	if (!is_name(name))
		return fail(error, STATUS_USAGE,
			    "%s is no name of a switch: up to %u letters, digits, '-', '_' and '.'",
			    name, SWITCH_NAME - 1);
	base_path(base, sizeof(base));
	if ((size_t)snprintf(path, len, "%s/switch/%s%s%s", base, name,
			     file ? "/" : "", file ? file : "") < len)
		return 0;
	return fail(error, STATUS_USAGE,
		    "the directory of the switch has too long a name: %s",
		    base);
}

void switch_each(void (*fn)(void *ctx, const char *name), void *ctx)
{
	char base[128], path[160];
	struct dirent **entry;
	int nr, i;

	base_path(base, sizeof(base));
	snprintf(path, sizeof(path), "%s/switch", base);
	nr = scandir(path, &entry, NULL, alphasort);
	for (i = 0; i < nr; i++) {
		if (is_name(entry[i]->d_name))
			fn(ctx, entry[i]->d_name);
		free(entry[i]);
	}
	if (nr >= 0)
		free(entry);
}

/* In /tmp somebody else may have been faster */
static bool is_mine(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && !(st.st_mode & 0022);
}

static int make_directory(const char *path, struct error *error)
{
	char part[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *at = path + strlen(path), *end = path;
	unsigned int i;

	/* mvmm, switch and the name; what is above has to be there */
	for (i = 0; i < 3; i++)
		while (*--at != '/')
			;
	for (i = 0; i < 3; i++) {
		end = strchrnul(at + 1, '/');
		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		if (mkdir(part, 0700) && errno != EEXIST)
			return fail(error, errno == EACCES ? STATUS_PERMISSION :
				    STATUS_OS, "cannot make %s: %s", part,
				    strerror(errno));
		if (!is_mine(part))
			return fail(error, STATUS_PERMISSION,
				    "%s is not yours alone", part);
		at = end;
	}
	return 0;
}

/* ---- members -------------------------------------------------------------- */

/* Its caller may be in the middle of its frames */
void member_gone(struct member *m)
{
	struct switch_server *s = m->server;

	m->gone = true;
	loop_set_timer(&s->loop, &s->reaper, vm_clock_now(&s->clock));
}

static void close_member(struct member *m)
{
	pcap_close(m->plug->port.capture);
	switch_remove(m->plug);
	cable_free(m->cable);
	pcap_close(m->port->capture);
	m->port->ops->close(m->port);
	*m = (struct member){ 0 };
}

static void reap(void *ctx)
{
	struct switch_server *s = ctx;
	unsigned int i;

	for (i = 0; i < SWITCH_PORTS; i++)
		if (s->member[i].gone)
			close_member(&s->member[i]);
}

struct member *member_join(struct switch_server *s, struct port *port,
			   const char *kind,
			   const struct switch_config *config,
			   struct error *error)
{
	struct switch_port *plug = switch_add(&s->sw, &s->loop, config, error);
	struct member *m;

	if (!plug)
		return NULL;
	m = &s->member[plug->number];
	*m = (struct member){ .server = s, .port = port, .plug = plug,
			      .kind = kind };
	port->loop = &s->loop;
	if (!cable_is_needed(&config->cable)) {
		port_connect(&plug->port, port);
		return m;
	}
	m->cable = cable_new(&config->cable, &s->loop, &plug->port, port);
	if (m->cable)
		return m;
	fail(error, STATUS_OS, "no memory");
	switch_remove(plug);
	*m = (struct member){ 0 };
	return NULL;
}

/* ---- those who come by a socket ------------------------------------------- */

/**
 * struct guest - one who speaks the protocol of net/stream.h
 * @stream: begins it
 * @member: what it is here
 */
struct guest {
	struct stream_port stream;
	struct member *member;
};

static void on_lost(struct stream_port *stream, int error)
{
	member_gone(((struct guest *)stream)->member);
}

static void close_guest(struct port *port)
{
	stream_free((struct stream_port *)port);
}

static void admit(struct switch_server *s, int fd)
{
	static const struct port_ops ops = { .receive = stream_receive,
		.ready = stream_ready, .close = close_guest };
	struct guest *g = (struct guest *)stream_port_new(sizeof(*g), &ops,
							  "stream");
	struct switch_config config = { .name = "stream" };
	struct error error;

	if (g)
		g->member = member_join(s, &g->stream.port, "stream", &config,
					&error);
	if (!g || !g->member) {
		close(fd);
		if (g)
			stream_free(&g->stream);
		return;
	}
	g->stream.lost = on_lost;
	if (stream_port_use(&g->stream, fd))
		on_lost(&g->stream, ENOMEM);
}

/* -1: there is none, and it is tried again later */
static int accept_one(struct switch_server *s, struct watch *watch)
{
	int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		return fd;
	/* Without descriptors it would be ready for ever */
	loop_watch(&s->loop, watch, 0);
	loop_set_timer(&s->loop, &s->again, vm_clock_now(&s->clock) + NS);
	return -1;
}

static void on_stream(void *ctx, uint32_t events)
{
	struct switch_server *s = ctx;
	int fd = accept_one(s, &s->stream);

	if (fd >= 0)
		admit(s, fd);
}

static void on_door(void *ctx, uint32_t events)
{
	struct switch_server *s = ctx;
	int fd = accept_one(s, &s->door);

	if (fd >= 0)
		newcomer_admit(s, fd);
}

static void listen_again(void *ctx)
{
	struct switch_server *s = ctx;

	loop_watch(&s->loop, &s->stream, EPOLLIN);
	loop_watch(&s->loop, &s->door, EPOLLIN);
}

static int listen_at(struct switch_server *s, struct watch *watch,
		     struct sockaddr_un *at, const char *file,
		     void (*fn)(void *ctx, uint32_t events),
		     struct error *error)
{
	char path[sizeof(at->sun_path)];

	if (switch_path(path, sizeof(path), s->name, file, error))
		return -1;
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(at->sun_path, path, sizeof(path));
	*watch = (struct watch){ fn, s, listen_unix(at), 0 };
	if (watch->fd < 0) {
		int err = errno;

		/* Whose it is does not lose it */
		at->sun_path[0] = 0;
		return fail(error, err == EADDRINUSE ? STATUS_BUSY : STATUS_OS,
			    "%s: %s", path, err == EADDRINUSE ?
			    "the switch runs already" : strerror(err));
	}
	/* All guests may come at once, and do not wait */
	return listen(watch->fd, SWITCH_PORTS) ||
	       loop_watch(&s->loop, watch, EPOLLIN) ?
	       fail(error, STATUS_OS, "cannot wait for others") : 0;
}

int switch_rstp(struct switch_server *s, const char *priority,
		struct error *error)
{
	uint8_t mac[MAC_LEN];
	char text[64];
	uint64_t value;

	if (!priority)
		return 0;
	if (!parse_number(priority, &value, false) || value > 61440 ||
	    value % 4096)
		return fail(error, STATUS_USAGE,
			    "--rstp=%s is no priority: a multiple of 4096, up to 61440",
			    priority);
	snprintf(text, sizeof(text), "bridge %s", s->name);
	net_mac(text, mac);
	pthread_mutex_lock(&s->loop.lock);
	switch_span(&s->sw, value, mac);
	pthread_mutex_unlock(&s->loop.lock);
	return 0;
}

/* ---- uplinks --------------------------------------------------------------- */

/* What is the switch's goes into @config; the rest stays */
static int split(char *text, struct switch_config *config, char *rest,
		 size_t len, struct error *error)
{
	size_t n = 0;
	char *word;

	*rest = 0;
	while ((word = option_next(&text))) {
		char key[16];

		snprintf(key, sizeof(key), "%.*s", (int)strcspn(word, "="),
			 word);
		/* The first one is the kind */
		if (n && option_find(switch_options, key)) {
			if (options_parse(switch_options, config, word, false,
					  error))
				return -1;
			continue;
		}
		n += snprintf(rest + n, len - n, "%s%s", n ? "," : "", word);
		if (n >= len)
			return fail(error, STATUS_USAGE,
				    "an uplink has at most %zu bytes", len - 1);
	}
	return 0;
}

int switch_uplink(struct switch_server *s, char *text, struct error *error)
{
	struct switch_config config = { 0 };
	struct net_config net;
	struct member *m = NULL;
	uint8_t mac[MAC_LEN];
	struct port *port;
	char rest[512];
	int ret;

	if (split(text, &config, rest, sizeof(rest), error))
		return -1;
	/* Of another switch */
	net_mac(rest, mac);
	if (net_parse(&net, rest, error))
		return -1;
	if (!net.has_mac)
		memcpy(net.mac, mac, sizeof(mac));
	port = net_open(&net, error);
	if (!port)
		return -1;
	if (!config.name)
		config.name = port->name;
	pthread_mutex_lock(&s->loop.lock);
	m = member_join(s, port, "uplink", &config, error);
	pthread_mutex_unlock(&s->loop.lock);
	ret = m ? net_start(port, &s->loop, error) : -1;
	if (!m)
		net_close(port);
	return ret;
}

/* ---- the process ----------------------------------------------------------- */

static void tick(void *ctx)
{
	struct switch_server *s = ctx;
	uint64_t now = vm_clock_now(&s->clock);

	switch_tick(&s->sw, now / NS);
	loop_set_timer(&s->loop, &s->ticker, now + NS);
}

static void on_signal(void *ctx, uint32_t events)
{
	((struct switch_server *)ctx)->ended = true;
}

static int watch_signals(struct switch_server *s, struct error *error)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	s->signals = (struct watch){ on_signal, s,
		signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), 0 };
	return s->signals.fd < 0 ||
	       loop_watch(&s->loop, &s->signals, EPOLLIN) ?
	       fail(error, STATUS_OS, "cannot wait for signals") : 0;
}

static void on_alarm(int sig)
{
}

bool server_watch(struct switch_server *s)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerspec each = { { 0, WATCH_NS }, { 0, WATCH_NS } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGRTMIN };

	event._sigev_un._tid = gettid();
	if (!s->has_watchdog)
		s->has_watchdog = !sigaction(SIGRTMIN, &action, NULL) &&
			!timer_create(CLOCK_MONOTONIC, &event, &s->watchdog);
	if (!s->has_watchdog)
		return false;
	if (!s->watched++)
		timer_settime(s->watchdog, 0, &each, NULL);
	return true;
}

void server_unwatch(struct switch_server *s)
{
	const struct itimerspec never = { 0 };

	if (!--s->watched)
		timer_settime(s->watchdog, 0, &never, NULL);
}

static int start(struct switch_server *s, struct error *error)
{
	char path[sizeof(s->stream_at.sun_path)];

	if (switch_path(path, sizeof(path), s->name, NULL, error) ||
	    make_directory(path, error))
		return -1;
	pthread_mutex_lock(&s->loop.lock);
	tick(s);
	pthread_mutex_unlock(&s->loop.lock);
	if (watch_signals(s, error))
		return -1;
	return listen_at(s, &s->stream, &s->stream_at, "stream", on_stream,
			 error) ||
	       listen_at(s, &s->door, &s->door_at, "port", on_door, error) ?
	       -1 : 0;
}

struct switch_server *switch_start(const char *name, struct error *error)
{
	struct switch_server *s = calloc(1, sizeof(*s));

	if (!s) {
		fail(error, STATUS_OS, "no memory");
		return NULL;
	}
	s->name = name;
	s->stream.fd = s->door.fd = s->signals.fd = -1;
	/* 0 is no time */
	vm_clock_init(&s->clock, 1);
	vm_clock_start(&s->clock);
	if (loop_init(&s->loop, &s->clock)) {
		free(s);
		fail(error, STATUS_OS, "no event loop");
		return NULL;
	}
	s->reaper = (struct timer){ reap, s, 0, NULL };
	s->ticker = (struct timer){ tick, s, 0, NULL };
	s->again = (struct timer){ listen_again, s, 0, NULL };
	/* Else some zeroes: chains may be long, no more */
	if (getrandom(&s->sw.macs.seed, sizeof(s->sw.macs.seed),
		      GRND_NONBLOCK) < 0)
		s->sw.macs.seed = host_ns();
	if (!start(s, error))
		return s;
	switch_end(s);
	return NULL;
}

static bool is_done(void *ctx)
{
	return ((struct switch_server *)ctx)->ended;
}

void switch_run(struct switch_server *s)
{
	loop_run(&s->loop, is_done, s);
}

static void stop_listening(struct watch *watch, const struct sockaddr_un *at)
{
	close_fd(&watch->fd);
	if (at->sun_path[0])
		unlink(at->sun_path);
}

void switch_end(struct switch_server *s)
{
	char path[sizeof(s->stream_at.sun_path)];
	struct error ignored;
	unsigned int i;

	if (!s)
		return;
	pthread_mutex_lock(&s->loop.lock);
	for (i = 0; i < SWITCH_PORTS; i++)
		if (s->member[i].plug)
			close_member(&s->member[i]);
	for (i = 0; i < NEWCOMERS; i++)
		newcomer_close(&s->newcomer[i]);
	pthread_mutex_unlock(&s->loop.lock);
	stop_listening(&s->stream, &s->stream_at);
	stop_listening(&s->door, &s->door_at);
	close_fd(&s->signals.fd);
	if (s->has_watchdog)
		timer_delete(s->watchdog);
	/* It stays while something else is there */
	if (!switch_path(path, sizeof(path), s->name, NULL, &ignored))
		rmdir(path);
	loop_destroy(&s->loop);
	free(s);
}
