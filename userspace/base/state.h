/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device's state as a table of named fields: reset, save and load come from
 * it. The saved form is a JSON object with a member for each field.
 */
#ifndef MVMM_STATE_H
#define MVMM_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum field_kind { FIELD_END, FIELD_BOOL, FIELD_U8, FIELD_U16, FIELD_U32,
		  FIELD_U64, FIELD_S64, FIELD_STRUCT };

/**
 * struct field - one member of a struct, or an array
 * @name: in the saved form
 * @kind: of an element
 * @offset: in the struct
 * @count: elements; more than one are a JSON array
 * @size: bytes of an element
 * @fields: of FIELD_STRUCT
 */
struct field {
	const char *name;
	enum field_kind kind;
	size_t offset, count, size;
	const struct field *fields;
};

#define FIELD_KIND(x)							\
	_Generic((x), bool: FIELD_BOOL, uint8_t: FIELD_U8,		\
		 uint16_t: FIELD_U16, uint32_t: FIELD_U32,		\
		 uint64_t: FIELD_U64, unsigned long long: FIELD_U64,	\
		 int64_t: FIELD_S64)
#define MEMBER(type, member) (((type *)0)->member)
#define FIELD(type, member)						\
	{ #member, FIELD_KIND(MEMBER(type, member)),			\
	  offsetof(type, member), 1, sizeof(MEMBER(type, member)), NULL }
#define FIELD_ARRAY(type, member)					\
	{ #member, FIELD_KIND(MEMBER(type, member)[0]),			\
	  offsetof(type, member),					\
	  sizeof(MEMBER(type, member)) / sizeof(MEMBER(type, member)[0]),	\
	  sizeof(MEMBER(type, member)[0]), NULL }
/* The first @nr of an array */
#define FIELD_STRUCTS_OF(type, member, nr, table)			\
	{ #member, FIELD_STRUCT, offsetof(type, member), nr,		\
	  sizeof(MEMBER(type, member)[0]), table }
#define FIELD_STRUCTS(type, member, table)				\
	FIELD_STRUCTS_OF(type, member,					\
			 sizeof(MEMBER(type, member)) /			\
			 sizeof(MEMBER(type, member)[0]), table)
#define FIELD_ONE(type, member, table)					\
	{ #member, FIELD_STRUCT, offsetof(type, member), 1,		\
	  sizeof(MEMBER(type, member)), table }
#define FIELDS_END { NULL, FIELD_END, 0, 0, 0, NULL }

/* All fields zero */
void fields_clear(const struct field *fields, void *object);
/* A new reference, or NULL: no memory */
json_t *fields_save(const struct field *fields, const void *object);
/*
 * Each field has to be there, and no other; values have to fit. -1 with @error,
 * and @object is undefined then. What values mean is for the caller to check.
 */
int fields_load(const struct field *fields, void *object, const json_t *saved,
		struct error *error);

#endif
