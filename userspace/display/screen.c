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
		pixels = realloc(surface->room ? surface->pixels : NULL,
				 wanted * sizeof(*pixels));
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
	if (surface->room)
		free(surface->pixels);
	*surface = (struct surface){ 0 };
}

void surface_borrow(struct surface *surface, uint32_t *pixels,
		    unsigned int width, unsigned int height)
{
	bool borrows = surface->borrows;

	surface_free(surface);
	*surface = (struct surface){ pixels, width, height,
				     .borrows = borrows };
}

void screen_remove(struct screen *screen)
{
	struct screen **p = &screen->device->machine->screen;

	while (*p && *p != screen)
		p = &(*p)->next;
	if (*p)
		*p = screen->next;
}

void screen_put(struct screen *screen, bool first)
{
	struct screen **p = &screen->device->machine->screen;

	screen_remove(screen);
	while (!first && *p)
		p = &(*p)->next;
	screen->next = *p;
	*p = screen;
}

/* The screen that is seen, with the lock; NULL: there is none, or no machine */
static struct screen *lock_screen(struct machine *m)
{
	pthread_mutex_lock(&m->loop.lock);
	/* Paused, its devices may be made anew */
	while (m->pausing && !machine_ended(m))
		pthread_cond_wait(&m->goes, &m->loop.lock);
	return m->pausing ? NULL : m->screen;
}

/* NULL: see screen_draw(). The screen's functions outlive its device */
static void *take_view(struct machine *m, bool all,
		       const struct screen_ops **ops)
{
	struct screen *screen = lock_screen(m);
	void *view = NULL;

	if (screen) {
		*ops = screen->ops;
		view = malloc((*ops)->view_size);
	}
	if (view)
		(*ops)->look(screen->device, view, all);
	/* Of another screen everything is new, not only what has changed there */
	if (view && !all && m->seen != screen) {
		(*ops)->look(screen->device, view, true);
		m->seen = screen;
	}
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
	if (ret && !all) {
		/* What had changed was not drawn: all of it the next time */
		pthread_mutex_lock(&m->loop.lock);
		m->seen = NULL;
		pthread_mutex_unlock(&m->loop.lock);
	}
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

bool screen_cursor(struct machine *m, struct screen_cursor *cursor)
{
	struct screen *screen = lock_screen(m);
	bool changed = false;

	if (screen && screen->ops->cursor) {
		changed = screen->ops->cursor(screen->device, cursor);
	} else if (screen && cursor->serial) {
		/* That of a screen that is not seen any more */
		cursor->serial = 0;
		cursor->shown = false;
		changed = true;
	}
	pthread_mutex_unlock(&m->loop.lock);
	return changed;
}

bool screen_resize(struct machine *m, unsigned int width, unsigned int height)
{
	struct screen *screen = lock_screen(m);
	bool follows = screen && screen->ops->resized;

	if (follows)
		screen->ops->resized(screen->device, width, height);
	pthread_mutex_unlock(&m->loop.lock);
	return follows;
}
