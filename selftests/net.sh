#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Networks: what guests do, and L1 as the other end of a tap; with busybox. A guest
# runs "net.sh", and is told by its command line which one it is, net=1 or net=2;
# net=user is the only one. It prints TAP, and returns 7 if it gets to the end. L1
# reads this file behind l1.sh. With "third" on its command line a guest waits for
# L1, which is the third one on a switch; with "pairs" it has two pairs of queues.
#
# Each of two has a file with random bytes that the other fetches; the first one
# waits until the second has all.
#
# shellcheck disable=SC2317 # functions that check() calls

n=0
check() {
	n=$((n + 1))
	name=$1
	shift
	"$@" || printf 'not '
	echo "ok $n $name"
}

# try COMMAND...: until it succeeds, for some minutes; in L1 until the guest ends
try() {
	for _ in $(seq 600); do
		"$@" && return
		[ ! -e /tmp/status ] || return 1
		usleep 200000
	done
	return 1
}

# serve DIRECTORY: a file, and its sum, by HTTP
serve_file() {
	mkdir -p "$1"
	dd if=/dev/urandom of="$1/data" bs=64k count=64 2>/dev/null
	sha256sum <"$1/data" >"$1/sum"
	httpd -p 80 -h "$1"
}

# load NAME...: modules
load() {
	for i; do
		insmod "/bin/$i.ko" || return 1
	done
}

# address DEVICE NUMBER
address() {
	echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_dad"
	ip addr add "192.168.7.$2/24" dev "$1" &&
		ip -6 addr add "fd07::$2/64" dev "$1" && ip link set "$1" up
}

# answers ADDRESS OPTION...: in the end
answers() {
	local to=$1

	shift
	try ping -q -c 1 -W 2 "$@" "$to" >/dev/null
}

# Those around the MTU's borders, and fragments
pinged() {
	for i in 0 1 18 55 56 57 100 511 512 1000 1471 1472 1473 2000 4000 9000 \
		20000 40000 65000; do
		answers "$1" -s "$i" || return 1
	done
}

# wget's own limit of time ends Debian's static busybox with a signal
get() {
	timeout 60 wget -q -O "$2" "$1"
}

# fetched HOST: its file is as its sum says
fetched() {
	try get "http://$1/data" /tmp/data && try get "http://$1/sum" /tmp/sum &&
		[ "$(sha256sum </tmp/data)" = "$(cat /tmp/sum)" ]
}

# The first one has fetched its file when it listens, and answers. passt accepts
# before that, in the guest's place
tell() {
	[ "$(echo 'done' | timeout 5 nc "$1" 5001 2>/dev/null)" = 'heard' ]
}

heard_done() {
	# shellcheck disable=SC2016 # for the shell there
	nc -l -p 5001 -e sh -c 'read -r word; echo heard; echo "$word" >/tmp/heard'
	[ "$(cat /tmp/heard)" = 'done' ]
}

# the_end NUMBER OTHER: as one of two
the_end() {
	if [ "$1" = 1 ]; then
		heard_done
	else
		try tell "$2"
	fi
}

two_pairs() {
	[ -e /sys/class/net/eth0/queues/rx-1 ]
}

nic_driver() {
	if grep -q 'e1000' /proc/cmdline; then
		load e1000 llc stp mrp garp 8021q
	else
		load failover net_failover virtio_net
	fi
}

# in_vlan_5 DEVICE NUMBER: one more address there
in_vlan_5() {
	ip link add link "$1" name v5 type vlan id 5 &&
		ip addr add "192.168.8.$2/24" dev v5 && ip link set v5 up
}

# tagged ME OTHER: the NIC puts the tag in, and takes it out
tagged() {
	in_vlan_5 eth0 "$1" && answers "192.168.8.$2" -s 1472
}

