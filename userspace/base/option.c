// SPDX-License-Identifier: GPL-2.0
/* Options and their values: see option.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/option.h"

bool parse_number(const char *text, uint64_t *value, bool suffix)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, hex ? 16 : 10);
	if (errno)
		return false;
	if (suffix && *end) {
		switch (*end++) {
		case 'K': case 'k':
			shift = 10;
			break;
		case 'M': case 'm':
			shift = 20;
			break;
		case 'G': case 'g':
			shift = 30;
			break;
		default:
			return false;
		}
	}
	if (*end || *value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

/* Little-endian, as the host is */
static void put(const struct option_spec *spec, void *object, uint64_t value)
{
	memcpy((char *)object + spec->offset, &value, spec->size);
}

void options_default(const struct option_spec *specs, void *object)
{
	for (; specs && specs->kind != OPTION_END; specs++)
		if (specs->kind != OPTION_STRING &&
		    specs->kind != OPTION_STRINGS)
			put(specs, object, specs->def);
}

const struct option_spec *option_find(const struct option_spec *specs,
				      const char *name)
{
	for (; specs && specs->kind != OPTION_END; specs++)
		if (!strcmp(specs->name, name))
			return specs;
	return NULL;
}

static uint64_t max_of(const struct option_spec *spec)
{
	return spec->max ? spec->max : ~0ull >> (64 - 8 * spec->size);
}

/* As a user writes it */
static const char *number_text(const struct option_spec *spec, char *text,
			       size_t len, uint64_t value)
{
	static const char *const suffix[] = { "", "K", "M", "G" };
	unsigned int i = 0;

	while (spec->kind == OPTION_SIZE && value && !(value & 1023) && i < 3) {
		value >>= 10;
		i++;
	}
	snprintf(text, len, "%llu%s", (unsigned long long)value, suffix[i]);
	return text;
}

static int set_number(const struct option_spec *spec, void *object,
		      const char *text, struct error *error)
{
	bool is_size = spec->kind == OPTION_SIZE;
	char min[24], max[24];
	uint64_t value;

	if (!parse_number(text, &value, is_size))
		return fail(error, STATUS_USAGE, "is not a %s",
			    is_size ? "size: write 64M, say" : "number");
	if (is_size && value < spec->min &&
	    isdigit((unsigned char)text[strlen(text) - 1]))
		return fail(error, STATUS_USAGE,
			    "is out of range: did you mean %sM?", text);
	if (value < spec->min || value > max_of(spec))
		return fail(error, STATUS_USAGE,
			    "is out of range: from %s to %s%s%s",
			    number_text(spec, min, sizeof(min), spec->min),
			    number_text(spec, max, sizeof(max), max_of(spec)),
			    spec->hint ? "; " : "",
			    spec->hint ? spec->hint : "");
	put(spec, object, value);
	return 0;
}

static int add_string(const struct option_spec *spec, void *object,
		      const char *text, struct error *error)
{
	const char **at = (const char **)((char *)object + spec->offset);
	size_t i, nr = spec->size / sizeof(*at);

	for (i = 0; i < nr; i++) {
		if (at[i])
			continue;
		at[i] = text;
		return 0;
	}
	return fail(error, STATUS_USAGE, "is one too many: at most %zu", nr);
}

static int set_string(const struct option_spec *spec, void *object,
		      const char *text, struct error *error)
{
	if (!*text)
		return fail(error, STATUS_USAGE, "is empty");
	if (spec->max && strlen(text) > spec->max)
		return fail(error, STATUS_USAGE, "is longer than %llu bytes",
			    (unsigned long long)spec->max);
	if (spec->kind == OPTION_STRINGS)
		return add_string(spec, object, text, error);
	put(spec, object, (uintptr_t)text);
	return 0;
}

static const char *const *words_of(const struct option_spec *spec)
{
	static const char *const of_bool[] = { "off", "on", NULL };

	return spec->kind == OPTION_BOOL ? of_bool : spec->words;
}

/* "a|b|c" */
static const char *words_text(const char *const *words, char *text, size_t len)
{
	size_t n = 0;

	for (; *words && n < len; words++)
		n += snprintf(text + n, len - n, "%s%s", n ? "|" : "", *words);
	return text;
}

