#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Debian with systemd on which the packages are installed.
#
#   packages_boot.sh prepare in a root file system, to make a disk of it: only
#                               the module is installed
#   packages_boot.sh run        in the machine that has booted from that: the
#                               rest is installed, and used at once. TAP.
#
# /packages has the packages, and guest/ a kernel and an initrd for a guest, which
# ends with the status 7.

prepare() {
	set -e
	# What the others need is there: the machine that boots has no network
	apt-get install -y -qq --no-install-recommends /packages/mvmm-dkms_*.deb \
		gcc libc6-dev libzydis-dev pkg-config
	useradd -m member
	useradd -m stranger
	echo l1 >/etc/hostname
	echo '/dev/vda / ext4 errors=remount-ro 0 1' >/etc/fstab
	# The lab's clock is an old one
	touch -d 2020-01-01 /etc/fstab
	echo 6d766d6d6d766d6d6d766d6d6d766d6d >/etc/machine-id
	cat >/etc/systemd/system/guest-command.service <<'UNIT'
[Unit]
Requires=multi-user.target
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'PATH="/run/guest:$PATH"; . /run/guest/guest-end; sh /run/guest/command; end $?'
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TimeoutStartSec=infinity
UNIT
}

n=0

# expect NAME COMMAND...: it returns 0
expect() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/out 2>&1 </dev/null; then
		echo "ok $n $name"
	else
		echo "not ok $n $name: $*"
		tail -n 25 /tmp/out | sed 's/^/# /'
	fi
}

loaded() { grep '^mvmm ' /proc/modules; }
not_loaded() { ! loaded; }

# as USER COMMAND...: with the groups that a new login would have
as() {
	user=$1
	shift
	runuser -u "$user" -- "$@"
}

install() {
	apt-get install -y -qq --no-install-recommends /packages/*.deb
}

has_device() {
	stat -c '%F %a %U %G %t:%T' /dev/mvmm
	[ "$(stat -c '%F %a %U %G %t:%T' /dev/mvmm)" = \
		'character special file 660 root kvm a:fa' ]
}

refused() {
	as stranger mvmm info
	[ $? = 77 ]
}

info() { as member mvmm info | grep '^VMs can be made: yes'; }

guest() {
	as member mvmm run --mem 128M --kernel /packages/guest/kernel \
		--initrd /packages/guest/guest-initrd \
		--append 'console=ttyS0 quiet panic=-1'
	[ $? = 7 ]
}

# Prints "hi" and ends with the status 0
service() {
	mkdir -p /etc/mvmm
	printf '\272\370\003\260\150\356\260\151\356\260\000\346\364\372\364' \
		>/etc/mvmm/hi.img
	echo 'flat /etc/mvmm/hi.img' >/etc/mvmm/hi.conf
	systemctl start mvmm@hi || return
	for _ in $(seq 60); do
		systemctl is-active -q mvmm@hi || break
		sleep 1
	done
	journalctl -o cat -u mvmm@hi
	systemctl show -p Result mvmm@hi | grep '=success' &&
		journalctl -o cat -u mvmm@hi | grep 'hi$'
}

switch() {
	systemctl start mvmm-switch@lab && sleep 2 && mvmm switch lab show &&
		systemctl stop mvmm-switch@lab &&
		systemctl show -p Result mvmm-switch@lab | grep '=success'
}

# With the library that is installed, as who is in the group
program() {
	cat >/home/member/program.c <<'C'
#include <libmvmm.h>
int main(void)
{
	int fd = mvmm_open("/dev/mvmm");

	return fd >= 0 && mvmm_create_vm(fd) >= 0 ? 0 : 1;
}
C
	# shellcheck disable=SC2046 # words
	gcc -Wall -Werror -o /home/member/program /home/member/program.c \
		$(pkg-config --cflags --libs libmvmm) && as member /home/member/program
}

# dpkg --verify prints what is wrong, and returns 0
installed() {
	for package in mvmm mvmm-dkms libmvmm1 libmvmm-dev mvmm-doc; do
		dpkg --verify $package >/tmp/differs
		cat /tmp/differs
		[ ! -s /tmp/differs ] && [ "$(dpkg-query -W \
			-f '${db:Status-Status}' $package)" = installed ] || return
	done
}

again() { rmmod mvmm && not_loaded && info && loaded; }

run() {
	echo 'TAP version 13'
	echo '1..15'
	expect 'the module is not loaded' not_loaded
	expect 'all packages are installed while the machine runs' install
	expect 'they are as they were made' installed
	expect 'the device is there' has_device
	expect 'that loaded nothing' not_loaded
	usermod -aG kvm member
	expect 'who is not in the group is refused' refused
	expect 'and loads nothing' not_loaded
	expect 'who is in the group opens it' info
	expect 'that loaded the module' loaded
	expect 'the device is as before' has_device
	expect 'a guest' guest
	expect 'a guest as a service' service
	expect 'a switch as a service' switch
	expect 'a program with the library' program
	expect 'unloaded, and loaded again' again
}

case ${1:-} in
prepare) prepare ;;
run) run ;;
*) sed -n '/^#   packages_boot/s/^#   /usage: /p' "$0" >&2; exit 2 ;;
esac
