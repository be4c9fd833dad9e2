# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# A guest and L1 with the programs of others between them: iperf3 and ethtool. net.sh
# reads this in a guest whose command line has "peers", and L1 behind it. The guest has
# all tests: what it wants of L1 it tells a shell there. With "short" on its command
# line it does less of each.
#
# shellcheck disable=SC2317,SC2034 # functions that check() calls, and its number

L1=192.168.7.2

# status_on_l1 COMMAND: prints how it ended there; nothing: there is no shell
status_on_l1() {
	echo "cd /lab; . ./l1.sh; . ./net.sh; { $1; } >/dev/null 2>&1; echo \$?" |
		timeout 60 nc $L1 5003
}

# on_l1 COMMAND: returns 0 if it did
on_l1() {
	[ "$(status_on_l1 "$1")" = 0 ]
}

is_short() {
	grep -q 'short' /proc/cmdline
}

# pinged_once ADDRESS SIZE OPTION...
pinged_once() {
	local to=$1 size=$2

	shift 2
	ping -q -c 1 -W 20 -s "$size" "$@" "$to" >/dev/null ||
		{ echo "# a ping of $size bytes to $to has no answer"; return 1; }
}

# swept ADDRESS FROM TO STEP OPTION...
swept() {
	local to=$1 from=$2 last=$3 step=$4 i

	shift 4
	for i in $(seq "$from" "$step" "$last"); do
		pinged_once "$to" "$i" "$@" || return 1
	done
}

# All sizes of one frame, and some of many
all_sizes() {
	local step=1

	! is_short || step=61
	swept $L1 0 1620 $step && swept $L1 1621 65507 $((step * 499)) &&
		pinged_once $L1 65507
}

all_sizes_of_six() {
	local step=7

	! is_short || step=211
	swept fd07::2 0 1620 $step -6 && swept fd07::2 1621 60000 9973 -6
}

# A part of the file that is served, which is enough for one of many tests
serve_part() {
	dd if=/tmp/www/data of=/tmp/www/part bs=64k count=8 2>/dev/null
	sha256sum </tmp/www/part >/tmp/www/part.sum
}

# Parts both ways are what they were
carried() {
	[ "$(timeout 120 nc $L1 5002 </tmp/www/part)" = "$(cat /tmp/www/part.sum)" ] &&
		try get http://$L1/part /tmp/part &&
		try get http://$L1/part.sum /tmp/part.sum &&
		[ "$(sha256sum </tmp/part)" = "$(cat /tmp/part.sum)" ]
}

# measured ADDRESS OPTION...: by iperf3, of which fewer than one in 20 datagrams are
# lost. Its server may not have done with the one before
measured() {
	local i

	for i in 1 2 3 4 5; do
		iperf3 -c "$@" -J >/tmp/iperf 2>&1
		status=$?
		grep -q 'server is busy' /tmp/iperf || break
		sleep "$i"
	done
	[ "$status" = 0 ] &&
		awk '/"error"/ { bad = 1 } /"lost_percent"/ { lost = $2 + 0 }
			END { exit bad || lost > 5 }' /tmp/iperf && return
	tail -n 30 /tmp/iperf | sed 's/^/# /'
	return 1
}

amount() {
	if is_short; then echo 1M; else echo 16M; fi
}

tcp_both_ways() {
	measured $L1 -n "$(amount)" && measured $L1 -R -n "$(amount)" &&
		measured $L1 -P 3 -n "$(amount)" &&
		measured fd07::2 -n "$(amount)"
}

# Small ones are many: at a lower rate
udp_both_ways() {
	local t=5 i

	! is_short || t=1
	for i in '64 -b 1M' '1400 -b 8M' '8000 -b 8M'; do
		# shellcheck disable=SC2086 # they are words
		measured $L1 -u -t $t -l $i && measured $L1 -u -R -t $t -l $i ||
			return 1
	done
}

# The driver's offloads in each combination
combined() {
	local tx sg tso gso gro

	for tx in on off; do for sg in on off; do for tso in on off; do
		for gso in on off; do for gro in on off; do
			! is_short || [ $tx$sg$tso = onon$gso ] || continue
			echo "# with tx $tx sg $sg tso $tso gso $gso gro $gro"
			ethtool -K eth0 tx $tx sg $sg tso $tso gso $gso gro $gro \
				>/dev/null 2>&1 && carried || return 1
		done; done
	done; done; done
	ethtool -K eth0 tx on sg on tso on gso on gro on >/dev/null 2>&1
}

