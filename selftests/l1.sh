# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# What the jobs of scripts/test run in a host kernel of the lab (L1). A job is a
# line of shell in /lab that reads this file first. What a guest runs is in
# guest.sh.
#
# Each program's output stands between marks that scripts/testlib/results.py
# looks for: @@begin NAME and @@end NAME STATUS. Limits are in seconds of L1's
# clock.

# program NAME LIMIT COMMAND...
program() {
	local name=$1 limit=$2

	shift 2
	echo "@@begin $name"
	timeout "$limit" "$@"
	echo "@@end $name $?"
}

# must COMMAND...: what the programs need. Without the module, or without swap,
# many of them would only be skipped: it is a failed test if the command fails.
must() {
	"$@" && return
	printf '@@begin %s\n1..1\nnot ok 1 %s\n@@end %s 1\n' "$1" "$*" "$1"
}

# kselftests LIMIT NAME...: loads the module and runs them
kselftests() {
	local limit=$1 name

	shift
	must insmod mvmm.ko
	for name; do
		program "${name}_test" "$limit" "./${name}_test"
	done
}

# with_parameters LIMIT NAME PARAMETER...: one kselftest; the module is loaded
# for it, with these parameters
with_parameters() {
	local limit=$1 name=$2

	shift 2
	must insmod mvmm.ko "$@"
	program "${name}_test,$(echo "$*" | tr ' ' ,)" "$limit" "./${name}_test"
	must rmmod mvmm
}

# without MODULE OPTIONS LIMIT NAME...: kselftests with a module that lacks these
# options, and those that need them; MVMM_WITHOUT tells the programs
without() {
	local module=$1 limit=$3 name

	export MVMM_WITHOUT="$2"
	shift 3
	must insmod "$module.ko"
	for name; do
		program "${name}_test,$module" "$limit" "./${name}_test"
	done
	[ ! -x mvmm ] || built_with "$module"
	must rmmod mvmm
	unset MVMM_WITHOUT
}

# The command with a module that lacks options: it says so, and runs a guest
built_with() {
	echo "@@begin mvmm,$1"
	echo 1..3
	./mvmm info >/tmp/info
	case " $MVMM_WITHOUT " in
	*" slots "*) ! grep -q '^built with:.*scheduler' /tmp/info ;;
	*) grep -q '^built with:.*scheduler' /tmp/info ;;
	esac || printf 'not '
	echo 'ok 1 mvmm info shows what it was built with'
	# Writes 42 to the debug-exit port
	printf '\260\052\346\364' >/tmp/flat
	./mvmm run --flat /tmp/flat </dev/null
	[ $? = 42 ] || printf 'not '
	echo 'ok 2 mvmm run ends with its guest'"'"'s status'
	./mvmm run --weight 200 --flat /tmp/flat </dev/null 2>/tmp/err
	case $?,$(cat /tmp/err) in
	42,) case " $MVMM_WITHOUT " in *" slots "*) printf 'not ' ;; esac ;;
	*"without its scheduler"*) ;;
	*) printf 'not ' ;;
	esac
	echo 'ok 3 mvmm run --weight works, or says what is missing'
	echo "@@end mvmm,$1 0"
}

swap_on() {
	echo 256M >/sys/block/zram0/disksize
	mkswap /dev/zram0 >/dev/null
	must swapon /dev/zram0
}

# KUnit prints its results to the kernel's log. Takes those of the cases, which
# are indented, and not the suites'.
kunit() {
	insmod kunit.ko
	echo '@@begin kunit'
	insmod mvmm_kunit.ko
	dmesg | sed -n 's/^\[[^]]*\]     \(1\.\.\|ok\|not ok\|    \)/\1/p'
	echo '@@end kunit 0'
}

