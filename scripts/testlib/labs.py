# SPDX-License-Identifier: GPL-2.0
"""A run of the lab, and what is built for it."""
import os
import re
import subprocess
import tempfile

from lablib.kernels import LabError, setup

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
ERRATA = f"{TOP}/Documentation/errata.rst"
# Two idle CPUs hang Bochs, with or without mvmm: see errata.rst
TWO_CPUS = {"bochs": ["--cpus", "2", "--append", "idle=poll"],
            "qemu": ["--cpus", "2"]}


def run(command, **kwargs):
    return subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, text=True,
                          errors="replace", **kwargs)


def files(*paths):
    """The lab's options for these files."""
    return [o for path in paths for o in ("--file", path)]


def module(kernel):
    return f"build/module-{kernel}/mvmm.ko"


def selftests(names):
    return [f"build/selftests/{name}_test" for name in names]


def guest_initrd(name, command, *programs, disk=False, i386=False):
    """Makes an initrd for a guest of the job @name; @disk: its root is a disk;
    @i386: its kernel has 32 bits. Returns it as an argument for --file.
    """
    path = f"{TOP}/build/guest-initrd-{name}"
    if "selftests/guest.sh" in programs:
        programs += ("selftests/guest_pc.sh",)
    run(["scripts/guest-initrd", *["--i386"] * i386, *["--disk"] * disk, path,
         command, *programs], check=True)
    return f"{path}:lab/guest-initrd"


def with_dependencies(*names):
    """Modules of Debian's kernel and those that they need, in the order in which
    they are loaded.
    """
    root = setup("debian-kernel")
    release = os.path.basename(root)[len("linux-image-"):]
    done = run(["/sbin/modprobe", "-C", "/dev/null", "-d", root, "-S", release,
                "--show-depends", "-a", *names], check=True)
    paths = [line.split()[1] for line in done.stdout.splitlines()
             if line.startswith("insmod ")]
    return list(dict.fromkeys(paths))


def small_kernel():
    """The small test kernel for a guest, as an argument for --file."""
    return f"{setup('test-kernel')}/arch/x86/boot/bzImage:lab/kernel"


def unpacked(package):
    """The directory with the files of one of Debian's packages."""
    return setup("unpacked", package)


def sshd(results):
    """$SSHD for unit tests. Where it cannot be unpacked, as without a network, the
    one that wants it says what it skips.
    """
    try:
        return {"SSHD": f"{unpacked('openssh-server')}/usr/sbin/sshd"}
    except LabError as why:
        results.say(str(why))
        return {}


def build(results, kernels, more):
    """Builds what the jobs need, and @more of make's targets. Returns False, and
    counts a failed test, if something does not build.
    """
    os.makedirs(f"{TOP}/build/selftests", exist_ok=True)
    # No job runs yet
    jobs = f"-j{os.cpu_count()}"
    for command in [["make", "-s", jobs, "userspace", *more],
                    ["make", "-s", "-C", "selftests",
                     f"OUTPUT={TOP}/build/selftests"]] + [
                        ["scripts/build-module", k, jobs] for k in kernels]:
        if subprocess.run(command, cwd=TOP,
                          stdout=subprocess.DEVNULL).returncode:
            results.add(False, " ".join(command), "failed: nothing was run")
            return False
    return True


def known_crashes(errata):
    """What QEMU prints at known crashes. @errata: the text of errata.rst, which
    lists them in the literal block after a mark.
    """
    _, _, rest = errata.partition("\n.. crashes of QEMU, for scripts/test\n")
    block = re.match(r"\n*::\n\n((?:   +\S.*\n)+)", rest)
    return [line.strip() for line in block.group(1).splitlines()]


class Crashes:
    """QEMU's known crashes. A boot is repeated once after one."""
    count = 0

    @classmethod
    def known(cls, stderr):
        with open(ERRATA) as errata:
            return "the emulator ended by itself" in stderr and any(
                text in stderr for text in known_crashes(errata.read()))


def timed(command):
    """Runs @command. Returns its status, stdout, stderr and CPU time in s."""
    with tempfile.TemporaryFile("w+", errors="replace") as out, \
            tempfile.TemporaryFile("w+", errors="replace") as err:
        process = subprocess.Popen(command, cwd=TOP, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return (process.returncode, out.read(), err.read(),
                usage.ru_utime + usage.ru_stime)


def lab(results, where, options, command, emulator):
    """Runs @command, a line of shell that may use selftests/l1.sh, in L1."""
    call = ["scripts/lab", "--lab", emulator, "--file", "selftests/l1.sh",
            *options, f". ./l1.sh; log_begin; {command}; log_end"]
    status, output, errors, cpu = timed(call)
    if emulator == "qemu" and Crashes.known(errors):
        Crashes.count += 1
        results.say(f"{where}: QEMU crashed, so this runs again:\n{errors}")
        status, output, errors, cpu = timed(call)
    # timed() reads text, which turns the terminal's \r\n into \n
    results.parse(where, output.partition("@@log\n")[0])
    results.add(status == 0, f"{where}: lab", f"returned {status}\n{errors}")
    results.kernel_log(where, output)
    results.say(f"{where}: {cpu:.0f} s of CPU time")
