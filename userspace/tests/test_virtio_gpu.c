// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-gpu: what a driver learns of the monitor, how its pictures come to be seen, and
 * by whom the VGA beside it is; what it may not do.
 */
#include <linux/virtio_ids.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/virtio/gpu.h"
#include "display/screen.h"
#include "tests/virtio_driver.h"

#define CONFIG	cfg_read(find_capability(PCI_CAP_ID_VNDR, \
					 VIRTIO_PCI_CAP_DEVICE_CFG) + 8, 4)
#define ANSWER	(BUFFERS + 0x1000)
#define PICTURE	(BUFFERS + 0x2000)
#define ID	7
#define OK	VIRTIO_GPU_RESP_OK_NODATA
#define BGRX	VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM

static struct surface seen;

static void start(const char *options)
{
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	bare_device("pci-host");
	bare_device_with("virtio-gpu", options);
	driver.slot = 0;
	driver_begin(0);
	add_queue(1);
	add_queue(0);
	driver_ok();
}

static int setup(void **state)
{
	start(NULL);
	return 0;
}

static int teardown(void **state)
{
	surface_free(&seen);
	return driver_teardown(state);
}

/* A command, and after it @more bytes that are there already. What is answered */
static uint32_t ask(const void *command, size_t len, size_t more)
{
	struct virtio_gpu_ctrl_hdr *answer = at(ANSWER);

	memset(answer, 0xee, sizeof(*answer));
	memcpy(at(BUFFERS), command, len);
	*desc(0) = (struct vring_desc){ BUFFERS, len + more,
					VRING_DESC_F_NEXT, 1 };
	*desc(1) = (struct vring_desc){ ANSWER, 0x1000, VRING_DESC_F_WRITE, 0 };
	offer(0);
	kick();
	wait_for_all();
	return answer->type;
}

#define HEADER(name) .hdr = { .type = VIRTIO_GPU_CMD_##name }
#define ASK(type, ...) ({						\
	struct virtio_gpu_##type command_ = { __VA_ARGS__ };		\
	ask(&command_, sizeof(command_), 0);				\
})

static uint32_t make(uint32_t id, uint32_t format, uint32_t width,
		     uint32_t height)
{
	return ASK(resource_create_2d, HEADER(RESOURCE_CREATE_2D),
		   .resource_id = id, .format = format, .width = width,
		   .height = height);
}

static uint32_t unref(uint32_t id)
{
	return ASK(resource_unref, HEADER(RESOURCE_UNREF),
		   .resource_id = id);
}

static uint32_t attach(uint32_t id, const struct virtio_gpu_mem_entry *entry,
		       uint32_t nr)
{
	struct virtio_gpu_resource_attach_backing c = {
		HEADER(RESOURCE_ATTACH_BACKING), .resource_id = id,
		.nr_entries = nr };

	memcpy(at(BUFFERS + sizeof(c)), entry, nr * sizeof(*entry));
	return ask(&c, sizeof(c), nr * sizeof(*entry));
}

static uint32_t transfer(uint32_t id, struct virtio_gpu_rect r, uint64_t offset)
{
	return ASK(transfer_to_host_2d, HEADER(TRANSFER_TO_HOST_2D), .r = r,
		   .offset = offset, .resource_id = id);
}

static uint32_t show(uint32_t id, struct virtio_gpu_rect r)
{
	return ASK(set_scanout, HEADER(SET_SCANOUT), .r = r,
		   .resource_id = id);
}

static uint32_t flush(uint32_t id, struct virtio_gpu_rect r)
{
	return ASK(resource_flush, HEADER(RESOURCE_FLUSH), .r = r,
		   .resource_id = id);
}

static uint32_t detach(uint32_t id)
{
	return ASK(resource_detach_backing, HEADER(RESOURCE_DETACH_BACKING),
		   .resource_id = id);
}

#define RECT(...) ((struct virtio_gpu_rect){ __VA_ARGS__ })

#define PART(at, bytes) { .addr = (at), .length = (bytes) }

