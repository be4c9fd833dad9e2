# SPDX-License-Identifier: GPL-2.0
"""Launchers that are built without some of their options: Documentation/options.rst."""
import subprocess

from .labs import TOP, run

# That of a disk, or the beginning of a kernel that is compressed
SECTOR = "build/sector.gz"
# What WITHOUT= is for the launcher, a command that asks for it then, and what is in
# its message; None: only a running guest would ask for it
LEFT_OUT = (
    ("nbd", "run --flat README.md --disk nbd://localhost", "libnbd-dev"),
    ("raid", "run --flat README.md --disk raid1:a,b", "libisal-dev"),
    ("uring", None, None),
    ("vnc xz", "run --display vnc", "libvncserver-dev"),
    ("nbd raid terminal uring vnc xz zstd", "raid", "libisal-dev"),
    ("balloon", "run --balloon 64M", "without balloon"),
    ("console", "run --port a,pty", '"console"'),
    ("control", "type a", '"control"'),
    ("disk", "disk info README.md", '"disk"'),
    ("firmware", "run --boot menu", '"firmware"'),
    ("floppy", "run --device i82077", "without floppy"),
    ("host", "run", '"host"'),
    ("hpet", "run --device hpet", "without hpet"),
    ("ide", "run --device piix3-ide", "without ide"),
    ("keyboard", "run --device i8042", "without keyboard screen"),
    ("net", "run --net user", '"net"'),
    ("old", None, None),
    ("overlay", f"run --flat README.md --disk {SECTOR},overlay=a",
     '"overlay"'),
    ("rng", "run --rng", "without rng"),
    ("save", "run --flat README.md --reload-every 5", '"save"'),
    ("sched", "sched", '"sched"'),
    ("screen", "run --display none", '"screen"'),
    ("tables", None, None),
    ("unpack", f"run --kernel {SECTOR}", '"unpack"'),
    ("vhost", "run --share .", '"vhost"'),
    ("all", "run --device vga", "screen"))


def launcher_without(results, name, options):
    """Builds build/NAME/mvmm. Those of a job differ in few objects. False: it did
    not build.
    """
    done = run(["make", "-s", "userspace", f"O=build/{name}",
                f"WITHOUT={options}"], stderr=subprocess.STDOUT)
    results.add(done.returncode == 0, f"{name}: {options} builds",
                done.stdout if done.returncode else "")
    return not done.returncode


def without_options(results, name):
    """The launcher builds without each of its options, and without all, and says
    what it lacks.
    """
    with open(f"{TOP}/{SECTOR}", "wb") as sector:
        sector.write(b"\x1f\x8b" + bytes(510))
    for options, command, text in LEFT_OUT:
        if not launcher_without(results, name, options):
            continue
        mvmm = f"build/{name}/mvmm"
        done = run([mvmm, "run", "--help"])
        results.add(done.returncode == 0 and "--disk" in done.stdout,
                    f"{name}: {options}: there is help", done.stdout)
        if not command:
            continue
        done = run([mvmm, *command.split()], stderr=subprocess.PIPE)
        results.add(done.returncode == 64 and text in done.stderr,
                    f"{name}: {options} is named", done.stderr)
