#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What the mvmm command prints and returns for bad input, and for flat payloads.
# Run as root where the module is not loaded. TAP on stdout.
#
#   cli_test.sh MODULE.ko MVMM-COMMAND

module=$1 mvmm=$2
n=0

# expect STATUS PATTERN NAME COMMAND...: exit status, and a line of the output
expect() {
	status=$1 pattern=$2 name=$3
	shift 3
	n=$((n + 1))
	"$@" >/tmp/cli.out 2>&1 </dev/null
	got=$?
	if [ $got = "$status" ] &&
		{ [ -z "$pattern" ] || grep -q -e "$pattern" /tmp/cli.out; }; then
		echo "ok $n $name"
	else
		echo "not ok $n $name: status $got, want $status and \"$pattern\":"
		sed 's/^/# /' /tmp/cli.out
	fi
}

# wait_for PATTERN COMMAND...: until its output has such a line; a minute at
# most. If it does not come the next test fails.
wait_for() {
	pattern=$1
	shift
	for _ in $(seq 600); do
		"$@" 2>/dev/null | grep -q -e "$pattern" && return
		usleep 100000
	done
}

cd /tmp || exit 1
mkdir -p /etc
echo 'nobody:x:65534:65534::/:/bin/sh' >/etc/passwd
# HLT with interrupts off; a status of 42; a triple fault; "hi" on the serial
# port
printf '\xfa\xf4' >halt.img
printf '\xb0\x2a\xe6\xf4\xfa\xf4' >exit42.img
printf '\x0f\x01\x1e\x00\x05\xcc' >triple.img
printf '\xba\xf8\x03\xb0\x68\xee\xb0\x69\xee\xfa\xf4' >hi.img
# OUT of 0xfe to port 0x64
printf '\xb0\xfe\xe6\x64\xfa\xf4' >reset.img
dd if=/dev/zero of=zeros bs=1024 count=64 2>/dev/null
: >empty

echo 'TAP version 13'
expect 64 'Usage: mvmm COMMAND' 'no command' "$mvmm"
expect 0 'Usage: mvmm COMMAND' '--help' "$mvmm" --help
expect 0 'Usage: mvmm COMMAND' 'help' "$mvmm" help
expect 0 'Usage: mvmm COMMAND' '-h' "$mvmm" -h
expect 0 '^mvmm [0-9]' 'its version' "$mvmm" --version
expect 64 'Try .mvmm run --help' 'how to get help' "$mvmm" run --wings
expect 64 'did you mean 512M' 'a size without a unit' \
	"$mvmm" run --flat hi.img --mem 512
expect 64 'is not a number' 'a number with a sign' \
	"$mvmm" run --flat hi.img --cpus ' -1'
expect 64 'no such command: fly' 'an unknown command' "$mvmm" fly
expect 64 'unrecognized option' 'an unknown option' "$mvmm" run --wings
expect 66 'give a --kernel' 'nothing to run: not even a kernel of the host' "$mvmm" run
expect 64 'either an image, --kernel or --flat' 'two things to run' \
	"$mvmm" run --kernel a --flat b
expect 64 'is not a size' 'no size' "$mvmm" run --flat hi.img --mem lots
expect 64 'out of range' 'too little memory' "$mvmm" run --flat hi.img --mem 4K
expect 64 'out of range' 'too much memory' "$mvmm" run --flat hi.img --mem 2000G
expect 64 'not a multiple of 4096' 'an odd size' \
	"$mvmm" run --flat hi.img --mem 2000001
expect 64 'is not a number' 'no number of CPUs' \
	"$mvmm" run --flat hi.img --cpus many
expect 64 '--cpus 256 is out of range: from 1 to 255' 'too many CPUs' \
	"$mvmm" run --flat hi.img --cpus 256
expect 64 '--weight heavy is not a number' 'no weight' \
	"$mvmm" run --flat hi.img --weight heavy
expect 64 '--weight 0 is out of range: from 1 to 10000' 'no weight at all' \
	"$mvmm" run --flat hi.img --weight 0
expect 64 '--cap 50% is not a number' 'no cap' \
	"$mvmm" run --flat hi.img --cap 50%
expect 64 '--cap 0 is out of range: from 1 to 6400' 'a cap of nothing' \
	"$mvmm" run --flat hi.img --cap 0
expect 64 'goes with --plot' 'seconds of nothing' "$mvmm" sched --seconds 1
expect 64 'out of range: from 0.01 to 60' 'too many seconds' \
	"$mvmm" sched --plot x --seconds 61
expect 64 'is not a number' 'no seconds' "$mvmm" sched --plot x --seconds a
expect 64 'either --watch or --plot' 'two ways to see' \
	"$mvmm" sched --plot x --watch
expect 64 'is not a number' 'no address' "$mvmm" run --flat hi.img --at here
expect 64 'none of anon|memfd' 'an unknown backend' \
	"$mvmm" run --flat hi.img --mem-backend tape
expect 64 'unexpected argument: more' 'an argument too many' \
	"$mvmm" run hi.img more
