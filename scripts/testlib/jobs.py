# SPDX-License-Identifier: GPL-2.0
"""The jobs of scripts/test, without the matrix's: what each runs; the tables.

Bochs has VMX, QEMU has SVM: both run the same programs. The shell functions
that jobs call in L1 are in selftests/l1.sh, those of guests in
selftests/guest.sh.
"""
import collections
import glob
import os
import re
import subprocess
import sys

from . import labs
from .labs import TOP, TWO_CPUS, lab, run
from .options import launcher_without, without_options
from .pc import PROBES, firmware, gpu, grub, hpet, keyboard, menus, screen
from .systems import i386

# Calls function(results, name, *args), after the module was built for the
# kernels
Job = collections.namedtuple("Job", "name function args kernels")

KSELFTESTS = ("abi", "apic", "clock", "dirty", "dirty_ring", "events",
              "exits", "hostile", "huge", "intercepts", "invalidate",
              "ioeventfd", "lifetime", "memory", "mmio", "modes", "old",
              "regions", "state")
# For all fuzz targets together
FUZZ_SECONDS = 180
# It measures in TSC ticks: it would take an hour on models where these are
# short
WITH_SCHED = KSELFTESTS + ("sched",)
# --timeout, which is of CPU time without output, is at most some four times what
# the whole of the job uses (it says so at its end): what hangs is to be known
# soon, and a slow machine has room. The lab's own is 300.
# Seconds of L1's clock for a program: where L1 has two CPUs in QEMU these are
# real ones, which a busy machine makes short
LIMIT = 1000
# QEMU runs two CPUs by turns in one thread, in real time. When other programs
# have that thread's CPU, the guest's clock goes on without the guest.
UNSTEADY = {"bochs": "", "qemu": "export MVMM_TEST_UNSTEADY=1; "}


def unit(results, name):
    directory = f"{TOP}/build/userspace/tests"
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", **labs.sshd(results))
    for test in sorted(os.listdir(directory)):
        if not re.fullmatch(r"test_\w+", test):
            continue
        done = run([f"{directory}/{test}"], stderr=subprocess.STDOUT, env=env)
        results.parse(name, f"@@begin {test}\n{done.stdout}\n"
                            f"@@end {test} {done.returncode}")


def scripts(results, name):
    """The scripts' own tests."""
    done = run([sys.executable, "-m", "unittest", "discover", "-s", "scripts",
                "-p", "test_*.py"], stderr=subprocess.STDOUT)
    good = not done.returncode and re.search(r"^Ran [1-9]", done.stdout, re.M)
    if not good:
        results.say(done.stdout)
    results.add(bool(good), name)


def models(results, name):
    """Litmus tests of the barriers, and models of the protocols, by spin."""
    done = run(["scripts/models"], stderr=subprocess.STDOUT)
    results.parse(name, f"@@begin models\n{done.stdout}\n"
                        f"@@end models {done.returncode}")


def fuzz(results, name):
    """A short round of all fuzz targets, from the seeds that are kept."""
    targets = len(glob.glob(f"{TOP}/userspace/fuzz/fuzz_*.c"))
    seconds = FUZZ_SECONDS // targets
    done = run(["make", "-s", "fuzz", f"FUZZ_SECONDS={seconds}"],
               stderr=subprocess.STDOUT)
    rounds = [int(n) for n in re.findall(r"number_of_executed_units: (\d+)",
                                         done.stdout)]
    # A target that does next to nothing in its time proves nothing
    good = not done.returncode and len(rounds) == targets and \
        min(rounds) > 30 * seconds
    if not good:
        results.say(done.stdout[-4000:])
    results.add(good, name)
    results.say(f"{name}: {sum(rounds)} inputs")


def lint(results, name):
    done = run(["scripts/lint"], stderr=subprocess.STDOUT)
    if done.returncode:
        results.say(done.stdout)
    results.add(done.returncode == 0, name)


def mitigations(results, name, *kernels):
    """What KVM's modules do against speculation around an entry, mvmm does."""
    done = run(["scripts/mitigations", *kernels], stderr=subprocess.STDOUT)
    # Both vendors have some five each: a table that has none proves nothing
    good = not done.returncode and \
        done.stdout.count(": both\n") >= 8 * len(kernels)
    if not good:
        results.say(done.stdout)
    results.add(good, name)


