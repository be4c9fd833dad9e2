// SPDX-License-Identifier: GPL-2.0
/* A running machine is told nothing. */
#include "cmd/cmd.h"
#include "manage/control.h"
#include "without/without.h"

int control_start(struct control *control, struct machine *machine,
		  const char *path, struct error *error)
{
	return left_out(error, "--control", "control");
}

/* Of mvmm switch, which does without commands */
int control_serve(struct control *control,
		  json_t *(*execute)(void *ctx, const json_t *request,
				     struct error *error),
		  void *ctx, const char *path, struct error *error)
{
	return 0;
}

void control_stop(struct control *control)
{
}

json_t *control_ask(const char *path, json_t *request, struct error *error)
{
	json_decref(request);
	left_out(error, path, "control");
	return NULL;
}

int cmd_screen(int argc, char **argv)
{
	return no_command("screenshot, type, change ...", "control");
}
