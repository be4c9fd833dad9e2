# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# What L1 runs of disks that are a server's, an array's or of another kind, after
# l1.sh: servers are killed, members are taken away, and file systems are made.

serve() {
	./nbdkit -f --pidfile /tmp/nbdkit.pid ./nbdkit-file-plugin.so /tmp/a.img &
	until [ -s /tmp/nbdkit.pid ]; do
		usleep 10000
	done
}

# guest_over_nbd OPTION...: guest_with_disks, but the first one is a server's, which
# is killed while the guest uses it, and comes again
guest_over_nbd() {
	local sum

	dd if=/dev/urandom of=/tmp/a.img bs=64k count=256 2>/dev/null
	dd if=/dev/urandom of=/tmp/b.img bs=64k count=16 2>/dev/null
	serve
	echo '@@begin guest'
	in_background "$@" --disk nbd://127.0.0.1/ --disk /tmp/b.img,ro \
		2>/tmp/err | tee /tmp/console &
	until grep -qs '^wrote' /tmp/console || [ -e /tmp/status ]; do
		usleep 10000
	done
	kill -9 "$(cat /tmp/nbdkit.pid)"
	rm /tmp/nbdkit.pid
	sleep 1
	serve
	until [ -e /tmp/status ]; do
		usleep 200000
	done
	sum=$(sed -n 's/^wrote \([0-9a-f]*\).*/\1/p' /tmp/console)
	echo 1..2
	[ -n "$sum" ] && dd if=/tmp/a.img bs=64k count=64 2>/dev/null |
		sha256sum | grep -q "^$sum" || printf 'not '
	echo 'ok 1 what the guest wrote is in the file of the server'
	grep -q 'connected again' /tmp/err || printf 'not '
	echo 'ok 2 the launcher has found the server again'
	ended "$(cat /tmp/status)"
	kill "$(cat /tmp/nbdkit.pid)"
}

# guest_on_raid OPTION...: the same; the first one is an array, which loses a
# member while the guest uses it, and another takes its place
guest_on_raid() {
	local sum i

	for i in 0 1 2 3; do
		truncate -s 9M "/tmp/$i.img"
	done
	dd if=/dev/urandom of=/tmp/b.img bs=64k count=16 2>/dev/null
	echo '@@begin guest'
	./mvmm raid create 5 /tmp/0.img /tmp/1.img /tmp/2.img
	in_background "$@" --control /tmp/vm \
		--disk raid5:/tmp/0.img,/tmp/1.img,/tmp/2.img --disk /tmp/b.img,ro \
		2>/tmp/err | tee /tmp/console &
	until grep -qs '^wrote' /tmp/console || [ -e /tmp/status ]; do
		usleep 10000
	done
	./mvmm raid fail /tmp/vm /tmp/1.img >/dev/null
	./mvmm raid add /tmp/vm /tmp/3.img >/dev/null
	until [ -e /tmp/status ]; do
		usleep 200000
	done
	cat /tmp/err
	sum=$(sed -n 's/^wrote \([0-9a-f]*\).*/\1/p' /tmp/console)
	echo 1..3
	grep -q '1.img has failed: the user said so' /tmp/err &&
		grep -q '3.img takes place 1' /tmp/err || printf 'not '
	echo 'ok 1 a member was dropped, and another took its place'
	# Without one, so that parity has to be right
	./mvmm disk convert raid5:/tmp/2.img,/tmp/3.img,force /tmp/a.img
	[ -n "$sum" ] && dd if=/tmp/a.img bs=64k count=64 2>/dev/null |
		sha256sum | grep -q "^$sum" || printf 'not '
	echo 'ok 2 what the guest wrote is on the members that are left'
	./mvmm raid status /tmp/0.img /tmp/2.img /tmp/3.img |
		grep -c 'state: *clean' | grep -q 3 || printf 'not '
	echo 'ok 3 it was shut down clean'
	ended "$(cat /tmp/status)"
}

# lines COUNT TEXT FILE: when there are so many with TEXT, within five minutes
lines() {
	local n

	for _ in $(seq 3000); do
		n=$(grep -cs "$2" "$3")
		[ ! -e /tmp/status ] && [ "${n:-0}" -lt "$1" ] || return
		usleep 100000
	done
	echo "# $1 times \"$2\" did not come" >&2
}

# asked VERB [MEMBER]: of the running array, which may be busy for a moment
asked() {
	local verb=$1

	shift
	for _ in $(seq 100); do
		./mvmm raid "$verb" /tmp/vm "$@" && return
		usleep 100000
	done
	return 1
} >>/tmp/asked 2>&1

# kill_server ROUNDS MEMBER: each time at another moment of the guest's writes; then it
# is there again, and is rebuilt while the guest goes on
kill_server() {
	local round

	lines 1 '^wrote' /tmp/console
	asked speed 4M
	for round in $(seq "$1"); do
		usleep $((round * 7919 % 1000 * 1000))
		kill -9 "$(cat /tmp/nbdkit.pid)"
		rm /tmp/nbdkit.pid
		lines "$round" 'has failed: ' /tmp/err
		usleep $((round * 104729 % 1500 * 1000))
		asked status
		serve
		asked remove "$2"
		asked add "$2"
		lines "$round" '\] is rebuilt' /tmp/err
		asked scrub
		lines "$round" 'bytes did not agree' /tmp/err
		# Who is silent for long is ended
		echo "# killed $round times" >&2
	done
	echo enough
	# The guest's input has no end before the guest has one
	when nothing /dev/null
}