expect 66 'cannot open nowhere' 'no such kernel' "$mvmm" run --kernel nowhere
expect 66 'not a regular file' 'a directory' "$mvmm" run --kernel /tmp
expect 69 'load the module' 'no module: run' "$mvmm" run --flat hi.img
expect 69 'load the module' 'no module: info' "$mvmm" info
expect 69 'module is not loaded' 'no module: sched' "$mvmm" sched

insmod "$module"
chmod 755 /tmp
expect 77 'no permission' 'no permission' \
	su -s /bin/sh nobody -c "$mvmm run --flat /tmp/hi.img"
expect 0 'VMs can be made: yes' 'info' "$mvmm" info
expect 77 'become root' 'no permission: sched' \
	su -s /bin/sh nobody -c "$mvmm sched"
expect 0 '^no vCPUs$' 'nobody to schedule' "$mvmm" sched
expect 0 '' 'weight and cap' \
	"$mvmm" run --weight 10000 --cap 6400 --flat halt.img
umount /sys/kernel/debug
expect 71 'mount -t debugfs' 'no debugfs' "$mvmm" sched
mount -t debugfs debugfs /sys/kernel/debug
expect 71 'mount -t tracefs' 'no tracefs' "$mvmm" sched --plot /tmp/x.svg
mount -t tracefs tracefs /sys/kernel/tracing
expect 65 'nothing to decide' 'nothing to draw' \
	"$mvmm" sched --plot /tmp/x.svg --seconds 0.1
# Three vCPUs, more than there are CPUs. They spin with interrupts on:
# errata.rst
printf '\xfb\xeb\xfe' >spin.img
for i in 1 2 3; do
	"$mvmm" run --flat spin.img --weight ${i}00 </dev/null 2>>spin.err &
done
for i in 1 2 3; do
	wait_for " ${i}00 " "$mvmm" sched
done
expect 0 ' 300 ' 'the table' "$mvmm" sched
expect 71 'cannot write /nowhere/x' 'a chart that cannot be written' \
	"$mvmm" sched --plot /nowhere/x --seconds 0.1
expect 0 '' 'the chart is drawn' "$mvmm" sched --plot x.svg --seconds 1
expect 0 'fill="#0072b2"><title>CPU 0, ' 'of who ran where' cat x.svg
expect 0 '^0$' 'nothing stays in tracefs' sh -c \
	'ls /sys/kernel/tracing/instances | wc -l'
# SIGTERM is a power button; these guests have not enabled it, so it ends them
# shellcheck disable=SC2046
kill $(jobs -p)
wait
expect 0 'does not listen to its power button' 'nobody hears SIGTERM' \
	cat spin.err
expect 0 '^no vCPUs$' 'and all end by it' "$mvmm" sched
expect 65 'the kernel of 0 bytes' 'an empty kernel' \
	"$mvmm" run --kernel empty
expect 65 'neither a bzImage' 'a file that is not a kernel' \
	"$mvmm" run --kernel zeros
expect 65 'flat image is empty' 'an empty image' "$mvmm" run --flat empty
expect 64 'not a multiple of 16' 'no segment there' \
	"$mvmm" run --flat hi.img --at 0x7c01
expect 71 'not all in RAM' 'an image in the hole' \
	"$mvmm" run --flat zeros --at 0x98000
expect 0 'the guest halted for good' 'halted for good' \
	"$mvmm" run --flat halt.img
expect 78 'reset itself' 'a reset' "$mvmm" run --flat reset.img
# Counts at 0x500: the third time it is enough
printf '\xfe\x06\x00\x05\x80\x3e\x00\x05\x03\x75\x04\xb0\x2a\xe6\xf4\xb0\xfe\xe6\x64\xf4\xeb\xfd' >again.img
expect 42 '' 'a reset boots again, if wanted' \
	"$mvmm" run --flat again.img --on-reset reboot
expect 78 'reset itself' 'but not else' "$mvmm" run --flat again.img
expect 42 '' 'a status of 42' "$mvmm" run --flat exit42.img --at 0x1000
# Waits for a byte on the serial port, then a status of 42
printf '\xba\xfd\x03\xec\xa8\x01\x74\xfb\xb0\x2a\xe6\xf4\xfa\xf4' >wait.img
# once_saved COMMAND...: types something when its VM has another number: it was
# saved and made anew. So the guest cannot end before, however fast it is; a
# minute at most
once_saved() {
	rm -f typed
	mkfifo typed
	exec 3<>typed
	"$@" <typed &
	first='' now=''
	for _ in $(seq 600); do
		now=$(sed -n '3s/ .*//p' /sys/kernel/debug/mvmm/sched)
		first=${first:-$now}
		[ "${now:-$first}" = "$first" ] || break
		usleep 100000
	done
	echo >&3
	exec 3>&-
	wait $!
}
expect 42 'saved and loaded: [1-9]' 'it is saved and goes on' once_saved \
	"$mvmm" run --flat wait.img --mem 16M --stats --save-every 20
