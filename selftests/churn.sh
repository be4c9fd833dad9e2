#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Kills launchers at random moments, while a CPU of the host goes offline and
# comes back; then lets one guest run to its end. Run as root where mvmm is
# loaded. TAP on stdout.
#
#   churn.sh MVMM-COMMAND KERNEL INITRD ROUNDS
#
# The initrd's command has to return 7, after the rounds that a kernel parameter
# sets as $rounds in its environment.

mvmm=$1 kernel=$2 initrd=$3 rounds=$4
online=/sys/devices/system/cpu/cpu1/online
n=0

# check NAME COMMAND...: the command succeeds
check() {
	n=$((n + 1))
	name=$1
	shift
	"$@" || printf 'not '
	echo "ok $n $name"
}

# start ROUNDS: a guest
start() {
	"$mvmm" run --cpus 3 --mem 128M --kernel "$kernel" --initrd "$initrd" \
		--append "console=ttyS0 quiet loglevel=1 panic=-1 rounds=$1" \
		</dev/null >/tmp/churn.out 2>&1 &
	pid=$!
}

# plug COUNT: CPU 1 goes and comes that often, or until the guest has ended
plug() {
	i=0
	while [ $i -lt "$1" ] && kill -0 "$pid" 2>/dev/null; do
		echo 0 >$online && echo 1 >$online || return 1
		i=$((i + 1))
	done
}

killed() {
	r=0
	while [ $r -lt "$rounds" ]; do
		# More than it can do before it is killed, on any machine
		start 1000000
		# By a seed: the moments are the same in each run
		usleep "$(awk "BEGIN { srand($r); print int(rand() * 8000000) }")"
		plug $((r % 3)) || return 1
		kill -9 "$pid" 2>/dev/null || return 1
		wait "$pid"
		[ $? = 137 ] || return 1
		r=$((r + 1))
	done
}

# The VM of a killed process ends a little later
nothing_left() {
	for i in $(seq 100); do
		[ "$(wc -l </sys/kernel/debug/mvmm/sched)" = 2 ] && return
		usleep 100000
	done
	cat /sys/kernel/debug/mvmm/sched
	return 1
}

finished() {
	start 3
	plug 1000 || return 1
	wait "$pid"
	[ $? = 7 ] || { cat /tmp/churn.out; return 1; }
	! grep '^not ok' /tmp/churn.out
}

[ -e /sys/kernel/debug/mvmm ] || mount -t debugfs debugfs /sys/kernel/debug
echo 'TAP version 13'
echo '1..3'
check "launchers are killed $rounds times while a CPU goes and comes" killed
check 'no VM is left' nothing_left
check 'a guest runs to its end while a CPU goes and comes' finished
[ $n = 3 ]