guest_of_two() {
	local me=$1 other=$((3 - $1)) third=0 pairs=0 e1000=0

	grep -q 'third' /proc/cmdline && third=1
	grep -q 'pairs' /proc/cmdline && pairs=1
	grep -q 'e1000' /proc/cmdline && e1000=1
	echo 1..$((7 + third + pairs + e1000))
	check 'the driver is loaded' nic_driver
	[ $pairs = 0 ] || check 'it has two pairs of queues' two_pairs
	check 'the NIC has an address' address eth0 "$me"
	serve_file /tmp/www
	check 'the other one answers' answers "192.168.7.$other"
	check 'pings of all sizes' pinged "192.168.7.$other"
	check 'and by IPv6' answers "fd07::$other" -6 -s 1300
	[ $e1000 = 0 ] || check 'and in a VLAN' tagged "$me" "$other"
	check 'a file is fetched' fetched "192.168.7.$other"
	[ $third = 0 ] || check 'L1 is done' try get http://192.168.7.3/done \
		/tmp/done
	check 'the other one has fetched, too' the_end "$me" "192.168.7.$other"
	exit 7
}

# What a DHCP client does with an answer
use_lease() {
	cat >/tmp/lease <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" dev "$interface"
ip route add default via "$router"
echo "$router" >/tmp/router
END
	chmod 755 /tmp/lease
	ip link set eth0 up && udhcpc -q -n -t 60 -i eth0 -s /tmp/lease \
		>/dev/null 2>&1 && [ -s /tmp/router ]
}

# The gateway's address is the host's loopback
guest_of_user() {
	echo 1..4
	check 'the driver is loaded' load failover net_failover virtio_net
	check 'the NIC has an address by DHCP' use_lease
	serve_file /tmp/www
	check 'a file is fetched from the host' fetched "$(cat /tmp/router)"
	check 'the host has fetched one by the port forward' heard_done
	exit 7
}

if [ -e /bin/virtio_net.ko ]; then
	for i in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev \
		virtio_pci; do
		insmod "/bin/$i.ko" || exit 1
	done
	ip link set lo up
	! grep -q 'net=user' /proc/cmdline || guest_of_user
	# shellcheck disable=SC1091 # selftests/net_peers.sh
	! grep -q 'peers' /proc/cmdline || { . /bin/net_peers.sh; guest_of_peers; }
	guest_of_two "$(sed -n 's/.*net=\([12]\).*/\1/p' /proc/cmdline)"
fi

# ---- in L1 ----------------------------------------------------------------

ready_interface() {
	[ -e /sys/class/net/t0 ]
}

# captured WHAT...: the capture has a frame that is that
captured() {
	mkdir -p /etc
	echo 'root:x:0:0::/:/bin/sh' >/etc/passwd
	./tcpdump -Z root -n -c 1 -r /tmp/capture "$@" 2>/tmp/tcpdump |
		grep -q . || { cat /tmp/tcpdump; return 1; }
}

# What --stats says: all that came in went on, or is counted; and there was much
counted() {
	awk '/^t0, / {
		lines++
		out = $3 + 0; all = $6 + 0; if (all < 100) bad = 1
		for (i = 7; i < NF; i++)
			if ($i ~ /;$/) out += $(i + 1)
		if (out != all) bad = 1
	} END { exit bad || lines != 2 }' "$1"
}

# guest_with_tap OPTION...: L1 is the second one
guest_with_tap() {
	echo '@@begin guest'
	APPEND='net=1 pairs' in_background "$@" --stats \
		--net tap=t0,pcap=/tmp/capture,queues=2 \
		2>/tmp/err &
	try ready_interface
	address t0 2
	serve_file /tmp/www
	echo 1..4
	check 'L1 fetches the file of the guest' fetched 192.168.7.1
	try tell 192.168.7.1
	wait
	sed 's/^/# /' /tmp/err
	check 'the capture has pings and fragments' captured \
		'icmp[icmptype] = icmp-echo or (ip[6:2] & 0x1fff != 0)'
	check 'and segments of the file' captured 'tcp port 80 and greater 1000'
	check 'each frame was counted' counted /tmp/err
	ended "$(cat /tmp/status)"
}

# What --stats says: mvmm has seen none of the guest's
moved_by_kernel() {
	grep -q '^t0, in: 0 frames of 0' /tmp/err &&
		grep -q '^t0: the kernel moves the frames' /tmp/err
}

# Frames of the interface's, each way; there was a file of 4 MiB each way
many_frames() {
	[ "$(cat /sys/class/net/t0/statistics/tx_bytes)" -gt 4000000 ] &&
		[ "$(cat /sys/class/net/t0/statistics/rx_bytes)" -gt 4000000 ]
}

