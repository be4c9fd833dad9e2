#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What the guests of scripts/test run, with busybox or Debian: TAP on the console; returns
# 7 if it gets to the end. What L1 runs is in l1.sh.
#
#   guest.sh debian RELEASE BLOCKS [button]   Debian's kernel; blocks of 64 KiB
#   guest.sh i386 RELEASE                     Debian's kernel for 32 bits
#   guest.sh small VCPUS                      the small test kernel
#   guest.sh memory                           says how much it has
#   guest.sh poison                           what poison.c does
#   guest.sh stress VCPUS ROUNDS              what stress.c does
#   guest.sh disks [smallest]                 virtio-blk: /dev/vda, /dev/vdb; of
#                                             a launcher without SMBIOS
#   guest.sh writes                           /dev/vda, until L1 has enough
#   guest.sh system                           Debian, with systemd, on /dev/vda
#   guest.sh virtio                           -rng, -console, -balloon; packed
#   guest.sh share                            virtio-fs, -vsock, vhost-user-blk
#   guest.sh screen                           --device vga
#   guest.sh ide                              IDE: /dev/sda, /dev/sr0; a screen
#   guest.sh stopped                          the launcher is stopped for 30 s
#   guest.sh i8042 [typed]                    --device i8042; L1 types
#   guest.sh hpet                             --device hpet, and no other timer
#   guest.sh saved VCPUS ROUNDS               the same as stress, while the
#                                             machine is saved and made anew
#   guest.sh reloaded VCPUS ROUNDS SECONDS    and what compute.c does
#   guest.sh files DISK...                    file systems on these disks, in
#                                             Debian; at the second boot what is
#                                             left of them
#   guest.sh kills                            the same; it writes until it is killed
#
# shellcheck disable=SC2317 # functions that check() calls

# shellcheck disable=SC1091 # selftests/guest_pc.sh
. "${0%/*}/guest_pc.sh"

# check NAME COMMAND...: the command succeeds
n=0
check() {
	n=$((n + 1))
	name=$1
	shift
	"$@" || printf 'not '
	echo "ok $n $name"
}

filled() {
	dd if=/dev/urandom of=/tmp/data bs=64k count="$1" 2>/dev/null
	sum=$(sha256sum </tmp/data)
	[ "$(wc -c </tmp/data)" = $(($1 * 65536)) ]
}

copied() {
	for i in 1 2 3; do
		cat /tmp/data >/tmp/copy
		cat /tmp/copy >/tmp/data
	done
	[ "$(sha256sum </tmp/data)" = "$sum" ]
}

virtual() {
	grep -q 'model name' /proc/cpuinfo && grep -qw hypervisor /proc/cpuinfo
}

eight_at_once() {
	for i in 1 2 3 4 5 6 7 8; do
		(
			sleep "0.0$i"
			# shellcheck disable=SC2002 # the pipe is what is tried
			cat /tmp/data | sha256sum >"/tmp/sum$i"
		) &
	done
	wait
	for i in 1 2 3 4 5 6 7 8; do
		[ "$(cat "/tmp/sum$i")" = "$sum" ] || return 1
	done
}

presses() {
	awk '{ print $1 }' /sys/firmware/acpi/interrupts/ff_pwr_btn
}

# Debian's kernel reports the button as an input event. A program that shuts
# down would read it; here it is dd.
pressed() {
	insmod /bin/button.ko && insmod /bin/evdev.ko || return 1
	before=$(presses)
	exec 3</dev/input/event0
	echo 'press the button'
	dd of=/dev/null bs=24 count=1 <&3 2>/dev/null
	[ "$(presses)" = $((before + 1)) ]
}

# drivers NAME...: those of virtio over PCI, and these
drivers() {
	for i in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev \
		virtio_pci "$@"; do
		insmod "/bin/$i.ko" || return 1
	done
}

# Of both: sectors, and the serial number
found() {
	[ "$(cat /sys/block/vda/size) $(cat /sys/block/vda/serial)" = \
		'32768 mvmm-disk-0' ] &&
		[ "$(cat /sys/block/vdb/size) $(cat /sys/block/vdb/ro)" = \
			'2048 1' ]
}