def tested(kernel, names=KSELFTESTS):
    """The lab's options for the module and these kselftests."""
    return labs.files(labs.module(kernel), *labs.selftests(names))


def kselftests(names=KSELFTESTS, limit=LIMIT):
    return f"kselftests {limit} {' '.join(names)}"


def kunit_files(kernel):
    return ["--module", "kunit",
            "--file", f"build/module-{kernel}/mvmm_kunit.ko"]


def quick(results, name, emulator):
    """KUnit and the kselftests on the small kernel."""
    lab(results, name,
        ["--timeout", "600", *kunit_files("test"),
         *tested("test", WITH_SCHED)],
        f"kunit; swap_on; {kselftests(WITH_SCHED)}", emulator)


def life(results, name, emulator):
    """Loading, unloading and ownership of the CPU; the command's errors."""
    kvm = "kvm-intel" if emulator == "bochs" else "kvm-amd"
    lab(results, name,
        [*TWO_CPUS[emulator], "--kvm", kvm,
         *labs.files(labs.module("test"), "build/mvmm",
                     "build/selftests/hold", "selftests/module_test.sh",
                     "selftests/cli_test.sh")],
        f"program module_test {LIMIT} sh module_test.sh /lab/mvmm.ko "
        "/lab/hold $(cat /lab/kvm-modules); "
        f"program cli_test {LIMIT} sh cli_test.sh /lab/mvmm.ko /lab/mvmm",
        emulator)


def smp(results, name, emulator, names=WITH_SCHED):
    """The kselftests with two CPUs."""
    lab(results, name,
        [*TWO_CPUS[emulator], "--timeout", "600", *tested("test", names)],
        f"{UNSTEADY[emulator]} swap_on; {kselftests(names)}", emulator)


# Module parameters: VMX's help for local APICs, all of it or without some
APIC_HELP = ("apicv=1", "apicv=1 apic_access=0", "apic_access=0",
             "tpr_shadow=0")


def apic_help(results, name):
    """The local APIC's tests with each of these parameters; huge pages that no
    guest may execute from; spins that do not exit."""
    lab(results, name, tested("test", ("apic", "huge", "exits")),
        "; ".join(f"with_parameters {LIMIT} {p}" for p in
                  [f"apic {p}" for p in APIC_HELP] +
                  # Without a word the kernel of the lab has no mitigations
                  ["huge nx_huge_pages=1", "exits ple=0"]),
        "bochs")


# Options to leave out, one by one in the lab of a vendor that uses them; then
# all at once
WITHOUT = {"qemu": ("slots", "policies", "pv", "pv_eoi", "irqfd", "ioeventfd",
                    "dirty", "dirty_ring", "mtrr", "mce", "debug", "vmx",
                    "slots pv irqfd ioeventfd dirty mtrr mce debug vmx"),
           "bochs": ("pml", "apicv", "svm",
                     "slots pv irqfd ioeventfd dirty apicv mtrr mce debug svm")}


def without(results, name, emulator, every=False):
    """Modules without options, one by one or (not @every) without all at once, build,
    and pass the tests that remain.
    """
    sets = WITHOUT[emulator][-1:] if not every else WITHOUT[emulator]
    tests = ("abi", "apic", "clock", "dirty", "dirty_ring", "events",
             "exits", "intercepts", "invalidate", "ioeventfd", "lifetime",
             "memory", "mmio", "modes", "regions", "state")
    modules = []
    for options in sets:
        module = options.replace(" ", "-")
        done = run(["scripts/build-module", "--as", f"{name}-{module}", "test",
                    f"WITHOUT={options}"], stderr=subprocess.STDOUT)
        results.add(done.returncode == 0, f"{name}: WITHOUT={options} builds",
                    done.stdout if done.returncode else "")
        modules.append(f"build/module-{name}-{module}/mvmm.ko:"
                       f"lab/without-{module}.ko")

    def command(options):
        left = options.split()
        # What goes with it: Kbuild
        left += ["dirty_ring"] * ("dirty" in left)
        # These depend on the scheduler's options, and on steal time
        more = ("sched",) * (left in (["policies"], ["pv"]))
        # A program of an option's name is all about it
        names = [t for t in tests + more if t not in left]
        return (f"without without-{options.replace(' ', '-')} "
                f"'{' '.join(left)}' {LIMIT} {' '.join(names)}")

    lab(results, name,
        ["--timeout", "600",
         *labs.files(*modules, "build/mvmm",
                     *labs.selftests(tests + ("sched",)))],
        "; ".join(map(command, sets)), emulator)


