// SPDX-License-Identifier: GPL-2.0
/*
 * The VNC server: where it listens, what a viewer sees and moves, and those who
 * talk nonsense. The viewer is played, by RFC 6143.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "have.h"
#ifdef HAVE_VNC
#include "tests/bare_screen.h"
#include "devices/input.h"
#include "display/display.h"
#include "display/vnc/keyboard.h"
#include "display/vnc/vnc.h"
#include "tests/vga_modes.h"

/*
 * Of each viewer the library loses what it keeps of an extension, and with each size
 * that one asks for the 24 bytes of a walk through the others
 */
const char *__lsan_default_suppressions(void)
{
	return "leak:rfbEnableExtension\nleak:rfbGetClientIterator\n";
}

static char directory[] = "/tmp/mvmm-vnc.XXXXXX", path[64], address[80];
static struct vnc *server;

static struct vnc *start(const char *where, const char *password)
{
	struct vnc_config config = { .address = where,
				     .password_file = password };

	return vnc_start(&m, &config, &error);
}

/* ---- the guest's side --------------------------------------------------------------- */

static struct keyboard {
	struct device device;
	struct input input;
	char log[512];
} keyboard;

static void note(struct device *device, const struct input_report *e)
{
	char *log = ((struct keyboard *)device)->log;
	size_t len = strlen(log);

	snprintf(log + len, sizeof(keyboard.log) - len, "%u:%u=%d ", e->type,
		 e->code, e->value);
}

static void vbe(unsigned int index, uint16_t value)
{
	outs(0x1ce, index, 2);
	outs(0x1cf, value, 2);
}

static void set_mode(unsigned int x, unsigned int y)
{
	vbe(VBE_ENABLE, 0);
	vbe(VBE_X, x);
	vbe(VBE_Y, y);
	vbe(VBE_BPP, 32);
	vbe(VBE_ENABLE, VBE_ENABLED);
	outb(0x3c0, ATTR_ON);
}

static void draw(unsigned int x, unsigned int y, uint32_t colour)
{
	uint32_t at = 4 * (x + 640 * y);

	/* By a bank of the window */
	vbe(VBE_BANK, at >> 16);
	bus_access(&m.mmio, VGA_WINDOW + (at & 0xffff), &colour, 4, true);
}

static int setup(void **state)
{
	if (bare_screen())
		return -1;
	keyboard = (struct keyboard){
		.device.machine = &m, .input = { &keyboard.device,
			INPUT_KEYS | INPUT_BUTTONS | INPUT_RELATIVE, note } };
	input_register(&keyboard.input);
	set_mode(640, 480);
	draw(3, 2, 0x112233);
	server = start(address, NULL);
	return server ? 0 : -1;
}

static int teardown(void **state)
{
	vnc_stop(server);
	assert_int_not_equal(access(path, F_OK), 0);
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}

/* ---- a viewer ----------------------------------------------------------------------- */

