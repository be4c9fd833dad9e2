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
#include "net/switch/switch.h"

#define SWITCH_UPLINKS	16

/**
 * struct member - what is plugged into a port
 * @server: of that
 * @port: what moves its frames
 * @plug: the switch's
 * @kind: for the user
 * @gone: it is to be closed, when nobody uses it any more
 */
struct member {
	struct switch_server *server;
	struct port *port;
	struct switch_port *plug;
	const char *kind;
	bool gone;
};

/**
 * struct switch_server - see above. The loop's lock guards the rest
 * @name: of the switch
 * @clock: goes on always
 * @sw: what moves frames
 * @member: of each of its ports
 * @stream: listens for those who speak the protocol of net/stream.h
 * @stream_at: there
 * @reaper: those who are gone are closed
 * @ticker: what was learned gets older
 * @again: after a failure it listens again
 * @signals: SIGTERM and SIGINT end it
 * @ended: it is to end
 */
struct switch_server {
	const char *name;
	struct loop loop;
	struct vm_clock clock;
	struct ether_switch sw;
	struct member member[SWITCH_PORTS];
	struct watch stream, signals;
	struct sockaddr_un stream_at;
	struct timer reaper, ticker, again;
	bool ended;
};

/*
 * Of the switch's directory, which is the user's own: @file in it, or it itself
 * (NULL). -1 with @error: it is no name, or too long
 */
int switch_path(char *path, size_t len, const char *name, const char *file,
		struct error *error);

/* It listens. NULL with @error. SIGTERM and SIGINT are blocked afterwards */
struct switch_server *switch_start(const char *name, struct error *error);
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

#endif