# written [DISK]: 4 MiB, past the guest's cache; L1 looks if they are in the file
written() {
	disk=${1:-/dev/vda}
	dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null
	dd if=/tmp/data of="$disk" bs=64k conv=fsync 2>/dev/null || return 1
	echo 3 >/proc/sys/vm/drop_caches
	sum=$(sha256sum </tmp/data)
	echo "wrote $sum"
	[ "$(dd if="$disk" bs=64k count=64 2>/dev/null | sha256sum)" = "$sum" ]
}

# The kernel probes the drives by itself, after the driver is there
ide_found() {
	for _ in $(seq 100); do
		[ -b /dev/sda ] && [ -b /dev/sr0 ] && break
		usleep 100000
	done
	[ "$(cat /sys/block/sda/size)" = 8192 ] && [ -b /dev/sr0 ]
}

# As the kernel has set them; not what they could do at most
ide_by_dma() {
	for i in 1 2; do
		grep -q DMA "/sys/class/ata_device/dev$i.0/xfer_mode" || return 1
	done
}

cd_mounted() {
	mkdir -p /mnt && mount -t iso9660 -o ro /dev/sr0 /mnt &&
		grep -q 'The first entry' /mnt/boot/grub/grub.cfg
}

# Readers of all parts at once, while another writes to the rest
busy() {
	dd if=/dev/zero of=/dev/vda bs=64k seek=64 count=64 conv=fsync \
		2>/dev/null &
	for i in 0 16 32 48; do
		dd if=/dev/vda bs=64k skip="$i" count=16 2>/dev/null >"/tmp/part$i" &
	done
	wait
	cat /tmp/part0 /tmp/part16 /tmp/part32 /tmp/part48 | cmp - /tmp/data
}

# One for each queue, of which a CPU has one
messages() {
	[ "$(grep -c 'PCI-MSI.*virtio0-req' /proc/interrupts)" = 2 ] &&
		[ "$(find /sys/block/vda/mq -mindepth 1 -maxdepth 1 | wc -l)" = 2 ]
}

# Random writes, many at a time, past the guest's cache, read back and compared
verified() {
	fio --name=verified --filename=/var/tmp/fio --size=8M --rw=randwrite \
		--bsrange=512-64k --direct=1 --ioengine=libaio \
		--iodepth=16 --fsync=32 --verify=crc32c --verify_fatal=1 \
		--output=/run/fio.log || { cat /run/fio.log; return 1; }
}

# apt's database, which is written anew, and its judge
installed() {
	echo 'fio hold' | dpkg --set-selections && apt-mark showhold |
		grep -qx fio && apt-get check -qq && [ -z "$(dpkg --audit)" ]
}

# screen_found NAME: loads the drivers; then the framebuffer is that one's
screen_found() {
	while read -r module; do
		insmod "/bin/$module" || return 1
	done </bin/order
	[ "$(cat /sys/class/graphics/fb0/name)" = "$1" ]
}

# By the only keyboard, on the console
typed() {
	exec 4</dev/tty1
	echo 'waits for typed'
	read -r line <&4 && [ "$line" = Hello ]
}

random() {
	dd if=/dev/hwrng bs=64 count=64 2>/dev/null
}

random_numbers() {
	[ "$(cat /sys/class/misc/hw_random/rng_current)" = virtio_rng.0 ] &&
		[ "$(random | wc -c)" = 4096 ] &&
		[ "$(random | sha256sum)" != "$(random | sha256sum)" ]
}

# All devices have agreed on feature 34
packed() {
	for i in /sys/bus/virtio/devices/*/features; do
		grep -q '^.\{34\}1' "$i" || return 1
	done
}

# heard WORD: L1 types it
heard() {
	echo "waits for $1"
	read -r line && [ "$line" = "$1" ]
}

# port NAME: the file of that port
port() {
	for i in /sys/class/virtio-ports/*; do
		[ "$(cat "$i/name" 2>/dev/null)" = "$1" ] && break
	done
	echo "/dev/${i##*/}"
}

logged() {
	dd if=/dev/urandom of=/tmp/data bs=64k count=8 2>/dev/null
	sum=$(sha256sum </tmp/data)
	echo "logs $sum"
	cat /tmp/data >"$(port log)"
}

