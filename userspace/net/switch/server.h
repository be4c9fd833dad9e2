/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A switch as a process: who is plugged into its ports. Others join by a socket in
 * the switch's directory, or are its uplinks: any port that --net knows. What each
 * may say to it is in command.c.
 */
#ifndef MVMM_SWITCH_SERVER_H
#define MVMM_SWITCH_SERVER_H

#include <jansson.h>
#include <sys/un.h>
#include <time.h>
#include "net/switch/switch.h"

#define SWITCH_UPLINKS	16
#define NEWCOMERS	16

/**
 * struct member - what is plugged into a port
 * @server: of that
 * @port: what moves its frames
 * @plug: the switch's
 * @cable: between them, or NULL
 * @kind: for the user
 * @mac: which it has said is its; zero: it has said nothing
 * @gone: it is to be closed, when nobody uses it any more
 */
struct member {
	struct switch_server *server;
	struct port *port;
	struct switch_port *plug;
	struct cable *cable;
	const char *kind;
	uint8_t mac[MAC_LEN];
	bool gone;
};

/**
 * struct newcomer - one who has connected, and said nothing yet
 * @server: NULL: never used
 * @watch: of the socket, -1: there is none
 */
struct newcomer {
	struct switch_server *server;
	struct watch watch;
};

/**
 * struct switch_server - see above. The loop's lock guards the rest
 * @name: of the switch
 * @clock: goes on always
 * @sw: what moves frames
 * @member: of each of its ports
 * @newcomer: those; @next_newcomer: where the next one goes
 * @stream: listens for those who speak the protocol of net/stream.h
 * @stream_at: there
 * @door: listens for guests with rings
 * @door_at: there
 * @reaper: those who are gone are closed
 * @ticker: what was learned gets older
 * @again: after a failure it listens again
 * @signals: SIGTERM and SIGINT end it
 * @watchdog: interrupts a write that waits, while there are others' eventfds
 * @has_watchdog: there is that
 * @watched: how many have such eventfds
 * @ended: it is to end
 */
struct switch_server {
	const char *name;
	struct loop loop;
	struct vm_clock clock;
	struct ether_switch sw;
	struct member member[SWITCH_PORTS];
	struct newcomer newcomer[NEWCOMERS];
	unsigned int next_newcomer;
	struct watch stream, door, signals;
	struct sockaddr_un stream_at, door_at;
	struct timer reaper, ticker, again;
	timer_t watchdog;
	unsigned int watched;
	bool has_watchdog, ended;
};

/*
 * Of the switch's directory, which is the user's own: @file in it, or it itself
 * (NULL). -1 with @error: it is no name, or too long
 */
int switch_path(char *path, size_t len, const char *name, const char *file,
		struct error *error);

/* Those of the user's that have a directory, whether they run or not */
void switch_each(void (*fn)(void *ctx, const char *name), void *ctx);

/* It listens. NULL with @error. SIGTERM and SIGINT are blocked afterwards */
struct switch_server *switch_start(const char *name, struct error *error);
/*
 * It has a spanning tree, before it has ports. @priority: as text; NULL: it has none.
 * -1 with @error
 */
int switch_rstp(struct switch_server *server, const char *priority,
		struct error *error);
/* "tap=t0,vlan=10", say: what --net takes, and switch_options; it is cut up */
int switch_uplink(struct switch_server *server, char *text,
		  struct error *error);
/* Until a signal, or server.ended and loop_wake() */
void switch_run(struct switch_server *server);
/* Others are cut off, the sockets are gone. NULL: nothing happens */
void switch_end(struct switch_server *server);

/*
 * {"execute": "switch-show" ...}: what a control socket is asked (manage/control.h).
 * @ctx: the server. NULL with @error
 */
json_t *switch_execute(void *ctx, const json_t *request, struct error *error);

/* ---- between server.c and door.c; the loop's lock is held -------------------- */

/* @port is plugged in. NULL with @error; the caller closes it then */
struct member *member_join(struct switch_server *server, struct port *port,
			   const char *kind,
			   const struct switch_config *config,
			   struct error *error);
/* It is closed soon */
void member_gone(struct member *member);
/*
 * The caller's thread is the loop's. Until server_unwatch() no system call of it waits
 * long: EINTR. An eventfd that came from somebody else may be full, and not be told not
 * to wait. False: not so
 */
bool server_watch(struct switch_server *server);
void server_unwatch(struct switch_server *server);
void newcomer_admit(struct switch_server *server, int fd);
void newcomer_close(struct newcomer *newcomer);

#endif
