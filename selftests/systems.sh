# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# What L1 runs of systems that want a screen and a keyboard, after l1.sh: their
# menus are driven by keys, and what they show is read.

# runs OPTION...: a machine whose control socket is /tmp/vm
runs() {
	rm -f /tmp/vm
	./mvmm run --control /tmp/vm "$@" </dev/null >/tmp/console 2>/tmp/err &
	until [ -S /tmp/vm ] || [ ! -d "/proc/$!" ]; do
		usleep 100000
	done
}

# pc OPTION...: one with a BIOS and a screen
pc() {
	runs --firmware bios-256k.bin \
		--device vga,romfile=vgabios-stdvga.bin "$@"
}

# shows REGEX WHAT: a line of the screen does, soon, or in $PATIENCE seconds
shows() {
	line=$((line + 1))
	./mvmm wait-screen --timeout "${PATIENCE:-60}" /tmp/vm "$1" || {
		cat /tmp/err
		printf 'not '
	}
	echo "ok $line $2"
}

key() {
	./mvmm key /tmp/vm "$1"
}

enters() {
	./mvmm type --enter /tmp/vm "$1"
}

# begins NAME TESTS
begins() {
	line=0
	echo "@@begin $1"
	echo "1..$2"
}

# ends NAME: nobody turns the machine off. The first signal is its power button
ends() {
	{ kill "$!" && sleep 1 && kill "$!"; } 2>/dev/null
	wait
	echo "@@end $1 0"
}

# GRUB on a floppy disk: a menu of its own, and a command line
grub_floppy() {
	begins grub-floppy 3
	pc --mem 64M --floppy grub.img
	shows 'GNU GRUB' 'a menu, from a floppy disk'
	key c
	shows '^grub>' 'a key leads to the command line'
	enters ls
	shows '\(fd0\)' 'it reads the BIOS'"'"'s list of drives'
	ends grub-floppy
}

# GRUB on a CD, by El Torito: a menu of ours
grub_cdrom() {
	begins grub-cdrom 4
	pc --mem 64M --cdrom cd.iso --boot order=d
	shows 'The first entry' 'a menu, from a CD'
	key down
	key enter
	shows 'This was the second' 'an arrow and Enter choose from it'
	key enter
	shows 'The first entry' 'it comes again'
	key c
	shows '^grub>' 'a key leads to the command line'
	ends grub-cdrom
}

# guest_with_ide OPTION...: Linux with drivers of IDE, and of the screen
guest_with_ide() {
	dd if=/dev/urandom of=/tmp/ide bs=64k count=64 2>/dev/null
	rm -f /tmp/status
	echo '@@begin guest'
	in_background --disk /tmp/ide,bus=ide --cdrom cd.iso --control /tmp/vm \
		--device vga,romfile=none "$@" 2>/tmp/err >/tmp/console &
	when 'the driver has drawn' /tmp/console
	echo 1..2
	# The driver copies it some 50 ms later
	seen fb || printf 'not '
	echo 'ok 1 what the driver of the screen draws is in the screenshot'
	when nothing /dev/null
	sed 's/^/# /' /tmp/err
	cat /tmp/console
	sum=$(sed -n 's/^wrote \([0-9a-f]*\).*/\1/p' /tmp/console)
	[ -n "$sum" ] && dd if=/tmp/ide bs=64k count=64 2>/dev/null |
		sha256sum | grep -q "^$sum" || printf 'not '
	echo 'ok 2 what the guest wrote is in the file'
	ended "$(cat /tmp/status)"
}

# waits SECONDS WHAT COMMAND...: until it succeeds
waits() {
	line=$((line + 1))
	left=$1
	what=$2
	shift 2
	until "$@"; do
		left=$((left - 1))
		# Nothing more comes
		[ -d "/proc/$!" ] || left=0
		if [ $left -le 0 ]; then
			cat /tmp/err
			tail -n 20 /tmp/console
			printf 'not '
			break
		fi
		sleep 1
	done
	echo "ok $line $what"
}

# An empty screen is a small picture; one that is being drawn is soon another
is_drawn() {
	./mvmm screenshot /tmp/vm /tmp/seen.png &&
		[ "$(stat -c %s /tmp/seen.png)" -ge 50000 ] &&
		sleep 1 && is_the_same
}

is_the_same() {
	./mvmm screenshot /tmp/vm /tmp/now.png &&
		cmp -s /tmp/seen.png /tmp/now.png
}

is_another() {
	./mvmm screenshot /tmp/vm /tmp/now.png &&
		! cmp -s /tmp/seen.png /tmp/now.png
}

# ISOLINUX with a menu in VESA's pixels
isolinux_menu() {
	begins isolinux 2
	pc --mem 64M --cdrom cd.iso --boot order=d
	waits 120 'a menu of pixels, from a CD' is_drawn
	key down
	waits 60 'an arrow moves its bar' is_another
	ends isolinux
}

# typed_at_ipxe: three tests of its command line
typed_at_ipxe() {
	shows '^iPXE initialising devices' 'it starts iPXE, back in text mode'
	key ctrl-b
	shows '^iPXE> *$' 'Ctrl-B leads to its command line'
	# shellcheck disable=SC2016 # what iPXE replaces
	enters 'echo version ${version}'
	shows '^version 1\.' 'which knows what it was typed'
}

