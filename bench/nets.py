# SPDX-License-Identifier: GPL-2.0
"""Networks: what bench/run needs to measure them. Beside mvmm: QEMU with KVM.

A guest of Debian's kernel runs bench/packets, whose other end is L1, by a tap: as
the launcher moves its frames, and by vhost. The floor is the same over loopback in
the guest, which has both ends of TCP, and a tap by itself, in L1. Two guests do it
with each other by mvmm's switch, and with QEMU by a bridge of Linux's, with vhost.
"""
import subprocess

import disks

TOP = disks.TOP
BASE = ("net_rr", "net_stream_out", "net_stream_in")
PAIR = {"vm_to_vm_rr": "net_rr", "vm_to_vm_stream": "net_stream_out"}
ROWS = BASE + tuple(row + "_vhost" for row in BASE) + tuple(PAIR)
# Beyond the floor at most this much of QEMU's; without a bar: None
BEYOND = {"net_rr": 0.50, "net_rr_vhost": 0.90, "net_stream_out": 0.60,
          "net_stream_in": 0.60, "net_stream_out_vhost": None,
          "net_stream_in_vhost": None,
          **{row: 0.60 for row in PAIR}}
LIMITS = {"switch_frame": 1500}

GUEST = """for m in $(cat /bin/modules); do insmod /bin/$m; done
ip link set lo up
vm=$(sed -n 's/.*vm=\\([0-9]*\\).*/\\1/p' /proc/cmdline)
ip addr add 192.168.9.${vm:-1}/24 dev eth0
ip link set eth0 up
[ "$vm" != 11 ] || exec packets serve
if [ "$vm" = 12 ]; then
	until ping -q -c 1 -W 1 192.168.9.11 >/dev/null; do :; done
	exec packets pair 192.168.9.11
fi
packets client 192.168.9.2 $(sed -n 's/.*suffix=\\([_a-z]*\\).*/\\1/p' /proc/cmdline)
grep -q loop /proc/cmdline || exit
echo @@loop
packets serve &
sleep 1
packets client 127.0.0.1
"""

APPEND = '"console=ttyS0 quiet loglevel=1 panic=-1 %s"'
FILES = "-kernel kernel -initrd nets-guest -append "
PREPARE = (
    "for m in $(cat net-modules); do insmod $m; done; "
    "ip link set lo up; ./packets make t0; ip addr add 192.168.9.2/24 dev t0; "
    "ip link set t0 up; ./packets serve & server=$!; "
    "echo @@tap; ./packets tap; ")


def mvmm(net, append):
    return ("timeout 300 ./mvmm run --mem 192M --packed "
            f"--net {net} " + FILES.replace(" -", " --").replace(
                "-kernel", "--kernel", 1) + APPEND % append + " </dev/null; ")


def kvm(tap, vhost, append, mac=1):
    return ("timeout 300 " + disks.QEMU + "-m 192 -netdev "
            f"tap,id=n,ifname={tap},script=no,downscript=no,vhost={vhost} "
            "-device virtio-net-pci,netdev=n,romfile=,packed=on,"
            f"mac=52:54:00:12:34:{mac:02x} " + FILES + APPEND % append +
            " </dev/null; ")


def pair(first, second):
    """The one that answers does so until the other one has ended. A launcher is the
    child of its timeout, which ends it.
    """
    return (f"( {first.replace('timeout', 'exec timeout', 1)}) "
            f">/tmp/first 2>&1 & first=$!; {second}kill $first; wait $first; ")


# The switch is a process of its own, and so are both ends of frames, which are one
SWITCH = ("mkdir -p /run; ./mvmm switch lab >/tmp/switch 2>&1 & switch=$!; "
          "until [ -S /run/mvmm/switch/lab/port ]; do usleep 100000; done; "
          "./frames lab; ")
# The switch serves their rings
SHARED = "--mem-backend memfd"
NO_SWITCH = "kill $switch; wait $switch; "
BRIDGE = ("ip link add br0 type bridge; ip link set br0 up; "
          "for t in t1 t2; do ./packets make $t; ip link set $t master br0; "
          "ip link set $t up; done; ")
TWO = (SWITCH + pair(mvmm("switch=lab,name=a " + SHARED, "vm=11"),
                     mvmm("switch=lab,name=b " + SHARED, "vm=12")) + NO_SWITCH)
MVMM = ("echo @@mvmm; " + TWO +
        mvmm("tap=t0,vhost=on", "suffix=_vhost") + mvmm("tap=t0", "loop"))
# In QEMU's lab the two sometimes do not end: they come last
KVM = ("echo @@kvm; " + kvm("t0", "on", "suffix=_vhost") + kvm("t0", "off", "") +
       BRIDGE + pair(kvm("t1", "on", "vm=11", 11),
                     kvm("t2", "on", "vm=12", 12)))
END = "kill $server; "


def floor_of(row, results):
    """What no monitor saves."""
    places = ("loop",) if row in PAIR else ("loop", "tap")
    row = PAIR.get(row, row).removesuffix("_vhost")
    parts = [results.get(where, {}).get(row) for where in places]
    return sum(p[0][1] for p in parts) if all(parts) else None


def build(out):
    """Makes in @out what L1 needs. Returns the lab's files for it."""
    drivers = disks.modules("virtio_pci", "virtio_net")
    subprocess.run(["scripts/guest-initrd", f"{out}/nets-guest", GUEST,
                    f"{TOP}/build/bench/packets", *drivers,
                    disks.order(f"{out}/modules", drivers)], cwd=TOP,
                   check=True)
    mine = disks.modules("tun", "vhost_net", "bridge")
    return [f"{TOP}/build/bench/packets", f"{TOP}/build/bench/frames", *mine,
            disks.order(f"{out}/net-modules", mine), f"{out}/nets-guest"]
