// SPDX-License-Identifier: GPL-2.0
/* What the keyboard and the mouse share: bytes that wait to be sent. */
#include "devices/isa/ps2.h"

void ps2_put(struct ps2_queue *queue, uint8_t byte)
{
	if (ps2_room(queue))
		queue->byte[(queue->first + queue->nr++) % PS2_QUEUE] = byte;
}

void ps2_reply(struct ps2_port *port, uint8_t byte)
{
	ps2_put(&port->replies, byte);
}

bool ps2_take(struct ps2_port *port, uint8_t *byte)
{
	struct ps2_queue *queue = port->replies.nr ? &port->replies :
						     &port->events;

	if (!queue->nr)
		return false;
	*byte = port->last = queue->byte[queue->first];
	queue->first = (queue->first + 1) % PS2_QUEUE;
	queue->nr--;
	return true;
}

static bool queue_is_valid(const struct ps2_queue *queue)
{
	return queue->first < PS2_QUEUE && queue->nr <= PS2_QUEUE;
}

bool ps2_is_valid(const struct ps2_port *port)
{
	return queue_is_valid(&port->replies) && queue_is_valid(&port->events);
}

static const struct field queue_fields[] = {
	FIELD_ARRAY(struct ps2_queue, byte), FIELD(struct ps2_queue, first),
	FIELD(struct ps2_queue, nr), FIELDS_END
};

const struct field ps2_port_fields[] = {
	FIELD_ONE(struct ps2_port, replies, queue_fields),
	FIELD_ONE(struct ps2_port, events, queue_fields),
	FIELD(struct ps2_port, last), FIELD(struct ps2_port, command),
	FIELDS_END
};
