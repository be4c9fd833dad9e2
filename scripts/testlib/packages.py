# SPDX-License-Identifier: GPL-2.0
"""The jobs for Debian's packages: they are built, installed, and booted with.

What is run where they are installed is in selftests/packages_test.sh and
packages_boot.sh.
"""
import filecmp
import os
import shlex
import shutil
import subprocess
import tempfile

from lablib import qemu
from lablib.kernels import Kernel

from . import labs
from .jobs import job
from .labs import TOP, run

SUITES = ("bookworm", "trixie")


def build(results, name, command=("scripts/deb",), **more):
    """Builds the packages; lintian has nothing to say. Returns success."""
    labs.setup("deb-packages")
    done = run([*command], stderr=subprocess.STDOUT, **more)
    good = not done.returncode and "dkms" in done.stdout
    results.add(good, f"{name}: they build, and lintian is quiet",
                done.stdout[-4000:])
    return good


def in_root(suite, *command, packages, options=()):
    """@command in a copy of the suite's root, which sees /packages."""
    done = run(["scripts/setup", "deb-root", suite], check=True)
    return run(["scripts/in-chroot", done.stdout.strip(), "--bind",
                f"{packages}:/packages", "--bind",
                f"{TOP}/selftests:/selftests", *options, *command],
               stderr=subprocess.STDOUT)


def life(results, name, suite, packages, *more):
    """Installed, upgraded, removed and purged."""
    done = in_root(suite, "sh", "/selftests/packages_test.sh", "/packages",
                   *more, packages=packages)
    results.parse(name, f"@@begin packages-{suite}\n{done.stdout}\n"
                        f"@@end packages-{suite} {done.returncode}")


def packages(results, name):
    """The short form: one suite, and one build of the module by DKMS."""
    if build(results, name):
        life(results, name, "bookworm", f"{TOP}/build/deb")


def same(a, b):
    """Which packages of two directories are not the same bytes."""
    names = [f for f in sorted(os.listdir(a)) if f.endswith(".deb")]
    if not names or names != [f for f in sorted(os.listdir(b))
                              if f.endswith(".deb")]:
        return ["names"]
    _, differ, odd = filecmp.cmpfiles(a, b, names, shallow=False)
    return differ + odd


def reproducible(results, name):
    """Built by root and by somebody else, in other places: the same bytes."""
    with tempfile.TemporaryDirectory(prefix="mvmm-deb.") as there:
        os.chmod(there, 0o777)
        one, other = f"{there}/one", f"{there}/a-longer-name/other"
        if not build(results, f"{name} (one)",
                     ("scripts/deb", "--output", one)):
            return
        # As a user who has unpacked the tarball
        tree = f"{there}/tree"
        # Who need not be able to read this tree
        tarball = shutil.copy(run(["scripts/dist"], check=True).stdout.strip(),
                              there)
        script = (f"umask 027; mkdir {tree} && cd {tree} && "
                  f"tar -xf {shlex.quote(tarball)} --strip-components=1 && "
                  f"scripts/deb --output {other} && "
                  f"cmp build/{os.path.basename(tarball)} {tarball}")
        command = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                   f"HOME={there}", "TZ=Asia/Tokyo", "sh", "-c", script]
        if not os.getuid():
            command = ["setpriv", "--reuid=65534", "--regid=65534",
                       "--clear-groups", *command]
        if build(results, f"{name} (other)", command):
            differ = same(one, other)
            results.add(not differ, f"{name}: the same bytes",
                        "these differ: " + " ".join(differ))


def suite(results, name, which):
    """The long form: built and installed in that suite, each with a module."""
    tarball = run(["scripts/dist"], check=True).stdout.strip()
    script = ("cd /tmp && tar -xf /build/*.tar.xz && cd mvmm-* && "
              "dpkg-buildpackage -b -us -uc >/tmp/log 2>&1 || "
              "{ tail -n 30 /tmp/log; exit 1; }; "
              # That suite's, which may know more than this system's
              "apt-get install -y -qq --no-install-recommends lintian "
              ">/tmp/apt.log 2>&1 </dev/null && "
              "lintian --fail-on error,warning ../*.changes && "
              "mv ../*.deb /packages/")
    with tempfile.TemporaryDirectory(prefix="mvmm-deb.") as there:
        os.makedirs(f"{there}/build")
        shutil.copy(tarball, f"{there}/build/")
        os.makedirs(f"{there}/packages")
        done = in_root(which, "sh", "-c", script,
                       packages=f"{there}/packages",
                       options=["--bind", f"{there}/build:/build"])
        results.add(not done.returncode, f"{name}: they build", done.stdout)
        if not done.returncode:
            life(results, name, which, f"{there}/packages", "old-module")


def boot(results, name):
    """Debian with systemd in QEMU, in which mvmm is installed and used."""
    if not build(results, name):
        return
    here = f"{TOP}/build/{name}"
    shutil.rmtree(here, ignore_errors=True)
    os.makedirs(f"{here}/packages/guest")
    for path in os.listdir(f"{TOP}/build/deb"):
        if path.endswith(".deb"):
            shutil.copy(f"{TOP}/build/deb/{path}", f"{here}/packages/")
    for path in (labs.guest_initrd(f"{name}-guest", "exit 7"),
                 labs.small_kernel()):
        source, _, target = path.partition(":lab/")
        shutil.copy(source, f"{here}/packages/guest/{target}")
    done = in_root("bookworm", "sh", "/selftests/packages_boot.sh", "prepare",
                   packages=f"{here}/packages",
                   options=["--keep", f"{here}/disk"])
    results.add(not done.returncode, f"{name}: a disk", done.stdout[-4000:])
    if done.returncode:
        return
    initrd = labs.guest_initrd(name, "sh /selftests/packages_boot.sh run",
                               disk=True).partition(":")[0]
    kernel = Kernel("debian")
    # It ends with twice the status and one. Limits are of CPU time
    done = run(["prlimit", "--cpu=1500", *qemu.machine(kernel, 2048, 1),
                "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1",
                "-drive", f"file={here}/disk,if=virtio,format=raw,snapshot=on",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
                "-serial", "stdio"],
               stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    results.parse(name, f"@@begin packages-boot\n{done.stdout}\n"
                        f"@@end packages-boot {done.returncode // 2}")
    shutil.rmtree(here)


PACKAGES = [job("packages", packages, kernels=())]
LONG = [job("long-packages-reproducible", reproducible, kernels=()),
        job("long-packages-boot", boot, kernels=())] + [
        job(f"long-packages-{s}", suite, s, kernels=()) for s in SUITES]
