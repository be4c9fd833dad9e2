# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What guest.sh asks the chips of a PC: clocks, their interrupts, a keyboard's
# controller, the serial port; and how much memory there is.

# Its interrupts come on line 0, instead of the 8254's
ticks_by() {
	grep -q "^Clock Event Device: $1" /proc/timer_list &&
		before=$(awk '$1 == "0:" { print $2 }' /proc/interrupts) &&
		sleep 0.5 &&
		[ "$(awk '$1 == "0:" { print $2 }' /proc/interrupts)" -gt "$before" ]
}

printed() {
	dmesg | grep -q "$1"
}

# One of its lines, at least
interrupted_by() {
	awk -v name="$1" '$NF == name { n += $2 } END { exit !n }' /proc/interrupts
}

# As the kernel was told, in KiB
ram() {
	sum=0
	while read -r range _ what; do
		[ "$what" != 'System RAM' ] ||
			sum=$((sum + 0x${range#*-} + 1 - 0x${range%-*}))
	done </proc/iomem
	echo $((sum / 1024))
}

slept_a_second() {
	before=$(date +%s)
	sleep 1
	after=$(date +%s)
	[ $((after - before)) -ge 1 ] && [ $((after - before)) -le 3 ]
}

# The clock chip's alarm, three seconds from now: neither too early nor too late,
# however seldom this looks
alarm_rings() {
	clock=/sys/class/rtc/rtc0
	at=$(($(cat "$clock/since_epoch") + 3))
	echo "$at" >"$clock/wakealarm" || return 1
	while now=$(cat "$clock/since_epoch") &&
	      [ -n "$(cat "$clock/wakealarm")" ]; do
		[ "$now" -le "$at" ] || return 1
		usleep 20000
	done
	[ "$(cat "$clock/since_epoch")" -ge "$at" ] && interrupted_by rtc0
}

# The kernel's probe of an i8042, which may be there or not. One that waits for what
# nobody sends takes half a second
i8042_soon() {
	dmesg | awk '/initcall i8042_init/ { us = $(NF - 1); n++ }
		END { print "# " us " us"; exit !(n == 1 && us < 20000) }'
}

# Lines that L1 types all arrive, in their order, while a program prints as fast as
# it can, and the kernel does, whose console masks the port's interrupts meanwhile
heard_in_a_flood() {
	echo on >/proc/sys/kernel/printk_devkmsg
	exec 3<>/dev/ttyS0
	stty -echo <&3
	flood=$(printf '%064d' 0 | tr 0 '~')
	echo 'waits for lines'
	(
		n=0
		until [ -e /tmp/heard ]; do
			echo "$flood"
			n=$((n + 1))
		done >&3
		echo "$n" >/tmp/flooded
	) &
	(
		until [ -e /tmp/heard ]; do
			echo "<0>$flood" | tr '~' '^' >/dev/kmsg
		done
	) &
	i=0
	while [ $i -lt 200 ]; do
		# shellcheck disable=SC3045 # busybox has -t
		read -r -t 60 line <&3
		[ "$line" = "line $i" ] || break
		i=$((i + 1))
	done
	: >/tmp/heard
	wait
	exec 3<&-
	echo "heard $i lines, printed $(cat /tmp/flooded) of 64"
	[ $i = 200 ]
}