def raid_kills(results, name):
    """A process with an array is killed 1,000 times."""
    test = "build/userspace/tests/test_raid_kills"
    run(["make", "-s", test], check=True)
    done = run(["env", "MVMM_TEST_LONG=1", test], stderr=subprocess.STDOUT)
    results.add(not done.returncode, name, done.stdout[-4000:])


def clang(results, name):
    """Userspace builds with clang, whose warnings are others."""
    done = run(["make", "-s", "userspace", f"O=build/{name}", "CC=clang"],
               stderr=subprocess.STDOUT)
    results.add(not done.returncode and not done.stdout, name, done.stdout)


# The scheduler's tests take minutes there, and debug_smp() has them
def debug(results, name, emulator, names=KSELFTESTS + ("fuzz",), leaks=True):
    """KASAN, lockdep and the like, with KUnit, the kselftests and a fuzzer."""
    lab(results, name,
        ["--kernel", "debug", "--timeout", "1200", *kunit_files("debug"),
         *tested("debug", names)],
        f"kunit; swap_on; {kselftests(names, 600)}" + "; kmemleak" * leaks,
        emulator)


def debug_smp(results, name):
    """KASAN and lockdep with two CPUs: races, hotplug, launchers killed."""
    initrd = labs.guest_initrd(name, "stress $rounds && exit 7",
                               "build/selftests/stress")
    lab(results, name,
        ["--kernel", "debug", "--cpus", "2", "--timeout", "600",
         *labs.files("build/mvmm", "selftests/churn.sh", initrd,
                     labs.small_kernel()),
         *tested("debug", ("apic", "sched"))],
        f"{UNSTEADY['qemu']} {kselftests(('apic', 'sched'), 1000)}; "
        "program churn 1500 sh churn.sh ./mvmm kernel guest-initrd 12; "
        "kmemleak", "qemu")


def refused(results, name, emulator, model, missing, kernel="test"):
    """A CPU that lacks what mvmm needs: insmod fails and says what."""
    lab(results, name,
        ["--cpu", model, "--kernel", kernel,
         *labs.files(labs.module(kernel))],
        f"refused '{missing}'", emulator)


def tigerlake(results, name):
    """A host that does not use XSAVE (errata.rst), has SPEC_CTRL, scales the TSC."""
    # On this model a tick takes 35 times as long: only tests that need few
    names = ("abi", "clock", "events", "hostile", "modes", "state")
    lab(results, name,
        ["--cpu", "tigerlake", "--append", "clearcpuid=fsrm",
         *tested("test", names)], kselftests(names), "bochs")


def debian(results, name, emulator, names=KSELFTESTS):
    """The kselftests on Debian's own kernel."""
    lab(results, name,
        ["--kernel", "debian", "--timeout", "600", *tested("debian", names)],
        kselftests(names), emulator)


def guest(results, name, emulator, how, image, options):
    """Debian's kernel as a guest, on the small kernel."""
    root = labs.setup("debian-kernel")
    release = os.path.basename(root)[len("linux-image-"):]
    programs = ["selftests/guest.sh"]
    if how == "guest_with_button":
        drivers = f"{root}/lib/modules/{release}/kernel/drivers"
        programs += [f"{drivers}/acpi/button.ko", f"{drivers}/input/evdev.ko"]
    initrd = labs.guest_initrd(
        name, f"guest.sh debian {release} 64" + " button" *
        (how == "guest_with_button"), *programs)
    source = f"{root}/boot/vmlinuz-{release}" if image == "bzImage" else \
        labs.setup("debian-vmlinux")
    lab(results, name,
        ["--timeout", "600",
         *labs.files(labs.module("test"), "build/mvmm",
                     "build/selftests/swapper", f"{source}:lab/kernel",
                     initrd)],
        f"insmod mvmm.ko; swap_on; {how} --mem 192M {options}", emulator)


