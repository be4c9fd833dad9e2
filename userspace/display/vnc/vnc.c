// SPDX-License-Identifier: GPL-2.0
/*
 * VNC by libvncserver, which is loaded when it is asked for. One thread owns the
 * library: it lets viewers in, looks at the screen while there are any, and marks
 * what has changed. No vCPU waits for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <rfb/rfb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/library.h"
#include "base/loop.h"
#include "display/keys.h"
#include "display/screen.h"
#include "display/vnc/keyboard.h"
#include "display/vnc/vnc.h"
#include "display/vnc/web.h"

#define VIEWERS		16
#define FRAME_MS	33
#define PATIENCE_MS	5000	/* with one who reads or says nothing half way */
#define TILE		64	/* pixels of a rectangle, in both directions */
#define TILES(n)	(((n) + TILE - 1) / TILE)
#define FIRST_X		640
#define FIRST_Y		400

#define CALLS(x) x(GetScreen) x(NewClient) x(ProcessEvents) x(ScreenCleanup) \
	x(MarkRectAsModified) x(NewFramebuffer) x(CheckPasswordByList) \
	x(ShutdownServer) x(LogEnable) x(RegisterProtocolExtension) \
	x(ReadExact) x(WriteExact) x(CloseClient) \
	x(UnregisterProtocolExtension) x(SetCursor)

/* By dlopen(): its own libraries are more than all of mvmm */
static struct {
#define DECLARE(name) typeof(&rfb##name) name;
	CALLS(DECLARE)
} lib;

static struct library library = {
	.file = "libvncserver.so.1", .name = "libvncserver",
	.needs = "--display vnc needs libvncserver", .package = "libvncserver1" };
#define CALL(name) { "rfb" #name, &lib.name },
static const struct library_call calls[] = { CALLS(CALL) { NULL, NULL } };

/**
 * struct vnc - a server
 * @machine: whose screen
 * @screen: libvncserver's
 * @surface: what is drawn, in the pixels that @screen has
 * @tile: a hash of each rectangle of TILE by TILE pixels that viewers know of
 * @cursor: the pointer's picture, that they know of
 * @input: keys and pointer
 * @fd: listens; -1: for browsers only
 * @web: listens for these; NULL: nobody does
 * @browser: it is one that comes in now
 * @stop: an eventfd: the thread is to return
 * @password: and NULL, as the library wants it
 * @secret: it
 * @path: of a UNIX socket, to be removed; NULL: none
 * @viewers: how many there are
 * @beeps: of the speaker, that they know of
 * @next: when to look at the screen again
 * @thread: serves
 */
struct vnc {
	struct machine *machine;
	rfbScreenInfoPtr screen;
	struct surface surface;
	uint64_t tile[TILES(SCREEN_X_MAX) * TILES(SCREEN_Y_MAX)];
	struct screen_cursor cursor;
	struct viewer_input input;
	int fd, stop;
	struct web *web;
	bool browser;
	char *password[2];
	char secret[VNC_PASSWORD + 1];
	const char *path;
	unsigned int viewers, beeps;
	uint64_t next;
	pthread_t thread;
};

/* ---- the picture ------------------------------------------------------------------ */

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/*
 * Of the pixels of a tile: two that look the same are so, but for one in 2^64. A guest
 * that computes such a one shows its own viewers an old tile
 */
static uint64_t hash_tile(const struct surface *s, unsigned int x, unsigned int y)
{
	unsigned int columns = least(TILE, s->width - x), i;
	unsigned int end = least(y + TILE, s->height);
	uint64_t hash = 0, two;

	for (; y < end; y++) {
		const uint32_t *pixel = s->pixels + (size_t)y * s->width + x;

		for (i = 0; i + 2 <= columns; i += 2) {
			memcpy(&two, pixel + i, sizeof(two));
			hash = (hash ^ two) * 0x9e3779b97f4a7c15;
			hash ^= hash >> 32;
		}
		if (i < columns)
			hash = (hash ^ pixel[i]) * 0x9e3779b97f4a7c15;
	}
	return hash;
}

