# SPDX-License-Identifier: GPL-2.0
"""The emulator while it runs: output, exit status, and when it hangs."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import tty

# Bochs draws its screen on a terminal that it makes itself
OWN_SCREEN = re.compile(rb'connected to screen "(/dev/pts/\d+)"')
EXIT_MARK = re.compile(rb"\r?\n?@@lab-exit (\d+)\r?\n")
PANIC = b"Kernel panic - not syncing"
# Why a run has no status
ENDED, PANICKED = "the emulator ended by itself", "the host kernel panicked"

# Seconds. A run that uses less than IDLE_CPU in IDLE waits for nothing.
IDLE, IDLE_CPU = 600, 30
LAST_BOUND = 2 * 3600


def start(work, command):
    """Returns the process, its screen and the command's terminal."""
    com, slave = pty.openpty()
    tty.setraw(slave)
    os.symlink(os.ttyname(slave), f"{work}/tty")
    screen, screen_slave = pty.openpty()
    fcntl.ioctl(screen_slave, termios.TIOCSWINSZ,
                struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        command, stdin=screen_slave, stdout=screen_slave, stderr=screen_slave,
        env=dict(os.environ, TERM="linux"), start_new_session=True)
    os.close(screen_slave)
    return process, screen, com


def tail(path, lines):
    try:
        with open(path, "rb") as f:
            return b"\n".join(f.read().splitlines()[-lines:]).decode(
                errors="replace")
    except OSError:
        return ""


def cpu_seconds(pid):
    """The CPU time of a process that has not been waited for."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watchdog:
    """Says that a run hangs.

    Its clock is the CPU time that the emulator got, so that a busy machine,
    which gives it less, ends nothing. The clock starts again with each output
    of the command. The kernel's messages do not count: one that hangs complains
    without end.
    """

    def __init__(self, limit, cpu, now):
        self.limit = limit
        self.started = self.idle_since = now
        self.heard_at = self.idle_cpu = cpu

    def heard(self, cpu, now):
        self.heard_at = self.idle_cpu = cpu
        self.idle_since = now

    def verdict(self, cpu, now):
        """Why the run is to end, or None."""
        if cpu - self.heard_at > self.limit:
            return f"no output in {self.limit:.0f} s of CPU time"
        if cpu - self.idle_cpu > IDLE_CPU:
            self.idle_cpu, self.idle_since = cpu, now
        if now - self.idle_since > IDLE:
            return f"no output in {IDLE} s, and hardly any CPU time used"
        if now - self.started > LAST_BOUND:
            return f"no end in {LAST_BOUND} s"
        return None


def panicked(path):
    """Does the console, which is short, tell of a panic?"""
    try:
        with open(path, "rb") as f:
            return PANIC in f.read()
    except OSError:
        return False


def converse(args, work, process, screen, com, log):
    """Pass output on until the exit mark. Returns the status; or None, and why
    there is none.
    """
    dog = Watchdog(args.timeout, cpu_seconds(process.pid), time.monotonic())
    looked = time.monotonic()
    pending = b""
    stdin = sys.stdin.fileno() if args.interactive else None
    out = sys.stdout.buffer
    own = None
    while True:
        fds = [screen, com] + [f for f in (stdin, own) if f is not None]
        ready = select.select(fds, [], [], 1)[0]
        if screen in ready:
            try:
                log += os.read(screen, 65536)
            except OSError:
                return None, ENDED
            if own is None and (found := OWN_SCREEN.search(log)):
                # Full, it would stop the emulator
                own = os.open(found.group(1), os.O_RDWR | os.O_NOCTTY)
                tty.setraw(own)
            del log[:-2000]
        if own in ready:
            os.read(own, 65536)
        if stdin in ready:
            typed = os.read(stdin, 1024)
            if typed:
                os.write(com, typed)
            else:
                stdin = None
        if com in ready:
            pending += os.read(com, 65536)
            mark = EXIT_MARK.search(pending)
            # Hold back what may be the beginning of a mark
            keep = mark.start() if mark else max(
                pending.rfind(b"\r"), pending.rfind(b"\n"), 0)
            if not mark and b"@" not in pending[keep:]:
                keep = len(pending.rstrip(b"\r\n"))
            out.write(pending[:keep])
            out.flush()
            if mark:
                return int(mark.group(1)), ""
            pending = pending[keep:]
            dog.heard(cpu_seconds(process.pid), time.monotonic())
        if process.poll() is not None:
            return None, ENDED
        if time.monotonic() > looked + 1:
            looked = time.monotonic()
            if panicked(f"{work}/console"):
                # What follows its first line
                time.sleep(2)
                return None, PANICKED
            why = dog.verdict(cpu_seconds(process.pid), looked)
            if why and not args.interactive:
                return None, why