expect 42 'saved and loaded: [1-9]' 'with its memory' once_saved \
	"$mvmm" run --flat wait.img --mem 16M --stats --save-every 20,/tmp/saved
expect 0 '"regs.rip": ' 'a snapshot can be read' cat saved/machine.json
expect 42 '' 'another process goes on with it' sh -c \
	"echo | $mvmm run --load /tmp/saved --mem 16M"
expect 65 'give it the same --mem' \
	'but not with other memory' "$mvmm" run --load /tmp/saved --mem 32M
expect 66 'No such file' 'nothing was saved there' "$mvmm" run --load /tmp/none
expect 64 'leave --kernel and --flat out' 'a guest of its own' \
	"$mvmm" run --load /tmp/saved --flat wait.img
expect 71 '/proc/none: ' 'a snapshot that cannot be written' \
	"$mvmm" run --flat wait.img --mem 16M --save-every 1,/proc/none
expect 64 '--save-every 0 is out of range' 'never is no time' \
	"$mvmm" run --flat wait.img --save-every 0
expect 64 'either --save-every or --reload-every' 'two that stop the machine' \
	"$mvmm" run --flat wait.img --save-every 20 --reload-every 20
expect 76 'triple fault' 'a triple fault' "$mvmm" run --flat triple.img
expect 0 '^hi$' 'the serial port' "$mvmm" run --flat hi.img
cat >good.conf <<'CONF'
# A guest
  flat	exit42.img

at 0x1000
CONF
expect 42 '' 'options from a file' "$mvmm" run --config good.conf
printf 'mem lots\n' >bad.conf
expect 64 '^bad.conf:1: --mem lots is not a size' 'a bad line in it' \
	"$mvmm" run --flat hi.img --config bad.conf
printf '\nwings\n' >bad.conf
expect 64 '^bad.conf:2: unrecognized option' 'an unknown line' \
	"$mvmm" run --flat hi.img --config bad.conf
expect 64 'nowhere.conf: No such file' 'no such file of options' \
	"$mvmm" run --flat hi.img --config nowhere.conf
expect 66 'cannot open nowhere.img\|nowhere.img: No such file' 'no such disk' \
	"$mvmm" run --flat hi.img --disk nowhere.img
expect 64 'fast is not known: these are: ro, format' 'an unknown word of a disk' \
	"$mvmm" run --flat hi.img --disk zeros,fast
expect 64 'lots is not a size' 'a balloon of no size' \
	"$mvmm" run --flat hi.img --balloon lots
expect 64 "asks for all of the guest's memory: it has 256M" 'a large balloon' \
	"$mvmm" run --flat hi.img --balloon 256M
expect 64 'vga is none of serial|virtio' 'an unknown console' \
	"$mvmm" run --flat hi.img --console vga
expect 0 '^virtio-rng  *random numbers' 'which devices there are' \
	"$mvmm" run --device help
expect 0 '^  size=SIZE  *memory that the guest' 'which options one has' \
	"$mvmm" run --device virtio-balloon,help
expect 0 'spare=TEXT  *a disk that takes the place' 'what can be said of disks' \
	"$mvmm" run --disk help
expect 64 'there is no device flux' 'no such device' \
	"$mvmm" run --flat hi.img --device flux
expect 64 'virtio-blk: disk=one is not a number' 'a bad option of a device' \
	"$mvmm" run --flat hi.img --device virtio-blk,disk=one
expect 64 'there is no disk for a device' 'a device without its disk' \
	"$mvmm" run --flat hi.img --device virtio-blk
expect 64 'its other end is file=PATH' 'a port without an other end' \
	"$mvmm" run --flat hi.img --port log
expect 66 'cannot open /nowhere/log' 'a port to no file' \
	"$mvmm" run --flat hi.img --port log,file=/nowhere/log
# Nothing is plugged into the serial port then
expect 42 '' 'all devices at once' "$mvmm" run --flat exit42.img --rng \
	--balloon 0 --console virtio --port log,file=log --port tty,pty \
	--device virtio-rng,packed --disk zeros,ro --disk zeros,ro \
	--device virtio-blk,disk=1 --packed --stats
# Else an image would be descriptor 1, and have what the guest prints
cp zeros same
expect 0 '' 'no descriptors 0 to 2' sh -c \
	"$mvmm run --flat hi.img --disk same <&- >&- 2>&-; cmp zeros same"
# The CPU's exit reason for HLT: VMX, SVM
hlt='12 (HLT)'
"$mvmm" info | grep -q SVM && hlt='120 (hlt)'
expect 0 "mvmm_exit: vcpu 0 hw_reason ${hlt% *} " 'tracepoints: HLT is seen' sh -c \
	"cd /sys/kernel/tracing; echo 1 >events/mvmm/enable;
	$mvmm run --flat /tmp/halt.img; cat trace; echo 0 >events/mvmm/enable"
expect 0 "^vCPU 0: exit reason $hlt: 1\$" 'counters: one HLT' \
	"$mvmm" run --stats --flat halt.img
rmmod mvmm
# The plan comes last: a number at the top was once forgotten
echo "1..$n"