/* Of what was drawn only what is different moves. @all: that does anyway */
static void show_changes(struct vnc *v, bool all)
{
	const struct surface *s = &v->surface;
	uint64_t *known, hash;
	unsigned int x, y;

	/* An old mode with more lines than those have that anybody uses */
	if (TILES(s->width) * TILES(s->height) >
	    sizeof(v->tile) / sizeof(v->tile[0])) {
		lib.MarkRectAsModified(v->screen, 0, s->first, s->width, s->end);
		return;
	}
	for (y = s->first / TILE * TILE; y < s->end; y += TILE) {
		known = v->tile + y / TILE * TILES(s->width);
		for (x = 0; x < s->width; x += TILE, known++) {
			hash = hash_tile(s, x, y);
			if (hash == *known)
				continue;
			*known = hash;
			if (all)
				continue;
			lib.MarkRectAsModified(v->screen, x, y,
					       least(x + TILE, s->width),
					       least(y + TILE, s->height));
		}
	}
}

/* 0x00rrggbb, of which the library knows nothing whenever it gets new pixels */
static void set_format(rfbScreenInfoPtr s)
{
	rfbClientPtr c;

	s->serverFormat.depth = 24;
	s->serverFormat.redShift = 16;
	s->serverFormat.greenShift = 8;
	s->serverFormat.blueShift = 0;
	for (c = s->clientHead; c; c = c->next)
		s->setTranslateFunction(c);
}

/* A new size, of which all moves; the pixels may be elsewhere */
static void resize(struct vnc *v)
{
	const struct surface *s = &v->surface;

	lib.NewFramebuffer(v->screen, (char *)s->pixels, s->width, s->height, 8,
			   3, sizeof(*s->pixels));
	set_format(v->screen);
	show_changes(v, true);
}

/* The library's form of it, which it frees. NULL: no memory */
static rfbCursorPtr make_cursor(const struct screen_cursor *c)
{
	rfbCursorPtr made = calloc(1, sizeof(*made));
	unsigned int x, y;

	if (!made)
		return NULL;
	*made = (struct rfbCursor){
		.cleanup = TRUE, .cleanupSource = TRUE, .cleanupMask = TRUE,
		.cleanupRichSource = TRUE, .width = SCREEN_CURSOR,
		.height = SCREEN_CURSOR, .xhot = c->hot_x, .yhot = c->hot_y,
		.mask = calloc(SCREEN_CURSOR, SCREEN_CURSOR / 8),
		.richSource = malloc(sizeof(c->pixel)) };
	if (!made->mask || !made->richSource) {
		free(made->mask);
		free(made->richSource);
		free(made);
		return NULL;
	}
	memcpy(made->richSource, c->pixel, sizeof(c->pixel));
	/* A bit for each pixel: half transparent is there or not */
	for (y = 0; y < SCREEN_CURSOR; y++)
		for (x = 0; x < SCREEN_CURSOR; x++)
			if (c->pixel[y * SCREEN_CURSOR + x] >> 31)
				made->mask[(y * SCREEN_CURSOR + x) / 8] |=
					0x80 >> x % 8;
	return made;
}

/* Most viewers draw it themselves, where their mouse is. NULL: there is none */
static void show_cursor(struct vnc *v)
{
	rfbCursorPtr made = NULL;

	if (!screen_cursor(v->machine, &v->cursor))
		return;
	if (v->cursor.shown)
		made = make_cursor(&v->cursor);
	lib.SetCursor(v->screen, made);
	/* Without memory once more, later */
	if (v->cursor.shown && !made)
		v->cursor.serial--;
}

/* To those who have come in: to the others a byte more is an error of the protocol */
static void ring(struct vnc *v)
{
	static const char bell = rfbBell;
	rfbClientPtr c;

	for (c = v->screen->clientHead; c; c = c->next)
		if (c->sock >= 0 && c->state == RFB_NORMAL &&
		    lib.WriteExact(c, &bell, sizeof(bell)) < 0)
			lib.CloseClient(c);
}