NBD = ("/usr/bin/nbdkit",
       "/usr/lib/x86_64-linux-gnu/nbdkit/plugins/nbdkit-file-plugin.so",
       "/usr/lib/x86_64-linux-gnu/libnbd.so.0:lab/.lib/libnbd.so.0")
POISON = ("build/selftests/poison",)
QEMU_NBD = ("/usr/bin/qemu-nbd", "/usr/bin/qemu-img")


def with_drivers(results, name, emulator, what, drivers, command, more=(),
                 kernel="test", programs=(), mvmm="build/mvmm"):
    """Debian's kernel and its drivers of virtio."""
    root = labs.setup("debian-kernel")
    release = os.path.basename(root)[len("linux-image-"):]
    folder = f"{root}/lib/modules/{release}/kernel/drivers"
    initrd = labs.guest_initrd(
        name, f"guest.sh {what}", "selftests/guest.sh",
        *programs, *[f"{folder}/{driver}.ko" for driver in
          ("virtio/virtio", "virtio/virtio_ring",
           "virtio/virtio_pci_modern_dev", "virtio/virtio_pci_legacy_dev",
           "virtio/virtio_pci", *drivers)])
    lab(results, name,
        ["--timeout", "400", "--kernel", kernel,
         *labs.files(labs.module(kernel), mvmm,
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd,
                     *more)],
        f"insmod mvmm.ko; {command}", emulator)


def disks(results, name, emulator, how="guest_with_disks", more=(),
          kernel="test"):
    """virtio-blk."""
    with_drivers(results, name, emulator, "disks", ["block/virtio_blk"],
                 f". ./disks.sh; {how} --cpus 2 --mem 192M",
                 ["selftests/disks.sh", *more], kernel)


def smallest(results, name, emulator):
    """The same, by the launcher that is built without everything."""
    if launcher_without(results, name, "all"):
        with_drivers(results, name, emulator, "disks smallest",
                     ["block/virtio_blk"],
                     ". ./disks.sh; guest_with_disks --cpus 2 --mem 192M",
                     ["selftests/disks.sh"], mvmm=f"build/{name}/mvmm")


def server_killed(results, name, emulator, rounds):
    """An array with a server's disk as a member; the server is killed."""
    with_drivers(results, name, emulator, "writes", ["block/virtio_blk"],
                 f". ./disks.sh; guest_without_server {rounds} --mem 192M",
                 ["selftests/disks.sh", *NBD], "debian")


def virtio(results, name, emulator):
    """virtio-rng, virtio-balloon and virtio-console."""
    with_drivers(results, name, emulator, "virtio",
                 ["char/hw_random/virtio-rng", "virtio/virtio_balloon",
                  "char/virtio_console"],
                 "guest_with_virtio --cpus 2 --mem 256M --packed")


# Where guests are started in a root of their own: in_a_root in l1.sh
def virtiofsd():
    """The first that is here of those that mvmm looks for, at its place there."""
    with open(f"{TOP}/userspace/devices/virtio/virtiofsd.c") as source:
        names = re.findall(r'"(/usr/\S+/virtiofsd)"', source.read())
    found = [name for name in names if os.path.exists(name)]
    return f"{found[0]}:lab/root{found[0]}"


def share(results, name, emulator):
    """virtiofsd, qemu-storage-daemon and the kernel's vhost as back ends."""
    modules = labs.with_dependencies("vhost_vsock")
    order = " ".join(os.path.basename(m) for m in modules)
    with_drivers(results, name, emulator, "share",
                 ["block/virtio_blk", "../fs/fuse/fuse", "../fs/fuse/virtiofs",
                  *[f"../net/vmw_vsock/{module}" for module in
                    ("vsock", "vmw_vsock_virtio_transport_common",
                     "vmw_vsock_virtio_transport")]],
                 f"for m in {order}; do must insmod $m; done; in_a_root "
                 "guest_with_share --cpus 2 --mem 256M",
                 (*modules, "build/selftests/vsock",
                  "/usr/bin/qemu-storage-daemon", virtiofsd()), "debian",
                 ["build/selftests/vsock"])