saved_often() {
	[ "$(sed -n 's/^saved and loaded: \([0-9]*\) times/\1/p' /tmp/err)" -ge 3 ]
}

# guest_with_vhost OPTION...: the same, and the kernel serves the NIC; the guest is
# saved and loaded over and over
guest_with_vhost() {
	n=0
	echo '@@begin guest'
	APPEND='net=1 pairs' in_background "$@" --save-every 1000 --stats \
		--net tap=t0,vhost=on,queues=2 2>/tmp/err &
	try ready_interface
	address t0 2
	serve_file /tmp/www
	echo 1..4
	check 'L1 fetches the file of the guest' fetched 192.168.7.1
	check 'both files have passed' try many_frames
	try tell 192.168.7.1
	wait
	sed 's/^/# /' /tmp/err
	check 'the kernel has moved all frames' moved_by_kernel
	check 'the guest was saved meanwhile' saved_often
	ended "$(cat /tmp/status)"
}

# coming [ADDRESS]: a file comes in the background, and has begun to
coming() {
	local i

	rm -f /tmp/data
	get "http://${1:-192.168.7.1}/data" /tmp/data &
	for i in $(seq 500); do
		[ ! -s /tmp/data ] || break
		usleep 10000
	done
}

# cut DEVICE: a file comes, the link goes for a while, and the file comes on
cut() {
	coming
	ip link set "$1" down
	sleep 1
	ip link set "$1" up
	wait $! && get http://192.168.7.1/sum /tmp/sum &&
		[ "$(sha256sum </tmp/data)" = "$(cat /tmp/sum)" ]
}

# guest_with_e1000 OPTION...: L1 is the second one, in a VLAN, too
guest_with_e1000() {
	local saved

	n=0
	rm -f /tmp/status /tmp/heard
	for i in llc stp mrp garp 8021q; do
		must insmod $i.ko
	done
	echo '@@begin guest'
	APPEND='net=1 e1000' in_background "$@" --stats \
		--net tap=t0,model=e1000,pcap=/tmp/capture 2>/tmp/err &
	try ready_interface
	address t0 2
	in_vlan_5 t0 2
	serve_file /tmp/www
	echo 1..5
	check 'L1 fetches the file of the guest' fetched 192.168.7.1
	check 'and once more, with the link cut in between' cut t0
	# Which has lost the address by that
	ip -6 addr add fd07::2/64 dev t0
	try tell 192.168.7.1
	wait
	sed 's/^/# /' /tmp/err
	saved=$(sed -n 's/^saved and loaded: \([0-9]*\) times$/\1/p' /tmp/err)
	check "it was saved $saved times meanwhile" [ "${saved:-0}" -ge 10 ]
	check 'the capture has tags' captured vlan 5
	check 'each frame was counted' counted /tmp/err
	ended "$(cat /tmp/status)"
}

# lends_addresses DEVICE: DHCP, which names a script of iPXE's
lends_addresses() {
	printf '%s\n' "interface $1" 'start 192.168.7.10' 'end 192.168.7.19' \
		'lease_file /tmp/leases' 'opt subnet 255.255.255.0' \
		'boot_file http://192.168.7.2/script' >/tmp/udhcpd.conf
	: >/tmp/leases
	udhcpd -S /tmp/udhcpd.conf
}

# net_ready: L1 serves a kernel by HTTP, and the firmware finds iPXE
net_ready() {
	mkdir -p /tmp/www /usr/lib/ipxe/qemu
	mv pxe-*.rom /usr/lib/ipxe/qemu
	cp kernel guest-initrd /tmp/www
	printf '%s\n' '#!ipxe' \
		'kernel http://192.168.7.2/kernel console=ttyS0 quiet panic=-1 initrd=guest-initrd' \
		'initrd http://192.168.7.2/guest-initrd' 'boot' >/tmp/www/script
	httpd -p 80 -h /tmp/www
}

