# SPDX-License-Identifier: GPL-2.0
"""Jobs of scripts/test with systems as a user starts them: boot loaders and firmware
that are driven by keys (what is typed there, and has to be seen, is in
selftests/systems.sh), and "make run".
"""
import os
import re
import shutil
import subprocess
import tempfile

from . import labs
from .labs import TOP, lab, run
from .pc import SEABIOS

ISOLINUX = """UI vesamenu.c32
LABEL ipxe
 KERNEL /ipxe.lkrn
LABEL local
 LOCALBOOT -1
"""
OVMF = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd")


def unpacked(package, *names):
    return [f"{labs.unpacked(package)}/{name}" for name in names]


def cd(image):
    """A CD with ISOLINUX, whose menu has two entries, and iPXE."""
    modules = f"{labs.unpacked('syslinux-common')}/usr/lib/syslinux/modules/bios"
    loader, = unpacked("isolinux", "usr/lib/ISOLINUX/isolinux.bin")
    with tempfile.TemporaryDirectory() as tree:
        for name in ("ldlinux", "libcom32", "libutil", "vesamenu"):
            shutil.copy(f"{modules}/{name}.c32", tree)
        shutil.copy(loader, tree)
        shutil.copy(*unpacked("ipxe", "boot/ipxe.lkrn"), tree)
        with open(f"{tree}/isolinux.cfg", "w") as f:
            f.write(ISOLINUX)
        run(["xorriso", "-as", "mkisofs", "-quiet", "-b", "isolinux.bin",
             "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4",
             "-boot-info-table", "-o", image, tree],
            stderr=subprocess.STDOUT, check=True)


def fat(image, name, program, kib=8192):
    """A FAT file system with a program for a firmware that reads it."""
    with open(image, "wb") as f:
        f.truncate(kib << 10)
    run(["mformat", "-i", image, *(["-f", str(kib)] if kib == 1440 else []), "::"],
        check=True)
    run(["mcopy", "-i", image, program, f"::{name}"], check=True)


def floppy(image):
    """A floppy disk with SYSLINUX, which starts iPXE."""
    fat(image, "ipxe.krn", *unpacked("ipxe", "boot/ipxe.lkrn"), kib=1440)
    program, = unpacked("syslinux", "usr/bin/syslinux")
    run([program, "--install", image], check=True)
    run(["mcopy", "-i", image, "-", "::syslinux.cfg"], check=True,
        input="DEFAULT ipxe\nLABEL ipxe\n LINUX ipxe.krn\n")


def systems(results, name, emulator, command, *options):
    """ISOLINUX's graphical menu, iPXE by it, and from a floppy disk; EDK2's shell;
    Memtest86+, from its CD and by that shell, also a whole pass.
    """
    image = f"{TOP}/build/{name}"
    cd(f"{image}.iso")
    floppy(f"{image}.floppy")
    fat(f"{image}.img", "memtest.efi",
        *unpacked("memtest86+", "boot/memtest86+x64.efi"))
    memtest, = unpacked("memtest86+", "usr/lib/memtest86+/memtest86+x64.iso")
    lab(results, name,
        [*options, "--timeout", "4500", "--memory", "1024", "--kernel", "debian",
         *labs.files(labs.module("debian"), "build/mvmm",
                     "selftests/systems.sh", f"{image}.iso:lab/cd.iso",
                     f"{image}.img:lab/esp.img",
                     f"{image}.floppy:lab/ipxe.img",
                     f"{memtest}:lab/memtest.iso", *SEABIOS, *OVMF)],
        f". ./systems.sh; insmod mvmm.ko; {command}", emulator)


def linux_font(name):
    """The job's file with the font of Linux's console in pixels, from its source."""
    path = f"{TOP}/build/{name}.font"
    with open(f"{labs.setup('kernel-source')}/lib/fonts/font_8x16.c") as f:
        rows = re.findall(r"^\s+0x(..), /\* [01]{8} \*/$", f.read(), re.M)
    if len(rows) != 256 * 16:
        raise labs.LabError(f"the font has {len(rows)} rows, not 256 of 16")
    with open(path, "wb") as f:
        f.write(bytes.fromhex("".join(rows)))
    return path