# Two scans, because what the first one finds may just have been freed. The
# module is unloaded before, to find what it leaves behind; the functions of a
# module that is gone have no names in a backtrace, only addresses. No other
# module is unloaded: not mvmm_kunit, as KASAN complains of KUnit's own
# unloading.
kmemleak() {
	local leaks=/sys/kernel/debug/kmemleak

	must rmmod mvmm
	echo '@@begin kmemleak'
	echo 1..2
	{ echo scan >$leaks && sleep 6 && echo scan >$leaks; } || printf 'not '
	echo 'ok 1 the kernel looks for leaks'
	if grep -q -e '\[mvmm\]' -e '\] 0xffffffff' $leaks; then
		cat $leaks
		printf 'not '
	fi
	echo 'ok 2 nothing leaks'
	echo '@@end kmemleak 0'
}

# refused WHAT: on a CPU that lacks WHAT
refused() {
	echo '@@begin refusal'
	echo 1..2
	! insmod mvmm.ko || printf 'not '
	echo 'ok 1 insmod fails'
	dmesg | grep -q "lacks: $1\$" || printf 'not '
	echo "ok 2 $1 is named"
	echo '@@end refusal 0'
}

# boot OPTION...: runs the guest; APPEND is added to its command line
boot() {
	./mvmm run --kernel kernel --initrd guest-initrd "$@" \
		--append "console=ttyS0 quiet loglevel=1 panic=-1 ${APPEND:-}" \
		</dev/null
}

# in_background OPTION...: the same, and writes its status to /tmp/status
in_background() {
	boot "$@"
	echo $? >/tmp/status
}

# ended STATUS: a guest returns 7 if its tests got to their end
ended() {
	[ "$1" = 7 ]
	echo "@@end guest $?"
}

# guest OPTION...: a guest that prints TAP
guest() {
	echo '@@begin guest'
	boot "$@"
	ended $?
}

# A disk that a firmware boots: its sector asks for what a boot loader does
firmware() {
	rm -f /tmp/said
	cp boot_sector /tmp/disk
	truncate -s 8M /tmp/disk
	echo '@@begin firmware'
	echo 1..5
	./mvmm run /tmp/disk --device debugcon,file=/tmp/said "$@" \
		</dev/null >/tmp/console
	[ $? = 42 ] || printf 'not '
	echo 'ok 1 the sector runs'
	[ "$(grep -c 'from the second sector' /tmp/console)" = 2 ] || printf 'not '
	echo 'ok 2 and reads, by LBA and by cylinder, head and sector'
	grep -q "by the firmware's teletype" /tmp/console || printf 'not '
	echo 'ok 3 the screen is the serial port'
	grep -q "Found $CPUS cpu(s)" /tmp/said || printf 'not '
	echo 'ok 4 the firmware finds all CPUs'
	[ "$(grep -c 'enter handle_19' /tmp/said)" = 3 ] || printf 'not '
	echo 'ok 5 it boots again after two resets of the machine, not of the CPU'
	echo '@@end firmware 0'
	cat /tmp/said
}

# said STATUS GOT TEXT: both are one, and TEXT was printed, with its lines apart by |
said() {
	tr '\n' '|' </tmp/out >/tmp/said
	if [ "$1" != "$2" ] || ! grep -q -e "$3" /tmp/said; then
		cat /tmp/said
		printf 'not '
	fi
}

