// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-gpu (virtio 1.2, 5.7), in two dimensions: the guest draws in its own
 * memory, says what is to be copied, and what of that is shown on the one monitor.
 * The size of that follows the viewer's window. Until the guest has a driver for it,
 * what a VGA beside it shows is the screen. The pictures are in gpu_store.c.
 */
#include <endian.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include "core/machine.h"
#include "devices/vga/vga.h"
#include "devices/virtio/gpu.h"
#include "devices/virtio/virtio.h"

enum { CONTROL, CURSOR, QUEUES };
/* So much work is done before others have their turn, about a byte's copy each */
#define WORK_MAX	(8u << 20)
/* Of a command, whatever it is: it may have the host take or give back memory */
#define WORK_COMMAND	(64u << 10)
#define CURSOR_BYTES	(SCREEN_CURSOR * SCREEN_CURSOR * sizeof(uint32_t))

/**
 * struct scanout - what is shown
 * @resource: of this name; 0: nothing
 * @x: which part of it
 * @y: the same
 * @width: the same
 * @height: the same
 */
struct scanout {
	uint32_t resource, x, y, width, height;
};

/**
 * struct cursor - the pointer's picture
 * @shown: there is one
 * @hot_x: where it points, from its left edge
 * @hot_y: from its upper one
 */
struct cursor {
	bool shown;
	uint32_t hot_x, hot_y;
};

/**
 * struct gpu - a device
 * @screen: what it shows
 * @xres: the monitor's pixels in a row after a reset: the option's, or what a viewer
 *	wanted last
 * @yres: its rows
 * @width: what they are now
 * @height: the same
 * @events: that the driver is told by the configuration
 * @store: the pictures
 * @scanout: the monitor
 * @cursor: the pointer
 * @pointer: its pixels, 0xaarrggbb
 * @pointers: how many there have been
 * @first: of the rows that were drawn since somebody has looked
 * @end: after the last of them
 * @all: everything has
 */
struct gpu {
	struct virtio virtio;
	struct screen screen;
	uint32_t xres, yres, width, height, events;
	struct gpu_store store;
	struct scanout scanout;
	struct cursor cursor;
	uint32_t *pointer, pointers;
	uint32_t first, end;
	bool all;
};

/* What a command is answered: a header, or one of these */
union answer {
	struct virtio_gpu_ctrl_hdr header;
	struct virtio_gpu_resp_display_info display;
	struct virtio_gpu_resp_edid edid;
};

/* ---- the monitor ------------------------------------------------------------------ */

static const struct scanout nothing;

/* Viewers can show no larger ones */
static bool is_size(uint32_t width, uint32_t height)
{
	return width && width <= SCREEN_X_MAX && height &&
	       height <= SCREEN_Y_MAX;
}

static void show(struct gpu *gpu, const struct scanout *scanout)
{
	gpu->scanout = *scanout;
	gpu->all = true;
	screen_put(&gpu->screen, scanout->resource);
}

static void changed_rows(struct gpu *gpu, uint32_t first, uint32_t end)
{
	if (gpu->first == gpu->end) {
		gpu->first = first;
		gpu->end = end;
		return;
	}
	gpu->first = first < gpu->first ? first : gpu->first;
	gpu->end = end > gpu->end ? end : gpu->end;
}

/**
 * struct gpu_view - all that a picture depends on
 * @pixels: the first one; NULL: the monitor is dark
 * @pitch: pixels from row to row
 * @format: VIRTIO_GPU_FORMAT_*
 * @width: of a row
 * @height: rows
 * @first: of the rows that are to be drawn
 * @end: after the last of them
 */
struct gpu_view {
	const uint32_t *pixels;
	uint32_t pitch, format, width, height, first, end;
};

