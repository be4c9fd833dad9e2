// SPDX-License-Identifier: GPL-2.0
/* Tables of options: what a user writes, what is kept, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/bare.h"

struct thing {
	uint8_t before;
	bool on;
	uint8_t small, after;
	uint16_t port;
	uint64_t size;
	const char *name;
	unsigned int colour;
	const char *wheel[2];
	uint8_t last;
};

static const char *const colours[] = { "red", "green", NULL };

static const struct option_spec specs[] = {
	{ "on", OPTION_BOOL, OPTION_AT(struct thing, on), .def = true,
	  .help = "is on" },
	{ "small", OPTION_NUMBER, OPTION_AT(struct thing, small),
	  .help = "a number" },
	{ "port", OPTION_NUMBER, OPTION_AT(struct thing, port), .def = 80,
	  .min = 1, .max = 1023, .help = "a port", .hint = "as root" },
	{ "size", OPTION_SIZE, OPTION_AT(struct thing, size),
	  .def = 1 << 20, .min = 4096, .max = 1ull << 40, .help = "its size" },
	{ "name", OPTION_STRING, OPTION_AT(struct thing, name), .max = 8,
	  .help = "its name" },
	{ "colour", OPTION_CHOICE, OPTION_AT(struct thing, colour), .def = 1,
	  .words = colours, .help = "its colour" },
	{ "wheel", OPTION_STRINGS, OPTION_AT(struct thing, wheel),
	  .help = "one more wheel" },
	OPTIONS_END
};

static char text[256];
static struct thing thing;

static int parse(const char *options)
{
	thing = (struct thing){ .before = 0xa5, .after = 0x5a };
	options_default(specs, &thing);
	snprintf(text, sizeof(text), "%s", options);
	error = (struct error){ 0 };
	return options_parse(specs, &thing, text, false, &error);
}

static void defaults(void **state)
{
	parse("on");
	assert_true(thing.on);
	assert_int_equal(thing.port, 80);
	assert_int_equal(thing.size, 1 << 20);
	assert_int_equal(thing.colour, 1);
	assert_null(thing.name);
	/* No table, no options */
	options_default(NULL, &thing);
	assert_null(option_find(NULL, "on"));
}

static void taken(void **state)
{
	assert_int_equal(parse("on=off,small=255,port=0x10,size=2G,name=a=b,colour=red"),
			 0);
	assert_false(thing.on);
	assert_int_equal(thing.small, 255);
	assert_int_equal(thing.port, 16);
	assert_int_equal(thing.size, 2ull << 30);
	assert_string_equal(thing.name, "a=b");
	assert_int_equal(thing.colour, 0);
	/* A number does not reach its neighbours */
	assert_int_equal(thing.before, 0xa5);
	assert_int_equal(thing.after, 0x5a);
	/* The last one wins; a key alone is on; brackets keep commas */
	assert_int_equal(parse("on=off,port=1,port=2,on,name=[a,[b],c]"), 0);
	assert_true(thing.on);
	assert_int_equal(thing.port, 2);
	assert_string_equal(thing.name, "a,[b],c");
}

static void refuse(const char *options, const char *why)
{
	assert_int_equal(parse(options), -1);
	assert_int_equal(error.status, STATUS_USAGE);
	if (strcmp(error.text, why))
		print_error("%s\n", error.text);
	assert_string_equal(error.text, why);
	assert_int_equal(thing.after, 0x5a);
}

/* One that comes several times, and words of which some are another's */
static void in_turn(void **state)
{
	char word[16] = "wheel=c", names[64] = "";

	assert_int_equal(parse("wheel=a,wheel=[b,c]"), 0);
	assert_string_equal(thing.wheel[0], "a");
	assert_string_equal(thing.wheel[1], "b,c");
	assert_int_equal(thing.last, 0);
	assert_int_equal(option_parse(specs, &thing, word, &error), -1);
	assert_string_equal(error.text, "wheel=c is one too many: at most 2");
	assert_true(option_has(specs, "on"));
	assert_true(option_has(specs, "wheel=1"));
	assert_false(option_has(specs, "wheels=1"));
	assert_false(option_has(specs, "whee"));
	assert_false(option_has(NULL, "on"));
	assert_string_equal(option_names(specs, names, sizeof(names)),
			    "on, small, port, size, name, colour, wheel");
	assert_int_equal(strlen(option_names(specs, names, sizeof(names))), 63);
	option_names(specs, names, sizeof(names));
	assert_int_equal(strlen(names), 63);
}

