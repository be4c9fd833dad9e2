#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The module as a whole: loading and unloading, who owns VMX or SVM, CPU hotplug
# and suspend with a VM. Run as root where the module is not loaded. TAP on
# stdout.
#
#   module_test.sh MODULE.ko HOLD-PROGRAM [KVM-MODULE.ko...]
#
# KVM's modules in the order in which they are loaded.

module=$1 hold=$2
shift 2
n=0

ok() {
	n=$((n + 1))
	echo "ok $n $*"
}

not_ok() {
	n=$((n + 1))
	echo "not ok $n $*"
}

# check NAME COMMAND...: the command succeeds
check() {
	name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name"; fi
}

# start DEVICE: a VM in the background; its process in $pid
start() {
	# A slow one would leave the output of the one before to be read
	rm -f /tmp/hold.out
	"$hold" "$1" >/tmp/hold.out 2>&1 &
	pid=$!
	for _ in $(seq 200); do
		grep -q . /tmp/hold.out 2>/dev/null && break
		usleep 100000
	done
	grep -q created /tmp/hold.out
}

stop() {
	kill "$pid"
	wait "$pid" 2>/dev/null
	true
}

refused() {
	! rmmod mvmm 2>/dev/null
}

rounds() {
	for _ in $(seq 50); do
		insmod "$module" && rmmod mvmm || return 1
	done
}

echo 'TAP version 13'
echo '1..12'
check 'fifty rounds of insmod and rmmod' rounds
check 'insmod' insmod "$module"
check '/dev/mvmm is for root and its group only' \
	[ "$(stat -c %a /dev/mvmm)" = 660 ]
check 'a VM is made' start /dev/mvmm
check 'rmmod is refused while a VM is open' refused
online=/sys/devices/system/cpu/cpu1/online
hotplug() {
	for _ in 1 2 3; do
		echo 0 >$online && echo 1 >$online || return 1
	done
}
if [ -e $online ]; then
	check 'a CPU goes and comes with a VM open' hotplug
else
	ok 'a CPU goes and comes with a VM open # SKIP one CPU only'
fi
if grep -q 'QEMU TCG' /proc/cpuinfo; then
	ok 'suspend and resume while a VM is open # SKIP no serial port afterwards in QEMU'
	ok 'its time stands meanwhile # SKIP the same'
elif grep -q deep /sys/power/mem_sleep 2>/dev/null; then
	# pm_test "core": all steps of a suspend, and a second instead of the sleep
	suspend() {
		echo 1 >/sys/module/suspend/parameters/pm_test_delay &&
			echo core >/sys/power/pm_test && echo deep >/sys/power/mem_sleep &&
			echo mem >/sys/power/state
	}
	# The host's TSC has gone on, its clock has not
	stood() {
		kill -USR1 "$pid"
		for _ in $(seq 200); do
			ms=$(sed -n 2p /tmp/hold.out)
			[ -n "$ms" ] && break
			usleep 100000
		done
		[ "$ms" -gt -500 ] && [ "$ms" -lt 500 ] || ! echo "# $ms ms"
	}
	check 'suspend and resume while a VM is open' suspend
	check 'its time stands meanwhile' stood
else
	ok 'suspend and resume while a VM is open # SKIP no deep sleep here'
	ok 'its time stands meanwhile # SKIP the same'
fi
stop
check 'rmmod after the VM is gone' rmmod mvmm

for m in "$@"; do
	insmod "$m"
done
if [ $# -gt 0 ]; then
	busy() {
		start /dev/kvm && kvm=$pid &&
			insmod "$module" && ! start /dev/mvmm &&
			grep -q 'busy' /tmp/hold.out &&
			dmesg | grep -q 'mvmm: another VMM owns \(vmx\|svm\)'
	}
	check 'another VMM owns the CPU: busy, with the remedy in the log' busy
	kill "$kvm"
	wait "$kvm" 2>/dev/null
	check 'and free again when its VM is gone' start /dev/mvmm
	mvmm=$pid
	# The other way round
	other() {
		! start /dev/kvm && grep -q 'busy' /tmp/hold.out
	}
	check 'KVM finds it taken by mvmm' other
	kill "$mvmm"
	wait "$mvmm" 2>/dev/null
	rmmod mvmm
else
	for _ in 9 10 11; do
		ok "KVM and mvmm share the CPU # SKIP KVM's modules were not given"
	done
fi