static void look(struct device *device, void *view, bool all)
{
	struct gpu *gpu = (struct gpu *)device;
	const struct gpu_resource *r = gpu->scanout.resource ?
		gpu_find(&gpu->store, gpu->scanout.resource) : NULL;
	struct gpu_view *v = view;

	*v = (struct gpu_view){ .width = gpu->width, .height = gpu->height };
	if (r)
		*v = (struct gpu_view){
			.pixels = gpu_pixels(&gpu->store, r) +
				  (size_t)gpu->scanout.y * r->width +
				  gpu->scanout.x,
			.pitch = r->width, .format = r->format,
			.width = gpu->scanout.width,
			.height = gpu->scanout.height };
	v->end = v->height;
	if (all)
		return;
	if (!gpu->all) {
		v->first = gpu->first;
		v->end = gpu->end;
	}
	gpu->first = gpu->end = 0;
	gpu->all = false;
}

static int draw(const void *view, struct surface *surface)
{
	const struct gpu_view *v = view;
	uint32_t *to, x, y;

	/* All of another size is new */
	if (surface->width != v->width || surface->height != v->height) {
		surface->first = 0;
		surface->end = v->height;
	} else {
		surface->first = v->first;
		surface->end = v->end;
	}
	if (surface_resize(surface, v->width, v->height))
		return -1;
	for (y = surface->first; y < surface->end; y++) {
		to = surface->pixels + (size_t)y * v->width;
		for (x = 0; x < v->width; x++)
			to[x] = v->pixels ?
				gpu_pixel(v->pixels + (size_t)y * v->pitch + x,
					  v->format) & 0xffffff : 0;
	}
	return 0;
}

static bool text(const void *view, struct screen_text *text)
{
	return false;
}

static bool look_at_cursor(struct device *device, struct screen_cursor *cursor)
{
	struct gpu *gpu = (struct gpu *)device;

	if (cursor->serial == gpu->pointers)
		return false;
	cursor->serial = gpu->pointers;
	cursor->shown = gpu->cursor.shown;
	cursor->hot_x = gpu->cursor.hot_x;
	cursor->hot_y = gpu->cursor.hot_y;
	memcpy(cursor->pixel, gpu->pointer, CURSOR_BYTES);
	return true;
}

static void resized(struct device *device, unsigned int width,
		    unsigned int height)
{
	struct gpu *gpu = (struct gpu *)device;

	if (width == gpu->width && height == gpu->height)
		return;
	gpu->width = gpu->xres = width;
	gpu->height = gpu->yres = height;
	gpu->all = true;
	gpu->events |= VIRTIO_GPU_EVENT_DISPLAY;
	virtio_config_changed(&gpu->virtio);
}

/* ---- commands ----------------------------------------------------------------------- */

static uint32_t display_info(struct gpu *gpu, const void *command,
			     struct gpu_resource *r, struct chain *chain,
			     union answer *answer)
{
	answer->display.pmodes[0] = (struct virtio_gpu_display_one){
		.r = { .width = htole32(gpu->width),
		       .height = htole32(gpu->height) },
		.enabled = htole32(1) };
	return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
}

static uint32_t get_edid(struct gpu *gpu, const void *command,
			 struct gpu_resource *r, struct chain *chain,
			 union answer *answer)
{
	const struct virtio_gpu_cmd_get_edid *c = command;

	if (c->scanout)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	answer->edid.size = htole32(EDID_LEN);
	edid_make(answer->edid.edid, gpu->width, gpu->height);
	return VIRTIO_GPU_RESP_OK_EDID;
}

static uint32_t create_2d(struct gpu *gpu, const void *command,
			  struct gpu_resource *r, struct chain *chain,
			  union answer *answer)
{
	const struct virtio_gpu_resource_create_2d *c = command;
	struct virtio_gpu_resource_create_2d wanted = {
		.resource_id = le32toh(c->resource_id),
		.format = le32toh(c->format), .width = le32toh(c->width),
		.height = le32toh(c->height) };

	return gpu_make(&gpu->store, &wanted);
}

