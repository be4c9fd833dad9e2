# SPDX-License-Identifier: GPL-2.0
"""Launchers that are built without some of their options: Documentation/options.rst."""
import os
import subprocess
import tempfile

from .labs import TOP, run

# That of a disk, or the beginning of a kernel that is compressed
SECTOR = "build/sector.gz"
# What WITHOUT= is for the launcher; commands that ask for it then, and what is in their
# messages. Without a command: only a running guest would ask for it
LEFT_OUT = (
    ("nbd", ("run --flat README.md --disk nbd://localhost", '"nbd"')),
    ("raid", ("run --flat README.md --disk raid1:a,b", '"raid"'),
     ("raid", '"raid"')),
    ("uring",),
    ("vnc xz", ("run --display vnc", '"vnc"')),
    ("nbd raid terminal uring vnc xz zstd", ("raid", '"raid"'),
     ("run --display terminal", '"terminal"'), ("run --display web", '"vnc"')),
    ("balloon", ("run --balloon 64M", "without balloon")),
    ("console", ("run --port a,pty", '"console"'),
     ("run --console virtio", "without console")),
    ("control", ("type a", '"control"'), ("switch a show", '"control"'),
     ("change a b", '"control"')),
    ("disk", ("disk info README.md", '"disk"')),
    ("firmware", ("run --boot menu", '"firmware"'),
     ("run --firmware bios", "without firmware"),
     ("run --firmware uefi", "without firmware")),
    ("floppy", ("run --device i82077", "without floppy"),
     (f"run --flat README.md --floppy {SECTOR}", "without floppy")),
    ("host", ("run", '"host"')),
    ("hpet", ("run --device hpet", "without hpet")),
    ("ide", ("run --device piix3-ide", "without ide"),
     (f"run --flat README.md --cdrom {SECTOR}", "without ide"),
     (f"run --flat README.md --disk {SECTOR},bus=ide", "without ide")),
    ("keyboard", ("run --device i8042", "without firmware keyboard screen"),
     ("run --firmware bios", "without firmware keyboard screen")),
    ("net", ("run --net user", '"net"'), ("switch a", '"net"'), ("net", '"net"'),
     ("run --device e1000,net=user", "without net"),
     ("run --device virtio-net,help", "without net")),
    ("old",),
    ("overlay", (f"run --flat README.md --disk {SECTOR},overlay=a",
                 '"overlay"'),
     (f"run --flat README.md --disk {SECTOR} --ephemeral", '"overlay"')),
    ("rng", ("run --rng", "without rng")),
    ("save", ("run --flat README.md --reload-every 5", '"save"'),
     ("run --flat README.md --save-every 5", '"save"'),
     ("run --load a", '"save"')),
    ("sched", ("sched", '"sched"')),
    ("screen", ("run --display none", '"screen"')),
    ("tables",),
    ("unpack", (f"run --kernel {SECTOR}", '"unpack"')),
    ("vhost", ("run --share .", '"vhost"'), ("run --vsock 3", "without host vhost"),
     ("run --device virtio-fs,help", "without host vhost"), ("run", '"host"')),
    ("all", ("run --device vga", "screen"), ("run --net user", "without balloon")))
# Where no library is found, pkg-config does not see one; what is said then
MISSING = (("raid", "libisal-dev"),
           ("run --flat README.md --disk nbd://localhost", "libnbd-dev"),
           ("run --display terminal", "libncurses-dev"),
           ("run --display vnc", "libvncserver-dev"))


def launcher_without(results, name, options, pkg_config=()):
    """Builds build/NAME/mvmm. Those of a job differ in few objects. @pkg_config: its
    environment. False: it did not build.
    """
    done = run(["env", *pkg_config, "make", "-s", "userspace", f"O=build/{name}",
                f"WITHOUT={options}"], stderr=subprocess.STDOUT)
    results.add(done.returncode == 0, f"{name}: {options} builds",
                done.stdout if done.returncode else "")
    return not done.returncode


def refuses(results, name, options, commands):
    """They say what is missing, before they look for /dev/mvmm."""
    for command, text in commands:
        done = run([f"build/{name}/mvmm", *command.split()],
                   stderr=subprocess.PIPE)
        results.add(done.returncode == 64 and text in done.stderr,
                    f"{name}: {options}: {command}", done.stderr)


def serves(results, name):
    """A switch that nobody can ask is one."""
    with tempfile.TemporaryDirectory() as home, \
            subprocess.Popen([f"{TOP}/build/{name}/mvmm", "switch", "a"],
                             env={**os.environ, "XDG_RUNTIME_DIR": home},
                             stdout=subprocess.PIPE, text=True) as switch:
        line = switch.stdout.readline()
        switch.terminate()
        results.add(not switch.wait(60) and line.startswith("a: mvmm run"),
                    f"{name}: control: mvmm switch", line)


def makes(results, name):
    """Names of files are asked for without a change; tests need all options."""
    path = f"{TOP}/build/{name}/have.h"
    make = ["make", "-s", f"O=build/{name}"]
    run([*make, "help"])
    with open(path) as before:
        text = before.read()
    done = run([*make, "sources", "WITHOUT=all"])
    with open(path) as after:
        results.add(after.read() == text and "cmd/run.c" in done.stdout and
                    "net/nets.c" not in done.stdout, f"{name}: sources",
                    done.stdout)
    done = run([*make, "-n", "unit", "WITHOUT=net"], stderr=subprocess.PIPE)
    results.add(done.returncode == 2 and "tests are of" in done.stderr,
                f"{name}: unit is refused", done.stderr)


def without_options(results, name):
    """The launcher builds without each of its options, and without all, and says
    what it lacks; what it has works.
    """
    with open(f"{TOP}/{SECTOR}", "wb") as sector:
        sector.write(b"\x1f\x8b" + bytes(510))
    for options, *commands in LEFT_OUT:
        if not launcher_without(results, name, options):
            continue
        mvmm = f"build/{name}/mvmm"
        done = run([mvmm, "run", "--help"])
        results.add(done.returncode == 0 and "--disk" in done.stdout,
                    f"{name}: {options}: there is help", done.stdout)
        done = run([mvmm, "run", "--flat", "README.md", "--mvmm",
                    "build/none"], stderr=subprocess.PIPE)
        results.add(done.returncode == 69 and "build/none is not" in done.stderr,
                    f"{name}: {options}: the others are there", done.stderr)
        refuses(results, name, options, commands)
        if options == "control":
            serves(results, name)
    makes(results, name)
    if launcher_without(results, name, "", ["PKG_CONFIG_LIBDIR=/nowhere"]):
        refuses(results, name, "no libraries", MISSING)