# L1 sends a line, and gets it back
answered() {
	exec 4<>"$(port agent)"
	echo 'waits for a question'
	read -r line <&4
	echo "answer: $line" >&4
	[ "$line" = 'who is there?' ]
}

# mounted TAG DIRECTORY: a share of L1's, in which it has left a file
mounted() {
	mkdir -p "$2" && mount -t virtiofs "$1" "$2" &&
		[ "$(cat "$2/question")" = 'who is there?' ]
}

# 4 MiB and a name; L1 looks if they are there
shared() {
	dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null
	cat /tmp/data >/mnt/data && sync && mkdir /mnt/answer &&
		mv /mnt/data /mnt/answer/ || return 1
	sum=$(sha256sum </tmp/data)
	echo "shared $sum"
	echo 3 >/proc/sys/vm/drop_caches
	[ "$(sha256sum </mnt/answer/data)" = "$sum" ]
}

refused() {
	! { echo x >/ro/x; } 2>/dev/null && ! rm /ro/question 2>/dev/null &&
		[ -e /ro/question ]
}

# L1 writes a file when it has seen this
seen_later() {
	echo 'waits for a file'
	for i in $(seq 600); do
		[ -e /mnt/late ] && break
		usleep 100000
	done
	[ "$(cat /mnt/late)" = late ]
}

# as_written: the disk has what was written, and not only in the guest's cache
as_written() {
	echo 3 >/proc/sys/vm/drop_caches
	cmp /tmp/model /dev/vda
}

# Pages here and there, each time stable before the next ones, until L1
# has enough; each 16th time all of the disk is compared with what was written
keeps_writing() {
	(read -r line; : >/tmp/enough) </dev/ttyS0 &
	i=0
	cat /dev/vda >/tmp/model
	pages=$(($(cat /sys/block/vda/size) / 8))
	until [ -e /tmp/enough ]; do
		i=$((i + 1))
		length=$((i * 7 % 16 + 1))
		at=$((i * 7919 % (pages - length)))
		dd if=/dev/urandom of=/tmp/data bs=4k count="$length" 2>/dev/null
		for to in /tmp/model /dev/vda; do
			dd if=/tmp/data of="$to" bs=4k seek="$at" \
				conv=notrunc,fsync 2>/dev/null || return 1
		done
		[ $((i % 16)) -gt 0 ] || as_written || return 1
		echo "wrote $i"
	done
	echo "the disk has $(sha256sum </tmp/model)"
}

# L1 is there first for one, and second for the other
called() {
	echo 'waits for a call'
	vsock serve 1234
}

# The host has given the guest so much memory then, which the guest has not
# freed for others to use
touched() {
	dd if=/dev/zero of=/tmp/large bs=1M count=96 2>/dev/null &&
		rm /tmp/large
}

# Neither its watchdogs nor its clocks
no_complaint() {
	! dmesg | grep -E 'soft lockup|rcu.*(INFO|stall)|blocked for more|clocksource:.*(watchdog|skewed|unstable)|TSC warp|WARNING:|BUG:'
}

# The clock of CPU 0, and then of CPU 1: it never goes back; for some seconds
one_clock() {
	last=0
	end=$(($(date +%s) + 3))
	while [ "$(date +%s)" -lt "$end" ]; do
		for i in 1 2; do
			# Hundredths of a second
			now=$(taskset "$i" cut -d' ' -f1 /proc/uptime | tr -d .)
			[ "$now" -ge "$last" ] || return 1
			last=$now
		done
	done
}

seconds() {
	cut -d. -f1 /proc/uptime
}

# Busy until it is over: time has gone on. The watchdog looks again after that
slept_through() {
	now=$(seconds)
	end=$((now + 20))
	echo 'stop me'
	while [ "$now" -lt "$end" ]; do
		# Each reading is compared with the next one: the stop may come
		# anywhere
		last=$now
		now=$(seconds)
		[ "$now" -lt $((last + 20)) ] || break
	done
	[ "$now" -ge $((last + 20)) ] && sleep 5
}

