# SPDX-License-Identifier: GPL-2.0
"""The jobs for other systems than this one: their compilers, and Debian 13 as the
machine that "make run" and "make check" are typed on. Both are in a suite's root of
scripts/setup, to which is added what else they need; that is gone at the end.
"""
import os
import re
import shlex
import shutil
import subprocess
import tempfile

from . import labs
from .jobs import job
from .labs import TOP, run

# In a suite's root, or (None) here, where gcc 12 builds what all other jobs use
COMPILERS = {None: ("clang",), "trixie": ("gcc-13", "gcc-14", "clang"),
             "sid": ("gcc-15", "clang")}
# Besides what packages are built with: the kernel's own scripts want these
KERNEL_NEEDS = ("gcc", "make", "flex", "bison", "bc", "libelf-dev")


def in_root(root, packages, command, binds):
    """@command, a line of shell, where these packages are installed, too."""
    script = ("{ apt-get update -qq && apt-get install -y -qq "
              "--no-install-recommends " + shlex.join(packages) +
              "; } >/tmp/apt.log 2>&1 </dev/null || "
              "{ tail -n 20 /tmp/apt.log; exit 1; }\n" + command)
    options = [o for path in binds for o in ("--bind", f"{path}:{path}")]
    return run(["scripts/in-chroot", root, *options, "sh", "-c", script],
               stderr=subprocess.STDOUT)


def names(use, suite):
    return run(["scripts/setup", "names", use, suite],
               check=True).stdout.split()


def by_compilers(results, name, suite):
    """Neither userspace nor the module has a warning."""
    source = labs.setup("kernel-source")
    config = f"{labs.setup('test-kernel')}/.config"
    command = [f"{TOP}/scripts/compilers", source, config, *COMPILERS[suite]]
    if suite:
        done = in_root(labs.setup(f"{suite}-kernel"),
                       [*names("root", suite), *KERNEL_NEEDS,
                        *COMPILERS[suite]], shlex.join(command),
                       [TOP, source, os.path.dirname(config)])
    else:
        done = run(command, stderr=subprocess.STDOUT)
    results.parse(name, f"@@begin {name}\n{done.stdout}\n"
                        f"@@end {name} {done.returncode}")


def userspace(results, name, suite):
    """The short form: userspace by the suite's own compiler and libraries."""
    done = in_root(labs.setup(f"{suite}-kernel"), names("root", suite),
                   f"make -s -j2 -C {shlex.quote(TOP)} userspace O=/tmp/userspace",
                   [TOP])
    results.add(not done.returncode and not done.stdout.strip(),
                f"{name}: it builds, without a warning", done.stdout[-4000:])


def host(results, name, suite):
    """From a tarball, as whoever types it there; the cache is this machine's."""
    tarball = run(["scripts/dist"], check=True).stdout.strip()
    # Made here: there these are found
    for what in ("debian-kernel", "debian-vmlinux", "test-kernel", "busybox"):
        labs.setup(what)
    cache = os.path.dirname(labs.setup("test-kernel"))
    with tempfile.TemporaryDirectory(prefix="mvmm-host.") as there:
        shutil.copy(tarball, f"{there}/mvmm.tar.xz")
        # Tests read what git tracks
        command = (f"export MVMM_CACHE={shlex.quote(cache)}; mkdir /tmp/mvmm && "
                   "cd /tmp/mvmm && "
                   f"tar -xf {there}/mvmm.tar.xz --strip-components=1 && "
                   "git init -q . && git add -A && "
                   "make -s run CMD='uname -r' && make -s check")
        done = in_root(labs.setup(f"{suite}-kernel"), [*names("lab", suite), "git"],
                       command, [there, cache])
    results.add(bool(re.search(r"^6\.1\.0-\S+\r?$", done.stdout, re.M)),
                f"{name}: make run", done.stdout[-4000:])
    results.add(not done.returncode and " 0 failed" in done.stdout,
                f"{name}: make check", done.stdout[-4000:])


USERSPACE = [job("userspace-trixie", userspace, "trixie")]
LONG = [job(f"long-compilers-{suite or 'here'}", by_compilers, suite)
        for suite in COMPILERS] + [
        job("long-host-trixie", host, "trixie")]
