#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Debian's packages of mvmm, in a root file system that may be spoilt and has
# what they depend on: installed, upgraded, removed, purged. TAP on stdout.
#
#   packages_test.sh DIRECTORY [old-module]
#
# DIRECTORY has the packages. An older version is made of them, with a module of
# its own only if that is asked for: DKMS would take a minute more to build it.

dir=$1 old_module=${2:-}
n=0
cd /tmp || exit 1

# expect NAME COMMAND...: it returns 0
expect() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/out 2>&1; then
		echo "ok $n $name"
	else
		echo "not ok $n $name: $*"
		tail -n 25 /tmp/out | sed 's/^/# /'
	fi
}

# What packages may leave: the caches and logs of others, groups, and DKMS' key
everything() {
	find / -xdev \( -path /proc -o -path /tmp -o -path /dev -o -path /run -o \
		-path /var/cache -o -path /var/log -o -path /var/lib/apt -o \
		-path /var/lib/dpkg \) -prune -o -print |
		grep -v -e '^/usr/lib/modules/[^/]*/modules\.' -e '^/etc/\(group\|gshadow\|ld.so.cache\|.pwd.lock\)-\?$' \
			-e '^/var/lib/systemd/deb-systemd' \
			-e '^/var/lib/dkms/mok\.\(key\|pub\)$' | sort
}

install() {
	apt-get install -y -qq --no-install-recommends "$@"
}

# older PACKAGE.deb: the same with the version 0.0.1
older() {
	rm -rf unpacked
	dpkg-deb -R "$1" unpacked &&
		{ [ ! -d "unpacked/usr/src/mvmm-$version" ] ||
			mv "unpacked/usr/src/mvmm-$version" unpacked/usr/src/mvmm-0.0.1; } &&
		grep -rlIF "$version" unpacked/DEBIAN unpacked/usr/src 2>/dev/null |
		xargs sed -i "s/$(echo "$version" | sed 's/\./\\./g')/0.0.1/g" &&
		dpkg-deb -b --root-owner-group unpacked "old/$(basename "$1")" >/dev/null
}

makes_older() {
	mkdir -p old
	for deb in "$dir"/*.deb; do
		case $deb in
		*-dbgsym*) continue ;;
		*-dkms*) [ -n "$old_module" ] || continue ;;
		esac
		older "$deb" || return
	done
}

is_version() {
	for package in mvmm libmvmm1 libmvmm-dev mvmm-doc; do
		[ "$(dpkg-query -W -f '${Status} ${Version}' $package)" = \
			"install ok installed $1" ] || return
	done
}

has_module() {
	dkms status && [ "$(dkms status | grep -c '^mvmm[/,]')" = 1 ] &&
		dkms status | grep -q "^mvmm/$1,.*installed"
}

aliases() {
	ko=$(find /lib/modules -name 'mvmm.ko*')
	[ "$(modinfo -F version "$ko")" = "$version" ] &&
		grep -q '^mvmm mvmm c10:250' /lib/modules/*/modules.devname
}

# By the machine's own key, which DKMS has made
is_signed() {
	ko=$(find /lib/modules -name 'mvmm.ko*')
	modinfo -F signer "$ko" | grep . &&
		serial=$(openssl x509 -inform DER -in /var/lib/dkms/mok.pub \
			-noout -serial) && echo "$serial" &&
		[ "$(modinfo -F sig_key "$ko" | tr -d :)" = "${serial#serial=}" ]
}

runs() {
	[ "$(mvmm --version)" = "mvmm $version" ]
}

has_device() {
	stat -c '%F %a %U %G %t:%T' /dev/mvmm |
		grep '^character special file 660 root kvm a:fa$'
}

program() {
	cat >program.c <<'C'
#include <errno.h>
#include <libmvmm.h>
int main(void)
{
	struct mvmm_decode_cache *cache = mvmm_decode_cache_new();
	struct mvmm_run run = { 0 };
	struct mvmm_guest guest = { .run = &run, .cache = cache };

	/* The latter needs libZydis */
	return cache && mvmm_open("/nowhere") == -ENOENT &&
		mvmm_complete(&guest) == -EOPNOTSUPP ? 0 : 1;
}
C
	[ "$(pkg-config --modversion libmvmm)" = "$version" ] || return
	# shellcheck disable=SC2046 # words
	gcc -Wall -Werror -o program program.c $(pkg-config --cflags --libs libmvmm) &&
		./program && ldd program && ldd program | grep -q 'libmvmm\.so\.1 => /' || return
	# With the archive of -dev. libZydis has no static one in Debian
	# shellcheck disable=SC2046 # words
	gcc -Wall -Werror -o program program.c $(pkg-config --static --cflags --libs \
		libmvmm | sed 's/-lmvmm/-l:libmvmm.a/') &&
		./program && ! ldd program | grep libmvmm
}

# dpkg --verify prints what is wrong, and returns 0
unchanged() {
	dpkg --verify "$@" >differs
	cat differs
	[ ! -s differs ]
}

no_module() {
	! find /lib/modules/ | grep mvmm
}

nothing_left() {
	everything >after
	diff before after
}

# Where nothing_left does not look, because others write there, too. Not in /dev: no
# package may remove a device's file (Debian Policy 10.6). Not in /var/cache: man
# keeps the pages there that systemd-analyze asks it for.
no_name_left() {
	! find / -xdev \( -path /proc -o -path /tmp -o -path "$dir" -o \
		-path /selftests -o -path /dev -o -path /var/cache \) -prune -o \
		-iname '*mvmm*' -print | grep .
}

version=$(dpkg-deb -f "$(ls "$dir"/mvmm_*.deb)" Version)
packages=$(find "$dir" -name '*.deb' ! -name '*-dbgsym*')
echo 'TAP version 13'
echo "1..$([ -z "$old_module" ] && echo 19 || echo 20)"
everything >before
expect 'an older version is made' makes_older
expect 'it is installed' install ./old/*.deb
expect 'and is that version' is_version 0.0.1
[ -z "$old_module" ] || expect 'with a module' has_module 0.0.1
# shellcheck disable=SC2086 # words
expect 'upgraded' install $packages
expect 'to this version' is_version "$version"
expect 'DKMS built this version only' has_module "$version"
expect 'its number loads the module' aliases
expect 'it is signed' is_signed
expect 'the command runs' runs
expect 'there is a group' grep '^kvm:' /etc/group
expect 'and its device' has_device
expect 'the units are in order' systemd-analyze verify mvmm@a.service \
	mvmm-switch@a.service
expect 'a program builds, with a static library, too' program
expect 'no file was changed' unchanged mvmm libmvmm1 libmvmm-dev mvmm-dkms
expect 'removed' apt-get remove -y -qq mvmm mvmm-dkms libmvmm1 libmvmm-dev \
	mvmm-doc
expect 'the module, too' no_module
expect 'purged' dpkg --purge mvmm mvmm-dkms libmvmm1 libmvmm-dev mvmm-doc
expect 'nothing is left' nothing_left
expect 'and no file of that name' no_name_left
