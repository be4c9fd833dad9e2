// SPDX-License-Identifier: GPL-2.0
/* See input.h. */
#include "core/machine.h"
#include "devices/input.h"

/*
 * The list is guarded by the main loop's lock: when a machine is rebuilt its
 * devices go, but not those who send events
 */
void input_register(struct input *input)
{
	struct machine *m = input->device->machine;

	pthread_mutex_lock(&m->loop.lock);
	input->next = m->inputs;
	m->inputs = input;
	pthread_mutex_unlock(&m->loop.lock);
}

static void take_out(struct input *input)
{
	struct input **p = &input->device->machine->inputs;

	for (; *p; p = &(*p)->next)
		if (*p == input) {
			*p = input->next;
			break;
		}
}

void input_unregister(struct input *input)
{
	struct machine *m = input->device->machine;

	pthread_mutex_lock(&m->loop.lock);
	take_out(input);
	pthread_mutex_unlock(&m->loop.lock);
}

void input_prefer(struct input *input)
{
	struct machine *m = input->device->machine;

	take_out(input);
	input->next = m->inputs;
	m->inputs = input;
}

/* Whoever has one of these INPUT_* takes it; 0: nobody */
static unsigned int kind(const struct input_report *event)
{
	switch (event->type) {
	case EV_KEY:
		if (event->code < BTN_MISC)
			return INPUT_KEYS;
		return event->code >= BTN_LEFT && event->code <= BTN_EXTRA ?
		       INPUT_BUTTONS : 0;
	case EV_REL:
		return event->code == REL_WHEEL || event->code == REL_HWHEEL ?
		       INPUT_RELATIVE | INPUT_WHEEL : INPUT_RELATIVE;
	case EV_ABS:
		return event->code == ABS_X || event->code == ABS_Y ?
		       INPUT_ABSOLUTE : 0;
	default:
		return 0;
	}
}

static struct input *find(struct machine *m, unsigned int takes)
{
	struct input *input;

	for (input = m->inputs; input && !(input->takes & takes);
	     input = input->next)
		;
	return input;
}

void input_emit(struct machine *m, const struct input_report *event,
		unsigned int nr)
{
	struct input *input;
	unsigned int i;

	pthread_mutex_lock(&m->loop.lock);
	for (i = 0; i < nr; i++) {
		input = find(m, kind(&event[i]));
		if (input)
			input->event(input->device, &event[i]);
	}
	for (input = m->inputs; input; input = input->next)
		if (input->sync)
			input->sync(input->device);
	pthread_mutex_unlock(&m->loop.lock);
}

unsigned int input_taken(struct machine *m)
{
	unsigned int takes = 0;
	struct input *input;

	pthread_mutex_lock(&m->loop.lock);
	for (input = m->inputs; input; input = input->next)
		takes |= input->takes;
	pthread_mutex_unlock(&m->loop.lock);
	return takes;
}