# Images that are no Linux, each looked at and started: what it prints
formats() {
	echo '@@begin formats'
	echo 1..6
	echo 'this is a module' >/tmp/module
	./mvmm run multiboot1 --initrd /tmp/module --append 'a command line' \
		</dev/null >/tmp/out
	said 42 $? '^multiboot 1|a command line|this is a module|$'
	echo 'ok 1 multiboot 1'
	./mvmm run multiboot2.xz --initrd /tmp/module --device vga \
		--append 'a command line' </dev/null >/tmp/out
	said 42 $? '^multiboot 2|a command line|this is a module|a pixel|$'
	echo 'ok 2 multiboot 2, compressed by xz, with a screen'
	printf x | ./mvmm run hello.com --append 'one two' >/tmp/out
	said 0 $? '^a program: one twox$'
	echo 'ok 3 a .COM program prints, reads and ends'
	dd if=boot_sector of=/tmp/efi bs=512 count=1 2>/dev/null
	printf 'MZ' | dd of=/tmp/efi conv=notrunc 2>/dev/null
	printf '\200\0\0\0' | dd of=/tmp/efi bs=1 seek=60 conv=notrunc 2>/dev/null
	printf 'PE\0\0' | dd of=/tmp/efi bs=1 seek=128 conv=notrunc 2>/dev/null
	./mvmm run /tmp/efi 2>/tmp/out
	said 65 $? 'needs an EFI'
	echo 'ok 4 an EFI program is said to need an EFI'
	./mvmm run --kernel boot_sector 2>/tmp/out
	said 65 $? '0x1fe): mvmm run FILE'
	echo 'ok 5 a boot sector is no kernel, and how it starts is said'
	./mvmm run multiboot1 --kernel multiboot1 2>/tmp/out
	said 64 $? 'either an image'
	echo 'ok 6 not two of them'
	echo '@@end formats 0'
}

# seen MODE: the picture is soon that of the program; else it is shown what differs
seen() {
	local n=0

	while ./mvmm screenshot /tmp/vm /tmp/seen.ppm &&
	      ! ./screen "check-$1" /tmp/seen.ppm >/tmp/differs; do
		n=$((n + 1))
		[ $n -lt 100 ] || { cat /tmp/differs; return 1; }
		usleep 200000
	done
}

# A program of 16 bits on a disk: its screens are looked at, its keyboard is used
old_program() {
	cp floppy /tmp/floppy
	truncate -s 1440k /tmp/floppy
	echo '@@begin old-program'
	echo 1..5
	rm -f /tmp/vm
	./mvmm run /tmp/floppy --firmware bios-256k.bin --control /tmp/vm \
		--device vga,romfile=vgabios-stdvga.bin "$@" \
		</dev/null >/tmp/console 2>&1 &
	until [ -S /tmp/vm ]; do
		usleep 100000
	done
	./mvmm wait-screen --timeout 300 /tmp/vm '^Text: press a key' ||
		printf 'not '
	echo 'ok 1 a text, by a clock of 18.2 Hz'
	./mvmm key /tmp/vm a
	seen 13 || printf 'not '
	echo 'ok 2 320x200 with 256 colours'
	./mvmm key /tmp/vm b
	seen 12 || printf 'not '
	echo 'ok 3 640x480 in planes'
	./mvmm key /tmp/vm c
	./mvmm wait-screen --timeout 300 /tmp/vm '^Seen: .* q ends' || {
		./mvmm wait-screen --timeout 1 /tmp/vm '^Something'
		printf 'not '
	}
	echo 'ok 4 all of that, and a note, as the program sees it'
	./mvmm key /tmp/vm q
	wait $!
	[ $? = 42 ] || { cat /tmp/console; printf 'not '; }
	echo 'ok 5 it ends as it wants to'
	echo '@@end old-program 0'
}

# Presses the power button when the guest asks for it
guest_with_button() {
	echo '@@begin guest'
	in_background "$@" | tee /tmp/console &
	until grep -qs 'press the button' /tmp/console || [ -e /tmp/status ]; do
		usleep 200000
	done
	kill "$(pidof mvmm)"
	wait
	ended "$(cat /tmp/status)"
}

# The kernel takes the page away that the guest names: its memory is broken
guest_poisoned() {
	echo '@@begin guest'
	in_background "$@" | ./poison 192
	ended "$(cat /tmp/status)"
}

# The swapper pushes all of the guest's memory to swap over and over, from
# outside, and reports that as one more test.
guest_swapped() {
	echo '@@begin guest'
	in_background "$@" &
	until pidof mvmm >/dev/null || [ -e /tmp/status ]; do
		usleep 10000
	done
	echo 1..1
	./swapper "$(pidof mvmm)"
	wait
	ended "$(cat /tmp/status)"
}

