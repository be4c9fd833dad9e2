# SPDX-License-Identifier: GPL-2.0
"""Networks: what bench/run needs to measure them. Beside mvmm: QEMU with KVM.

A guest of Debian's kernel runs bench/packets, whose other end is L1, by a tap: as
the launcher moves its frames, and by vhost. The floor is the same over loopback in
the guest, which has both ends of TCP, and a tap by itself, in L1.
"""
import subprocess

import disks

TOP = disks.TOP
BASE = ("net_rr", "net_stream_out", "net_stream_in")
ROWS = BASE + tuple(row + "_vhost" for row in BASE)
# Beyond the floor at most this much of QEMU's; without a bar: None
BEYOND = {"net_rr": 0.50, "net_rr_vhost": 0.90, "net_stream_out": 0.60,
          "net_stream_in": 0.60, "net_stream_out_vhost": None,
          "net_stream_in_vhost": None}
LIMITS = {"switch_frame": 1500}

GUEST = """for m in $(cat /bin/modules); do insmod /bin/$m; done
ip link set lo up
ip addr add 192.168.9.1/24 dev eth0
ip link set eth0 up
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


def mvmm(options, append):
    return ("timeout 300 ./mvmm run --mem 192M --packed "
            f"--net tap=t0{options} " + FILES.replace(" -", " --").replace(
                "-kernel", "--kernel", 1) + APPEND % append + " </dev/null; ")


def kvm(vhost, append):
    return ("timeout 300 " + disks.QEMU + "-m 192 -netdev tap,id=n,ifname=t0,"
            f"script=no,downscript=no,vhost={vhost} "
            "-device virtio-net-pci,netdev=n,romfile=,packed=on " + FILES +
            APPEND % append + " </dev/null; ")


# The switch is a process of its own, and so are both ends, which are one
SWITCH = ("mkdir -p /run; ./mvmm switch lab >/tmp/switch 2>&1 & switch=$!; "
          "until [ -S /run/mvmm/switch/lab/port ]; do usleep 100000; done; "
          "./frames lab; kill $switch; wait $switch; ")
MVMM = ("echo @@mvmm; " + SWITCH + mvmm(",vhost=on", "suffix=_vhost") +
        mvmm("", "loop"))
KVM = ("echo @@kvm; " + kvm("on", "suffix=_vhost") + kvm("off", ""))
END = "kill $server; "


def floor_of(row, results):
    """What no monitor saves."""
    row = row.removesuffix("_vhost")
    parts = [results.get(where, {}).get(row) for where in ("loop", "tap")]
    return sum(p[0][1] for p in parts) if all(parts) else None


def build(out):
    """Makes in @out what L1 needs. Returns the lab's files for it."""
    drivers = disks.modules("virtio_pci", "virtio_net")
    subprocess.run(["scripts/guest-initrd", f"{out}/nets-guest", GUEST,
                    f"{TOP}/build/bench/packets", *drivers,
                    disks.order(f"{out}/modules", drivers)], cwd=TOP,
                   check=True)
    mine = disks.modules("tun", "vhost_net")
    return [f"{TOP}/build/bench/packets", f"{TOP}/build/bench/frames", *mine,
            disks.order(f"{out}/net-modules", mine), f"{out}/nets-guest"]
