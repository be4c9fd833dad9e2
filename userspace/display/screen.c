// SPDX-License-Identifier: GPL-2.0
/* See screen.h. */
#include <stdlib.h>
#include "core/machine.h"
#include "display/screen.h"

int surface_resize(struct surface *surface, unsigned int width,
		   unsigned int height)
{
	size_t wanted = (size_t)width * height;
	uint32_t *pixels;

	if (wanted > surface->room) {
		pixels = realloc(surface->pixels, wanted * sizeof(*pixels));
		if (!pixels)
			return -1;
		surface->pixels = pixels;
		surface->room = wanted;
	}
	surface->width = width;
	surface->height = height;
	return 0;
}

void surface_free(struct surface *surface)
{
	free(surface->pixels);
	*surface = (struct surface){ 0 };
}

/* NULL: see screen_draw(). The screen's functions outlive its device */
static void *take_view(struct machine *m, bool all,
		       const struct screen_ops **ops)
{
	void *view = NULL;

	pthread_mutex_lock(&m->loop.lock);
	/* Paused, its devices may be made anew */
	while (m->pausing && !machine_ended(m))
		pthread_cond_wait(&m->goes, &m->loop.lock);
	if (m->screen && !m->pausing) {
		*ops = m->screen->ops;
		view = malloc((*ops)->view_size);
	}
	if (view)
		(*ops)->look(m->screen->device, view, all);
	pthread_mutex_unlock(&m->loop.lock);
	return view;
}

bool screen_rings(struct machine *m, unsigned int *known)
{
	unsigned int before = *known;

	*known = __atomic_load_n(&m->beeps, __ATOMIC_RELAXED);
	return *known != before;
}

int screen_draw(struct machine *m, struct surface *surface, bool all)
{
	const struct screen_ops *ops;
	void *view = take_view(m, all, &ops);
	int ret = view ? ops->draw(view, surface) : -1;

	free(view);
	return ret;
}

int screen_text(struct machine *m, struct screen_text *text)
{
	const struct screen_ops *ops;
	void *view = take_view(m, true, &ops);
	int ret = view ? !ops->text(view, text) : -1;

	free(view);
	return ret;
}