def installer(results, name, emulator, kind, machine, command):
    """Debian's installer from a CD: that of its netboot package, with ISOLINUX."""
    image = f"{TOP}/build/{name}.iso"
    tree, = unpacked(f"debian-installer-12-netboot-{machine}",
                     f"usr/lib/debian-installer/images/12/{machine}/{kind}")
    loader, = unpacked("isolinux", "usr/lib/ISOLINUX/isolinux.bin")
    config = f"debian-installer/{machine}/pxelinux.cfg/default"
    run(["xorriso", "-as", "mkisofs", "-quiet", "-f", "-b", "isolinux.bin", "-c",
         "boot.cat", "-no-emul-boot", "-boot-load-size", "4",
         "-boot-info-table", "-o", image, "-graft-points", tree,
         f"isolinux.bin={loader}", f"isolinux.cfg={tree}/{config}"],
        stderr=subprocess.STDOUT, check=True)
    font = linux_font(name)
    lab(results, name,
        ["--timeout", "3000", "--memory", "2048", "--kernel", "debian",
         *labs.files(labs.module("debian"), "build/mvmm",
                     "build/selftests/screen", "selftests/systems.sh",
                     f"{image}:lab/installer.iso", f"{font}:lab/font",
                     *SEABIOS)],
        f". ./systems.sh; insmod mvmm.ko; {command}", emulator)


def debian(results, name, emulator, command):
    """Debian on a disk with GRUB, to a login on its screen."""
    font = linux_font(name)
    lab(results, name,
        ["--timeout", "3000", "--memory", "2048", "--kernel", "debian",
         "--disk", labs.setup("boot-disk") + ",ro",
         *labs.files(labs.module("debian"), "build/mvmm",
                     "build/selftests/screen", "selftests/systems.sh",
                     f"{font}:lab/font", *SEABIOS, *OVMF)],
        f". ./systems.sh; insmod mvmm.ko; {command}", emulator)


def i386(results, name, emulator):
    """Debian's kernel for 32 bits, as bzImage, and its shell."""
    root = labs.setup("i386-kernel")
    release = os.path.basename(root)[len("linux-image-"):]
    initrd = labs.guest_initrd(name, f"guest.sh i386 {release}",
                               "selftests/guest.sh", i386=True)
    lab(results, name,
        ["--timeout", "900",
         *labs.files(labs.module("test"), "build/mvmm",
                     f"{root}/boot/vmlinuz-{release}:lab/kernel", initrd)],
        "insmod mvmm.ko; guest --mem 192M --cpus 2", emulator)


# An array may be rebuilt on its spare meanwhile
IN_GUEST = """lsblk && fio --name=a --filename=/var/tmp/a --size=16M --rw=randwrite \
--bs=4k --verify=crc32c --fsync=64 --output=/dev/null && echo verified && exit 42"""


def made_run(results, name):
    """"make run DISK=... CMD=...", on a disk, and on an array that loses a member
    while the guest boots. One after the other: both write build/run-status.
    """
    for disk in ("debian", "raid5"):
        done = run(["make", "-s", "run", f"DISK={disk}", f"CMD={IN_GUEST}",
                    *["PULL=1"] * (disk == "raid5")], stderr=subprocess.STDOUT,
                   env=dict(os.environ, LAB="qemu"))
        seen = [(done.returncode == 42, "the guest's status"),
                (re.search(r"^vda .* disk", done.stdout, re.M), "its disk"),
                (re.search(r"^verified", done.stdout, re.M), "what fio wrote")]
        if disk == "raid5":
            seen.append(("takes place" in done.stdout,
                         "a spare in a member's place"))
        for good, what in seen:
            results.add(bool(good), f"{name}: {disk}: {what}",
                        done.stdout[-2000:])


def netboot(results, name, emulator):
    """SeaBIOS with either NIC, and nothing to boot from but L1's HTTP."""
    initrd = labs.guest_initrd(name, "guest.sh memory", "selftests/guest.sh")
    lab(results, name,
        ["--kernel", "debian", "--timeout", "600",
         *labs.files(labs.module("debian"), "build/mvmm", "selftests/net.sh",
                     *SEABIOS, labs.small_kernel(), initrd,
                     "/usr/lib/ipxe/qemu/pxe-virtio.rom",
                     "/usr/lib/ipxe/qemu/pxe-e1000.rom",
                     *labs.with_dependencies("tun"))],
        "insmod mvmm.ko; insmod tun.ko; . ./net.sh; "
        "net_ready; guest_from_net virtio-net; guest_from_net e1000", emulator)