def host(results, name, emulator, options=""):
    """mvmm run without a file: L1's own kernel, and a directory of L1's."""
    root = labs.setup("debian-kernel")
    release = os.path.basename(root)[len("linux-image-"):]
    modules = f"lib/modules/{release}"
    there = [f"{modules}/modules.dep", f"{modules}/modules.builtin",
             *[os.path.relpath(path, root) for path in
               labs.with_dependencies("virtio_pci", "virtiofs",
                                    "virtio_console")]]
    lab(results, name,
        ["--kernel", "debian",
         *labs.files(labs.module("debian"), "build/mvmm",
                     virtiofsd(),
                     # The ELF kernel, which need not be unpacked
                     f"{labs.setup('debian-vmlinux')}:"
                     f"lab/root/boot/vmlinuz-{release}",
                     *[f"{root}/{path}:lab/root/{path}" for path in there])],
        f"insmod mvmm.ko; in_a_root guest_of_host {options}", emulator)


PEERS = ("selftests/net_peers.sh", "/usr/bin/iperf3", "/sbin/ethtool")


def net(results, name, emulator, command, programs=()):
    """NICs: Debian's kernel, with L1 by a tap and with another guest. @programs: more
    that both have.
    """
    drivers = labs.with_dependencies("virtio_pci", "virtio_net", "e1000",
                                     "8021q")
    initrd = labs.guest_initrd(name, "net.sh", "selftests/net.sh", *programs,
                               *drivers)
    # Of L1: a tap, or an interface with a way out for passt
    modules = labs.with_dependencies("tun", "dummy", "bonding", "vhost_net",
                                     "8021q", "bridge")
    lab(results, name,
        ["--kernel", "debian",
         *labs.files(labs.module("debian"), "build/mvmm",
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd,
                     "selftests/net.sh", "/usr/bin/tcpdump", "/usr/bin/passt",
                     *programs, *modules),
         *["--timeout", "600"] * bool(programs)],
        "insmod mvmm.ko; insmod tun.ko; insmod dummy.ko; . ./net.sh; " +
        ". ./net_peers.sh; " * bool(programs) + command, emulator)


def raid(results, name, emulator):
    """Arrays of mvmm's and of Linux's md, each read by the other."""
    modules = labs.with_dependencies("loop", "raid0", "raid1", "raid10",
                                     "raid456")
    order = " ".join(os.path.basename(m) for m in modules)
    lab(results, name,
        ["--kernel", "debian", "--timeout", "400",
         *labs.files(*modules, "/sbin/mdadm", "build/mvmm",
                     "selftests/raid_test.sh")],
        f"for m in {order}; do must insmod $m; done; "
        f"program raid_test {LIMIT} sh raid_test.sh /lab/mvmm /lab/mdadm",
        emulator)


