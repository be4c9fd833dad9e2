# SPDX-License-Identifier: GPL-2.0
"""The jobs of scripts/test with what an old PC has: a screen, a keyboard, timers,
a firmware and what it boots. The table is in jobs.py.
"""
import os
import shutil
import subprocess
import tempfile

from . import labs
from .labs import TOP, lab, run

SEABIOS = ("/usr/share/seabios/bios-256k.bin",
           "/usr/share/seabios/vgabios-stdvga.bin")
# A guest's kernel notes how long each of its probes takes
PROBES = "initcall_debug log_buf_len=1M"


def initrd_with(name, command, *drivers):
    """A guest's initrd with a screen's test, and drivers, which it loads."""
    modules = labs.with_dependencies(*drivers)
    order = f"{TOP}/build/order-{name}/order"
    os.makedirs(os.path.dirname(order), exist_ok=True)
    with open(order, "w") as out:
        out.writelines(f"{os.path.basename(m)}\n" for m in modules)
    return labs.guest_initrd(name, command, "selftests/guest.sh",
                             "build/selftests/screen", order, *modules)


def screen(results, name, emulator):
    """A VGA, of which L1 takes pictures, bochs-drm, and virtio-input."""
    initrd = initrd_with(name, "guest.sh screen", "bochs", "virtio_pci",
                         "virtio_input")
    lab(results, name,
        ["--timeout", "400", "--kernel", "debian",
         *labs.files(labs.module("debian"), "build/mvmm",
                     "build/selftests/screen", "build/selftests/floppy",
                     *SEABIOS, labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        "insmod mvmm.ko; old_program --mem 64M; "
        "guest_with_screen --mem 256M", emulator)


def gpu(results, name, emulator):
    """Linux's driver of a virtio-gpu, of which L1 takes a picture."""
    initrd = initrd_with(name, "guest.sh gpu", "virtio_pci", "virtio-gpu")
    lab(results, name,
        ["--timeout", "400", "--kernel", "debian",
         *labs.files(labs.module("debian"), "build/mvmm",
                     "build/selftests/screen",
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        "insmod mvmm.ko; guest_with_gpu --mem 256M", emulator)


def hpet(results, name, emulator):
    """Debian's kernel with an HPET, whose ticks are all that it has."""
    initrd = labs.guest_initrd(name, "guest.sh hpet", "selftests/guest.sh",
                               "build/selftests/rtc")
    lab(results, name,
        ["--timeout", "900",
         *labs.files(labs.module("test"), "build/mvmm",
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        f"insmod mvmm.ko; APPEND='nolapic_timer clocksource=hpet {PROBES}' "
        "guest --device hpet --mem 192M --save-every 500", emulator)


def keyboard(results, name, emulator):
    """Debian's kernel with an i8042, a keyboard and a mouse; its serial port, typed
    at in a flood of output."""
    initrd = labs.guest_initrd(name, "guest.sh i8042 typed",
                               "selftests/guest.sh", "build/selftests/rtc")
    lab(results, name,
        ["--timeout", "900",
         *labs.files(labs.module("test"), "build/mvmm",
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        f"insmod mvmm.ko; APPEND='{PROBES}' guest_typed_at --device i8042 "
        "--mem 192M --save-every 500", emulator)


def firmware(results, name, emulator):
    """SeaBIOS, which boots a sector of a disk; and images that need none, Linux
    with too little memory, and with some above 4 GiB."""
    initrd = labs.guest_initrd(name, "guest.sh memory", "selftests/guest.sh")
    lab(results, name,
        ["--timeout", "900",
         *labs.files(labs.module("test"), "build/mvmm",
                     "build/selftests/boot_sector",
                     "build/selftests/multiboot1",
                     "build/selftests/hello.com",
                     "build/selftests/multiboot2.xz",
                     "/usr/share/seabios/bios-256k.bin",
                     labs.small_kernel(), initrd)],
        "insmod mvmm.ko; sizes 8 3073; mkdir -p /usr/share/seabios; "
        "mv bios-256k.bin /usr/share/seabios; formats; "
        "CPUS=1 firmware --mem 64M --save-every 20; "
        "CPUS=2 firmware --mem 64M --cpus 2", emulator)


GRUB = """set timeout=0
menuentry linux {
	linux /vmlinuz console=ttyS0 panic=-1 quiet PROBES
	initrd /initrd
}
"""


def rescue(tree, config, image):
    """A CD with GRUB; it has a boot sector for disks, too."""
    os.makedirs(f"{tree}/boot/grub")
    with open(f"{tree}/boot/grub/grub.cfg", "w") as f:
        f.write(config)
    run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "--fonts=",
         "--locales=", "--themes=", "-o", image, tree],
        stderr=subprocess.STDOUT, check=True)


def grub(results, name, emulator):
    """SeaBIOS, GRUB on a disk, and Debian's kernel by it, with ACPI's tables from
    fw_cfg."""
    root = labs.setup("debian-kernel")
    release = os.path.basename(root)[len("linux-image-"):]
    initrd = labs.guest_initrd(name, "guest.sh i8042", "selftests/guest.sh",
                               "build/selftests/rtc")
    image = f"{TOP}/build/{name}.iso"
    with tempfile.TemporaryDirectory() as tree:
        shutil.copy(f"{root}/boot/vmlinuz-{release}", f"{tree}/vmlinuz")
        shutil.copy(initrd.split(":")[0], f"{tree}/initrd")
        rescue(tree, GRUB.replace("PROBES", PROBES), image)
    lab(results, name,
        ["--timeout", "900", "--memory", "1024",
         *labs.files(labs.module("test"), "build/mvmm",
                     f"{image}:lab/disk", "/usr/share/seabios/bios-256k.bin")],
        "insmod mvmm.ko; echo '@@begin guest'; "
        "./mvmm run --firmware bios-256k.bin --mem 192M --disk disk,ro "
        "</dev/null >/tmp/console; status=$?; "
        "sed -n '/^1[.][.]/,$p' /tmp/console; ended $status", emulator)


MENU = """set timeout=-1
menuentry "The first entry" {
	true
}
menuentry "The second entry" {
	echo "This was the second"
	read line
}
"""


def menus(results, name, emulator, command):
    """GRUB's menus, from a floppy disk and a CD, by keys; and Linux with that CD
    and a disk at IDE, and with the screen's driver."""
    image = f"{TOP}/build/{name}.iso"
    with tempfile.TemporaryDirectory() as tree:
        rescue(tree, MENU, image)
    initrd = initrd_with(name, "guest.sh ide", "bochs", "ata_piix", "sd_mod",
                         "sr_mod", "isofs")
    grub_rescue = labs.unpacked("grub-rescue-pc")
    lab(results, name,
        ["--timeout", "400", "--kernel", "debian",
         *labs.files(labs.module("debian"), "build/mvmm",
                     "build/selftests/screen", "selftests/systems.sh",
                     f"{grub_rescue}/usr/lib/grub-rescue/"
                     "grub-rescue-floppy.img:lab/grub.img",
                     f"{image}:lab/cd.iso", *SEABIOS,
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        f". ./systems.sh; insmod mvmm.ko; {command}", emulator)