# guest_with_disks OPTION...: one to write to, which has an I/O thread, and one to
# read; what the guest says that it wrote has to be in the file
guest_with_disks() {
	local sum

	dd if=/dev/urandom of=/tmp/a.img bs=64k count=256 2>/dev/null
	dd if=/dev/urandom of=/tmp/b.img bs=64k count=16 2>/dev/null
	echo '@@begin guest'
	boot "$@" --iothread one --disk /tmp/a.img,iothread=one,queues=2 \
		--disk /tmp/b.img,ro >/tmp/console
	status=$?
	cat /tmp/console
	sum=$(sed -n 's/^wrote \([0-9a-f]*\).*/\1/p' /tmp/console)
	echo 1..2
	[ -n "$sum" ] && dd if=/tmp/a.img bs=64k count=64 2>/dev/null |
		sha256sum | grep -q "^$sum" || printf 'not '
	echo 'ok 1 what the guest wrote is in the file'
	[ "$(wc -c </tmp/b.img)" = 1048576 ] || printf 'not '
	echo 'ok 2 the other file is as it was'
	ended "$status"
}

# resident: how much memory the launcher has, in KiB
resident() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$(pidof mvmm)/status"
}

# when TEXT FILE: until it is there, five minutes at most; or the guest has ended
when() {
	for _ in $(seq 3000); do
		if grep -qs "$1" "$2" || [ -e /tmp/status ]; then
			break
		fi
		usleep 100000
	done
}

# Says what the guest waits for, in time, and asks it something itself
talk() {
	local pty before after

	when 'waits for a line' /tmp/console
	echo 'a line'
	when 'waits for a question' /tmp/console
	pty=$(sed -n 's/.*port agent is \([^ ]*\).*/\1/p' /tmp/err)
	echo 'who is there?' >"$pty"
	timeout 100 head -n 1 <"$pty" >/tmp/answer
	when 'waits for much' /tmp/console
	before=$(resident)
	echo 'much'
	when 'waits for little' /tmp/console
	# 64 MiB are in the balloon, and the guest reports what else is free
	for _ in $(seq 600); do
		after=$(resident)
		[ "$after" -gt $((before - 81920)) ] || break
		usleep 100000
	done
	echo "# from $before to $after KiB" >/tmp/resident
	[ "$after" -gt $((before - 81920)) ] || echo 'little'
	# The guest's input has no end before the guest has one
	when nothing /dev/null
	[ -e /tmp/status ] || kill "$(pidof mvmm)"
}

# Types 50 lines one by one, then 150 at once
typist() {
	local i=0

	when 'waits for lines' /tmp/console
	while [ $i -lt 200 ]; do
		[ $i -ge 50 ] || usleep 10000
		echo "line $i"
		i=$((i + 1))
	done
	when nothing /dev/null
}

# guest_typed_at OPTION...: one that prints very much, of which nothing is lost
guest_typed_at() {
	local lines there

	echo '@@begin guest'
	rm -f /tmp/status /tmp/console
	typist | {
		./mvmm run --kernel kernel --initrd guest-initrd "$@" --append \
			"console=ttyS0 quiet loglevel=1 panic=-1 ${APPEND:-}"
		echo $? >/tmp/status
	} | cat >/tmp/console
	grep '[[:alnum:]]' /tmp/console | grep -v '[~^]'
	lines=$(sed -n 's/.*printed \([0-9]*\) of 64.*/\1/p' /tmp/console)
	there=$(tr -cd '~' </tmp/console | wc -c)
	echo 1..1
	echo "# $there and $(tr -cd '^' </tmp/console | wc -c) characters"
	[ "$there" -gt 5000 ] && [ "$there" = $((${lines:-0} * 64)) ] &&
		grep -q '\^\^' /tmp/console || printf 'not '
	echo 'ok 1 all is there that it has printed, and what its kernel has'
	ended "$(cat /tmp/status)"
}