/* However much viewers have to say */
static void refresh(struct vnc *v)
{
	uint64_t now = host_ns();

	if (now < v->next)
		return;
	v->next = now + FRAME_MS * 1000000ull;
	if (screen_rings(v->machine, &v->beeps))
		ring(v);
	show_cursor(v);
	if (screen_draw(v->machine, &v->surface, false))
		return;
	/* For some viewers the library draws it, into what may be the guest's now */
	if (!v->surface.room && v->screen->cursor) {
		lib.SetCursor(v->screen, NULL);
		v->cursor.serial--;
	}
	if (v->surface.width != (unsigned int)v->screen->width ||
	    v->surface.height != (unsigned int)v->screen->height) {
		resize(v);
	} else {
		v->screen->frameBuffer = (char *)v->surface.pixels;
		show_changes(v, false);
	}
}

/* ---- QEMU's extended key events, in which viewers say which key it was ------------- */

static rfbBool offer_keys(rfbClientPtr client, void **data, int encoding)
{
	/* An update with one rectangle, which is nothing but the encoding */
	static const char answer[16] = { rfbFramebufferUpdate, 0, 0, 1,
		[12] = -1, -1, -2, -2 };

	if (encoding != (int)rfbEncodingQemuExtendedKeyEvent)
		return FALSE;
	lib.WriteExact(client, answer, sizeof(answer));
	return TRUE;
}

static rfbBool take_key(rfbClientPtr client, void *data,
			const rfbClientToServerMsg *message)
{
	struct vnc *v = client->screen->screenData;
	rfbQemuExtendedKeyEventMsg key;
	uint16_t code;

	if (message->type != rfbQemuEvent)
		return FALSE;
	if (lib.ReadExact(client, (char *)&key + 1,
			  sz_rfbQemuExtendedKeyEventMsg - 1) <= 0 ||
	    key.subtype) {
		lib.CloseClient(client);
		return TRUE;
	}
	code = key_by_scan_code(ntohl(key.keycode));
	if (!code)
		code = key_by_keysym(ntohl(key.keysym));
	viewer_key(&v->input, code, key.down);
	return TRUE;
}

static rfbBool always(rfbClientPtr client, void **data)
{
	return TRUE;
}

static int encodings[] = { (int)rfbEncodingQemuExtendedKeyEvent, 0 };
static rfbProtocolExtension extension = {
	.newClient = always, .pseudoEncodings = encodings,
	.enablePseudoEncoding = offer_keys, .handleMessage = take_key,
};

/* ---- viewers -------------------------------------------------------------------------- */

static void on_key(rfbBool down, rfbKeySym keysym, rfbClientPtr client)
{
	struct vnc *v = client->screen->screenData;

	viewer_key(&v->input, key_by_keysym(keysym), down);
}

static void on_pointer(int buttons, int x, int y, rfbClientPtr client)
{
	struct vnc *v = client->screen->screenData;

	/* For viewers that do not draw it the library does, here */
	v->screen->cursorX = x;
	v->screen->cursorY = y;
	viewer_pointer(&v->input, buttons, x, y, v->screen->width,
		       v->screen->height);
}

/* The viewer's window has another size: the guest's driver may follow */
static int on_resize(int width, int height, int nr,
		     struct rfbExtDesktopScreen *screens, rfbClientPtr client)
{
	struct vnc *v = client->screen->screenData;

	if (nr != 1 || width < SCREEN_LEAST || width > SCREEN_X_MAX ||
	    height < SCREEN_LEAST || height > SCREEN_Y_MAX)
		return rfbExtDesktopSize_InvalidScreenLayout;
	return screen_resize(v->machine, width, height) ?
	       rfbExtDesktopSize_Success : rfbExtDesktopSize_ResizeProhibited;
}