static int set_choice(const struct option_spec *spec, void *object,
		      const char *text, struct error *error)
{
	const char *const *words = words_of(spec);
	char all[120];
	unsigned int i;

	for (i = 0; words[i] && strcmp(words[i], text); i++)
		;
	if (!words[i])
		return fail(error, STATUS_USAGE, "is none of %s",
			    words_text(words, all, sizeof(all)));
	put(spec, object, i);
	return 0;
}

int option_set(const struct option_spec *spec, void *object, const char *value,
	       struct error *error)
{
	switch (spec->kind) {
	case OPTION_STRING:
	case OPTION_STRINGS:
		return set_string(spec, object, value, error);
	case OPTION_BOOL:
	case OPTION_CHOICE:
		return set_choice(spec, object, value, error);
	default:
		return set_number(spec, object, value, error);
	}
}

char *option_next(char **text)
{
	char *word = *text, *at;
	int depth = 0;

	for (at = word; at && *at; at++) {
		depth += (*at == '[') - (*at == ']');
		if (*at != ',' || depth > 0)
			continue;
		*at = 0;
		*text = at + 1;
		return word;
	}
	*text = NULL;
	return word;
}

/* Off with the brackets around a value */
static char *unwrap(char *value)
{
	size_t len = strlen(value);

	if (len < 2 || value[0] != '[' || value[len - 1] != ']')
		return value;
	value[len - 1] = 0;
	return value + 1;
}

bool option_has(const struct option_spec *specs, const char *word)
{
	size_t len = strcspn(word, "=");

	for (; specs && specs->kind != OPTION_END; specs++)
		if (strlen(specs->name) == len && !memcmp(specs->name, word, len))
			return true;
	return false;
}

char *option_names(const struct option_spec *specs, char *text, size_t len)
{
	size_t n = strlen(text);

	for (; specs && specs->kind != OPTION_END && n < len; specs++)
		n += snprintf(text + n, len - n, "%s%s",
			      n && text[n - 1] != ' ' ? ", " : "", specs->name);
	return text;
}

int option_parse(const struct option_spec *specs, void *object, char *word,
		 struct error *error)
{
	char *value = word, *key = strsep(&value, "="), known[200] = "";
	const struct option_spec *spec = option_find(specs, key);
	struct error why = { 0 };

	if (!spec)
		return fail(error, STATUS_USAGE,
			    "%s is not known: these are: %s", key, specs ?
			    option_names(specs, known, sizeof(known)) : "none");
	if (!value && spec->kind != OPTION_BOOL)
		return fail(error, STATUS_USAGE, "%s has no value: %s=...",
			    key, key);
	value = value ? unwrap(value) : "on";
	if (option_set(spec, object, value, &why))
		return fail(error, why.status, "%s=%s %s", key, value,
			    why.text);
	return 0;
}

int options_parse(const struct option_spec *specs, void *object, char *text,
		  bool others, struct error *error)
{
	char *word;

	while ((word = option_next(&text)))
		if ((!others || option_has(specs, word)) &&
		    option_parse(specs, object, word, error))
			return -1;
	return 0;
}

void options_print(const struct option_spec *specs, FILE *out)
{
	static const char *const kinds[] = { [OPTION_NUMBER] = "NUMBER",
		[OPTION_SIZE] = "SIZE", [OPTION_STRING] = "TEXT",
		[OPTION_STRINGS] = "TEXT" };
	char text[120], min[24], max[24];

	for (; specs && specs->kind != OPTION_END; specs++) {
		const char *const *words = words_of(specs);
		int n = fprintf(out, "  %s=%s", specs->name, words ?
				words_text(words, text, sizeof(text)) :
				kinds[specs->kind]);

		fprintf(out, "%*s%s", n < 26 ? 26 - n : 1, "", specs->help);
		if (specs->max && specs->kind != OPTION_STRING &&
		    specs->kind != OPTION_STRINGS)
			fprintf(out, ", from %s to %s",
				number_text(specs, min, sizeof(min), specs->min),
				number_text(specs, max, sizeof(max),
					   specs->max));
		fputc('\n', out);
	}
}