# boots_with MIB [TOLD]: with so much memory, of which a PC keeps 389 KiB; or with what
# the launcher says that the guest needs: once for the kernel, once for the initrd
boots_with() {
	local status ram needs=0

	boot --mem "$1M" >/tmp/console 2>/tmp/err
	status=$?
	if [ $status = 71 ]; then
		needs=$(sed -n 's/.* needs \([0-9]*\)M of memory.*/\1/p' /tmp/err)
	fi
	if [ "${needs:-0}" -gt "$1" ] && [ "${2:-0}" -lt 2 ]; then
		boots_with "$needs" $((${2:-0} + 1))
		return
	fi
	ram=$(sed -n 's/^RAM \([0-9]*\) .*/\1/p' /tmp/console)
	echo "# $1 MiB: status $status, $(cat /tmp/console /tmp/err)"
	[ $status = 7 ] && [ "${ram:-0}" = $(($1 * 1024 - 389)) ]
}

# sizes MIB...: of memory
sizes() {
	local mib n=0

	echo '@@begin sizes'
	echo "1..$#"
	for mib; do
		n=$((n + 1))
		boots_with "$mib" || printf 'not '
		echo "ok $n a guest with $mib MiB"
	done
	echo '@@end sizes 0'
}

# Looks at the screen when the guest says so
watch_screen() {
	when 'waits for looked' /tmp/console
	./mvmm screenshot /tmp/vm /tmp/linear.ppm
	./mvmm screenshot /tmp/vm /tmp/linear.png
	echo 'looked'
	when 'waits for typed' /tmp/console
	./mvmm type /tmp/vm Hello
	./mvmm key /tmp/vm enter
	./mvmm wait-screen --timeout 300 /tmp/vm '^Hello .* guest$'
	echo $? >/tmp/found
	./mvmm screenshot /tmp/vm /tmp/text.ppm
	echo 'read'
	# The guest's input has no end before the guest has one
	when nothing /dev/null
}

# guest_with_screen OPTION...: a VGA, of which L1 takes pictures
guest_with_screen() {
	echo '@@begin guest'
	rm -f /tmp/status
	watch_screen | {
		./mvmm run --kernel kernel --initrd guest-initrd "$@" \
			--device vga,romfile=none --device virtio-keyboard \
			--device virtio-tablet --control /tmp/vm --append \
			'console=ttyS0 quiet loglevel=1 panic=-1 vt.global_cursor_default=0' \
			>/tmp/console 2>/tmp/err
		echo $? >/tmp/status
	}
	cat /tmp/console
	sed 's/^/# /' /tmp/err
	echo 1..4
	./screen check /tmp/linear.ppm || printf 'not '
	echo 'ok 1 the screenshot has every pixel'
	[ "$(cut -c 2-4 /tmp/linear.png | head -n 1)" = PNG ] || printf 'not '
	echo 'ok 2 and is a PNG, if wanted'
	[ "$(cat /tmp/found)" = 0 ] || printf 'not '
	echo 'ok 3 a text was waited for'
	./screen check-text /tmp/text.ppm || printf 'not '
	echo 'ok 4 and has every pixel'
	ended "$(cat /tmp/status)"
}

# guest_with_gpu OPTION...: a virtio-gpu, of which L1 takes a picture
guest_with_gpu() {
	echo '@@begin guest'
	rm -f /tmp/status
	in_background --control /tmp/vm --device virtio-gpu --append \
		'console=ttyS0 quiet loglevel=1 panic=-1 vt.global_cursor_default=0' \
		"$@" 2>/tmp/err >/tmp/console &
	when 'the driver has drawn' /tmp/console
	echo 1..1
	seen fb || printf 'not '
	echo 'ok 1 what the driver draws is in the screenshot'
	when nothing /dev/null
	sed 's/^/# /' /tmp/err
	cat /tmp/console
	ended "$(cat /tmp/status)"
}

