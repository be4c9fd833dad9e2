// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU's plain emulation for bench/where: how many instructions L1 and
 * its guest execute in each block of code, from the first time that the busy loop
 * of "bench launch" runs. VMRUN and the block behind it tell who runs: addresses
 * do not, as both have the same kernel. Debian has no qemu-plugin.h: what is
 * used of it is declared here (QEMU: docs/devel/tcg-plugins.rst).
 *
 * Writes lines "address before host guest exits" to the file of its argument
 * out=: instructions before the first VMRUN, after it, of the guest; and how often
 * the guest left from there. It does so whenever L1 has long been without its
 * guest, as nobody tells a plugin that QEMU is killed.
 *
 * With marks=FROM-TO it counts only from the moment at which the guest is at the one
 * address until it is at the other one, and writes then.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VISIBLE		__attribute__((visibility("default")))
#define BUCKETS		(1u << 20)
#define LONG		(4u << 20)	/* instructions */

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*fn)(plugin_id,
						      struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*fn)(unsigned int, void *),
					  int flags, void *data);
VISIBLE int qemu_plugin_version = 1;
VISIBLE int qemu_plugin_install(plugin_id id, const void *info, int argc,
				char **argv);

/**
 * struct block - instructions in a row
 * @next: in its bucket
 * @address: of the first
 * @length: how many
 * @vmrun: it ends with that
 * @count: how many were executed: before the first VMRUN, by L1, by its guest
 * @exits: how often the guest's last one was here
 */
struct block {
	struct block *next;
	uint64_t address;
	uint32_t length;
	bool vmrun;
	uint64_t count[3], exits;
};

enum who { BEFORE, HOST, GUEST };

static struct block *buckets[BUCKETS], *last;
static uint64_t behind_vmrun, busy, busy_end, from, to, without;
static bool started;
static enum who who;
static const char *out;

static void write_all(void)
{
	FILE *file = fopen(out, "w");
	const struct block *b;
	unsigned int i;

	if (!file)
		return;
	for (i = 0; i < BUCKETS; i++)
		for (b = buckets[i]; b; b = b->next)
			if (b->count[0] + b->count[1] + b->count[2])
				fprintf(file,
					"%" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
					b->address, b->count[BEFORE],
					b->count[HOST], b->count[GUEST],
					b->exits);
	fclose(file);
}

static void executed(unsigned int cpu, void *data)
{
	struct block *b = data;

	if (who == GUEST && b->address == behind_vmrun) {
		who = HOST;
		without = 0;
		if (last && (started || !from))
			last->exits++;
	}
	if (from && who == GUEST && b->address == to && started)
		write_all();
	if (from && who == GUEST && (b->address == from || b->address == to))
		started = b->address == from;
	started |= b->address >= busy && b->address < busy_end;
	if (started) {
		b->count[who] += b->length;
		if (!from && who == HOST && without < LONG &&
		    (without += b->length) >= LONG)
			write_all();
	}
	if (who == GUEST)
		last = b;
	if (b->vmrun && (started || from))
		who = GUEST;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	static const uint8_t vmrun[] = { 0x0f, 0x01, 0xd8 };
	uint32_t length = qemu_plugin_tb_n_insns(tb);
	const struct qemu_plugin_insn *end =
		qemu_plugin_tb_get_insn(tb, length - 1);
	uint64_t address =
		qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
	bool is_vmrun = qemu_plugin_insn_size(end) == sizeof(vmrun) &&
			!memcmp(qemu_plugin_insn_data(end), vmrun,
				sizeof(vmrun));
	struct block **bucket =
		&buckets[(address ^ address >> 20) % BUCKETS], *b;

	for (b = *bucket; b; b = b->next)
		if (b->address == address && b->length == length &&
		    b->vmrun == is_vmrun)
			break;
	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b)
			abort();
		*b = (struct block){ .next = *bucket, .address = address,
				     .length = length, .vmrun = is_vmrun };
		*bucket = b;
	}
	if (is_vmrun)
		behind_vmrun = qemu_plugin_insn_vaddr(end) + sizeof(vmrun);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, 0, b);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
		if (!strncmp(argv[i], "busy=", 5))
			sscanf(argv[i] + 5, "%" SCNx64 "-%" SCNx64, &busy,
			       &busy_end);
		if (!strncmp(argv[i], "marks=", 6))
			sscanf(argv[i] + 6, "%" SCNx64 "-%" SCNx64, &from, &to);
	}
	if (!out || !(busy_end || to))
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
