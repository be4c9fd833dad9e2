#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Arrays of mvmm's and of Linux's md are each other's: what one writes the other
# reads, and finds parity and copies right. Run as root, where md's and loop's
# modules are loaded. TAP on stdout.
#
#   raid_test.sh MVMM-COMMAND MDADM
#
# Lists of words are taken apart, and check() calls functions:
# shellcheck disable=SC2046,SC2086,SC2317

mvmm=$1 mdadm=$2 journal=0
# Blocks of 64K of data; members that differ
blocks=40 uneven=0
export MDADM_NO_UDEV=1
n=0

# check NAME COMMAND...: the command succeeds
check() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/raid.out 2>&1; then
		echo "ok $n $name"
	else
		echo "not ok $n $name"
		tail -n 20 /tmp/raid.out | sed 's/^/# /'
	fi
}

# attach COUNT: the files 0.img and so on are loop devices of the same numbers
attach() {
	devices=
	for i in $(seq 0 $(($1 - 1))); do
		losetup "/dev/loop$i" "$i.img" || return 1
		devices="$devices /dev/loop$i"
	done
}

detach() {
	for i in $(seq 0 $(($1 - 1))); do
		losetup -d "/dev/loop$i"
	done
}

# As --disk wants them. The last one is the journal, if there is one
members() {
	list=0.img
	for i in $(seq $(($1 - 1 - journal))); do
		list=$list,$i.img
	done
	[ "$journal" = 0 ] || list=$list,journal=$(($1 - 1)).img
	echo "$list"
}

idle() {
	[ -e /sys/block/md0/md/sync_action ] || return 0
	for _ in $(seq 600); do
		[ "$(cat /sys/block/md0/md/sync_action)" != idle ] || return 0
		usleep 50000
	done
	return 1
}

assemble() {
	attach "$1" &&
		"$mdadm" --assemble --run /dev/md0 $devices && idle
}

stop() {
	"$mdadm" --stop /dev/md0
	detach "$1"
}

same() {
	cmp -n "$(wc -c <data)" data "$1"
}

# md reads all of it and compares
agrees() {
	[ -e /sys/block/md0/md/sync_action ] || return 0
	echo check >/sys/block/md0/md/sync_action
	idle && [ "$(cat /sys/block/md0/md/mismatch_cnt)" = 0 ]
}

new_data() {
	dd if=/dev/urandom of=data bs=64k count=$blocks 2>/dev/null
}

ours_reads() {
	rm -f out
	"$mvmm" disk convert "raid$1:$(members "$2")" out && same out
}

ours_writes() {
	new_data && "$mvmm" disk convert data "raid$1:$(members "$2")"
}

md_reads() {
	assemble "$1" && same /dev/md0 && agrees
}

md_writes() {
	new_data && dd if=data of=/dev/md0 bs=64k conv=fsync
}

# both NAME LEVEL COUNT: the array that is there, both ways
both() {
	check "$1: what mvmm writes, md reads, and all agrees" md_reads "$3"
	check "$1: md writes" md_writes
	stop "$3" >/dev/null 2>&1
	check "$1: mvmm reads that" ours_reads "$2" "$3"
	# Once more, on what md has left: its bitmap, its event counts
	check "$1: mvmm writes again" ours_writes "$2" "$3"
	check "$1: and md agrees" md_reads "$3"
	stop "$3" >/dev/null 2>&1
}