static void refused(void **state)
{
	refuse("small=256", "small=256 is out of range: from 0 to 255");
	refuse("small=-1", "small=-1 is not a number");
	refuse("small=1K", "small=1K is not a number");
	refuse("small=", "small= is not a number");
	refuse("port=0", "port=0 is out of range: from 1 to 1023; as root");
	refuse("size=64", "size=64 is out of range: did you mean 64M?");
	refuse("size=2K", "size=2K is out of range: from 4K to 1024G");
	refuse("size=2000G", "size=2000G is out of range: from 4K to 1024G");
	refuse("size=much", "size=much is not a size: write 64M, say");
	refuse("on=1", "on=1 is none of off|on");
	refuse("name=", "name= is empty");
	refuse("name=123456789", "name=123456789 is longer than 8 bytes");
	refuse("name", "name has no value: name=...");
	refuse("colour=blue", "colour=blue is none of red|green");
	refuse("wings=2", "wings is not known: these are: on, small, port, size, name, colour, wheel");
	refuse("", " is not known: these are: on, small, port, size, name, colour, wheel");
	refuse("on,,", " is not known: these are: on, small, port, size, name, colour, wheel");
	/* What is for others */
	strcpy(text, "wings=2,port=7");
	assert_int_equal(options_parse(specs, &thing, text, true, &error), 0);
	assert_int_equal(thing.port, 7);
}

static void expect_printed(int (*print)(FILE *out), const char *want)
{
	char *printed = NULL;
	size_t len;
	FILE *out = open_memstream(&printed, &len);

	assert_int_equal(print(out), 0);
	fclose(out);
	if (!strstr(printed, want))
		print_error("%s\n", printed);
	assert_non_null(strstr(printed, want));
	free(printed);
}

static int print_table(FILE *out)
{
	options_print(specs, out);
	return 0;
}

static int print_rng(FILE *out)
{
	return device_print("virtio-rng", out, &error);
}

static int print_all(FILE *out)
{
	return device_print("help", out, &error);
}

static void printed(void **state)
{
	expect_printed(print_table,
		       "  port=NUMBER             a port, from 1 to 1023\n"
		       "  size=SIZE               its size, from 4K to 1024G\n"
		       "  name=TEXT               its name\n"
		       "  colour=red|green        its colour\n"
		       "  wheel=TEXT              one more wheel\n");
	expect_printed(print_rng, "packed=off|on");
	expect_printed(print_all, "virtio-rng       random numbers");
	/* Chips of the board are not the user's */
	assert_int_equal(device_print("i8259", stdout, &error), -1);
	assert_non_null(strstr(error.text, "the board has its own"));
	assert_int_equal(device_print("wings", stdout, &error), -1);
	assert_non_null(strstr(error.text, "no device wings"));
}

static void of_a_device(void **state)
{
	assert_int_equal(device_check("virtio-rng", NULL, &error), 0);
	assert_int_equal(device_check("virtio-rng", "packed", &error), 0);
	assert_int_equal(device_check("virtio-rng", "wings", &error), -1);
	assert_string_equal(error.text, "--device virtio-rng: wings is not known: these are: packed");
	/* Those of the machine come first, as far as they are known */
	bare_start();
	m.config.defaults = "packed,wings";
	bare_device_with("virtio-rng", "packed=off");
	bare_device("i8254");
	assert_null(device_create(&m, "virtio-rng", "packed=2", &error));
	assert_string_equal(error.text, "--device virtio-rng: packed=2 is none of off|on");
	bare_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(taken),
		cmocka_unit_test(refused),
		cmocka_unit_test(in_turn), cmocka_unit_test(printed),
		cmocka_unit_test(of_a_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