sent() {
	cat /sys/class/net/eth0/statistics/tx_packets
}

# A ping of 8 KiB is one frame each, and files pass, too
jumbo() {
	local before

	on_l1 'ip link set t0 mtu 9000' && ip link set eth0 mtu 9000 || return 1
	sleep 1
	before=$(sent)
	swept $L1 8963 8972 1 && [ $(($(sent) - before)) -lt 30 ] &&
		swept $L1 8900 9100 29 && carried && measured $L1 -n "$(amount)" ||
		return 1
	ip link set eth0 mtu 1500 && on_l1 'ip link set t0 mtu 1500' && sleep 1
}

# Tags are put in and taken out at both ends, by the NIC or the driver
in_a_vlan() {
	on_l1 'in_vlan_5 t0 2' && in_vlan_5 eth0 1 || return 1
	for i in on off; do
		ethtool -K eth0 rxvlan $i txvlan $i >/dev/null 2>&1
		swept 192.168.8.2 1400 1472 8 || return 1
	done
	on_l1 'ping -q -c 1 -W 20 192.168.8.1'
}

# To the group of all, by IPv4 and IPv6, and to one that nobody is in
to_groups() {
	echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts
	on_l1 'ping -q -c 1 -W 20 -I t0 224.0.0.1' &&
		on_l1 'ping -q -6 -c 1 -W 20 -I t0 ff02::1' &&
		[ "$(status_on_l1 'ping -q -c 2 -W 2 -I t0 239.9.9.9')" = 1 ]
}

# Registers, EEPROM, interrupts and a loopback: the driver knows the chip
self_tested() {
	ethtool -t eth0 offline >/tmp/test 2>&1
	sed 's/^/# /' /tmp/test
	grep -q 'result is PASS' /tmp/test && answers $L1
}

guest_of_peers() {
	local e1000=0

	! grep -q 'e1000' /proc/cmdline || e1000=1
	echo 1..$((11 + e1000))
	check 'the driver is loaded' nic_driver
	load llc stp mrp garp 8021q 2>/dev/null
	# Before jumbo frames there are none
	ip link set eth0 mtu 1500
	check 'the NIC has an address' address eth0 1
	serve_file /tmp/www
	serve_part
	check 'L1 answers' answers $L1
	[ $e1000 = 0 ] || check 'its self-test' self_tested
	check 'pings of all sizes' all_sizes
	check 'and by IPv6' all_sizes_of_six
	check 'iperf3 by TCP both ways' tcp_both_ways
	check 'iperf3 by UDP both ways' udp_both_ways
	check 'files in each combination of offloads' combined
	check 'frames of 9000 bytes' jumbo
	check 'tags of a VLAN' in_a_vlan
	check 'groups' to_groups
	exit 7
}

# ---- in L1 ----------------------------------------------------------------

# not_for_it FILE: --stats says that the NIC has dropped what it did not want
not_for_it() {
	grep -q "NIC, to the guest: .*; [1-9][0-9]* not for this guest" "$1"
}

# guest_with_peers FORM OPTION...: FORM: short, long. What each service is for is above
guest_with_peers() {
	local form=$1 model=virtio-net guest

	shift
	case $form in *e1000*) model=e1000 ;; esac
	n=0
	rm -f /tmp/status
	for i in llc stp mrp garp 8021q; do
		insmod $i.ko 2>/dev/null
	done
	echo '@@begin peers'
	APPEND="net=1 peers $form" in_background "$@" --stats \
		--net tap=t0,model=$model,mtu=9000 2>/tmp/err &
	guest=$!
	try ready_interface
	address t0 2
	serve_file /tmp/www
	serve_part
	nc -ll -p 5002 -e sha256sum &
	nc -ll -p 5003 -e sh &
	/lab/iperf3 -s -D >/dev/null
	wait "$guest"
	kill "$(pidof iperf3)"
	killall nc httpd
	sed 's/^/# /' /tmp/err
	echo 1..2
	check 'each frame was counted' counted /tmp/err
	check 'what is for no group of its own was dropped' not_for_it /tmp/err
	ended "$(cat /tmp/status)"
}
