/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options as a table: the command line, a file of options and whatever else
 * sets them go through it, and so does their help. Where they are kept, in a
 * device's struct say, is for the table's owner to say.
 */
#ifndef MVMM_OPTION_H
#define MVMM_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/error.h"

/*
 * BOOL is a bool; NUMBER an unsigned integer; SIZE an uint64_t, with a suffix;
 * STRING a const char *; STRINGS an array of these, of which each use takes the next
 * that is NULL; CHOICE an unsigned int, the number of the word
 */
enum option_kind { OPTION_END, OPTION_BOOL, OPTION_NUMBER, OPTION_SIZE,
		   OPTION_STRING, OPTION_STRINGS, OPTION_CHOICE };

/**
 * struct option_spec - an option
 * @name: of it
 * @kind: of its value
 * @offset: of the member that keeps it
 * @size: bytes of that
 * @def: the value before it is set; of STRING(S) and CHOICE there is none, or the
 *	first
 * @min: of a number or size
 * @max: the same, where it is not 0; of a string its bytes
 * @words: of CHOICE; ends with NULL
 * @help: what it is, in one line
 * @hint: goes behind an error, or NULL
 */
struct option_spec {
	const char *name;
	enum option_kind kind;
	size_t offset, size;
	uint64_t def, min, max;
	const char *const *words;
	const char *help, *hint;
};

/* For .offset and .size */
#define OPTION_AT(type, member)						\
	.offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define OPTIONS_END { .kind = OPTION_END }

/*
 * What @object has before anything is set. @specs: may be NULL, here and below
 */
void options_default(const struct option_spec *specs, void *object);
/* NULL: there is none */
const struct option_spec *option_find(const struct option_spec *specs,
				      const char *name);
/*
 * 0; or -1, and @error says what @value is not: "is not a number". A string is
 * not copied
 */
int option_set(const struct option_spec *spec, void *object, const char *value,
	       struct error *error);
/*
 * "key=value,key=value"; a key alone is on. A value with commas is in brackets.
 * @text is cut into pieces, which @object keeps pointers to. What comes later
 * wins. @others: keys that are not in the table are passed over. -1 with @error
 */
int options_parse(const struct option_spec *specs, void *object, char *text,
		  bool others, struct error *error);
/* One "key=value" of those, where other words may stand between them */
int option_parse(const struct option_spec *specs, void *object, char *word,
		 struct error *error);
/* Is the key of @word in the table? */
bool option_has(const struct option_spec *specs, const char *word);
/* Their names with commas, behind what @text has already; returns it */
char *option_names(const struct option_spec *specs, char *text, size_t len);
/* As strsep() with a comma, but those within brackets separate nothing */
char *option_next(char **text);
/* A line for each */
void options_print(const struct option_spec *specs, FILE *out);

/*
 * Decimal, or hexadecimal with 0x; 010 is ten. @suffix: K, M or G may follow.
 * False: it is none, or too large
 */
bool parse_number(const char *text, uint64_t *value, bool suffix);

#endif