fresh() {
	rm -f ./*.img
	for i in $(seq 0 $(($1 - 1))); do
		if [ $uneven = 1 ]; then
			truncate -s "$((2048 + 64 + 1024 * i))K" "$i.img"
		else
			truncate -s 8M "$i.img"
		fi
	done
}

# ours LEVEL COUNT OPTION...: an array that mvmm makes
ours() {
	level=$1 count=$2
	shift 2
	label="RAID $level of $count${*:+ ($*)}"
	fresh "$count"
	check "$label: is made" "$mvmm" raid create "$level" \
		$(members "$count" | tr , ' ') --assume-clean "$@"
	check "$label: mvmm writes" ours_writes "$level" "$count"
	both "$label" "$level" "$count"
}

md_creates() {
	level=$1 count=$2
	shift 2
	fresh "$count"
	attach "$count" &&
		yes | "$mdadm" --create /dev/md0 --metadata=1.2 --level="$level" \
			--raid-devices="$count" --run "$@" $devices && idle
}

# theirs LEVEL COUNT OPTION...: an array that md makes
theirs() {
	level=$1 count=$2
	shift 2
	label="md's RAID $level of $count${*:+ ($*)}"
	check "$label: is made" md_creates "$level" "$count" "$@"
	check "$label: md writes" md_writes
	stop "$count" >/dev/null 2>&1
	check "$label: mvmm reads that" ours_reads "$level" "$count"
	check "$label: mvmm writes" ours_writes "$level" "$count"
	both "$label" "$level" "$count"
}

# A member that one has dropped is dropped for the other, too
degraded() {
	fresh 3
	"$mvmm" raid create 5 0.img 1.img 2.img --assume-clean &&
		new_data && "$mvmm" disk convert data raid5:0.img,2.img &&
		attach 3 && "$mdadm" --assemble --run /dev/md0 $devices &&
		same /dev/md0 && grep -q '\[3/2\]' /proc/mdstat &&
		"$mdadm" /dev/md0 --add /dev/loop1 && idle && same /dev/md0 &&
		agrees && grep -q '\[3/3\]' /proc/mdstat
}

failed_by_md() {
	assemble 3 && "$mdadm" /dev/md0 --fail /dev/loop0 && md_writes &&
		"$mdadm" --stop /dev/md0 && detach 3 && ours_reads 5 3
}

# Members and journal as if nothing had been written, but for the log
save() {
	for i in $(seq 0 $(($1 - 1))); do
		dd if="$i.img" of="$i.super" bs=4k skip=1 count=1 2>/dev/null
	done
}

lose() {
	for i in $(seq 0 $(($1 - 1))); do
		dd if="$i.super" of="$i.img" bs=4k seek=1 conv=notrunc \
			2>/dev/null || return 1
	done
	dd if=/dev/zero of=1.img bs=1M seek=1 count=7 conv=notrunc 2>/dev/null
}

made_with_journal() {
	fresh "$2" && truncate -s 32M $(($2 - 1)).img &&
		"$mvmm" raid create "$1" \
			$(journal=1 members "$2" | sed 's/,journal=.*//; s/,/ /g') \
			--write-journal $(($2 - 1)).img --assume-clean &&
		save "$2"
}

we_write_and_lose() {
	ours_writes "$1" "$2" && lose "$2"
}

# md begins a new log when it starts, and says where with the first write
md_writes_and_loses() {
	assemble "$1" && dd if=data of=/dev/md0 bs=4k count=1 conv=fsync &&
		save "$1" && md_writes && stop "$1" && lose "$1"
}

# Only who may write writes it again: a resize opens the array so, and then refuses
replayed_by_us() {
	"$mvmm" disk resize "raid$1:$(members "$2")" 1M
	ours_reads "$1" "$2"
}

# journal LEVEL COUNT: what a log has each writes to the members for the other
journal() {
	label="RAID $1 of $(($2 - 1)) with a journal"
	journal=1
	check "$label: is made" made_with_journal "$1" "$2"
	check "$label: mvmm writes, and the members lose it" \
		we_write_and_lose "$1" "$2"
	check "$label: md has it from the journal" md_reads "$2"
	stop "$2" >/dev/null 2>&1
	check "$label: mvmm reads that" ours_reads "$1" "$2"
	check "$label: md writes, and the members lose it" \
		md_writes_and_loses "$2"
	check "$label: mvmm has it from the journal" replayed_by_us "$1" "$2"
	check "$label: mvmm writes" ours_writes "$1" "$2"
	check "$label: and md agrees" md_reads "$2"
	stop "$2" >/dev/null 2>&1
	journal=0
}

mkdir -p /tmp/raid /run/mdadm && cd /tmp/raid || exit 1
ours 0 3
# 17, 33 and 49 chunks: the second zone begins where the two layouts differ, and
# the data goes on in the third
blocks=90 uneven=1
ours 0 3
ours 0 3 --layout original
blocks=40 uneven=0
ours 1 2
ours 4 3
ours 5 3
ours 5 4 --layout right-asymmetric --chunk 16K
ours 5 3 --consistency-policy ppl
ours 6 4
ours 6 5 --layout left-asymmetric
ours 10 4
ours 10 3 --layout f2
ours 10 4 --layout o2
journal 4 4
journal 5 4
journal 6 5
theirs 0 2
theirs 1 3 --bitmap=internal
theirs 5 3 --bitmap=internal
theirs 5 4 --consistency-policy=ppl
theirs 6 5
theirs 10 4 --layout=n2
check 'what mvmm dropped md does not take for whole' degraded
stop 3 >/dev/null 2>&1
check 'and the other way round' failed_by_md
echo "1..$n"