/* Of 8x4 pixels, each of its own, in two parts of memory that share one */
static void make_picture(void)
{
	struct virtio_gpu_mem_entry parts[] = { PART(PICTURE, 62),
						PART(PICTURE + 0x1000, 66) };
	uint8_t bytes[8 * 4 * 4];
	unsigned int i;

	for (i = 0; i < 32; i++)
		memcpy(bytes + 4 * i, &(uint32_t){ 0xff000000 | i << 16 |
						   (i + 1) << 8 | (i + 2) }, 4);
	memcpy(at(PICTURE), bytes, 62);
	memcpy(at(PICTURE + 0x1000), bytes + 62, 66);
	assert_int_equal(make(ID, BGRX, 8, 4), OK);
	assert_int_equal(attach(ID, parts, 2), OK);
}

static uint32_t colour(unsigned int i)
{
	return i << 16 | (i + 1) << 8 | (i + 2);
}

static void a_monitor(void **state)
{
	struct virtio_gpu_ctrl_hdr info = {
		.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
		.flags = VIRTIO_GPU_FLAG_FENCE, .fence_id = 5, .ctx_id = 6 };
	struct virtio_gpu_resp_display_info *d = at(ANSWER);
	struct virtio_gpu_resp_edid *edid = at(ANSWER);

	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10501af4);
	assert_int_equal(cfg_read(PCI_CLASS_DEVICE, 2), 0x0380);
	assert_int_equal(reg_read(CONFIG + 8, 4), 1);
	assert_int_equal(reg_read(CONFIG + 12, 4), 0);
	assert_int_equal(ask(&info, sizeof(info), 0),
			 VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_int_equal(d->hdr.flags, VIRTIO_GPU_FLAG_FENCE);
	assert_int_equal(d->hdr.fence_id, 5);
	assert_int_equal(d->hdr.ctx_id, 6);
	assert_int_equal(used()->ring[0].len, sizeof(*d));
	assert_int_equal(d->pmodes[0].r.width, 1024);
	assert_int_equal(d->pmodes[0].r.height, 768);
	assert_int_equal(d->pmodes[0].enabled, 1);
	assert_int_equal(d->pmodes[1].enabled, 0);
	assert_int_equal(ASK(cmd_get_edid, HEADER(GET_EDID)),
			 VIRTIO_GPU_RESP_OK_EDID);
	assert_int_equal(edid->size, 128);
	assert_memory_equal(edid->edid, "\0\xff\xff\xff", 4);
	/* The detailed timing's pixels */
	assert_int_equal(edid->edid[56] | edid->edid[58] >> 4 << 8, 1024);
	assert_int_equal(ASK(cmd_get_edid, HEADER(GET_EDID), .scanout = 1),
			 VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
}

static void a_picture(void **state)
{
	unsigned int i;

	/* Dark, as large as the monitor */
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.width, 1024);
	assert_int_equal(seen.height, 768);
	assert_int_equal(seen.pixels[0], 0);
	make_picture();
	assert_int_equal(transfer(ID, RECT(0, 0, 8, 4), 0), OK);
	assert_int_equal(show(ID, RECT(0, 0, 8, 4)), OK);
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.width, 8);
	assert_int_equal(seen.height, 4);
	assert_int_equal(seen.end, 4);
	for (i = 0; i < 32; i++)
		assert_int_equal(seen.pixels[i], colour(i));
	/* What is not copied is not seen; then only the rows that were */
	*(uint32_t *)at(PICTURE + 4 * 9) = 0x123456;
	*(uint32_t *)at(PICTURE + 4 * 8) = 0x654321;
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.first, seen.end);
	assert_int_equal(transfer(ID, RECT(1, 1, 1, 1), 4 * 9), OK);
	assert_int_equal(flush(ID, RECT(1, 1, 1, 1)), OK);
	assert_int_equal(screen_draw(&m, &seen, true), 0);
	assert_int_equal(seen.end, 4);
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.first, 1);
	assert_int_equal(seen.end, 2);
	assert_int_equal(seen.pixels[9], 0x123456);
	assert_int_equal(seen.pixels[8], colour(8));
	/* Two rows, in the middle, from another place: below each other */
	assert_int_equal(transfer(ID, RECT(2, 1, 3, 2), 4 * 20), OK);
	assert_int_equal(flush(ID, RECT(0, 0, 8, 4)), OK);
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.pixels[10], colour(20));
	assert_int_equal(seen.pixels[12], colour(22));
	assert_int_equal(seen.pixels[13], colour(13));
	assert_int_equal(seen.pixels[18], colour(28));
	/* A part of it */
	assert_int_equal(show(ID, RECT(3, 2, 4, 2)), OK);
	assert_int_equal(flush(ID, RECT(0, 0, 8, 2)), OK);
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.width, 4);
	assert_int_equal(seen.pixels[0], colour(29));
	assert_int_equal(seen.pixels[3], colour(22));
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.first, seen.end);
	assert_int_equal(flush(ID, RECT(0, 3, 8, 1)), OK);
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.first, 1);
	/* Gone */
	assert_int_equal(unref(ID), OK);
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.width, 1024);
	assert_int_equal(seen.pixels[3], 0);
}