def system(results, name, emulator, what="system", how="guest", kernel="test",
           options=""):
    """Debian with systemd on a disk, which fsck looks at afterwards."""
    image = f"{TOP}/build/disk-{name}"
    run(["cp", "--reflink=auto", "--sparse=always", labs.setup("debian-disk"),
         image], check=True)
    initrd = labs.guest_initrd(name, f"sh /run/guest/guest.sh {what}",
                               "selftests/guest.sh", disk=True)
    lab(results, name,
        ["--timeout", "600", "--kernel", kernel, "--disk", image,
         *labs.files(labs.module(kernel), "build/mvmm",
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        f"insmod mvmm.ko; {how} --cpus 2 --mem 512M --disk /dev/vda{options}",
        emulator)
    done = run(["/sbin/e2fsck", "-fn", image], stderr=subprocess.STDOUT)
    results.add(not done.returncode, f"{name}: fsck",
                done.stdout if done.returncode else "")


def killed_on_array(results, name, emulator, rounds):
    """Debian on an array of three, whose launcher is killed again and again: at the
    end fsck finds nothing, and each member is what the two others say.
    """
    image = labs.setup("debian-disk")
    copy = f"{TOP}/build/disk-{name}"
    members = [f"{copy}-{i}" for i in range(3)]
    for member in members:
        with open(member, "w") as out:
            out.truncate(os.path.getsize(image) // 2 + (2 << 20))
    for command in (["raid", "create", "5", *members, "--assume-clean",
                     "--force"],
                    ["disk", "convert", image, f"raid5:{','.join(members)}"]):
        run(["build/mvmm", *command], check=True)
    initrd = labs.guest_initrd(name, "sh /run/guest/guest.sh kills",
                               "selftests/guest.sh", disk=True)
    lab(results, name,
        ["--timeout", "600", *[o for m in members for o in ("--disk", m)],
         *labs.files(labs.module("test"), "build/mvmm",
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        f"insmod mvmm.ko; guest_killed {rounds} --cpus 2 --mem 512M "
        "--disk raid5:/dev/vda,/dev/vdb,/dev/vdc", emulator)
    # What the last kill left was read again while the guest booted
    status = run(["build/mvmm", "raid", "status", *members]).stdout
    results.add(len(re.findall(r"state: +clean", status)) == 3,
                f"{name}: clean at the end", status)
    sums = set()
    for left in (members, members[1:], [members[0], members[2]], members[:2]):
        run(["rm", "-f", copy], check=True)
        run(["build/mvmm", "disk", "convert", f"raid5:{','.join(left)}", copy],
            check=True)
        with open(copy, "rb") as volume:
            sums.add(run(["sha256sum"], stdin=volume).stdout)
    results.add(len(sums) == 1, f"{name}: any two members are enough")
    done = run(["/sbin/e2fsck", "-fn", copy], stderr=subprocess.STDOUT)
    results.add(not done.returncode, f"{name}: fsck",
                done.stdout if done.returncode else "")
    run(["rm", "-f", copy, *members], check=True)


def files(results, name, emulator, *kinds):
    """File systems that Debian makes on disks of these kinds
    (selftests/disks.sh). Two are L1's own, where it has O_DIRECT.
    """
    own = [f"{TOP}/build/disk-{name}-{i}" for i in (1, 2)]
    for image in own:
        with open(image, "w") as out:
            out.truncate(320 << 20)
    modules = labs.with_dependencies("btrfs", "xfs")
    order = f"{TOP}/build/order-{name}/order"
    os.makedirs(os.path.dirname(order), exist_ok=True)
    with open(order, "w") as out:
        out.writelines(f"{os.path.basename(m)}\n" for m in modules)
    disks = " ".join(f"vd{chr(ord('b') + i)}" for i in range(len(kinds)))
    initrd = labs.guest_initrd(name, f"sh /run/guest/guest.sh files {disks}",
                               "selftests/guest.sh", order, *modules,
                               disk=True)
    lab(results, name,
        ["--timeout", "600", "--kernel", "debian", "--memory", "4096",
         "--disk", labs.setup("debian-disk") + ",ro",
         *[o for image in own for o in ("--disk", image)],
         *labs.files(labs.module("debian"), "build/mvmm", *NBD, *QEMU_NBD,
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd,
                     "selftests/disks.sh")],
        "insmod mvmm.ko; mount -o remount,size=3G /tmp; . ./disks.sh; "
        f"guest_with_files '{' '.join(kinds)}' --mem 512M", emulator)


def bzimage(results, name, emulator):
    guest(results, name, emulator, "guest_with_button", "bzImage", "")


def swapped(results, name, emulator):
    guest(results, name, emulator, "guest_swapped", "vmlinux",
          "--mem-backend memfd")


def stress(results, name, emulator, cpus, vcpus, rounds):
    """Debian's kernel with several vCPUs, busy with each other."""
    initrd = labs.guest_initrd(
        name, f"guest.sh stress {vcpus} {rounds}", "selftests/guest.sh",
        "build/selftests/stress")
    lab(results, name,
        [*(TWO_CPUS[emulator] if cpus == 2 else []), "--timeout", "600",
         *labs.files(labs.module("test"), "build/mvmm",
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        f"insmod mvmm.ko; guest --cpus {vcpus} --mem 256M", emulator)


def saved(results, name, emulator, every, times, rounds):
    """The same with two vCPUs, and from its boot on the machine is saved,
    destroyed and made anew, every so many milliseconds; with a directory its
    RAM is saved, too.
    """
    initrd = labs.guest_initrd(
        name, f"guest.sh saved 2 {rounds}", "selftests/guest.sh",
        "build/selftests/stress")
    lab(results, name,
        ["--timeout", "900",
         *labs.files(labs.module("test"), "build/mvmm",
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        f"insmod mvmm.ko; guest_saved {times} --cpus 2 --mem 256M "
        f"--save-every {every}", emulator)


def reloaded(results, name, emulator, times, rounds, seconds):
    """Two vCPUs are read, reset and written in place at each exit, and while
    they compute, and nothing is lost.
    """
    initrd = labs.guest_initrd(
        name, f"guest.sh reloaded 2 {rounds} {seconds}", "selftests/guest.sh",
        "build/selftests/stress", "build/selftests/compute")
    lab(results, name,
        # What computes says nothing before its end
        ["--timeout", str(900 + 60 * seconds),
         *labs.files(labs.module("test"), "build/mvmm",
                     labs.setup("debian-vmlinux") + ":lab/kernel", initrd)],
        f"insmod mvmm.ko; guest_saved {times} --cpus 2 --mem 256M "
        "--reload-every 2", emulator)


def stopped(results, name, emulator):
    """Debian's kernel while its launcher is stopped: no watchdog barks."""
    initrd = labs.guest_initrd(name, "guest.sh stopped", "selftests/guest.sh")
    lab(results, name,
        labs.files(labs.module("test"), "build/mvmm",
                   labs.setup("debian-vmlinux") + ":lab/kernel", initrd),
        "insmod mvmm.ko; guest_stopped --cpus 2 --mem 192M", emulator)


def job(name, function, *args, kernels=("test",)):
    return Job(name, function, args, kernels)


def stress_job(emulator, cpus, vcpus, rounds, name="stress"):
    return job(f"{name}-{emulator}-{vcpus}-on-{cpus}", stress, emulator, cpus,
               vcpus, rounds)


QUICK = [job("unit", unit, kernels=()),
         job("scripts", scripts, kernels=()),
         job("quick-bochs", quick, "bochs"),
         job("quick-qemu", quick, "qemu")]

# Two jobs run at a time: the longest ones come first
ALL = [job("debug-qemu", debug, "qemu", kernels=("debug",)),
       # Most of what only VMX does. kmemleak takes seven minutes there
       job("debug-bochs", debug, "bochs",
           ("exits", "intercepts", "lifetime", "mmio", "modes"), False,
           kernels=("debug",)),
       job("debug-smp-qemu", debug_smp, kernels=("debug",)),
       # The matrix has all
       job("debian-bochs", debian, "bochs",
           ("abi", "lifetime", "modes"),
           kernels=("debian",)),
       stress_job("bochs", 1, 2, 5),
       job("bzimage-qemu", bzimage, "qemu"),
       job("i386-qemu", i386, "qemu"),
       *[job(f"poison-{emulator}", with_drivers, emulator, "poison", (),
             "guest_poisoned --cpus 2 --mem 192M", POISON, "debian", POISON,
             kernels=("debian",)) for emulator in ("bochs", "qemu")],
       job("raid-qemu", raid, "qemu", kernels=()),
       # The small kernel has no io_uring: there the thread is tried
       job("disks-qemu", disks, "qemu", "guest_with_disks", (), "debian",
           kernels=("debian",)),
       job("disks-bochs", disks, "bochs"),
       job("firmware-bochs", firmware, "bochs"),
       # CPUs and interrupts by the MP table
       job("acpi-off-qemu", disks, "qemu",
           f"APPEND='acpi=off {PROBES}' guest_with_disks"),
       # Requests that end later, past the page cache, by io_uring
       job("debian-disk-qemu", system, "qemu", "system", "guest", "debian",
           ",cache=none", kernels=("debian",)),
       # The small kernel has no UNIX sockets
       job("raid-guest-qemu", disks, "qemu", "guest_on_raid", (), "debian",
           kernels=("debian",)),
       job("kills-qemu", system, "qemu", "kills", "guest_killed 1"),
       job("nbd-qemu", disks, "qemu", "guest_over_nbd", NBD),
       job("smallest-qemu", smallest, "qemu"),
       job("nbd-killed-qemu", server_killed, "qemu", 1, kernels=("debian",)),
       job("virtio-qemu", virtio, "qemu"),
       job("screen-qemu", screen, "qemu", kernels=("debian",)),
       job("gpu-qemu", gpu, "qemu", kernels=("debian",)),
       job("share-qemu", share, "qemu", kernels=("debian",)),
       job("host-qemu", host, "qemu", kernels=("debian",)),
       job("host-console-qemu", host, "qemu", "--console virtio",
           kernels=("debian",)),
       job("net-qemu", net, "qemu",
           "guest_with_tap --mem 192M --cpus 2; "
           "guests_on_stream --mem 160M --packed --iothread io; "
           "guest_with_bond 802.3ad --mem 192M", kernels=("debian",)),
       job("vhost-net-qemu", net, "qemu",
           "for m in vhost_iotlb vhost tap vhost_net; do must insmod $m.ko; "
           "done; guest_with_vhost --mem 192M --cpus 2", kernels=("debian",)),
       job("e1000-qemu", net, "qemu",
           "guest_with_e1000 --mem 192M --save-every 100", kernels=("debian",)),
       job("peers-qemu", net, "qemu", "guest_with_peers short --mem 256M",
           PEERS, kernels=("debian",)),
       job("user-net-qemu", net, "qemu", "guest_with_user --mem 192M",
           kernels=("debian",)),
       job("switch-qemu", net, "qemu",
           "switch_in_a_loop; guests_on_switch --mem 160M", kernels=("debian",)),
       job("switch-memfd-qemu", net, "qemu",
           "guests_on_switch --mem 160M --mem-backend memfd", kernels=("debian",)),
       job("swapped-qemu", swapped, "qemu"),
       stress_job("qemu", 1, 4, 10), stress_job("qemu", 2, 8, 10),
       *(job(f"without-{lab}", without, lab) for lab in ("qemu", "bochs")),
       # Those for which it matters that there are two; smp-qemu has all
       job("smp-bochs", smp, "bochs",
           ("apic", "clock", "hostile", "invalidate", "lifetime", "memory",
            "sched")),
       job("life-bochs", life, "bochs"),
       job("lint", lint, kernels=()),
       job("mitigations", mitigations, "debian", "backports",
           kernels=("debian", "backports")),
       job("without-options", without_options, kernels=()),
       job("clang", clang, kernels=()),
       job("models", models, kernels=()),
       job("fuzz", fuzz, kernels=()),
       job("stopped-qemu", stopped, "qemu"),
       job("saved-qemu", saved, "qemu", "50", 50, 2),
       job("saved-disks-qemu", disks, "qemu",
           "guest_with_disks --save-every 10"),
       job("saved-ram-qemu", saved, "qemu", "300,/tmp/saved", 3, 1),
       job("reloaded-qemu", reloaded, "qemu", 500, 1, 1),
       job("reloaded-bochs", reloaded, "bochs", 500, 2, 1),
       job("hpet-qemu", hpet, "qemu"),
       job("keyboard-qemu", keyboard, "qemu"),
       job("firmware-qemu", firmware, "qemu"),
       job("grub-qemu", grub, "qemu"),
       job("menus-qemu", menus, "qemu", "guest_with_ide --mem 256M",
           kernels=("debian",)),
       job("debian-qemu", debian, "qemu", kernels=("debian",)),
       job("life-qemu", life, "qemu"),
       job("smp-qemu", smp, "qemu"),
       job("tigerlake-bochs", tigerlake),
       job("apic-help-bochs", apic_help)] + QUICK + [
       job("refused-ept", refused, "bochs", "core2_penryn_t9600", "EPT"),
       job("refused-unrestricted", refused, "bochs", "corei5_lynnfield_750",
           "unrestricted guest"),
       job("refused-npt", refused, "qemu", "max,npt=off",
           "nested paging (NPT)")]
