# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What guest.sh asks the chips of a PC: clocks, their interrupts, a keyboard's
# controller.

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