# guest_from_net MODEL: its BIOS has nothing else to boot from
guest_from_net() {
	n=0
	rm -f /tmp/status
	echo '@@begin guest'
	{
		./mvmm run --firmware bios-256k.bin --boot order=n --mem 256M \
			--net "tap=t0,model=$1" </dev/null >/tmp/console 2>&1
		echo $? >/tmp/status
	} &
	try ready_interface
	address t0 2
	lends_addresses t0
	echo 1..2
	wait $!
	tr -d '\033' </tmp/console | tail -n 30 | sed 's/^/# /'
	check 'iPXE has an address' grep -q '192[.]168[.]7[.]1[0-9]' /tmp/console
	check 'the kernel that it fetched runs' grep -q 'RAM [0-9]* of' /tmp/console
	ended "$(cat /tmp/status)"
}

# bonding NAME VALUE: of Linux's driver
bonding() {
	echo "$2" >"/sys/class/net/bond0/bonding/$1"
}

# Linux's bond at the other ends of the taps. With one link in use at a time both ends
# must mean the same: nothing is between them
bond_made() {
	[ -e /sys/class/net/t1 ] || return 1
	ip link set t0 down
	ip link set t1 down
	[ -e /sys/module/tls ] || insmod tls.ko
	insmod bonding.ko max_bonds=1 && bonding mode "$1" && bonding miimon 100 &&
		bonding xmit_hash_policy layer3+4 &&
		{ [ "$1" != 802.3ad ] || bonding lacp_rate fast; } &&
		address bond0 2 && bonding slaves +t0 && bonding slaves +t1 &&
		{ [ "$1" != active-backup ] || bonding primary t0; }
}

# Both links are one with the partner that has the guest's bond
both_joined() {
	[ "$(sed -n 's/.*Number of ports: //p' /proc/net/bonding/bond0)" = 2 ]
}

# fetched_by_other DEVICE: it is cut in the middle of a file that comes and goes on
fetched_by_other() {
	coming
	ip link set "$1" down
	wait $!
	fetched 192.168.7.1 && ip link set "$1" up
}

# guest_with_bond MODE OPTION...: L1 is the second one, by a bond of Linux's
guest_with_bond() {
	local mode=$1 primary=''

	shift
	[ "$mode" != active-backup ] || primary=,primary=t0
	n=0
	rm -f /tmp/status /tmp/heard
	echo '@@begin guest'
	APPEND='net=1' in_background "$@" --stats \
		--net "bond(t0,t1),mode=$mode$primary,xmit_hash_policy=layer3+4,lacp_rate=fast" \
		2>/tmp/err &
	if [ "$mode" = 802.3ad ]; then echo 1..6; else echo 1..4; fi
	check 'there are two taps, and a bond of them' try bond_made "$mode"
	serve_file /tmp/www
	check 'L1 fetches the file of the guest' fetched 192.168.7.1
	[ "$mode" != 802.3ad ] || check 'LACP has joined both links' try both_joined
	check 'and once more, by the other link alone' fetched_by_other t0
	[ "$mode" != 802.3ad ] || check 'both are one again' try both_joined
	check 'and by the first one alone' fetched_by_other t1
	try tell 192.168.7.1
	wait
	sed 's/^/# /' /tmp/err
	ended "$(cat /tmp/status)"
	ip link set bond0 down
	rmmod bonding
}

# guests_on_stream OPTION...: two guests, whose NICs are those of their thread "io"
guests_on_stream() {
	echo '@@begin guests'
	APPEND='net=1' boot "$@" --net stream:unix=/tmp/net,server,iothread=io \
		>/tmp/first 2>&1 &
	APPEND='net=2' boot "$@" --net stream:unix=/tmp/net,iothread=io \
		>/tmp/second 2>&1
	status=$?
	wait
	cat /tmp/first /tmp/second
	ended "$status"
}

# in_vlan NUMBER: L1's port is in that VLAN from now on
in_vlan() {
	./mvmm switch lab vlan 0 "$1" >/dev/null
}

on_their_own() {
	in_vlan 20 && ! ping -q -c 5 -W 1 192.168.7.1 >/dev/null
}

together_again() {
	in_vlan 10 && answers 192.168.7.1
}

# The switch's counters: what came in went out, or is counted; and all files are
# through, of 4 MiB, in and out, in frames that are larger than the MTU, but for what
# the port has counted that was killed
switched() {
	./mvmm switch lab stats >/tmp/stats || return 1
	awk '/^  (from|to) / {
		lines++; sum = $2; frames += $2; bytes += $6
		for (i = 7; i < NF; i++)
			if ($i ~ /;$/) sum += $(i + 1)
		if (sum != $5 + 0) bad = 1
	} END { exit bad || lines != 6 || bytes < 12000000 || frames > 10000 }' \
		/tmp/stats
}