# guest_with_virtio OPTION...: random numbers, a balloon, a console, two ports
guest_with_virtio() {
	echo '@@begin guest'
	rm -f /tmp/status
	talk | {
		./mvmm run --kernel kernel --initrd guest-initrd "$@" --rng \
			--balloon 64M --console virtio --stats \
			--port log,file=/tmp/log --port agent,pty \
			--append 'quiet loglevel=1 panic=-1' \
			>/tmp/console 2>/tmp/err
		echo $? >/tmp/status
	}
	cat /tmp/console /tmp/resident
	sed 's/^/# /' /tmp/err
	sum=$(sed -n 's/^logs \([0-9a-f]*\).*/\1/p' /tmp/console)
	echo 1..3
	[ -n "$sum" ] && sha256sum </tmp/log | grep -q "^$sum" || printf 'not '
	echo 'ok 1 what the guest logged is in the file'
	[ "$(cat /tmp/answer)" = 'answer: who is there?' ] || printf 'not '
	echo 'ok 2 the guest has answered'
	grep -q '^balloon: 65536 of 65536 KiB in it' /tmp/err &&
		grep -q ' [1-9][0-9]* KiB that the guest reported' /tmp/err &&
		grep -q '^balloon: the guest has .* KiB in all' /tmp/err ||
		printf 'not '
	echo 'ok 3 the balloon is full, and the guest has told of its memory'
	ended "$(cat /tmp/status)"
}

# in_a_root COMMAND: L1's root is an initramfs, which pivot_root() does not leave:
# a copy is in a file system, and has what is in root/
in_a_root() {
	mkdir /root.copy && mount -t tmpfs tmpfs /root.copy &&
		cd /root.copy && mkdir -p dev proc sys tmp || return 1
	for i in /*; do
		case $i in
		/dev | /proc | /sys | /tmp | /root.copy) ;;
		*) cp -a "$i" . ;;
		esac
	done
	cp -a /lab/root/. .
	mount -o rbind /dev dev
	mount -t proc proc proc
	mount -t sysfs sysfs sys
	mount -t tmpfs tmpfs tmp
	chroot . sh -c ". /lab/l1.sh; cd /lab; $*"
	cd /lab || return 1
}

# guest_with_share OPTION...: two directories, one of them to read only, by
# virtiofsd; a disk of qemu-storage-daemon's; and sockets. It is asked to be saved,
# which it cannot be
guest_with_share() {
	local sum status

	mkdir -p /tmp/rw /tmp/ro
	echo 'who is there?' | tee /tmp/rw/question >/tmp/ro/question
	truncate -s 16M /tmp/a.img
	./qemu-storage-daemon --blockdev driver=file,node-name=d,filename=/tmp/a.img \
		--export type=vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path=/tmp/blk,writable=on &
	until [ -e /tmp/blk ]; do
		usleep 10000
	done
	./vsock serve 1234 &
	echo '@@begin guest'
	in_background "$@" --share /tmp/rw --share /tmp/ro,tag=second,ro \
		--vhost-user /tmp/blk,type=blk --vsock 7 --save-every 100 \
		2>/tmp/err >/tmp/console &
	when 'waits for a file' /tmp/console
	echo late >/tmp/rw/late
	when 'waits for a call' /tmp/console
	for _ in $(seq 100); do
		./vsock send 7 1234 && break
		usleep 100000
	done 2>/dev/null
	when nothing /dev/null
	status=$(cat /tmp/status)
	cat /tmp/console
	sed 's/^/# /' /tmp/err
	echo 1..5
	sum=$(sed -n 's/^shared \([0-9a-f]*\).*/\1/p' /tmp/console)
	[ -n "$sum" ] && sha256sum </tmp/rw/answer/data | grep -q "^$sum" ||
		printf 'not '
	echo 'ok 1 what the guest wrote is in the directory'
	[ "$(ls /tmp/ro)" = question ] || printf 'not '
	echo 'ok 2 the other directory is as it was'
	sum=$(sed -n 's/^wrote \([0-9a-f]*\).*/\1/p' /tmp/console)
	[ -n "$sum" ] && dd if=/tmp/a.img bs=64k count=64 2>/dev/null |
		sha256sum | grep -q "^$sum" || printf 'not '
	echo 'ok 3 what the guest wrote to the disk is in its file'
	grep -q 'cannot be saved while it has the share of /tmp/' /tmp/err ||
		printf 'not '
	echo 'ok 4 it is not saved, and says why'
	! pidof virtiofsd || printf 'not '
	echo 'ok 5 virtiofsd has ended'
	ended "$status"
	kill "$(pidof qemu-storage-daemon)"
}