static void on_gone(rfbClientPtr client)
{
	struct vnc *v = client->screen->screenData;

	v->viewers--;
	viewer_release(&v->input);
#ifdef LIBVNCSERVER_WITH_WEBSOCKETS
	/* 46 KB, which the library forgets */
	free(client->wsctx);
	client->wsctx = NULL;
#endif
}

/*
 * Of those who have not come in yet the one who came first: a user may be looking
 * for the password, but who says nothing is not to keep others out. False: none
 */
static bool end_stranger(const struct vnc *v, rfbClientPtr but)
{
	rfbClientPtr c, first = NULL;

	/* The last one is the first of the list */
	for (c = v->screen->clientHead; c; c = c->next)
		if (c != but && c->sock >= 0 && c->state < RFB_NORMAL)
			first = c;
	if (first)
		lib.CloseClient(first);
	return first;
}

static enum rfbNewClientAction on_new(rfbClientPtr client)
{
	struct vnc *v = client->screen->screenData;

	client->clientGoneHook = on_gone;
#ifdef LIBVNCSERVER_WITH_WEBSOCKETS
	/*
	 * The library takes them everywhere, and asks no browser which page it is
	 * that wants one: web.c does
	 */
	if (client->wsctx && !v->browser) {
		v->viewers++;
		return RFB_CLIENT_REFUSE;
	}
#endif
	return v->viewers++ < VIEWERS || end_stranger(v, client) ?
	       RFB_CLIENT_ACCEPT : RFB_CLIENT_REFUSE;
}

static void take_in(struct vnc *v, int fd, bool browser)
{
	/* The library waits by select() */
	if (fd >= FD_SETSIZE) {
		close(fd);
		return;
	}
	/* The first one is not told what was before */
	if (!v->screen->clientHead)
		screen_rings(v->machine, &v->beeps);
	/* It takes the descriptor, whatever comes of it */
	v->browser = browser;
	lib.NewClient(v->screen, fd);
}