# iPXE by that menu
isolinux_ipxe() {
	begins ipxe 4
	pc --mem 64M --cdrom cd.iso --boot order=d
	waits 120 'a menu of pixels, from a CD' is_drawn
	key enter
	typed_at_ipxe
	ends ipxe
}

# The same from a floppy disk
floppy_ipxe() {
	begins floppy-ipxe 3
	pc --mem 64M --floppy ipxe.img --boot order=a
	typed_at_ipxe
	ends floppy-ipxe
}

# reads REGEX: a line of a Linux console does, in text, or in pixels with the font of
# the kernel
reads() {
	./mvmm wait-screen --timeout 1 /tmp/vm "$1" 2>/dev/null ||
		{ ./mvmm screenshot /tmp/vm /tmp/seen.ppm &&
		  ./screen words font /tmp/seen.ppm >/tmp/words &&
		  grep -qE "$1" /tmp/words; }
}

# Debian's installer by its own menu, which is edited: it is to draw by letters
installer_text() {
	begins installer-text 3
	pc --mem 1G --cdrom installer.iso --boot order=d
	waits 120 'its menu, with a picture' is_drawn
	key tab
	enters ' vga=normal fb=false'
	waits 1500 'the first question' reads 'Select a language'
	key enter
	waits 120 'an answer leads to the next one' \
		reads 'Select your location'
	ends installer-text
}

is_empty() {
	./mvmm screenshot /tmp/vm /tmp/seen.png &&
		[ "$(stat -c %s /tmp/seen.png)" -lt 20000 ]
}

# The same with windows
installer_gtk() {
	begins installer-gtk 6
	pc --mem 1G --cdrom installer.iso --boot order=d
	waits 120 'its menu, with a picture' is_drawn
	key enter
	waits 120 'it starts Linux' is_empty
	waits 1500 'its first window' is_drawn
	key down
	waits 60 'an arrow chooses another language' is_another
	waits 60 'and no more' is_drawn
	key down
	waits 60 'a second one chooses the next' is_another
	ends installer-gtk
}

# turns_off: the machine does, soon, and the launcher returns 0: it has not crashed.
# waits() gives up when it has ended
turns_off() {
	line=$((line + 1))
	left=60
	while [ -d "/proc/$!" ] && [ $left -gt 0 ]; do
		left=$((left - 1))
		sleep 1
	done
	{ [ ! -d "/proc/$!" ] && wait "$!"; } || {
		cat /tmp/err
		printf 'not '
	}
	echo "ok $line it turns the machine off"
}

# logs_in CONDITION: on Debian's first console, which becomes one of pixels when the
# driver is loaded; what follows is typed with the condition before it
logs_in() {
	waits 3000 'Debian asks who is there' reads '^guest login:'
	enters root
	waits 300 'a shell' reads '^root@guest:~#'
	enters "$1 grep -o 'BOOT.*vmlinuz' /proc/cmdline"
	waits 60 'which GRUB has started, by that firmware' \
		reads '^BOOT_IMAGE=.*vmlinuz'
	enters 'poweroff -f'
	turns_off
}

# Debian on a disk, by SeaBIOS and GRUB
debian_bios() {
	begins debian-bios 5
	pc --mem 512M --ephemeral --disk /dev/vda
	shows '[*]Debian' 'GRUB has a menu'
	key enter
	logs_in 'test -d /sys/firmware/efi ||'
	ends debian-bios
}

# The same disk by OVMF
debian_uefi() {
	begins debian-uefi 5
	mkdir -p /usr/share/OVMF
	mv OVMF_* /usr/share/OVMF
	runs --firmware uefi --mem 512M --ephemeral --disk /dev/vda \
		--device vga,romfile=none
	waits 900 'GRUB has a menu' grep -q 'Debian' /tmp/console
	key enter
	logs_in 'test -d /sys/firmware/efi &&'
	ends debian-uefi
}

# Memtest86+ from its CD: one pass
memtest_bios() {
	begins memtest-bios 2
	pc --mem 64M --cdrom memtest.iso --boot order=d
	shows 'Memtest86' 'it starts'
	PATIENCE=6000 shows 'Pass: +[1-9].* Errors: 0' \
		'a pass over all of the memory finds no error'
	ends memtest-bios
}

# EDK2's shell, and Memtest86+ by it: typed on the keyboard, read at the serial port.
# edk2_shell pass: until that has gone over all of the memory
edk2_shell() {
	begins edk2 $((4 + $#))
	mkdir -p /usr/share/OVMF
	mv OVMF_* /usr/share/OVMF
	runs --firmware uefi --mem 64M --disk esp.img,ro \
		--device vga,romfile=none
	waits 600 'the firmware starts its shell' \
		grep -q 'Press .*ESC.* in' /tmp/console
	key esc
	waits 60 'a key leads to its prompt' grep -q 'Shell>' /tmp/console
	enters 'ls fs0:'
	waits 60 'it lists what is on the disk' \
		grep -qi 'memtest[.]efi' /tmp/console
	enters 'fs0:memtest.efi console=ttyS0,115200'
	waits 120 'it starts Memtest86+ from there' \
		grep -q 'Memtest86' /tmp/console
	[ $# = 0 ] || waits 6000 'a pass over all of the memory finds no error' \
		grep -q 'Pass:  *[1-9][0-9]* *Errors: 0 ' /tmp/console
	ends edk2
}