# L1's own kernel as a guest, whose shell sees a directory of L1's
guest_of_host() {
	mkdir /tmp/here && cd /tmp/here || return 1
	echo 'who is there?' >question
	echo '@@begin guest'
	rm -f /tmp/status
	{
		when 'turns the guest off' /tmp/console
		echo 'cat question >answer; uname -r >release; exit'
		when nothing /dev/null
	} | {
		/lab/mvmm run "$@" >/tmp/console 2>/tmp/err
		echo $? >/tmp/status
	}
	sed 's/^/# /' /tmp/console /tmp/err
	echo 1..4
	grep -q "boots this host's kernel, /boot/vmlinuz-$(uname -r)," /tmp/err ||
		printf 'not '
	echo 'ok 1 mvmm run says what it does'
	cmp question answer || printf 'not '
	echo 'ok 2 the guest sees the directory'
	[ "$(cat release)" = "$(uname -r)" ] || printf 'not '
	echo 'ok 3 its kernel is that of L1'
	[ "$(cat /tmp/status)" = 0 ] || printf 'not '
	echo 'ok 4 it is turned off'
	echo '@@end guest 0'
}

# Stops the launcher for half a minute when the guest asks for it
guest_stopped() {
	echo '@@begin guest'
	in_background "$@" | tee /tmp/console &
	until grep -qs 'stop me' /tmp/console || [ -e /tmp/status ]; do
		usleep 200000
	done
	kill -STOP "$(pidof mvmm)"
	sleep 30
	kill -CONT "$(pidof mvmm)"
	wait
	ended "$(cat /tmp/status)"
}

# guest_saved TIMES OPTION...: one that is saved and made anew all the time, TIMES times
# or more
guest_saved() {
	local times=$1 status saved

	shift
	echo '@@begin guest'
	boot "$@" --stats 2>/tmp/err
	status=$?
	cat /tmp/err
	saved=$(sed -n 's/^saved and loaded: \([0-9]*\) times$/\1/p' /tmp/err)
	echo 1..1
	[ "${saved:-0}" -ge "$times" ] || printf 'not '
	echo "ok 1 the guest was saved $saved times"
	ended "$status"
}

# guest_killed ROUNDS OPTION...: one that writes to its disk, killed at another
# moment each time of the few rounds of dpkg that 600 ms have; what it finds then
# is sound. Only the last one boots all of systemd
guest_killed() {
	local rounds=$1 i=0

	shift
	echo "@@begin kills"
	echo "1..$((rounds + 1))"
	while [ $i -lt "$rounds" ]; do
		i=$((i + 1))
		rm -f /tmp/status /tmp/console
		APPEND=bare_root in_background "$@" >/tmp/console &
		until grep -qs '^sound' /tmp/console || [ -e /tmp/status ]; do
			usleep 100000
		done
		usleep $((i * 7919 % 600 * 1000))
		kill -9 "$(pidof mvmm)"
		wait
		grep -q '^sound' /tmp/console || { cat /tmp/console; printf 'not '; }
		echo "ok $i after $((i - 1)) kills"
	done
	APPEND=last_round boot "$@" >/tmp/console
	[ $? = 7 ] || { cat /tmp/console; printf 'not '; }
	echo "ok $((i + 1)) after $i kills"
	echo "@@end kills 0"
}

# The kernel's log from here to log_end is a test, too
log_begin() {
	tainted=$(cat /proc/sys/kernel/tainted)
	dmesg -c >/dev/null
}

# Prints it, and the taint flags that came since: on some of Bochs' CPU models
# the kernel warns while it boots, before there is a module
log_end() {
	echo '@@log'
	dmesg
	echo "@@tainted $(($(cat /proc/sys/kernel/tainted) & ~tainted))"
	echo '@@log-end'
}