static uint32_t unref(struct gpu *gpu, const void *command,
		      struct gpu_resource *r, struct chain *chain,
		      union answer *answer)
{
	if (gpu->scanout.resource == r->id)
		show(gpu, &nothing);
	gpu_forget(&gpu->store, r);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t attach(struct gpu *gpu, const void *command,
		       struct gpu_resource *r, struct chain *chain,
		       union answer *answer)
{
	const struct virtio_gpu_resource_attach_backing *c = command;
	struct virtio_gpu_mem_entry *entries;
	uint32_t ret;
	size_t len;

	ret = gpu_attach(&gpu->store, r, le32toh(c->nr_entries), &entries);
	if (ret != VIRTIO_GPU_RESP_OK_NODATA)
		return ret;
	len = r->entries * sizeof(*entries);
	if (chain_take(chain, entries, len) == len)
		return ret;
	gpu_detach(&gpu->store, r);
	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

static uint32_t detach(struct gpu *gpu, const void *command,
		       struct gpu_resource *r, struct chain *chain,
		       union answer *answer)
{
	gpu_detach(&gpu->store, r);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static struct virtio_gpu_rect rect_of(const struct virtio_gpu_rect *r)
{
	return (struct virtio_gpu_rect){
		.x = le32toh(r->x), .y = le32toh(r->y),
		.width = le32toh(r->width), .height = le32toh(r->height) };
}

static uint32_t transfer(struct gpu *gpu, const void *command,
			 struct gpu_resource *r, struct chain *chain,
			 union answer *answer)
{
	const struct virtio_gpu_transfer_to_host_2d *c = command;
	struct virtio_gpu_rect rect = rect_of(&c->r);

	return gpu_transfer(&gpu->store, r, &rect, le64toh(c->offset));
}

static uint32_t set_scanout(struct gpu *gpu, const void *command,
			    struct gpu_resource *r, struct chain *chain,
			    union answer *answer)
{
	const struct virtio_gpu_set_scanout *c = command;
	struct virtio_gpu_rect rect = rect_of(&c->r);