static void let_in(struct vnc *v)
{
	int fd = accept4(v->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		take_in(v, fd, false);
	else if (errno != EAGAIN)
		/* No descriptors, say: not at once again */
		poll(NULL, 0, FRAME_MS);
}

/* Until somebody has something to say, or it is time to look at the screen */
static bool wait_for(struct vnc *v)
{
	struct pollfd p[VIEWERS + 3 + WEB_POLL] = { { v->stop, POLLIN, 0 },
						    { v->fd, POLLIN, 0 } };
	unsigned int nr = 2, viewers;
	rfbClientPtr c;
	int fd;

	for (c = v->screen->clientHead; c && nr < VIEWERS + 3; c = c->next)
		if (c->sock >= 0)
			p[nr++] = (struct pollfd){ c->sock, POLLIN, 0 };
	viewers = nr;
	if (v->web)
		nr += web_poll(v->web, p + nr);
	if (poll(p, nr, v->screen->clientHead ? FRAME_MS : -1) < 0)
		return true;
	if (p[1].revents)
		let_in(v);
	fd = v->web ? web_serve(v->web, p + viewers) : -1;
	if (fd >= 0)
		take_in(v, fd, true);
	return !p[0].revents;
}

static void *vnc_main(void *ctx)
{
	struct vnc *v = ctx;

	while (wait_for(v)) {
		if (!v->screen->clientHead)
			continue;
		refresh(v);
		lib.ProcessEvents(v->screen, 0);
	}
	return NULL;
}

/* ---- the server ------------------------------------------------------------------------- */

static int make_screen(struct vnc *v, struct error *error)
{
	rfbScreenInfoPtr s;

	lib.LogEnable(0);
	s = surface_resize(&v->surface, FIRST_X, FIRST_Y) ? NULL :
	    lib.GetScreen(NULL, NULL, FIRST_X, FIRST_Y, 8, 3,
			  sizeof(*v->surface.pixels));
	if (!s)
		return fail(error, STATUS_OS, "--display vnc: no memory");
	memset(v->surface.pixels, 0,
	       FIRST_X * FIRST_Y * sizeof(*v->surface.pixels));
	v->surface.borrows = true;
	v->screen = s;
	s->screenData = v;
	s->frameBuffer = (char *)v->surface.pixels;
	s->desktopName = "mvmm";
	s->alwaysShared = TRUE;
	s->port = 0;
	s->ipv6port = 0;
	s->maxClientWait = PATIENCE_MS;
	s->deferUpdateTime = 0;
	s->cursor = NULL;
	s->kbdAddEvent = on_key;
	s->ptrAddEvent = on_pointer;
	s->setDesktopSizeHook = on_resize;
	s->newClientHook = on_new;
	set_format(s);
	if (!v->secret[0])
		return 0;
	v->password[0] = v->secret;
	s->authPasswdData = v->password;
	s->passwordCheck = lib.CheckPasswordByList;
	return 0;
}

static void destroy(struct vnc *v)
{
	close_fd(&v->fd);
	close_fd(&v->stop);
	if (v->web)
		web_stop(v->web);
	if (v->path)
		unlink(v->path);
	if (v->screen) {
		lib.ShutdownServer(v->screen, TRUE);
		lib.ProcessEvents(v->screen, 0);
		v->screen->frameBuffer = NULL;
		lib.ScreenCleanup(v->screen);
		lib.UnregisterProtocolExtension(&extension);
	}
	surface_free(&v->surface);
	explicit_bzero(v->secret, sizeof(v->secret));
	free(v);
}

static int listen_at(const struct vnc *v, const char *address, int *fd,
		     struct error *error)
{
	bool local;

	*fd = vnc_listen(address, &local, error);
	if (*fd < 0)
		return -1;
	if (local || v->secret[0])
		return 0;
	return fail(error, STATUS_USAGE,
		    "--display: %s: others could come in: give it a password-file=, or listen at 127.0.0.1",
		    address);
}

static int open_web(struct vnc *v, const struct vnc_config *config,
		    struct error *error)
{
	int fd;

	if (listen_at(v, config->web, &fd, error)) {
		close_fd(&fd);
		return -1;
	}
	v->web = web_start(fd, config->root ? config->root : WEB_ROOT,
			   !v->secret[0], error);
	return v->web ? 0 : -1;
}

static int open_all(struct vnc *v, const struct vnc_config *config,
		    struct error *error)
{
	if (config->password_file &&
	    vnc_read_password(config->password_file, v->secret, error))
		return -1;
	if (config->address && listen_at(v, config->address, &v->fd, error))
		return -1;
	if (config->address && !strncmp(config->address, "unix:", 5))
		v->path = config->address + 5;
	if (config->web && open_web(v, config, error))
		return -1;
	v->stop = eventfd(0, EFD_CLOEXEC);
	if (v->stop < 0)
		return fail(error, STATUS_OS, "--display vnc: %s",
			    strerror(errno));
	return library_load(&library, calls, error) || make_screen(v, error) ?
	       -1 : 0;
}

struct vnc *vnc_start(struct machine *machine, const struct vnc_config *config,
		      struct error *error)
{
	struct vnc *v = calloc(1, sizeof(*v));

	if (!v) {
		fail(error, STATUS_OS, "no memory");
		return NULL;
	}
	v->fd = v->stop = -1;
	v->machine = v->input.machine = machine;
	if (open_all(v, config, error)) {
		destroy(v);
		return NULL;
	}
	lib.RegisterProtocolExtension(&extension);
	if (!pthread_create(&v->thread, NULL, vnc_main, v)) {
		pthread_setname_np(v->thread, "vnc");
		return v;
	}
	fail(error, STATUS_OS, "--display vnc: no thread");
	destroy(v);
	return NULL;
}

unsigned int vnc_web_port(const struct vnc *v)
{
	return v->web ? web_port(v->web) : 0;
}

void vnc_stop(struct vnc *v)
{
	eventfd_write(v->stop, 1);
	pthread_join(v->thread, NULL);
	destroy(v);
}