# A package of 16 files, to be installed over and over
built() {
	mkdir -p /root/p/DEBIAN /root/p/opt/p && cd /root || return 1
	printf '%s\n' 'Package: p' 'Version: 1' 'Architecture: all' \
		'Maintainer: nobody <nobody@localhost>' 'Description: of a test' \
		>p/DEBIAN/control
	for i in $(seq 16); do
		echo "$i" >"p/opt/p/$i"
	done
	[ -e p.deb ] || { dpkg-deb -Znone -b p p.tmp && mv p.tmp p.deb; }
} >/dev/null

# After a kill dpkg has work left over. When that is done all is as it should be. A
# package that was being unpacked it does not configure: it wants it installed again
sound() {
	dpkg --configure -a
	dpkg -i /root/p.deb && [ -z "$(dpkg --audit)" ] &&
		apt-get check && [ -z "$(dpkg --verify p)" ] && [ "$(cat /opt/p/16)" = 16 ]
} >/run/sound.log 2>&1

# All file systems of Debian's kernel that have a checker, which has the last word

made() {
	case $2 in
	ext4) mkfs.ext4 -qF "$1" ;;
	xfs) mkfs.xfs -qf "$1" ;;
	btrfs) mkfs.btrfs -qf "$1" ;;
	esac
}

checked() {
	case $2 in
	ext4) e2fsck -fn "$1" ;;
	xfs) xfs_repair -n "$1" ;;
	btrfs) btrfs check "$1" ;;
	esac
}

# Random writes, verified, and files that are there at the next boot, too
used() {
	mount -t "$2" "$1" /mnt || return 1
	fio --name=used --directory=/mnt --size=4M --rw=randwrite \
		--bsrange=512-64k --direct=1 --ioengine=libaio --iodepth=16 \
		--fsync=32 --verify=crc32c --verify_fatal=1 &&
		cp -r /usr/lib/systemd /mnt/ &&
		(cd /mnt && find . -type f -exec sha256sum {} + >/run/sums &&
			mv /run/sums sums)
	status=$?
	fstrim /mnt
	umount /mnt && return "$status"
}

# As this is the last of them
left() {
	mount -t xfs "$1" /mnt || return 1
	(cd /mnt && grep -v ' ./sums' sums | sha256sum -c --quiet)
	status=$?
	umount /mnt && return "$status"
}

# quiet COMMAND...: its output is shown only if it fails
quiet() {
	"$@" >/run/quiet 2>&1 || { tail -n 20 /run/quiet | sed 's/^/# /'; return 1; }
}

file_systems() {
	check "$1: badblocks finds none" quiet badblocks -w -b 4096 "/dev/$1" 1023 0
	check "$1: all is discarded" quiet blkdiscard "/dev/$1"
	for fs in ext4 btrfs xfs; do
		check "$1: $fs is made" quiet made "/dev/$1" $fs
		check "$1: $fs is used" quiet used "/dev/$1" $fs
		check "$1: $fs is sound" quiet checked "/dev/$1" $fs
	done
}

case $1 in
files)
	shift
	while read -r module; do
		insmod "/run/guest/$module" || echo "# $module is not loaded"
	done </run/guest/order
	if grep -q second_boot /proc/cmdline; then
		echo "1..$((2 * $#))"
		for disk; do
			check "$disk: all files are there" quiet left "/dev/$disk"
			check "$disk: it is sound" quiet checked "/dev/$disk" xfs
		done
	else
		echo "1..$((11 * $#))"
		for disk; do
			file_systems "$disk"
		done
	fi
	exit 7
	;;
writes)
	echo 1..4
	check 'the drivers find the PCI bus' drivers virtio_blk
	check 'all that was written is there meanwhile' keeps_writing
	check 'and afterwards' as_written
	check 'the kernel does not complain' no_complaint
	exit 7
	;;
kills)
	# Mounting has replayed the journal, and nothing was written since
	if grep -q bare_root /proc/cmdline; then
		quiet checked /dev/vda ext4 && mount -o remount,rw / || exit 1
	fi
	if ! built || ! sound; then
		cat /run/sound.log
		exit 1
	fi
	echo 'sound'
	grep -q last_round /proc/cmdline && exit 7
	while true; do
		dpkg -r p && dpkg -i /root/p.deb
	done >/dev/null
	;;
