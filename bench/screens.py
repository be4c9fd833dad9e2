# SPDX-License-Identifier: GPL-2.0
"""Screens: what bench/run needs to measure them. Beside mvmm: QEMU with KVM.

SeaBIOS starts bench/screens.S, which draws, while bench/viewer.c looks by VNC; and
GRUB, up to its menu. Both launchers have the same firmware and a standard VGA.
"""
import os
import subprocess
import tempfile

import disks

TOP = disks.TOP
# At most this much of QEMU's
BARS = {"vga_text_scroll": 0.30, "planar_fill": 0.50, "fb_fill": 1.0,
        "boot_menu": 1.0, "key_to_guest": 1.0}
LIMITS = {"rss_screen": 12288}

BIOS, VIDEO = "bios-256k.bin", "vgabios-stdvga.bin"
# Where their packages have them
FIRMWARE = [f"/usr/share/seabios/{name}" for name in (BIOS, VIDEO)]
QEMU_FILES = [f"/usr/share/seabios/{name}:lab/qemu/{name}"
              for name in (BIOS, VIDEO)] + [
              f"/usr/share/qemu/{name}:lab/qemu/{name}"
              for name in ("kvmvapic.bin", "keymaps/en-us")]
# mvmm loads it when a display is asked for
LIBRARY = "/usr/lib/x86_64-linux-gnu/libvncserver.so.1"

MENU = """serial
terminal_output serial console
set timeout=-1
menuentry "@@menu" {
	true
}
"""

LOOK = "./viewer 5900 & viewer=$!; "
LOOKED = "kill $viewer 2>/dev/null; wait; "


def qemu(image, display):
    return ("./qemu-system-x86_64 -L qemu -M pc -enable-kvm -cpu host -m 64 "
            "-nodefaults -no-user-config -serial stdio -no-reboot -vga std "
            f"-display {display} "
            "-device isa-debug-exit,iobase=0xf4,iosize=1 -object iothread,id=io "
            + disks.qemu_disk(image, 0))


def mvmm(image, display):
    return (f"./mvmm run --firmware {BIOS} --mem 64M --packed "
            f"--device vga,romfile={VIDEO} --display {display} --disk {image} ")


def both(launcher):
    """The program; the menu."""
    return (f"timeout 600 {launcher('screens', 'none')} </dev/null; "
            "timeout 300 ./bench launch boot_menu @@menu "
            f"{launcher('menu', 'none')}; ")


def looked_at(launcher, vnc):
    """Keys, typed by VNC; while somebody looks; what that costs in memory."""
    drawn = launcher("linear", vnc)
    return (f"timeout 600 {launcher('keys', vnc)} </dev/null | "
            "timeout 600 ./viewer 5900 keys; "
            f"{LOOK}timeout 600 {drawn} </dev/null; {LOOKED}"
            f"{LOOK}timeout 600 ./bench launch boot_screen drawn {drawn}; "
            f"{LOOKED}")


PREPARE = ("ip link set lo up; cat screens linear keys menu >/dev/null; "
           "head -c 1 /dev/random >/dev/null; ")
MVMM = "echo @@mvmm; " + both(mvmm)
KVM = "echo @@kvm; " + both(qemu)
# In Bochs a second has so few instructions that a viewer would have them all
LOOKED_AT = (looked_at(mvmm, "vnc"), looked_at(qemu, "vnc=127.0.0.1:0"))


def build(out):
    """Makes in @out what L1 needs. Returns the lab's files for it."""
    with tempfile.TemporaryDirectory() as tree:
        os.makedirs(f"{tree}/boot/grub")
        with open(f"{tree}/boot/grub/grub.cfg", "w") as f:
            f.write(MENU)
        subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc",
                        "--fonts=", "--locales=", "--themes=", "-o",
                        f"{out}/menu", tree], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(f"{out}/draw", "rb") as f:
        program = bytearray(f.read())
    for what, name in enumerate(("screens", "linear", "keys")):
        program[508] = what
        with open(f"{out}/{name}", "wb") as f:
            # The BIOS wants some cylinders
            f.write(program.ljust(1 << 20, b"\0"))
    mine = [f"{out}/{name}" for name in ("screens", "linear", "keys", "menu", "viewer")]
    return [*mine, *FIRMWARE, *QEMU_FILES, f"{LIBRARY}:lab/.lib/{os.path.basename(LIBRARY)}"]