# guest_without_server ROUNDS OPTION...: a member of its array is a server's disk, and
# the server is killed
guest_without_server() {
	local rounds=$1 member='[nbd://127.0.0.1/,retry=1]' array sum

	shift
	rm -f /tmp/status
	truncate -s 5M /tmp/a.img /tmp/0.img /tmp/2.img
	serve
	array=$(array_of 5 /tmp/0.img "$member" /tmp/2.img)
	echo '@@begin guest'
	kill_server "$rounds" "$member" | {
		./mvmm run --kernel kernel --initrd guest-initrd "$@" \
			--control /tmp/vm --disk "$array" --append \
			'console=ttyS0 quiet loglevel=1 panic=-1' \
			>/tmp/console 2>/tmp/err
		echo $? >/tmp/status
	}
	grep -v '^wrote' /tmp/console
	grep '^wrote' /tmp/console | tail -n 1
	cat /tmp/err
	sum=$(sed -n 's/^the disk has \([0-9a-f]*\).*/\1/p' /tmp/console)
	echo 1..4
	# Not every time by a request of the guest's: also by its superblock
	[ "$(grep -F "$member has failed: " /tmp/err | grep -c ' cannot be ')" = \
		"$rounds" ] &&
		grep -q ': degraded,' /tmp/asked &&
		grep -F "$member has failed: " /tmp/asked | grep -q ' cannot be ' ||
		printf 'not '
	echo 'ok 1 each time the array went on without it, and said so'
	[ "$(grep -cF "$member is rebuilt" /tmp/err)" = "$rounds" ] ||
		printf 'not '
	echo 'ok 2 each time it was rebuilt'
	[ "$(grep -c 'bytes did not agree' /tmp/err)" = "$rounds" ] &&
		[ "$(grep -c ' 0 bytes did not agree' /tmp/err)" = "$rounds" ] ||
		printf 'not '
	echo 'ok 3 and then all of it agreed'
	# Without another one, so that what was rebuilt has to be right
	./mvmm disk convert raid5:/tmp/a.img,/tmp/2.img,force /tmp/copy
	[ -n "$sum" ] && sha256sum </tmp/copy | grep -q "^$sum" || printf 'not '
	echo 'ok 4 what the guest wrote is on the members'
	ended "$(cat /tmp/status)"
	kill "$(cat /tmp/nbdkit.pid)" 2>/dev/null
}

# array_of LEVEL MEMBER...: makes it, and prints what --disk gets
array_of() {
	local level=$1

	shift
	./mvmm raid create "$level" "$@" --assume-clean >&2
	echo "raid$level:$(echo "$*" | tr ' ' ,)"
}

# disk_of KIND: makes a disk of 320 MiB, and prints what --disk gets. nbd: a
# server's; another format, by a qemu-nbd of mvmm's own; direct, through: L1's own
# disks, as it has no O_DIRECT in /tmp; raidN; worn-raidN: a member is missing;
# spare-raidN: and another is made like it meanwhile; nested: an array of arrays;
# mixed: one of a server's disk, an overlay and a file
disk_of() {
	local base=/tmp/$1 level=${1#*raid} i list

	for i in 1 2 3 4 5; do
		truncate -s 321M "$base.$i"
	done
	case $1 in
	*raid*)
		list=$(array_of "$level" "$base.1" "$base.2" "$base.3" "$base.4")
		case $1 in
		raid*) echo "$list" ;;
		worn*) echo "${list%,*},force" ;;
		spare*) echo "${list%,*},force,spare=$base.5" ;;
		esac
		;;
	nested)
		array_of 1 "[$(array_of 0 "$base.1" "$base.2")]" \
			"[$(array_of 0 "$base.3" "$base.4")]"
		;;
	mixed)
		array_of 5 nbd://127.0.0.1/ "[$base.2,overlay=$base.changes]" \
			"$base.3"
		;;
	qcow2 | vdi | vmdk)
		./qemu-img create -q -f "$1" "$base" 320M >&2
		echo "$base,format=$1"
		;;
	nbd) echo nbd://127.0.0.1/ ;;
	overlay) echo "$base.1,overlay=$base.changes" ;;
	direct) echo /dev/vdb,cache=none ;;
	through) echo /dev/vdc,cache=writethrough ;;
	iothread) echo "$base.1,iothread=one,queues=2" ;;
	raw | ephemeral) echo "$base.1" ;;
	esac
}

# guest_with_files KINDS OPTION...: Debian, with disks of these kinds; twice. One
# server is there for all of them, and ephemeral stands alone, as it is for all
guest_with_files() {
	local kind kinds=$1 root=/dev/vda,overlay=/tmp/root

	shift
	# Of qemu-nbd
	PATH=/lab:$PATH
	export TMPDIR=/tmp
	for kind in $kinds; do
		case $kind in
		nbd | mixed)
			# nbdkit ends with the shell that has started it
			truncate -s 321M /tmp/a.img
			serve
			;;
		iothread) set -- "$@" --iothread one ;;
		ephemeral)
			set -- "$@" --ephemeral
			root=/dev/vda
			;;
		esac
	done
	set -- "$@" --disk "$root"
	for kind in $kinds; do
		set -- "$@" --disk "$(disk_of "$kind")"
	done
	echo '@@begin files'
	boot "$@" 2>/tmp/err
	status=$?
	sed 's/^/# /' /tmp/err
	if [ "$kinds" = ephemeral ]; then
		echo 1..1
		[ "$(stat -c %b /tmp/ephemeral.1)" = 0 ] || printf 'not '
		echo 'ok 1 nothing of it is in the file'
	fi
	ended $status | sed s/guest/files/
	[ "$kinds" != ephemeral ] || return
	echo '@@begin again'
	APPEND=second_boot boot "$@" 2>/tmp/err
	status=$?
	sed 's/^/# /' /tmp/err
	ended $status | sed s/guest/again/
}
