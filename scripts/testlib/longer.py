# SPDX-License-Identifier: GPL-2.0
"""The jobs of "make test-long" that are those of jobs.py, for longer."""
from . import labs
from .browser import made_run as browsed_run, web
from .jobs import (PEERS, TWO_CPUS, UNSTEADY, debug, files, job, killed_on_array,
                   kselftests, net, raid_kills, reloaded, saved, server_killed,
                   smp, stress_job, swapped, system, tested, virtio, without)
from .labs import lab
from .pc import menus
from .systems import debian, installer, made_run, netboot, systems


def long(results, name, emulator, cpus):
    """The scheduler's shares, measured over 1 G ticks or more."""
    two = cpus == 2
    lab(results, name,
        [*(TWO_CPUS[emulator] if two else []), "--timeout", "1500",
         *tested("test", ("sched",))],
        (UNSTEADY[emulator] if two else "") +
        f"export MVMM_TEST_LONG=1; {kselftests(('sched',), 1500)}", emulator)


# MiB: too little, the least, at 2 GiB, at the hole below 4 GiB, much
SIZES = (1, 2, 3, 8, 16, 24, 31, 32, 33, 34, 35, 36, 48, 64, 96, 127, 128, 129,
         255, 1024, 2047, 2048, 2049, 2559, 3071, 3072, 3073, 3584, 4096, 5120,
         65536)


def memory(results, name, emulator):
    """Guests of all sizes, the largest with 16 times as much memory as L1."""
    initrd = labs.guest_initrd(name, "guest.sh memory", "selftests/guest.sh")
    lab(results, name,
        ["--timeout", "600", "--memory", "4096",
         *labs.files(labs.module("test"), "build/mvmm", labs.small_kernel(),
                     initrd)],
        f"insmod mvmm.ko; sizes {' '.join(map(str, SIZES))}", emulator)


LONG = [job("long-reloaded-qemu", reloaded, "qemu", 10000, 10, 30),
        job("long-without-qemu", without, "qemu", True),
        job("long-without-bochs", without, "bochs", True),
        job("long-debug-bochs", debug, "bochs",
            ("abi", "dirty", "dirty_ring", "events", "hostile", "invalidate",
             "memory", "regions", "state", "fuzz"), kernels=("debug",)),
        job("long-debug-qemu", debug, "qemu", ("sched",), kernels=("debug",)),
        job("long-smp-bochs", smp, "bochs"),
        job("long-swapped-bochs", swapped, "bochs"),
        job("long-virtio-bochs", virtio, "bochs"),
        job("long-saved-bochs", saved, "bochs", "50", 30, 2),
        job("long-memory-qemu", memory, "qemu"),
        job("long-bond-qemu", net, "qemu",
            "; ".join(f"guest_with_bond {mode} --mem 192M" for mode in
                      ("active-backup", "balance-xor", "broadcast")),
            kernels=("debian",)),
        job("long-netboot-qemu", netboot, "qemu", kernels=("debian",)),
        job("long-peers-qemu", net, "qemu",
            "guest_with_peers long --mem 256M --packed --cpus 2; "
            "guest_with_peers long,e1000 --mem 256M", PEERS,
            kernels=("debian",))] + [
        job(f"long-{emulator}-{cpus}", long, emulator, cpus)
        for cpus in (1, 2) for emulator in ("bochs", "qemu")] + [
        stress_job(emulator, cpus, vcpus, 20, "long-stress")
        for cpus, vcpus in ((2, 8), (1, 8), (1, 4), (1, 2), (1, 1))
        for emulator in ("bochs", "qemu")] + [
        job("long-browser", web, kernels=()),
        job("long-run-screen-qemu", browsed_run, kernels=("debian",)),
        job("long-menus-qemu", menus, "qemu",
            "grub_floppy; grub_cdrom; guest_with_ide --mem 256M",
            kernels=("debian",)),
        job("long-menus-bochs", menus, "bochs",
            "grub_floppy; grub_cdrom; guest_with_ide --mem 256M",
            kernels=("debian",)),
        job("long-run-qemu", made_run, kernels=("debian",)),
        job("long-systems-qemu", systems, "qemu", "isolinux_menu; edk2_shell",
            kernels=("debian",)),
        # A pass waits for ten minutes of the clock: more than an hour at 0
        job("long-memtest-qemu", systems, "qemu", "memtest_bios",
            "--shift", "4", kernels=("debian",)),
        job("long-memtest-uefi-qemu", systems, "qemu", "edk2_shell pass",
            "--shift", "4", kernels=("debian",)),
        job("long-systems-bochs", systems, "bochs",
            "isolinux_ipxe; floppy_ipxe", kernels=("debian",)),
        job("long-installer-text-qemu", installer, "qemu", "text", "amd64",
            "installer_text", kernels=("debian",)),
        job("long-installer-i386-qemu", installer, "qemu", "text", "i386",
            "installer_text", kernels=("debian",)),
        job("long-installer-gtk-qemu", installer, "qemu", "gtk", "amd64",
            "installer_gtk", kernels=("debian",)),
        job("long-disk-bios-qemu", debian, "qemu", "debian_bios",
            kernels=("debian",)),
        job("long-disk-uefi-qemu", debian, "qemu", "debian_uefi",
            kernels=("debian",)),
        job("long-files-qemu", files, "qemu", "raw", "nbd", "overlay",
            kernels=("debian",)),
        job("long-files-formats-qemu", files, "qemu", "qcow2", "vdi", "vmdk",
            kernels=("debian",)),
        job("long-files-ways-qemu", files, "qemu", "direct", "through",
            "iothread", "nested", "mixed", kernels=("debian",)),
        job("long-files-ephemeral-qemu", files, "qemu", "ephemeral",
            kernels=("debian",)),
        job("long-files-raid-qemu", files, "qemu", "raid0", "raid1", "raid4",
            "raid5", "raid6", "raid10", kernels=("debian",)),
        job("long-files-worn-qemu", files, "qemu",
            *(f"{how}-raid{level}" for how in ("worn", "spare")
              for level in (1, 4, 5, 6, 10)), kernels=("debian",)),
        job("long-nbd-killed-qemu", server_killed, "qemu", 50,
            kernels=("debian",)),
        job("long-kills-qemu", system, "qemu", "kills", "guest_killed 50"),
        job("long-kills-raid-qemu", killed_on_array, "qemu", 20),
        job("long-raid-kills", raid_kills, kernels=())]