# L1's cable: the least that a ping takes, in ms, is its delay both ways
delayed() {
	ping -q -c 5 192.168.7.1 |
		awk -F '[ /]' '/^round-trip/ { ok = $6 >= 40 } END { exit !ok }'
}

three_ports() {
	[ "$(./mvmm switch lab show | grep -c ' up ')" = 3 ]
}

# The launcher of the second guest
second_one() {
	for i in $(pidof mvmm); do
		! grep -q name=two "/proc/$i/cmdline" || echo "$i"
	done
}

saved_again() {
	[ /tmp/saved/machine.json -nt /tmp/cut ]
}

# A file comes from the second guest. Its port leaves the VLAN, so that nothing more
# is said to it or by it; it is saved once more, and its launcher killed. Another one
# joins the switch, and the file comes on
another_process() {
	local port

	try get http://192.168.7.2/sum /tmp/sum || return 1
	coming 192.168.7.2
	port=$(./mvmm switch lab show | awk '$2 == "two" { print $1 }')
	./mvmm switch lab vlan "$port" 20 >/dev/null && sleep 1 &&
		[ "$(stat -c %s /tmp/data)" -lt 4194304 ] && touch /tmp/cut &&
		try saved_again && kill -9 "$(second_one)" && wait $! &&
		[ "$(sha256sum </tmp/data)" = "$(cat /tmp/sum)" ]
}

# second_guest OPTION...: until it is killed, and then in another process
second_guest() {
	APPEND='net=2 third' boot "$@" --save-every 1000,/tmp/saved
	echo 'goes on'
	./mvmm run --load /tmp/saved "$@" --stats --save-every 300 </dev/null
	echo $? >/tmp/status
}

# guests_on_switch OPTION...: two guests, and L1 by an uplink, which is told to leave
# their VLAN and to come back
guests_on_switch() {
	local switch first second

	rm -f /tmp/status
	mkdir -p /run
	./mvmm switch lab --uplink tap=t1,name=l1,vlan=10,delay=20 >/tmp/switch 2>&1 &
	switch=$!
	try [ -S /run/mvmm/switch/lab/port ]
	APPEND='net=1 third' boot "$@" --net switch=lab,name=one,vlan=10 \
		>/tmp/first 2>&1 &
	first=$!
	# Its streams go on, whenever it is saved and loaded
	second_guest "$@" --net switch=lab,name=two,vlan=10 >/tmp/second 2>&1 &
	second=$!
	try [ -e /sys/class/net/t1 ]
	address t1 3
	echo '@@begin switch'
	echo 1..9
	check 'three ports are up' try three_ports
	check 'a stream goes on with a guest in another process' another_process
	check 'L1 reaches a guest in its VLAN' answers 192.168.7.1
	check 'its cable is a long one' delayed
	check 'from another VLAN it does not' on_their_own
	check 'and does again' together_again
	# Their ports, with what these have counted, end with them
	check 'each frame was counted' try switched
	mkdir -p /tmp/third
	echo 'done' >/tmp/third/done
	httpd -p 80 -h /tmp/third
	wait $first $second
	check 'the second guest was saved meanwhile' \
		grep -Eq '^saved and loaded: [0-9]{2,} times' /tmp/second
	kill $switch
	wait $switch
	check 'the switch leaves nothing' [ ! -e /run/mvmm/switch/lab ]
	sed 's/^/# /' /tmp/switch
	echo "@@end switch 0"
	echo '@@begin guests'
	cat /tmp/first /tmp/second
	ended "$(cat /tmp/status)"
}

# Linux's bridge, with its own spanning tree, which is that of 802.1D-1998
bridge_made() {
	local i

	[ -e /sys/class/net/t2 ] || return 1
	ip link add br0 type bridge
	# In 1/100 s: 4 s of listening, and of learning
	echo 400 >/sys/class/net/br0/bridge/forward_delay
	echo 1 >/sys/class/net/br0/bridge/stp_state
	for i in t1 t2; do
		ip link set $i master br0 && ip link set $i up || return 1
	done
	address br0 3
}

