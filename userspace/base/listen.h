/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets that listen for others. */
#ifndef MVMM_LISTEN_H
#define MVMM_LISTEN_H

#include <sys/un.h>

/* Not blocking; takes the place of one that is left over. -1 with errno */
int listen_unix(const struct sockaddr_un *address);

#endif