system)
	echo 1..5
	check 'the root is on the disk' [ "$(findmnt -no SOURCE /)" = /dev/vda ]
	check 'no unit failed' [ -z "$(systemctl --failed --quiet)" ]
	check 'fio verifies what it wrote' verified
	check 'apt and dpkg agree' installed
	check 'free blocks are given back' fstrim /
	exit 7
	;;
virtio)
	# Nothing can be printed before the console is there
	drivers virtio_console || exit 1
	until (: </dev/hvc0) 2>/dev/null; do usleep 10000; done
	exec </dev/hvc0 >/dev/hvc0 2>&1
	echo 1..10
	check 'the console prints, and is read' heard 'a line'
	check 'there is room for PCI devices above 4 GiB' \
		grep -Eq '^ *[1-9a-f][0-9a-f]{8,}-[0-9a-f]+ : PCI Bus' /proc/iomem
	check 'the random numbers come from virtio-rng' \
		sh -c 'insmod /bin/virtio-rng.ko'
	check 'and are random' random_numbers
	check 'a port to a file' logged
	check 'a port to a terminal' answered
	check 'memory is used, and freed' touched
	check 'L1 looks how much it is' heard 'much'
	insmod /bin/virtio_balloon.ko
	check 'all rings are packed' packed
	check 'and sees how it comes back' heard 'little'
	exit 7
	;;
share)
	echo 1..8
	drivers fuse virtiofs virtio_blk vsock \
		vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport
	check 'a share is mounted' mounted share /mnt
	check 'what is written there is there' shared
	check 'what L1 writes later is seen' seen_later
	check 'another one is mounted' mounted second /ro
	check 'and nothing can be written there' refused
	check 'a disk of another process is written and read' written
	check 'a socket to the host' vsock send 2 1234
	check 'a socket to the guest' called
	exit 7
	;;
i8042)
	echo 1..$((11 + ($# > 1)))
	check 'ACPI has it' printed 'i8042: PNP: PS/2 Controller'
	check 'and it is soon found' i8042_soon
	check 'there is a keyboard' grep -q 'AT Translated Set 2 keyboard' /proc/bus/input/devices
	check 'a mouse can be there' [ -e /sys/bus/serio/devices/serio1 ]
	check 'the keyboard interrupts' interrupted_by i8042
	check "the clock's alarm rings in its second" alarm_rings
	check 'the clock interrupts each second' rtc update
	check '64 times in each' rtc periodic
	check 'so does its chip by itself' rtc chip-update
	check 'as often as its rate says' rtc chip-periodic
	check 'the kernel does not complain' no_complaint
	[ $# = 1 ] || check 'what is typed arrives, in a flood of output' \
		heard_in_a_flood
	exit 7
	;;
hpet)
	echo 1..8
	check 'its counter is the time' [ "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)" = hpet ]
	check 'its timer is the tick' ticks_by hpet
	check 'the clock goes on' slept_a_second
	# By the HPET, which takes the place of the chip's interrupt
	check "the clock's alarm rings in its second" alarm_rings
	check 'the clock interrupts each second' rtc update
	check '64 times in each' rtc periodic
	check 'an i8042 that is not there is soon given up' i8042_soon
	check 'the kernel does not complain' no_complaint
	exit 7
	;;
screen)
	exec </dev/ttyS0
	echo 1..8
	echo 1 >/sys/bus/pci/devices/0000:00:01.0/enable
	check 'a program sets a linear mode' screen linear
	check 'L1 looks at it' heard 'looked'
	echo 0 >/sys/bus/pci/devices/0000:00:01.0/enable
	check 'the driver finds the screen' screen_found bochs-drmdrmfb
	check 'and what the monitor wants' \
		grep -q 'U:1024x768' /sys/class/graphics/fb0/modes
	check 'there is a tablet' grep -q 'mvmm tablet' /proc/bus/input/devices
	check 'what L1 types arrives by virtio-input' typed
	check 'a program sets a text mode' screen text
	check 'L1 reads it' heard 'read'
	exit 7
	;;
gpu)
	echo 1..4
	check 'the driver finds the screen' screen_found virtio_gpudrmfb
	check 'and what the monitor wants' \
		grep -q 'U:1024x768' /sys/class/graphics/fb0/modes
	check 'a program draws on its framebuffer' screen fb
	echo 'the driver has drawn'
	check 'the kernel does not complain' no_complaint
	exit 7
	;;
ide)
	echo 1..7
	check 'the driver finds the screen' screen_found bochs-drmdrmfb
	check 'a program draws on its framebuffer' screen fb
	echo 'the driver has drawn'
	check 'there are a disk and a CD-ROM' ide_found
	check 'both by DMA' ide_by_dma
	check 'what is written is read again' written /dev/sda
	check 'the CD has its files' cd_mounted
	check 'the kernel does not complain' no_complaint
	exit 7
	;;
