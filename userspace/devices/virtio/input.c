// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-input (virtio 1.2, 5.8): a keyboard, and a tablet, whose pointer is where
 * the viewer's is. Until the guest has a driver for it the events go to whoever had
 * them before: firmware and boot loaders know an i8042.
 */
#include <linux/input.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <string.h>
#include "core/machine.h"
#include "devices/input.h"
#include "devices/virtio/virtio.h"

enum { EVENTS, STATUS, QUEUES };
/* Of a guest that does not look: what comes then is lost, as with a keyboard */
#define WAITING_MAX	256
#define LAST_KEY	KEY_MICMUTE

/**
 * struct vinput - a device
 * @input: takes events
 * @select: what the driver asks for in the configuration
 * @subsel: the same
 * @waiting: events for which there was no buffer yet: type, code, value
 * @nr: how many
 * @whole: how many of them there were when the last report was complete
 * @full: the report that comes now did not fit
 */
struct vinput {
	struct virtio virtio;
	struct input input;
	uint8_t select, subsel;
	uint64_t waiting[WAITING_MAX];
	uint32_t nr, whole;
	bool full;
};

static const struct device_class virtio_tablet;

static bool is_tablet(const struct vinput *v)
{
	return v->virtio.pci.device.class == &virtio_tablet;
}

/* ---- what it is ------------------------------------------------------------------------ */

static void set_bit(struct virtio_input_config *c, unsigned int bit)
{
	c->u.bitmap[bit / 8] |= 1u << bit % 8;
	if (c->size < bit / 8 + 1)
		c->size = bit / 8 + 1;
}

static void put_keyboard_bits(struct virtio_input_config *c)
{
	unsigned int code;

	switch (c->subsel) {
	case EV_KEY:
		for (code = KEY_ESC; code <= LAST_KEY; code++)
			set_bit(c, code);
		break;
	case EV_LED:
		set_bit(c, LED_NUML);
		set_bit(c, LED_CAPSL);
		set_bit(c, LED_SCROLLL);
		break;
	case EV_REP:
		/* The guest repeats keys */
		set_bit(c, REP_DELAY);
		set_bit(c, REP_PERIOD);
		break;
	}
}

static void put_tablet_bits(struct virtio_input_config *c)
{
	unsigned int code;

	switch (c->subsel) {
	case EV_KEY:
		for (code = BTN_LEFT; code <= BTN_EXTRA; code++)
			set_bit(c, code);
		break;
	case EV_REL:
		set_bit(c, REL_WHEEL);
		set_bit(c, REL_HWHEEL);
		break;
	case EV_ABS:
		set_bit(c, ABS_X);
		set_bit(c, ABS_Y);
		break;
	}
}

static void put_config(struct virtio *virtio, uint8_t *config)
{
	struct vinput *v = (struct vinput *)virtio;
	struct virtio_input_config c = { .select = v->select,
					 .subsel = v->subsel };
	bool tablet = is_tablet(v);

	switch (v->select) {
	case VIRTIO_INPUT_CFG_ID_NAME:
		c.size = v->subsel ? 0 : strlen(tablet ? "mvmm tablet" :
						"mvmm keyboard");
		if (c.size)
			memcpy(c.u.string, tablet ? "mvmm tablet" :
			       "mvmm keyboard", c.size);
		break;
	case VIRTIO_INPUT_CFG_ID_DEVIDS:
		c.size = v->subsel ? 0 : sizeof(c.u.ids);
		if (c.size)
			c.u.ids = (struct virtio_input_devids){
				.bustype = BUS_VIRTUAL, .vendor = 0x1af4,
				.product = tablet ? 2 : 1, .version = 1 };
		break;
	case VIRTIO_INPUT_CFG_EV_BITS:
		if (tablet)
			put_tablet_bits(&c);
		else
			put_keyboard_bits(&c);
		break;
	case VIRTIO_INPUT_CFG_ABS_INFO:
		if (!tablet || v->subsel > ABS_Y)
			break;
		c.size = sizeof(c.u.abs);
		c.u.abs = (struct virtio_input_absinfo){ .max = INPUT_ABS_MAX };
		break;
	}
	memcpy(config, &c, sizeof(c));
}

/* Both may be written at once; the rest is read-only */
static void write_config(struct virtio *virtio, uint64_t at, uint32_t value,
			 unsigned int size)
{
	struct vinput *v = (struct vinput *)virtio;

	for (; size; at++, value >>= 8, size--) {
		if (at == offsetof(struct virtio_input_config, select))
			v->select = value;
		else if (at == offsetof(struct virtio_input_config, subsel))
			v->subsel = value;
	}
}

/* ---- events ------------------------------------------------------------------------------ */

