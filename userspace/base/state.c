// SPDX-License-Identifier: GPL-2.0
/* See state.h. */
#include <string.h>
#include "base/state.h"

void fields_clear(const struct field *fields, void *object)
{
	const struct field *f;
	size_t i;

	for (f = fields; f->name; f++) {
		char *at = (char *)object + f->offset;

		if (f->kind != FIELD_STRUCT)
			memset(at, 0, f->count * f->size);
		/* A struct may have more than its fields */
		for (i = 0; f->kind == FIELD_STRUCT && i < f->count; i++)
			fields_clear(f->fields, at + i * f->size);
	}
}

static json_t *save_one(const struct field *f, const void *at)
{
	uint64_t value = 0;

	switch (f->kind) {
	case FIELD_STRUCT:
		return fields_save(f->fields, at);
	case FIELD_BOOL:
		return json_boolean(*(const bool *)at);
	default:
		memcpy(&value, at, f->size);
		/* JSON's integers are signed here: the bits are what counts */
		return json_integer(value);
	}
}

json_t *fields_save(const struct field *fields, const void *object)
{
	json_t *saved = json_object(), *list;
	const struct field *f;
	size_t i;

	for (f = fields; f->name; f++) {
		const char *at = (const char *)object + f->offset;
		int ret;

		if (f->count == 1 && f->kind != FIELD_STRUCT) {
			ret = json_object_set_new(saved, f->name,
						  save_one(f, at));
		} else {
			list = json_array();
			for (i = 0, ret = 0; i < f->count && !ret; i++)
				ret = json_array_append_new(
					list, save_one(f, at + i * f->size));
			ret |= json_object_set_new(saved, f->name, list);
		}
		if (ret) {
			json_decref(saved);
			return NULL;
		}
	}
	return saved;
}

static int load_one(const struct field *f, void *at, const json_t *saved,
		    struct error *error)
{
	uint64_t value;

	if (f->kind == FIELD_STRUCT)
		return fields_load(f->fields, at, saved, error);
	if (f->kind == FIELD_BOOL) {
		if (!json_is_boolean(saved))
			return fail(error, STATUS_DATA,
				    "%s is neither true nor false", f->name);
		*(bool *)at = json_is_true(saved);
		return 0;
	}
	if (!json_is_integer(saved))
		return fail(error, STATUS_DATA, "%s is not an integer",
			    f->name);
	value = json_integer_value(saved);
	if (f->size < 8 && value >> 8 * f->size)
		return fail(error, STATUS_DATA,
			    "%s is 0x%llx, which does not fit into %zu bytes",
			    f->name, (unsigned long long)value, f->size);
	memcpy(at, &value, f->size);
	return 0;
}

static int load_field(const struct field *f, void *at, const json_t *saved,
		      struct error *error)
{
	size_t i;

	if (!saved)
		return fail(error, STATUS_DATA, "%s is missing", f->name);
	if (f->count == 1 && f->kind != FIELD_STRUCT)
		return load_one(f, at, saved, error);
	if (!json_is_array(saved) || json_array_size(saved) != f->count)
		return fail(error, STATUS_DATA, "%s is not a list of %zu",
			    f->name, f->count);
	for (i = 0; i < f->count; i++)
		if (load_one(f, (char *)at + i * f->size,
			     json_array_get(saved, i), error))
			return -1;
	return 0;
}

int fields_load(const struct field *fields, void *object, const json_t *saved,
		struct error *error)
{
	const struct field *f;
	size_t n = 0;

	if (!json_is_object(saved))
		return fail(error, STATUS_DATA, "a state that is no object");
	for (f = fields; f->name; f++, n++)
		if (load_field(f, (char *)object + f->offset,
			       json_object_get(saved, f->name), error))
			return -1;
	if (json_object_size(saved) != n)
		return fail(error, STATUS_DATA,
			    "%zu fields, of which only %zu are known",
			    json_object_size(saved), n);
	return 0;
}