stopped)
	echo 1..3
	# A lockup is one of twice that
	echo 4 >/proc/sys/kernel/watchdog_thresh
	check 'the watchdog runs' grep -q 1 /proc/sys/kernel/soft_watchdog
	check 'time goes on, and the guest with it' slept_through
	check 'the kernel does not complain' no_complaint
	exit 7
	;;
reloaded)
	echo 1..3
	check 'all vCPUs are there' [ "$(nproc)" = "$2" ]
	compute "$4" >/tmp/computed &
	stress "$3" || exit 1
	check 'the other program ends well' wait $!
	cat /tmp/computed
	check 'the kernel does not complain' no_complaint
	exit 7
	;;
saved)
	echo 1..3
	check 'all vCPUs are there' [ "$(nproc)" = "$2" ]
	check 'they have one clock' one_clock
	stress "$3" || exit 1
	check 'the kernel does not complain' no_complaint
	exit 7
	;;
disks)
	echo 1..$((8 + ($# < 2) + $(grep -c initcall_debug /proc/cmdline)))
	check 'the tables have both CPUs' [ "$(nproc)" = 2 ]
	[ $# -gt 1 ] || check 'and say who made the machine' \
		[ "$(cat /sys/class/dmi/id/sys_vendor)" = mvmm ]
	check 'the drivers find the PCI bus' drivers virtio_blk
	check 'two disks, one of them read-only' found
	check 'what is written is read again' written
	check 'several at once' busy
	check 'two queues, whose interrupts are messages' messages
	check 'the other cannot be written' sh -c '! dd if=/tmp/data of=/dev/vdb bs=512 count=1 2>/dev/null'
	check 'a read beyond the end fails' sh -c '! dd if=/dev/vda bs=512 skip=32768 count=1 2>/dev/null | grep -q .'
	! grep -q initcall_debug /proc/cmdline ||
		check 'an i8042 that is not there is soon given up' i8042_soon
	exit 7
	;;
debian)
	echo "1..$((6 + ($# > 3)))"
	check 'the guest runs its own kernel' [ "$(uname -r)" = "$2" ]
	check 'its CPU is a virtual one' virtual
	check 'memory is filled' filled "$3"
	check 'and comes back byte-exact' copied
	check 'the clock is set' [ "$(date +%Y)" -ge 2026 ]
	check 'sleepers and pipes, eight at once' eight_at_once
	[ $# = 3 ] || check 'the power button is pressed' pressed
	exit 7
	;;
i386)
	echo 1..6
	check 'the guest runs its own kernel' [ "$(uname -r)" = "$2" ]
	check 'which has 32 bits' [ "$(uname -m)" = i686 ]
	check 'its CPU is a virtual one' virtual
	check 'and all of them are there' [ "$(nproc)" = 2 ]
	check 'memory is filled' filled 64
	check 'and comes back byte-exact' copied
	exit 7
	;;
small)
	echo 1..2
	check 'a guest' sh -c 'uname -r | grep -q vmmtest'
	check 'with all vCPUs' [ "$(nproc)" = "$2" ]
	exit 7
	;;
memory)
	echo "RAM $(ram) of $(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)"
	exit 7
	;;
stress)
	echo 1..1
	check 'all vCPUs are there' [ "$(nproc)" = "$2" ]
	stress "$3" && exit 7
	;;
poison)
	poison && exit 7
	;;
esac
exit 1