/* A buffer for each, as far as there are some */
static void flush(struct vinput *v)
{
	struct virtqueue *queue = &v->virtio.queue[EVENTS];
	struct virtio_input_event event;
	struct chain chain;
	unsigned int i;

	if (!queue->enabled || !virtio_is_running(&v->virtio) ||
	    !pci_is_master(&v->virtio.pci))
		return;
	for (i = 0; i < v->whole && queue_pop(queue, &chain); i++) {
		event = (struct virtio_input_event){ v->waiting[i] >> 48,
						     v->waiting[i] >> 32,
						     v->waiting[i] };
		if (chain_put(&chain, &event, sizeof(event)) < sizeof(event)) {
			virtio_break(&v->virtio,
				     "a buffer that is too small for an event");
			return;
		}
		queue_push(queue, &chain, sizeof(event));
	}
	if (!i)
		return;
	v->nr -= i;
	v->whole -= i;
	memmove(v->waiting, v->waiting + i, v->nr * sizeof(v->waiting[0]));
	queue_signal(queue);
}

/* LEDs: there are none to be lit */
static void take_status(struct vinput *v)
{
	struct virtqueue *queue = &v->virtio.queue[STATUS];
	struct chain chain;

	while (queue_pop(queue, &chain))
		queue_push(queue, &chain, 0);
	queue_signal(queue);
}

static void add(struct vinput *v, uint16_t type, uint16_t code, int32_t value)
{
	/* One is left for the end of the report */
	if (v->full || v->nr + (type != EV_SYN) >= WAITING_MAX) {
		v->full = true;
		return;
	}
	v->waiting[v->nr++] = (uint64_t)type << 48 | (uint64_t)code << 32 |
			      (uint32_t)value;
}

static void on_event(struct device *device, const struct input_report *event)
{
	struct vinput *v = (struct vinput *)device;

	if (event->type == EV_KEY && !is_tablet(v) && event->code > LAST_KEY)
		return;
	add(v, event->type, event->code, event->value);
}

/* A report is there wholly, or not at all */
static void on_sync(struct device *device)
{
	struct vinput *v = (struct vinput *)device;

	if (v->nr != v->whole || v->full)
		add(v, EV_SYN, SYN_REPORT, 0);
	if (v->full)
		v->nr = v->whole;
	v->full = false;
	v->whole = v->nr;
	flush(v);
}

/* ---- the device -------------------------------------------------------------------------- */

/* A driver is there: it gets the events from now on */
static void notified(struct virtio *virtio, struct virtqueue *queue)
{
	struct vinput *v = (struct vinput *)virtio;

	if (!v->input.takes) {
		v->input.takes = is_tablet(v) ? INPUT_ABSOLUTE | INPUT_BUTTONS |
						INPUT_WHEEL : INPUT_KEYS;
		input_prefer(&v->input);
	}
	if (queue->number == STATUS)
		take_status(v);
	else
		flush(v);
}

static void forget(struct virtio *virtio)
{
	struct vinput *v = (struct vinput *)virtio;

	v->input.takes = 0;
	v->nr = v->whole = 0;
	v->full = false;
	v->select = v->subsel = 0;
}

static uint64_t features(struct virtio *virtio)
{
	return 0;
}

static int create(struct device *device, struct error *error)
{
	static const struct virtio_ops ops = {
		.type = VIRTIO_ID_INPUT, .class = 0x098000,
		.features = features, .queues = QUEUES,
		.config_len = sizeof(struct virtio_input_config),
		.config = put_config, .write_config = write_config,
		.notified = notified, .reset = forget };
	struct vinput *v = (struct vinput *)device;

	v->input = (struct input){ .device = device, .event = on_event,
				   .sync = on_sync };
	if (virtio_create(&v->virtio, &ops, error))
		return -1;
	input_register(&v->input);
	return 0;
}

static void reset(struct device *device)
{
	virtio_reset((struct virtio *)device);
}

static int loaded(struct device *device, struct error *error)
{
	struct vinput *v = (struct vinput *)device;

	if (v->nr > WAITING_MAX || v->whole > v->nr)
		return fail(error, STATUS_DATA, "%u events of %u", v->whole,
			    v->nr);
	v->input.takes = 0;
	return virtio_loaded(&v->virtio, error);
}

static void destroy(struct device *device)
{
	struct vinput *v = (struct vinput *)device;

	input_unregister(&v->input);
	virtio_destroy(&v->virtio);
}

static const struct field fields[] = {
	VIRTIO_FIELDS(struct vinput, QUEUES),
	FIELD(struct vinput, select), FIELD(struct vinput, subsel),
	FIELD_ARRAY(struct vinput, waiting), FIELD(struct vinput, nr),
	FIELD(struct vinput, whole), FIELD(struct vinput, full), FIELDS_END
};

static const struct option_spec options[] = {
	VIRTIO_OPTIONS(struct vinput), OPTIONS_END
};

static const struct device_class virtio_keyboard = {
	.name = "virtio-keyboard", .help = "a keyboard, by virtio-input",
	.size = sizeof(struct vinput), .options = options, .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(virtio_keyboard);

static const struct device_class virtio_tablet = {
	.name = "virtio-tablet",
	.help = "a pointer that is where the viewer's is, by virtio-input",
	.size = sizeof(struct vinput), .options = options, .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(virtio_tablet);