# forwarding DEVICE: at both ends of that link
forwarding() {
	[ "$(cat "/sys/class/net/$1/brport/state" 2>/dev/null)" = 3 ] &&
		./mvmm switch loop show | grep -q " $1 .* forwarding "
}

# One of the two, and not both
one_of_two() {
	if forwarding t1; then ! forwarding t2; else forwarding t2; fi
}

# Frames for all go round no more than once
no_storm() {
	local before after

	before=$(cat /sys/class/net/t1/statistics/rx_packets)
	for _ in $(seq 20); do
		ping -q -c 1 -W 1 192.168.7.77 >/dev/null 2>&1
	done
	after=$(cat /sys/class/net/t1/statistics/rx_packets)
	[ $((after - before)) -lt 200 ]
}

speaks_stp() {
	./mvmm switch --json loop show | grep -q '"protocol": "STP"'
}

# The link that carries is cut: the other one does, then
other_takes_over() {
	local cut=t1 other=t2

	forwarding t1 || { cut=t2 other=t1; }
	ip link set $cut down
	try forwarding $other && ip link set $cut up && try one_of_two
}

# switch_in_a_loop: a switch and a bridge of Linux's, joined twice
switch_in_a_loop() {
	local switch

	n=0
	for i in llc stp bridge; do
		must insmod $i.ko
	done
	mkdir -p /run
	./mvmm switch loop --rstp --uplink tap=t1 --uplink tap=t2 \
		>/tmp/switch 2>&1 &
	switch=$!
	echo '@@begin loop'
	echo 1..6
	check 'there is a loop' try bridge_made
	check 'one of its links forwards' try one_of_two
	check 'the switch speaks as the bridge does' try speaks_stp
	check 'frames for all do not go round' no_storm
	check 'one link is still the only one' one_of_two
	check 'without it the other one forwards' other_takes_over
	./mvmm switch loop show | sed 's/^/# /'
	kill $switch
	wait $switch
	# Its address is for another
	ip link del br0
	n=0
	echo '@@end loop 0'
}

# in_own_root COMMAND...: passt changes its root, which Linux refuses on an
# initramfs: with another one
in_own_root() {
	local i root=/tmp/root

	mkdir -p $root
	mount -t tmpfs none $root
	mkdir $root/etc $root/dev $root/proc $root/sys $root/tmp
	cp -a /bin /lab /lib64 $root
	[ ! -e /etc/resolv.conf ] || cp /etc/resolv.conf $root/etc
	echo 'nobody:x:65534:65534::/:/bin/false' >$root/etc/passwd
	for i in dev proc sys tmp; do
		mount -o bind /$i $root/$i
	done
	export PATH=/lab:$PATH
	# shellcheck disable=SC2016 # for the shells there
	unshare -m sh -c 'cd /tmp/root && mount --move . / &&
		exec chroot . sh -c "cd /lab && exec \"\$@\"" - "$@"' - "$@"
}

# L1's own network, as QEMU's -netdev user has it
lab_network() {
	ip link set lo up
	ip link set eth0 up
	ip addr add 10.0.2.15/24 dev eth0
	ip route add default via 10.0.2.2
	mkdir -p /etc
	echo 'nameserver 10.0.2.3' >/etc/resolv.conf
}

# guest_with_user OPTION...: a way out by passt, which finds an interface that has
# one
guest_with_user() {
	ip link set lo up
	ip link add d0 type dummy
	ip addr add 10.9.9.2/24 dev d0
	ip link set d0 up
	ip route add default via 10.9.9.1
	serve_file /tmp/www
	in_own_root sh -c '. ./l1.sh; . ./net.sh; on_user "$@"' - "$@"
}

on_user() {
	echo '@@begin guest'
	APPEND='net=user' in_background "$@" --stats --net \
		user,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:5001-:5001 \
		2>/tmp/err &
	echo 1..2
	check 'L1 fetches the file of the guest' fetched 127.0.0.1:8080
	try tell 127.0.0.1
	wait
	sed 's/^/# /' /tmp/err
	check 'passt ends with the guest' sh -c '! pidof passt passt.avx2'
	ended "$(cat /tmp/status)"
}
