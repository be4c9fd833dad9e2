# SPDX-License-Identifier: GPL-2.0
"""Disks: what bench/run needs to measure them. Beside mvmm: QEMU with KVM.

A guest of Debian's kernel runs bench/requests on its disks, and then on its own
null_blk, with the same launcher. The images are files on XFS, in L1's page
cache: of the file systems of 6.1 it is the one that reads and writes them for
io_uring without another thread. requests runs on such a file in L1, too.
"""
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROWS = ("blk_read_4k", "blk_read_4k_32", "blk_write_4k", "blk_write_4k_32",
        "blk_read_1m")
RAID_ROWS = ("raid5_write_4k", "raid5_write_4k_32")

# Beyond the floor at most this much of QEMU's: (VMX, SVM)
BEYOND = {**{row: (0.40, 0.40) for row in ROWS}, "blk_read_1m": (0.60, 0.60)}

# What the guest runs. Its kernel's drivers come first, and with md's only those
# guests that need it: md's start takes seconds. With a queue for polling null_blk
# would have two, and no I/O scheduler: a virtio disk of one CPU has one, and
# mq-deadline
GUEST = """for m in $(cat /bin/modules); do insmod /bin/$m; done
%s
requests config /sys/bus/pci/devices/0000:00:00.0/config
requests disk /dev/vda
%s
"""
ARRAY = """for m in $(cat /bin/md-modules); do insmod /bin/$m; done
echo md0 >/sys/module/md_mod/parameters/new_array
requests array /dev/vdb /dev/vdc /dev/vdd
requests raid /dev/md0
"""
NULL = """echo @@null
for m in $(cat /bin/null-modules); do insmod /bin/$m; done
insmod /bin/null_blk.ko irqmode=0 poll_queues=0
requests disk /dev/nullb0
"""

APPEND = '"console=ttyS0 quiet loglevel=1 panic=-1"'
QEMU = ("./qemu-system-x86_64 -L qemu -M microvm,pcie=on -enable-kvm -cpu host "
        "-nodefaults -no-user-config -display none -serial stdio -no-reboot "
        "-device isa-debug-exit,iobase=0xf4,iosize=1 "
        "-object iothread,id=io ")


def qemu_disk(path, number):
    return (f"-drive if=none,id=d{number},file={path},format=raw,aio=io_uring "
            f"-device virtio-blk-pci,drive=d{number},iothread=io,packed=on ")


MEMBERS = ["/mnt/m0", "/mnt/m1", "/mnt/m2"]
FIVE = ["/mnt/a", "/mnt/b", *MEMBERS]
# Images, and L1's own part. Nothing is written back to the RAM disk below, and
# XFS needs more than it gets here
PREPARE = (
    "for m in $(cat disk-modules); do insmod $m rd_size=393216 rd_nr=1 "
    "2>/dev/null || insmod $m; done; "
    "echo 0 >/proc/sys/vm/dirty_writeback_centisecs; "
    "echo 90 >/proc/sys/vm/dirty_ratio; "
    "echo 90 >/proc/sys/vm/dirty_background_ratio; "
    "./mkfs.xfs -q --unsupported -l size=10m /dev/ram0; mkdir -p /mnt; "
    "mount -t xfs /dev/ram0 /mnt; "
    f"for i in {' '.join(FIVE)}; do "
    "dd if=/dev/zero of=$i bs=1M count=24 2>/dev/null; done; "
    f"./mvmm raid create 5 {' '.join(MEMBERS)} --assume-clean >/dev/null; "
    "echo @@l1; ./requests file /mnt/a; ")
KVM = ("echo @@kvm; timeout 300 " + QEMU + "-m 192 " +
       "".join(qemu_disk(p, n) for n, p in enumerate(["/mnt/a", *MEMBERS])) +
       f"-kernel kernel -initrd disks-kvm -append {APPEND} </dev/null; ")
MVMM = ("echo @@mvmm; timeout 300 ./mvmm run --mem 192M --packed "
        f"--disk /mnt/a --disk raid5:{','.join(MEMBERS)} "
        f"--kernel kernel --initrd disks-mvmm --append {APPEND} </dev/null; ")