	if (c->scanout_id)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (!c->resource_id) {
		show(gpu, &nothing);
		return VIRTIO_GPU_RESP_OK_NODATA;
	}
	if (!r)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!gpu_rect_fits(r, &rect) || !is_size(rect.width, rect.height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	show(gpu, &(struct scanout){ r->id, rect.x, rect.y, rect.width,
				     rect.height });
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t flush(struct gpu *gpu, const void *command,
		      struct gpu_resource *r, struct chain *chain,
		      union answer *answer)
{
	const struct virtio_gpu_resource_flush *c = command;
	struct virtio_gpu_rect rect = rect_of(&c->r);
	const struct scanout *s = &gpu->scanout;
	uint32_t first, end;

	if (!gpu_rect_fits(r, &rect))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	/* The rows that both have */
	first = rect.y > s->y ? rect.y : s->y;
	end = rect.y + rect.height < s->y + s->height ? rect.y + rect.height :
							s->y + s->height;
	if (s->resource == r->id && first < end)
		changed_rows(gpu, first - s->y, end - s->y);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t update_cursor(struct gpu *gpu, const void *command,
			      struct gpu_resource *r, struct chain *chain,
			      union answer *answer)
{
	const struct virtio_gpu_update_cursor *c = command;
	uint32_t hot_x = le32toh(c->hot_x), hot_y = le32toh(c->hot_y), i;

	if (c->pos.scanout_id)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (c->resource_id && !r)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (r && (r->width != SCREEN_CURSOR || r->height != SCREEN_CURSOR ||
		  hot_x >= SCREEN_CURSOR || hot_y >= SCREEN_CURSOR))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	gpu->cursor = (struct cursor){ r, hot_x, hot_y };
	for (i = 0; r && i < SCREEN_CURSOR * SCREEN_CURSOR; i++)
		gpu->pointer[i] = gpu_pixel(gpu_pixels(&gpu->store, r) + i,
					    r->format);
	gpu->pointers++;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* The viewer draws the pointer where its mouse is */
static uint32_t move_cursor(struct gpu *gpu, const void *command,
			    struct gpu_resource *r, struct chain *chain,
			    union answer *answer)
{
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/**
 * struct command - one that a driver may give
 * @type: VIRTIO_GPU_CMD_*
 * @queue: by which it comes
 * @len: bytes of it
 * @id: where in it a picture is named; 0: nowhere
 * @needs: there has to be that picture
 * @answer: bytes of what it is answered, if it succeeds
 * @run: returns a VIRTIO_GPU_RESP_*. @r: the picture, or NULL
 */
static const struct command {
	uint32_t type;
	unsigned int queue;
	size_t len, id;
	bool needs;
	size_t answer;
	uint32_t (*run)(struct gpu *gpu, const void *command,
			struct gpu_resource *r, struct chain *chain,
			union answer *answer);
} commands[] = {
#define HEADER sizeof(struct virtio_gpu_ctrl_hdr)
#define NAMES(type) sizeof(struct type), offsetof(struct type, resource_id)
	{ VIRTIO_GPU_CMD_GET_DISPLAY_INFO, CONTROL, HEADER, 0, false,
	  sizeof(struct virtio_gpu_resp_display_info), display_info },
	{ VIRTIO_GPU_CMD_GET_EDID, CONTROL,
	  sizeof(struct virtio_gpu_cmd_get_edid), 0, false,
	  sizeof(struct virtio_gpu_resp_edid), get_edid },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, CONTROL,
	  sizeof(struct virtio_gpu_resource_create_2d), 0, false, HEADER,
	  create_2d },
	{ VIRTIO_GPU_CMD_RESOURCE_UNREF, CONTROL,
	  NAMES(virtio_gpu_resource_unref), true, HEADER, unref },
	{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, CONTROL,
	  NAMES(virtio_gpu_resource_attach_backing), true, HEADER, attach },
	{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, CONTROL,
	  NAMES(virtio_gpu_resource_detach_backing), true, HEADER, detach },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, CONTROL,
	  NAMES(virtio_gpu_transfer_to_host_2d), true, HEADER, transfer },
	{ VIRTIO_GPU_CMD_SET_SCANOUT, CONTROL, NAMES(virtio_gpu_set_scanout),
	  false, HEADER, set_scanout },
	{ VIRTIO_GPU_CMD_RESOURCE_FLUSH, CONTROL,
	  NAMES(virtio_gpu_resource_flush), true, HEADER, flush },
	{ VIRTIO_GPU_CMD_UPDATE_CURSOR, CURSOR, NAMES(virtio_gpu_update_cursor),
	  false, HEADER, update_cursor },
	{ VIRTIO_GPU_CMD_MOVE_CURSOR, CURSOR,
	  sizeof(struct virtio_gpu_update_cursor), 0, false, HEADER,
	  move_cursor },
};

static const struct command *find_command(uint32_t type, unsigned int queue)
{
	const struct command *c;

	for (c = commands; c < commands + sizeof(commands) / sizeof(*c); c++)
		if (c->type == type && c->queue == queue)
			return c;
	return NULL;
}

/* It was taken whole. Returns a VIRTIO_GPU_RESP_* */
static uint32_t execute(struct gpu *gpu, const struct command *c,
			const uint8_t *request, struct chain *chain,
			union answer *answer)
{
	struct gpu_resource *r = NULL;
	__le32 id = 0;

	if (c->id)
		memcpy(&id, request + c->id, sizeof(id));
	if (id)
		r = gpu_find(&gpu->store, le32toh(id));
	if (c->needs && !r)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	return c->run(gpu, request, r, chain, answer);
}

/* One command. False: the device was broken. Adds to @work */
static bool serve(struct gpu *gpu, struct virtqueue *queue,
		  struct chain *chain, size_t *work)
{
	union {
		struct virtio_gpu_ctrl_hdr header;
		uint8_t bytes[72];
	} request = { 0 };
	union answer answer = { 0 };
	size_t len = sizeof(request.header);
	uint32_t type = VIRTIO_GPU_RESP_ERR_UNSPEC;
	const struct command *c;

	if (chain_take(chain, &request, len) < len) {
		virtio_break(&gpu->virtio, "a command without a header");
		return false;
	}
	c = find_command(le32toh(request.header.type), queue->number);
	if (c && chain_take(chain, request.bytes + len, c->len - len) ==
		 c->len - len)
		type = execute(gpu, c, request.bytes, chain, &answer);
	*work += WORK_COMMAND + gpu->store.copied;
	gpu->store.copied = 0;
	len = c && type < VIRTIO_GPU_RESP_ERR_UNSPEC ? c->answer :
						       sizeof(answer.header);
	answer.header = (struct virtio_gpu_ctrl_hdr){
		.type = htole32(type),
		.flags = request.header.flags & htole32(VIRTIO_GPU_FLAG_FENCE),
		.fence_id = request.header.fence_id,
		.ctx_id = request.header.ctx_id };
	/* Of a pointer many drivers want to hear nothing */
	if (queue->number == CURSOR && !chain->in)
		len = 0;
	if (chain_put(chain, &answer, len) < len) {
		virtio_break(&gpu->virtio,
			     "a buffer that is too small for an answer");
		return false;
	}
	queue_push(queue, chain, len);
	return true;
}

static void notified(struct virtio *virtio, struct virtqueue *queue)
{
	struct gpu *gpu = (struct gpu *)virtio;
	struct chain chain;
	size_t work = 0;

	while (work < WORK_MAX && queue_pop(queue, &chain))
		if (!serve(gpu, queue, &chain, &work))
			return;
	queue_signal(queue);
	/* A driver that adds more all the time */
	if (work >= WORK_MAX)
		virtio_again(virtio, queue);
}

/* ---- the device ----------------------------------------------------------------------- */

static void put_config(struct virtio *virtio, uint8_t *config)
{
	struct virtio_gpu_config c = {
		.events_read = htole32(((struct gpu *)virtio)->events),
		.num_scanouts = htole32(1) };

	memcpy(config, &c, sizeof(c));
}

static void write_config(struct virtio *virtio, uint64_t at, uint32_t value,
			 unsigned int size)
{
	if (at == offsetof(struct virtio_gpu_config, events_clear))
		((struct gpu *)virtio)->events &= ~value;
}

static void forget(struct virtio *virtio)
{
	struct gpu *gpu = (struct gpu *)virtio;

	gpu_forget_all(&gpu->store);
	show(gpu, &nothing);
	gpu->cursor = (struct cursor){ 0 };
	gpu->pointers++;
	gpu->first = gpu->end = 0;
}

static uint64_t features(struct virtio *virtio)
{
	return 1ull << VIRTIO_GPU_F_EDID;
}

static void destroy(struct device *device)
{
	struct gpu *gpu = (struct gpu *)device;

	screen_remove(&gpu->screen);
	virtio_destroy(&gpu->virtio);
}

static int create(struct device *device, struct error *error)
{
	static const struct virtio_ops ops = {
		.type = VIRTIO_ID_GPU, .class = 0x038000,
		.features = features, .queues = QUEUES,
		.config_len = sizeof(struct virtio_gpu_config),
		.config = put_config, .write_config = write_config,
		.notified = notified, .reset = forget };
	static const struct screen_ops screen_ops = {
		.view_size = sizeof(struct gpu_view), .look = look,
		.draw = draw, .text = text, .cursor = look_at_cursor,
		.resized = resized };
	struct gpu *gpu = (struct gpu *)device;
	struct memory *memory = &device->machine->memory;

	if (device->number)
		return fail(error, STATUS_USAGE,
			    "--device virtio-gpu: there is one");
	gpu->store.memory = memory;
	gpu->store.base = memory_take(memory, GPU_MEMORY);
	gpu->pointer = (uint32_t *)memory_take(memory, CURSOR_BYTES);
	if (!gpu->store.base || !gpu->pointer)
		return fail(error, STATUS_OS, "virtio-gpu: no memory");
	if (virtio_create(&gpu->virtio, &ops, error))
		return -1;
	gpu->screen = (struct screen){ .device = device, .ops = &screen_ops };
	screen_put(&gpu->screen, false);
	return 0;
}

/* The viewer's window is as it was */
static void reset(struct device *device)
{
	struct gpu *gpu = (struct gpu *)device;

	gpu->width = gpu->xres;
	gpu->height = gpu->yres;
	virtio_reset(&gpu->virtio);
}

static int loaded(struct device *device, struct error *error)
{
	struct gpu *gpu = (struct gpu *)device;
	const struct scanout *s = &gpu->scanout;
	const struct gpu_resource *r;
	struct virtio_gpu_rect rect = { s->x, s->y, s->width, s->height };

	if (!gpu_store_is_sane(&gpu->store))
		return fail(error, STATUS_DATA, "pictures that cannot be");
	r = s->resource ? gpu_find(&gpu->store, s->resource) : NULL;
	if (s->resource && (!r || !gpu_rect_fits(r, &rect) ||
			    !is_size(s->width, s->height)))
		return fail(error, STATUS_DATA, "nothing that could be shown");
	if (!is_size(gpu->width, gpu->height) ||
	    gpu->cursor.hot_x >= SCREEN_CURSOR ||
	    gpu->cursor.hot_y >= SCREEN_CURSOR)
		return fail(error, STATUS_DATA, "a size that cannot be");
	gpu->xres = gpu->width;
	gpu->yres = gpu->height;
	gpu->pointers++;
	gpu->first = gpu->end = 0;
	gpu->all = true;
	screen_put(&gpu->screen, s->resource);
	return virtio_loaded(&gpu->virtio, error);
}

static const struct field scanout_fields[] = {
	FIELD(struct scanout, resource), FIELD(struct scanout, x),
	FIELD(struct scanout, y), FIELD(struct scanout, width),
	FIELD(struct scanout, height), FIELDS_END
};

static const struct field cursor_fields[] = {
	FIELD(struct cursor, shown), FIELD(struct cursor, hot_x),
	FIELD(struct cursor, hot_y), FIELDS_END
};

static const struct field fields[] = {
	VIRTIO_FIELDS(struct gpu, QUEUES),
	FIELD(struct gpu, width), FIELD(struct gpu, height),
	FIELD(struct gpu, events),
	{ "resources", FIELD_STRUCT, offsetof(struct gpu, store.resource),
	  GPU_RESOURCES, sizeof(struct gpu_resource), gpu_resource_fields },
	FIELD_ONE(struct gpu, scanout, scanout_fields),
	FIELD_ONE(struct gpu, cursor, cursor_fields), FIELDS_END
};

static const struct option_spec options[] = {
	{ "xres", OPTION_NUMBER, OPTION_AT(struct gpu, xres), .def = 1024,
	  .min = SCREEN_LEAST, .max = SCREEN_X_MAX,
	  .help = "the monitor's pixels in a row, until a viewer wants others" },
	{ "yres", OPTION_NUMBER, OPTION_AT(struct gpu, yres), .def = 768,
	  .min = SCREEN_LEAST, .max = SCREEN_Y_MAX, .help = "its rows" },
	VIRTIO_OPTIONS(struct gpu), OPTIONS_END
};

static const struct device_class virtio_gpu = {
	.name = "virtio-gpu",
	.help = "a screen whose size follows the viewer's window",
	.size = sizeof(struct gpu), .options = options, .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(virtio_gpu);