/* The bytes of a pixel are 0x11, 0x22, 0x33, 0x44 */
static void formats(void **state)
{
	static const struct { uint32_t format, colour; } all[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0x44332211 },
		{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 0xff332211 },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 0x11223344 },
		{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 0xff223344 },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 0x44112233 },
		{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 0xff443322 },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 0x11443322 },
		{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 0xff112233 },
	};
	uint32_t pixel = 0x44332211;
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_int_equal(gpu_pixel(&pixel, all[i].format),
				 all[i].colour);
		assert_int_equal(make(ID + i, all[i].format, 1, 1), OK);
	}
	assert_int_equal(make(ID + i, 5, 1, 1),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

static void no_such_thing(void **state)
{
	struct virtio_gpu_mem_entry outside = PART(1ull << 40, 128);
	struct virtio_gpu_mem_entry few = PART(PICTURE, 127);
	const uint32_t no_id = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	const uint32_t invalid = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	const uint32_t unspec = VIRTIO_GPU_RESP_ERR_UNSPEC;

	assert_int_equal(unref(0), no_id);
	assert_int_equal(unref(ID), no_id);
	assert_int_equal(attach(ID, &few, 1), no_id);
	assert_int_equal(detach(ID), no_id);
	assert_int_equal(transfer(ID, RECT(0, 0, 1, 1), 0), no_id);
	assert_int_equal(show(ID, RECT(0, 0, 1, 1)), no_id);
	assert_int_equal(flush(ID, RECT(0, 0, 1, 1)), no_id);
	assert_int_equal(make(0, BGRX, 8, 4), no_id);
	assert_int_equal(make(ID, BGRX, 0, 4), invalid);
	assert_int_equal(make(ID, BGRX, 8, 0), invalid);
	make_picture();
	assert_int_equal(make(ID, BGRX, 8, 4), no_id);
	/* It has its memory already */
	assert_int_equal(attach(ID, &few, 1), unspec);
	assert_int_equal(transfer(ID, RECT(0, 0, 9, 4), 0), invalid);
	assert_int_equal(transfer(ID, RECT(0, 1, 8, 4), 0), invalid);
	assert_int_equal(transfer(ID, RECT(~0u, 0, 1, 1), 0), invalid);
	assert_int_equal(transfer(ID, RECT(0, 0, 1, 1), 128), invalid);
	assert_int_equal(transfer(ID, RECT(0, 0, 1, 1), 1ull << 32), invalid);
	assert_int_equal(show(ID, RECT(0, 0, 0, 4)), invalid);
	assert_int_equal(show(ID, RECT(1, 0, 8, 4)), invalid);
	assert_int_equal(flush(ID, RECT(0, 4, 8, 1)), invalid);
	assert_int_equal(ASK(set_scanout, HEADER(SET_SCANOUT), .scanout_id = 1,
			     .r = RECT(0, 0, 8, 4), .resource_id = ID),
			 VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
	/* Too little, none at all, and what is no memory */
	assert_int_equal(detach(ID), OK);
	assert_int_equal(transfer(ID, RECT(0, 0, 8, 4), 0), unspec);
	assert_int_equal(attach(ID, &few, 0), unspec);
	assert_int_equal(attach(ID, &few, 1), OK);
	assert_int_equal(transfer(ID, RECT(0, 0, 8, 4), 0), invalid);
	assert_int_equal(transfer(ID, RECT(0, 0, 8, 3), 0), OK);
	assert_int_equal(detach(ID), OK);
	assert_int_equal(attach(ID, &outside, 1), OK);
	assert_int_equal(transfer(ID, RECT(0, 0, 1, 1), 0), invalid);
	/* Not commands, or not here, or not whole */
	assert_int_equal(ASK(ctrl_hdr, .type = 0x999), unspec);
	assert_int_equal(ASK(update_cursor, HEADER(UPDATE_CURSOR)), unspec);
	assert_int_equal(ASK(ctrl_hdr, .type = VIRTIO_GPU_CMD_GET_EDID), unspec);
	assert_int_equal(make(ID + 1, BGRX, 8, 4), OK);
	assert_int_equal(ASK(resource_attach_backing,
			     HEADER(RESOURCE_ATTACH_BACKING),
			     .resource_id = ID + 1, .nr_entries = 2), unspec);
	assert_int_equal(attach(ID + 1, &few, 1), OK);
	assert_int_equal(reg_read(COMMON(device_status), 1) & 0x40, 0);
}

/* Of pictures there are some, and so many bytes; what is given back can be had */
static void begin_again(void)
{
	reg_write(COMMON(device_status), 0, 1);
	driver_begin(0);
	add_queue(1);
	add_queue(0);
	driver_ok();
}

static void no_room(void **state)
{
	const uint32_t none = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	struct virtio_gpu_mem_entry entry = PART(PICTURE, 4096);
	unsigned int i;

	memset(at(PICTURE), 0xee, 4096);
	assert_int_equal(make(1, BGRX, ~0u, ~0u), none);
	assert_int_equal(make(1, BGRX, 8192, 4097), none);
	assert_int_equal(make(1, BGRX, 8192, 4096), OK);
	assert_int_equal(attach(1, &entry, 1), none);
	assert_int_equal(make(2, BGRX, 1, 1), none);
	assert_int_equal(unref(1), OK);
	for (i = 1; i <= 4; i++)
		assert_int_equal(make(i, BGRX, 4096, 2048), OK);
	assert_int_equal(unref(2), OK);
	assert_int_equal(unref(4), OK);
	assert_int_equal(make(5, BGRX, 4096, 2049), none);
	assert_int_equal(make(5, BGRX, 2048, 2048), OK);
	assert_int_equal(attach(5, &entry, 1), OK);
	assert_int_equal(make(6, BGRX, 4096, 2048), OK);
	assert_int_equal(make(7, BGRX, 4096, 1024), none);
	for (i = 8; i < GPU_RESOURCES + 4; i++)
		assert_int_equal(make(i, BGRX, 1, 1), OK);
	assert_int_equal(make(i, BGRX, 1, 1), none);
	/* Who starts anew has all of it, and finds nothing in there */
	assert_int_equal(transfer(5, RECT(0, 0, 1024, 1), 0), OK);
	begin_again();
	assert_int_equal(make(1, BGRX, 8192, 4096), OK);
	assert_int_equal(attach(1, &entry, 1), none);
	assert_int_equal(unref(1), OK);
	/* So it is after the machine's reset, which forgets what there was */
	assert_int_equal(make(1, BGRX, 2560, 1600), OK);
	assert_int_equal(attach(1, &entry, 1), OK);
	assert_int_equal(transfer(1, RECT(0, 0, 1024, 1), 0), OK);
	assert_true(screen_resize(&m, 700, 500));
	devices_reset(&m);
	assert_int_equal(screen_draw(&m, &seen, true), 0);
	assert_int_equal(seen.width, 700);
	begin_again();
	assert_int_equal(make(1, BGRX, 8192, 4096), OK);
	assert_int_equal(show(1, RECT(0, 0, 2561, 1600)),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(show(1, RECT(0, 0, 2560, 1600)), OK);
	assert_int_equal(screen_draw(&m, &seen, true), 0);
	for (i = 0; i < 2560 * 1600; i++)
		if (seen.pixels[i])
			break;
	assert_int_equal(i, 2560 * 1600);
}

static uint32_t point(uint32_t id, uint32_t x, uint32_t y)
{
	return ASK(update_cursor, HEADER(UPDATE_CURSOR), .resource_id = id,
		   .hot_x = x, .hot_y = y);
}

static void a_pointer(void **state)
{
	static struct screen_cursor c;
	static uint32_t pixels[64 * 64];
	struct virtio_gpu_mem_entry entry = PART(PICTURE, sizeof(pixels));

	pixels[0] = 0x80123456;
	pixels[65] = 0xff00ff00;
	memcpy(at(PICTURE), pixels, sizeof(pixels));
	assert_int_equal(make(ID, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64), OK);
	assert_int_equal(attach(ID, &entry, 1), OK);
	assert_int_equal(transfer(ID, RECT(0, 0, 64, 64), 0), OK);
	assert_int_equal(make(ID + 1, BGRX, 64, 63), OK);
	screen_cursor(&m, &c);
	assert_false(c.shown);
	driver.queue = 1;
	assert_int_equal(point(ID, 3, 4), OK);
	assert_true(screen_cursor(&m, &c));
	assert_true(c.shown);
	assert_int_equal(c.hot_x, 3);
	assert_int_equal(c.hot_y, 4);
	assert_memory_equal(c.pixel, pixels, sizeof(pixels));
	assert_false(screen_cursor(&m, &c));
	assert_int_equal(ASK(update_cursor, HEADER(MOVE_CURSOR),
			     .pos.x = 9, .resource_id = ID), OK);
	assert_false(screen_cursor(&m, &c));
	assert_int_equal(point(ID + 1, 0, 0),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(point(ID, 64, 0),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(point(99, 0, 0),
			 VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(ASK(update_cursor, HEADER(UPDATE_CURSOR),
			     .pos.scanout_id = 1, .resource_id = ID),
			 VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
	assert_false(screen_cursor(&m, &c));
	/* Without an answer; and none is shown any more */
	*(struct virtio_gpu_update_cursor *)at(BUFFERS) =
		(struct virtio_gpu_update_cursor){ HEADER(UPDATE_CURSOR) };
	*desc(0) = (struct vring_desc){
		BUFFERS, sizeof(struct virtio_gpu_update_cursor), 0, 0 };
	offer(0);
	kick();
	wait_for_all();
	assert_true(screen_cursor(&m, &c));
	assert_false(c.shown);
}

static void another_size(void **state)
{
	struct virtio_gpu_resp_display_info *d = at(ANSWER);
	uint8_t generation = reg_read(COMMON(config_generation), 1);

	assert_true(screen_resize(&m, 1024, 768));
	assert_int_equal(reg_read(CONFIG, 4), 0);
	assert_true(screen_resize(&m, 800, 601));
	assert_int_equal(reg_read(CONFIG, 4), VIRTIO_GPU_EVENT_DISPLAY);
	assert_int_not_equal(reg_read(COMMON(config_generation), 1),
			     generation);
	reg_write(CONFIG + 4, VIRTIO_GPU_EVENT_DISPLAY, 4);
	assert_int_equal(reg_read(CONFIG, 4), 0);
	assert_int_equal(ASK(ctrl_hdr,
			     .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO),
			 VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_int_equal(d->pmodes[0].r.width, 800);
	assert_int_equal(d->pmodes[0].r.height, 601);
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.height, 601);
}

/* In any order: the VGA is seen until a driver shows something, and again then */
static void beside_a_vga(void **state)
{
	static const char *const orders[][2] = { { "virtio-gpu", "vga" },
						 { "vga", "virtio-gpu" } };
	struct screen_cursor c = { 0 };
	struct screen *vga, *gpu;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		bare_start();
		memory_destroy(&m.memory);
		assert_int_equal(memory_create(&m.memory, MEMORY, false,
					       &error), 0);
		bare_device("pci-host");
		bare_device(orders[i][0]);
		bare_device(orders[i][1]);
		driver.slot = i;
		driver_begin(0);
		add_queue(1);
		add_queue(0);
		driver_ok();
		assert_true(m.vga);
		vga = m.screen;
		gpu = vga->next;
		assert_null(gpu->next);
		assert_string_equal(vga->device->class->name, "vga");
		assert_int_equal(screen_draw(&m, &seen, false), 0);
		assert_false(screen_resize(&m, 800, 600));
		make_picture();
		assert_ptr_equal(m.screen, vga);
		assert_int_equal(show(ID, RECT(0, 0, 8, 4)), OK);
		assert_ptr_equal(m.screen, gpu);
		assert_ptr_equal(gpu->next, vga);
		assert_int_equal(screen_draw(&m, &seen, false), 0);
		assert_int_equal(seen.width, 8);
		assert_true(screen_resize(&m, 800, 600));
		assert_int_equal(make(ID + 1, BGRX, 64, 64), OK);
		driver.queue = 1;
		assert_int_equal(point(ID + 1, 0, 0), OK);
		driver.queue = 0;
		assert_true(screen_cursor(&m, &c));
		assert_true(c.shown);
		reg_write(COMMON(device_status), 0, 1);
		assert_ptr_equal(m.screen, vga);
		/* All of it is new to who looks */
		assert_int_equal(screen_draw(&m, &seen, false), 0);
		assert_int_equal(seen.end, seen.height);
		assert_true(screen_cursor(&m, &c));
		assert_false(c.shown);
	}
	assert_null(device_create(&m, "virtio-gpu", NULL, &error));
	devices_destroy(&m);
	assert_null(m.screen);
	assert_false(m.vga);
}

static bool has_stopped(void *ctx)
{
	return !virtio_is_running(ctx);
}

static void run_until_broken(void)
{
	loop_run(&m.loop, has_stopped, m.screen->device);
	assert_true(reg_read(COMMON(device_status), 1) &
		    VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void broken(void **state)
{
	*desc(0) = (struct vring_desc){ BUFFERS, 23, VRING_DESC_F_NEXT, 1 };
	*desc(1) = (struct vring_desc){ ANSWER, 0x1000, VRING_DESC_F_WRITE, 0 };
	offer(0);
	kick();
	run_until_broken();
	/* Too small for an answer */
	start(NULL);
	*desc(0) = (struct vring_desc){ BUFFERS, 24, VRING_DESC_F_NEXT, 1 };
	*desc(1) = (struct vring_desc){ ANSWER, 23, VRING_DESC_F_WRITE, 0 };
	offer(0);
	kick();
	run_until_broken();
}

/* A machine that goes on elsewhere shows the same, and can go on drawing */
static void a_move(void **state)
{
	static const struct { const char *name; int value; } wrong[] = {
		{ "at", 4096 }, { "entries_at", 0 }, { "format", 5 }, { "width", 0 }, { "height", 0x7fffffff },
		{ "at", 1 }, { "at", GPU_MEMORY }, { "entries", 16385 },
		{ "entries_at", GPU_MEMORY },
	};
	json_t *saved, *device, *first, *old;
	uint8_t *memory;
	unsigned int i;

	assert_true(screen_resize(&m, 640, 480));
	make_picture();
	assert_int_equal(transfer(ID, RECT(0, 0, 8, 4), 0), OK);
	assert_int_equal(show(ID, RECT(1, 1, 4, 2)), OK);
	saved = devices_save(&m);
	memory = malloc(m.memory.all);
	assert_non_null(saved);
	assert_non_null(memory);
	memcpy(memory, m.memory.base, m.memory.all);
	driver_teardown(NULL);
	start(NULL);
	memcpy(m.memory.base, memory, m.memory.all);
	free(memory);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	driver.avail[0] = avail()->idx;
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.width, 4);
	assert_int_equal(seen.pixels[0], colour(9));
	*(uint32_t *)at(PICTURE + 4 * 9) = 0x123456;
	assert_int_equal(transfer(ID, RECT(0, 0, 8, 4), 0), OK);
	assert_int_equal(flush(ID, RECT(0, 0, 8, 4)), OK);
	assert_int_equal(screen_draw(&m, &seen, false), 0);
	assert_int_equal(seen.pixels[0], 0x123456);
	device = json_object_get(saved, "virtio-gpu.0");
	first = json_array_get(json_object_get(device, "resources"), 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		old = json_incref(json_object_get(first, wrong[i].name));
		json_object_set_new(first, wrong[i].name,
				    json_integer(wrong[i].value));
		assert_int_equal(devices_load(&m, saved, &error), -1);
		assert_non_null(strstr(error.text, "pictures"));
		json_object_set_new(first, wrong[i].name, old);
	}
	json_object_set_new(first, "id", json_integer(ID + 1));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "shown"));
	json_object_set_new(first, "id", json_integer(ID));
	json_object_set_new(json_array_get(json_object_get(device, "scanout"), 0), "x",
			    json_integer(5));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "shown"));
	json_object_set_new(json_array_get(json_object_get(device, "scanout"), 0), "x",
			    json_integer(1));
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_object_set_new(json_array_get(json_object_get(device, "cursor"), 0), "hot_x",
			    json_integer(64));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_object_set_new(json_array_get(json_object_get(device, "cursor"), 0), "hot_x",
			    json_integer(63));
	json_object_set_new(device, "width", json_integer(2561));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "size"));
	json_decref(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_monitor), TEST(a_picture), TEST(formats),
		TEST(no_such_thing), TEST(no_room), TEST(a_pointer),
		TEST(another_size), TEST(beside_a_vga), TEST(broken),
		TEST(a_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