# Private memory with eight devices on the bus, while the guest sleeps
LAUNCH = "timeout 300 ./bench launch "
EIGHT = LAUNCH + "boot_8_devices @@init "
# The guest before has left its own mark
MVMM += ("echo @@mvmm; " + EIGHT +
         "./mvmm run --mem 192M --rng --balloon 16M --port log,pty " +
         "".join(f"--disk {path} " for path in FIVE) +
         f"--kernel kernel --initrd initrd --append {APPEND}; ")
KVM += (EIGHT + QEMU + "-m 192 " +
        "".join(qemu_disk(path, n) for n, path in enumerate(FIVE)) +
        "-device virtio-rng-pci -device virtio-balloon-pci "
        "-device virtio-serial-pci "
        f"-kernel kernel -initrd initrd -append {APPEND}; ")
# Debian on a disk, to the login on its console. A disk for each, as a boot
# writes to it; it is in the page cache
READ = "cat /dev/vda /dev/vdb >/dev/null; "
LOGIN = LAUNCH + "boot_disk 'in the guest:' "
BOOT = (READ + LOGIN + "./mvmm run --mem 512M --packed --disk /dev/vda "
        f"--kernel kernel --initrd disk-initrd --append {APPEND}; ",
        LOGIN + QEMU + "-m 512 " + qemu_disk("/dev/vdb", 0) +
        f"-kernel kernel -initrd disk-initrd -append {APPEND}; ")


def floor_of(row, results):
    """What no monitor saves: the guest's loop on its own null_blk, and the same
    request by a process of L1.
    """
    parts = [results.get(where, {}).get(row) for where in ("null", "l1")]
    return sum(p[0][1] for p in parts) if all(parts) else None


def beyond(mvmm, kvm, floor):
    """The ratio of what is beyond the floor; 0 where mvmm has nothing there. Where QEMU
    is below the floor that counts work twice, and says nothing of who is slower.
    """
    if None in (mvmm, kvm, floor) or (kvm <= floor and kvm < mvmm):
        return None
    return max(mvmm - floor, 0) / max(kvm - floor, 1)


def boot_options(out):
    """The lab's options for BOOT."""
    image = subprocess.run(["scripts/setup", "debian-disk"], cwd=TOP,
                           check=True, text=True,
                           stdout=subprocess.PIPE).stdout.strip()
    subprocess.run(["scripts/guest-initrd", "--disk", f"{out}/disk-initrd"],
                   cwd=TOP, check=True)
    options = ["--file", f"{out}/disk-initrd"]
    for name in ("boot-mvmm", "boot-kvm"):
        subprocess.run(["cp", "--sparse=always", image, f"{out}/{name}"],
                       check=True)
        options += ["--disk", f"{out}/{name}"]
    return options


def modules(*names):
    """Files of Debian's modules and of those that they need, in order."""
    root = subprocess.run(["scripts/setup", "debian-kernel"], cwd=TOP,
                          check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()
    release = os.path.basename(root)[len("linux-image-"):]
    done = subprocess.run(["/sbin/modprobe", "-C", "/dev/null", "-d", root,
                           "-S", release, "--show-depends", "-a", *names],
                          check=True, text=True, stdout=subprocess.PIPE)
    return list(dict.fromkeys(
        line.split()[1] for line in done.stdout.splitlines()
        if line.startswith("insmod ")))


def order(path, files):
    with open(path, "w") as out:
        out.writelines(f"{os.path.basename(f)}\n" for f in files)
    return path


def build(out):
    """Makes in @out what L1 needs. Returns the lab's options for it."""
    drivers = modules("virtio_pci", "virtio_blk")
    md, null = modules("raid456"), modules("null_blk")
    null_order = [f for f in null if not f.endswith("null_blk.ko")]
    common = [f"{TOP}/build/bench/requests", *drivers,
              order(f"{out}/modules", drivers)]
    for name, script, files in (
            ("kvm", (ARRAY, ""), [*md, order(f"{out}/md-modules", md)]),
            ("mvmm", ("requests raid /dev/vdb", NULL),
             [*null, order(f"{out}/null-modules", null_order)])):
        subprocess.run(["scripts/guest-initrd", f"{out}/disks-{name}",
                        GUEST % script, *common, *files], cwd=TOP, check=True)
    mine = modules("brd", "xfs")
    return [f"{TOP}/build/bench/requests", "/sbin/mkfs.xfs", *mine,
            order(f"{out}/disk-modules", mine), f"{out}/disks-kvm",
            f"{out}/disks-mvmm"]
