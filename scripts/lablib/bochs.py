# SPDX-License-Identifier: GPL-2.0
"""Bochs: its configuration, and a disk with GRUB, a kernel and an initrd that
holds everything else.
"""
import os
import shutil
import subprocess

from .image import make_root, pack, put_lab
from .kernels import LabError

GRUB_CFG = """set timeout=0
menuentry lab {
	linux /vmlinuz console=ttyS0,115200 quiet panic=-1 nokaslr @APPEND@
	initrd /initrd
}
"""

BOCHSRC = """megs: @MEMORY@
cpu: model=@CPU@, count=@CPUS@, ips=100000000, reset_on_triple_fault=0
clock: sync=none, time0=1767225600
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=disk, path=@DISK@, mode=flat, cylinders=@CYLINDERS@, heads=16, spt=63
boot: disk
display_library: term
com1: enabled=1, mode=file, dev=@CONSOLE@
com2: enabled=1, mode=term, dev=@TTY@
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
log: @LOG@
"""


def prepare(work, kernel, args):
    """Returns Bochs' command line."""
    make_root(f"{work}/root", kernel, args)
    put_lab(f"{work}/root", kernel, args)
    os.makedirs(f"{work}/iso/boot/grub")
    shutil.copy(kernel.image, f"{work}/iso/vmlinuz")
    pack(f"{work}/root", f"{work}/iso/initrd")
    with open(f"{work}/iso/boot/grub/grub.cfg", "w") as cfg:
        cfg.write(GRUB_CFG.replace("@APPEND@", kernel.append + args.append))
    made = subprocess.run(
        ["grub-mkrescue", "-o", f"{work}/disk", f"{work}/iso",
         "--install-modules=normal linux biosdisk iso9660 part_msdos",
         "--fonts=", "--locales=", "--themes="],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        raise LabError("grub-mkrescue failed:\n" + made.stdout.decode())
    cylinders = os.path.getsize(f"{work}/disk") // 516096 + 1
    os.truncate(f"{work}/disk", cylinders * 516096)

    config = BOCHSRC
    cpu = (args.cpu or "corei7_haswell_4770").replace("-", "_")
    for name, value in {"CPU": cpu, "CPUS": args.cpus, "MEMORY": args.memory,
                        "DISK": f"{work}/disk", "CYLINDERS": cylinders,
                        "CONSOLE": f"{work}/console", "TTY": f"{work}/tty",
                        "LOG": f"{work}/log"}.items():
        config = config.replace(f"@{name}@", str(value))
    with open(f"{work}/bochsrc", "w") as rc:
        rc.write(config)
    with open(f"{work}/rc", "w") as rc:
        rc.write("c\n")
    return ["bochs-bin", "-q", "-f", f"{work}/bochsrc", "-rc", f"{work}/rc"]
