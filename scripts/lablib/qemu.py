# SPDX-License-Identifier: GPL-2.0
"""QEMU: SVM by plain emulation, or this machine's own VMX or SVM by KVM."""
import fcntl
import os
import struct

from .image import make_root, pack, put_lab


def machine(kernel, memory, cpus, kvm=False, cpu=None, shift=0):
    """QEMU's command line for a machine without devices."""
    command = ["qemu-system-x86_64", "-m", str(memory), "-smp", str(cpus),
               "-nodefaults", "-display", "none", "-no-reboot",
               "-kernel", kernel.image]
    if kvm:
        return command + ["-accel", "kvm", "-cpu", cpu or "host"]
    # One thread: with several, nested SVM sometimes crashes QEMU
    command += ["-accel", "tcg,thread=single", "-cpu",
                f"{cpu or 'max'},-rdrand,-rdseed", "-rtc",
                "base=2026-01-01T00:00:00,clock=vm"]
    # One instruction is one tick of the TSC, or 2^@shift: a busy machine
    # changes no figure. With more CPUs, which take turns, a boot would not end.
    if cpus == 1:
        command += ["-icount", f"shift={shift},sleep=off"]
    return command


def where(text):
    """PATH[,ro], as QEMU has it: a comma of its own is doubled."""
    path, read_only = text.removesuffix(",ro"), text.endswith(",ro")
    return os.path.abspath(path).replace(",", ",,") + \
        ",readonly=on" * read_only


def prepare(work, kernel, args):
    """Makes an initrd, which copies the files. Returns QEMU's command line."""
    make_root(f"{work}/root", kernel, args, kernel.share_modules +
              (kernel.disk_modules if args.disk else []) +
              (kernel.net_modules if args.net else []))
    pack(f"{work}/root", f"{work}/initrd")
    put_lab(f"{work}/files", kernel, args)

    append = ("console=ttyS0,115200 quiet panic=-1 nokaslr lab_9p " +
              kernel.append + args.append)
    command = machine(kernel, args.memory, args.cpus, args.lab == "kvm",
                      args.cpu, args.shift)
    command += ["-initrd", f"{work}/initrd", "-append", append,
                "-serial", f"file:{work}/console",
                "-chardev", f"serial,id=tty,path={work}/tty",
                "-serial", "chardev:tty",
                "-virtfs", f"local,path={work}/files/lab,mount_tag=lab,"
                           "security_model=none,readonly=on"]
    if args.share:
        command += ["-virtfs", f"local,path={where(args.share)},"
                               "mount_tag=share,security_model=none"]
    if args.net:
        forward = ",hostfwd=tcp:127.0.0.1:{}-:{}".format(
            *args.forward.split(":")) if args.forward else ""
        command += ["-netdev", f"user,id=net{forward}", "-device",
                    "virtio-net-pci,netdev=net"]
    if args.monitor:
        command += ["-monitor", f"unix:{args.monitor},server=on,wait=off"]
    if args.plugin:
        command += ["-plugin", args.plugin]
    # The images outlive QEMU, not this machine: no fsync
    for image in args.disk:
        command += ["-drive", f"file={where(image)},if=virtio,format=raw,"
                              "cache=unsafe"]
    return command


def nested():
    """What this machine's KVM offers to VMs: "vmx", "svm" or "none"."""
    get_supported_cpuid = 0xc008ae05
    try:
        with open("/dev/kvm", "rb", buffering=0) as kvm:
            table = bytearray(struct.pack("II", 256, 0) + bytes(256 * 40))
            fcntl.ioctl(kvm, get_supported_cpuid, table)
    except OSError:
        return "none"
    for i in range(struct.unpack_from("I", table)[0]):
        leaf, _, _, _, _, ecx = struct.unpack_from("6I", table, 8 + 40 * i)
        if leaf == 1 and ecx & 1 << 5:
            return "vmx"
        if leaf == 0x80000001 and ecx & 1 << 2:
            return "svm"
    return "none"