static int dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(to.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void take(int fd, void *bytes, size_t len)
{
	assert_int_equal(recv(fd, bytes, len, MSG_WAITALL), len);
}

static void say(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

/* Raw pixels, resizes, and keys as QEMU has them; and a pointer, sizes of its own */
static int view_as(bool more, unsigned int *width, unsigned int *height)
{
	const uint8_t encodings[] = { 2, 0, 0, more ? 5 : 3, 0, 0, 0, 0,
				      0xff, 0xff, 0xff, 0x21,
				      0xff, 0xff, 0xfe, 0xfe,
				      0xff, 0xff, 0xff, 0x11,
				      0xff, 0xff, 0xfe, 0xcc };
	uint8_t bytes[64], format[20] = { 0 };
	int fd = dial();

	take(fd, bytes, 12);
	assert_memory_equal(bytes, "RFB 003.", 8);
	say(fd, "RFB 003.008\n", 12);
	take(fd, bytes, 2);
	assert_memory_equal(bytes, "\1\1", 2);
	say(fd, "\1", 1);
	take(fd, bytes, 4);
	assert_memory_equal(bytes, "\0\0\0\0", 4);
	say(fd, "\1", 1);
	take(fd, bytes, 24);
	*width = bytes[0] << 8 | bytes[1];
	*height = bytes[2] << 8 | bytes[3];
	/* 32 bits, little endian; red, green and blue from which bit on */
	assert_memory_equal(bytes + 4, "\x20\x18\0", 3);
	assert_memory_equal(bytes + 14, "\x10\x8\0", 3);
	/* Without a format the library sends no pointer */
	memcpy(format + 4, bytes + 4, 16);
	take(fd, bytes, bytes[23]);
	if (more)
		say(fd, format, sizeof(format));
	say(fd, encodings, 4 + 4 * encodings[3]);
	/* It has these keys */
	take(fd, bytes, 16);
	assert_memory_equal(bytes + 12, "\xff\xff\xfe\xfe", 4);
	return fd;
}

static int view(unsigned int *width, unsigned int *height)
{
	return view_as(false, width, height);
}

static uint32_t pixels[640 * 480];
static unsigned int moved;	/* pixels of the last update */

/* The pointer, as the viewer has it, and what came of its last wish for a size */
static struct {
	unsigned int width, height, hot_x, hot_y, answer;
	uint32_t pixel[64 * 64];
	uint8_t mask[64 * 8];
} pointer;

/* What is no picture. False: it is one */
static bool take_other(int fd, const uint8_t rect[12])
{
	unsigned int w = rect[4] << 8 | rect[5], h = rect[6] << 8 | rect[7];
	uint8_t bytes[20];

	if (!memcmp(rect + 8, "\xff\xff\xfe\xcc", 4)) {
		take(fd, bytes, 20);
		assert_int_equal(bytes[0], 1);
		/* Not of its own accord: the viewer asked for it */
		if (rect[1] == 1)
			pointer.answer = rect[2] << 8 | rect[3];
		return true;
	}
	if (memcmp(rect + 8, "\xff\xff\xff\x11", 4))
		return false;
	pointer.hot_x = rect[0] << 8 | rect[1];
	pointer.hot_y = rect[2] << 8 | rect[3];
	pointer.width = w;
	pointer.height = h;
	assert_true(w <= 64 && h <= 64);
	if (w && h) {
		take(fd, pointer.pixel, 4 * w * h);
		take(fd, pointer.mask, (w + 7) / 8 * h);
	}
	return true;
}

/* Returns the size, if there is a new one, else 0 */
static uint32_t update(int fd, bool incremental)
{
	const uint8_t ask[] = { 3, incremental, 0, 0, 0, 0, 640 >> 8,
				640 & 0xff, 480 >> 8, 480 & 0xff };
	uint8_t head[4], rect[12];
	unsigned int n, x, y, w, h, row;
	uint32_t size = 0;

	say(fd, ask, sizeof(ask));
	take(fd, head, 4);
	assert_int_equal(head[0], 0);
	for (n = head[2] << 8 | head[3], moved = 0; n; n--) {
		take(fd, rect, 12);
		x = rect[0] << 8 | rect[1];
		y = rect[2] << 8 | rect[3];
		w = rect[4] << 8 | rect[5];
		h = rect[6] << 8 | rect[7];
		if (!memcmp(rect + 8, "\xff\xff\xff\x21", 4)) {
			size = w << 16 | h;
			continue;
		}
		if (take_other(fd, rect))
			continue;
		assert_memory_equal(rect + 8, "\0\0\0\0", 4);
		assert_true(x + w <= 640 && y + h <= 480);
		moved += w * h;
		for (row = y; row < y + h; row++)
			take(fd, pixels + 640 * row + x, 4 * w);
	}
	return size;
}

static void until_typed(const char *expected)
{
	unsigned int i;

	for (i = 0; i < 3000; i++) {
		pthread_mutex_lock(&m.loop.lock);
		if (strstr(keyboard.log, expected)) {
			keyboard.log[0] = 0;
			pthread_mutex_unlock(&m.loop.lock);
			return;
		}
		pthread_mutex_unlock(&m.loop.lock);
		usleep(10000);
	}
	assert_string_equal(keyboard.log, expected);
}

static void seen(void **state)
{
	unsigned int width, height, i;
	int fd = view(&width, &height), other;

	/* The first picture may be one of before the first look */
	for (i = 0; i < 1000 && pixels[640 * 2 + 3] != 0x112233; i++) {
		update(fd, i && width == 640 && height == 480);
		height = 480;
	}
	assert_int_equal(pixels[640 * 2 + 3], 0x112233);
	assert_int_equal(pixels[640 * 2 + 4], 0);
	/* What has changed moves, and no more than a tile around it */
	draw(639, 479, 0xaabbcc);
	for (i = 0; i < 100 && pixels[640 * 480 - 1] != 0xaabbcc; i++)
		update(fd, true);
	assert_int_equal(pixels[640 * 480 - 1], 0xaabbcc);
	assert_in_range(moved, 1, 64 * 64);
	/* Another one sees it, too */
	memset(pixels, 0, sizeof(pixels));
	other = view(&width, &height);
	assert_int_equal(width, 640);
	assert_int_equal(height, 480);
	update(other, false);
	assert_int_equal(pixels[640 * 480 - 1], 0xaabbcc);
	/* A new size */
	set_mode(320, 200);
	for (i = 0; i < 100 && update(fd, true) != (320 << 16 | 200); i++)
		;
	assert_true(i < 100);
	close(fd);
	close(other);
}

/* A screen with a pointer, whose size a viewer may choose */
static struct follower {
	struct device device;
	struct screen screen;
	struct screen_cursor cursor;
	unsigned int width, height;
} follower;

static void look(struct device *device, void *view, bool all)
{
}

static int nothing(const void *view, struct surface *surface)
{
	surface->first = surface->end = 0;
	return surface_resize(surface, 640, 480);
}

static bool look_at_cursor(struct device *device, struct screen_cursor *cursor)
{
	struct follower *f = (struct follower *)device;
	bool other = cursor->serial != f->cursor.serial;

	*cursor = f->cursor;
	return other;
}

static void resized(struct device *device, unsigned int width,
		    unsigned int height)
{
	((struct follower *)device)->width = width;
	((struct follower *)device)->height = height;
}

static void wish(int fd, unsigned int width, unsigned int height)
{
	uint8_t bytes[24] = { 251, 0, width >> 8, width, height >> 8, height, 1,
			      [16] = width >> 8, width, height >> 8, height };
	unsigned int i;

	pointer.answer = ~0u;
	say(fd, bytes, sizeof(bytes));
	for (i = 0; i < 100 && pointer.answer == ~0u; i++)
		update(fd, false);
}

static void a_pointer(void **state)
{
	static const struct screen_ops ops = {
		.view_size = 1, .look = look, .draw = nothing,
		.cursor = look_at_cursor, .resized = resized };
	unsigned int width, height, i;
	int fd = view_as(true, &width, &height);

	follower = (struct follower){
		.device.machine = &m, .screen = { &follower.device, &ops, NULL },
		.cursor = { .serial = 5, .shown = true, .hot_x = 3, .hot_y = 4,
			    .pixel = { 0xff112233, 0x7f000000, 0x80445566 } } };
	/* A VGA has no pointer, and its size is its own */
	wish(fd, 800, 600);
	assert_int_equal(pointer.answer, 1);
	assert_int_equal(pointer.width, 0);
	pthread_mutex_lock(&m.loop.lock);
	screen_put(&follower.screen, true);
	pthread_mutex_unlock(&m.loop.lock);
	for (i = 0; i < 100 && pointer.width != 64; i++)
		update(fd, true);
	assert_int_equal(pointer.height, 64);
	assert_int_equal(pointer.hot_x, 3);
	assert_int_equal(pointer.hot_y, 4);
	assert_int_equal(pointer.pixel[0] & 0xffffff, 0x112233);
	assert_int_equal(pointer.pixel[2] & 0xffffff, 0x445566);
	assert_int_equal(pointer.mask[0], 0xa0);
	wish(fd, 800, 600);
	assert_int_equal(pointer.answer, 0);
	assert_int_equal(follower.width, 800);
	assert_int_equal(follower.height, 600);
	wish(fd, 63, 600);
	assert_int_equal(pointer.answer, 3);
	wish(fd, 2561, 600);
	assert_int_equal(pointer.answer, 3);
	assert_int_equal(follower.width, 800);
	/* The VGA again */
	pthread_mutex_lock(&m.loop.lock);
	screen_remove(&follower.screen);
	pthread_mutex_unlock(&m.loop.lock);
	for (i = 0; i < 100 && pointer.width; i++)
		update(fd, true);
	assert_int_equal(pointer.width, 0);
	close(fd);
}

static void typed(void **state)
{
	unsigned int width, height;
	int fd = view(&width, &height);

	say(fd, "\4\1\0\0\0\0\0A", 8);
	until_typed("1:30=1 ");
	say(fd, "\4\0\0\0\0\0\0A", 8);
	until_typed("1:30=0 ");
	/* A key that is z by its place, and y by its character */
	say(fd, "\xff\0\0\1\0\0\0y\0\0\0\x2c", 12);
	until_typed("1:44=1 ");
	/* With 0xe0, and one that has no place */
	say(fd, "\xff\0\0\1\0\0\0\0\0\0\0\xc8", 12);
	until_typed("1:103=1 ");
	say(fd, "\xff\0\0\1\0\0\xff\xbe\0\0\0\0", 12);
	until_typed("1:59=1 ");
	/* The pointer: motions, a button, the wheel */
	say(fd, "\5\1\0\x10\0\x20", 6);
	until_typed("2:0=16 2:1=32 1:272=1 ");
	say(fd, "\5\x8\0\x8\0\x20", 6);
	until_typed("2:0=-8 2:1=0 1:272=0 2:8=1 ");
	/* Who goes lets go */
	close(fd);
	until_typed("1:44=0 1:59=0 1:103=0 ");
}

/* A tablet gets places */
static void places(void **state)
{
	struct viewer_input in = { .machine = &m };

	pthread_mutex_lock(&m.loop.lock);
	keyboard.input.takes |= INPUT_ABSOLUTE;
	pthread_mutex_unlock(&m.loop.lock);
	viewer_pointer(&in, 0, 639, 0, 640, 480);
	viewer_pointer(&in, 0, 700, -5, 640, 480);
	until_typed("3:0=32767 3:1=0 3:0=32767 3:1=0 ");
	viewer_pointer(&in, 0, 5, 5, 0, 0);
	viewer_key(&in, 0, true);
	viewer_key(&in, KEY_MAX + 1, true);
	until_typed("3:0=0 3:1=0 ");
	assert_int_equal(key_by_scan_code(0x1e), KEY_A);
	assert_int_equal(key_by_scan_code(0x9d), KEY_RIGHTCTRL);
	assert_int_equal(key_by_scan_code(0x59), 0);
	assert_int_equal(key_by_scan_code(~0u), 0);
}

/* The speaker is heard by who looks, from then on */
static void bell(void **state)
{
	unsigned int width, height;
	uint8_t message = 0, bytes[12];
	int fd, half_way = dial();

	/* One who has not come in yet: its user looks for the password, say */
	take(half_way, bytes, 12);
	say(half_way, "RFB 003.008\n", 12);
	take(half_way, bytes, 2);
	__atomic_add_fetch(&m.beeps, 1, __ATOMIC_RELAXED);
	fd = view(&width, &height);
	update(fd, false);
	__atomic_add_fetch(&m.beeps, 1, __ATOMIC_RELAXED);
	take(fd, &message, 1);
	assert_int_equal(message, 2);
	/* It hears nothing that it does not expect */
	say(half_way, "\1", 1);
	take(half_way, bytes, 4);
	assert_memory_equal(bytes, "\0\0\0\0", 4);
	close(half_way);
	close(fd);
}

/* Those who say nothing, or nonsense, or are too many, harm nobody else */
static void strangers(void **state)
{
	unsigned int width, height, i, round;
	uint32_t seed = 1;
	uint8_t junk[256];
	int fd[40];

	for (i = 0; i < 40; i++)
		fd[i] = dial();
	for (i = 0; i < 40; i++)
		close(fd[i]);
	for (round = 0; round < 20; round++) {
		fd[0] = round & 1 ? view(&width, &height) : dial();
		for (i = 0; i < sizeof(junk); i++) {
			seed = seed * 1664525 + 1013904223;
			junk[i] = seed >> 24;
		}
		send(fd[0], junk, sizeof(junk), MSG_NOSIGNAL);
		close(fd[0]);
	}
	fd[0] = view(&width, &height);
	update(fd[0], false);
	close(fd[0]);
}

/* As many as can look, who do not say who they are: the next one comes in */
static void silent(void **state)
{
	unsigned int width, height, i;
	int fd[20], last;

	for (i = 0; i < 20; i++) {
		uint8_t hello[12];

		fd[i] = dial();
		take(fd[i], hello, sizeof(hello));
	}
	last = view(&width, &height);
	update(last, false);
	/* Who looks stays */
	for (i = 0; i < 20; i++) {
		close(fd[i]);
		fd[i] = dial();
	}
	update(last, false);
	close(last);
	for (i = 0; i < 20; i++)
		close(fd[i]);
}

static void refuse(const char *where, const char *password, const char *why)
{
	assert_null(start(where, password));
	assert_non_null(strstr(error.text, why));
}

static void addresses(void **state)
{
	char password[VNC_PASSWORD + 1], file[80], text[64];
	struct display d = { 0 };
	struct vnc *local;
	struct stat st;
	bool is_local;
	FILE *f;
	int fd;

	/* Only the user */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	refuse("5900", NULL, "HOST:PORT");
	refuse("127.0.0.1:", NULL, "HOST:PORT");
	refuse("unix:", NULL, "1 to 107 bytes");
	refuse("unix:/nowhere/x", NULL, "/nowhere/x");
	refuse("0.0.0.0:0", NULL, "password-file");
	refuse("127.0.0.1:0", "/nowhere/x", "/nowhere/x");
	fd = vnc_listen("[::1]:0", &is_local, &error);
	assert_true(fd < 0 || is_local);
	close_fd(&fd);
	fd = vnc_listen(":0", &is_local, &error);
	assert_true(fd >= 0 && is_local);
	close_fd(&fd);
	snprintf(file, sizeof(file), "%s/password", directory);
	f = fopen(file, "w");
	fputs("\nsecret", f);
	fclose(f);
	refuse("127.0.0.1:0", file, "no password");
	f = fopen(file, "w");
	fputs("secret\nmore", f);
	fclose(f);
	assert_int_equal(vnc_read_password(file, password, &error), 0);
	assert_string_equal(password, "secret");
	/* With it also where others are */
	local = start("0.0.0.0:0", file);
	assert_non_null(local);
	vnc_stop(local);
	unlink(file);
	/* As --display has it */
	strcpy(text, "vnc=:5901,password-file=x");
	assert_int_equal(display_parse(&d, text, &error), 0);
	assert_string_equal(d.address, ":5901");
	assert_string_equal(d.password_file, "x");
	strcpy(text, "vnc");
	assert_int_equal(display_parse(&d, text, &error), 0);
	assert_string_equal(d.address, VNC_ADDRESS);
	/* More than one at a time; a port is this host's */
	strcpy(text, "web=0");
	assert_int_equal(display_parse(&d, text, &error), 0);
	assert_string_equal(d.web, "127.0.0.1:0");
	assert_string_equal(d.address, VNC_ADDRESS);
	assert_string_equal(d.password_file, "x");
	strcpy(text, "none");
	assert_int_equal(display_parse(&d, text, &error), 0);
	assert_false(display_wanted(&d));
	strcpy(text, "web");
	assert_int_equal(display_parse(&d, text, &error), 0);
	assert_string_equal(d.web, WEB_ADDRESS);
	assert_true(display_wanted(&d));
	strcpy(text, "web=:65535");
	assert_int_equal(display_parse(&d, text, &error), 0);
	assert_string_equal(d.web, "127.0.0.1:65535");
	strcpy(text, "web=[::]:80,root=/x");
	assert_int_equal(display_parse(&d, text, &error), 0);
	assert_string_equal(d.web, "[::]:80");
	assert_string_equal(d.root, "/x");
	strcpy(text, "web=65536");
	assert_int_equal(display_parse(&d, text, &error), -1);
	strcpy(text, "web=unix:/x");
	assert_int_equal(display_parse(&d, text, &error), -1);
	strcpy(text, "vnc,root=/x");
	assert_int_equal(display_parse(&d, text, &error), -1);
	strcpy(text, "sdl");
	assert_int_equal(display_parse(&d, text, &error), -1);
	strcpy(text, "vnc=x,tls");
	assert_int_equal(display_parse(&d, text, &error), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(seen, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pointer, setup, teardown),
		cmocka_unit_test_setup_teardown(typed, setup, teardown),
		cmocka_unit_test_setup_teardown(places, setup, teardown),
		cmocka_unit_test_setup_teardown(bell, setup, teardown),
		cmocka_unit_test_setup_teardown(strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(silent, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/vnc", directory);
	snprintf(address, sizeof(address), "unix:%s", path);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
#else
int main(void)
{
	puts("1..0 # SKIP built without libvncserver");
	return 0;
}
#endif
