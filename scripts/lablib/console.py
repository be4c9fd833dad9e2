# SPDX-License-Identifier: GPL-2.0
"""A run of the emulator: the command's output and exit status, and the watchdog
that notices when it hangs.
"""
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

# Bochs makes a terminal of its own and draws the VM's screen there
OWN_SCREEN = re.compile(rb'connected to screen "(/dev/pts/\d+)"')
EXIT_MARK = re.compile(rb"\r?\n?@@lab-exit (\d+)\r?\n")
PANIC = b"Kernel panic - not syncing"
# Why a run may have no status
ENDED, PANICKED = "the emulator ended by itself", "the host kernel panicked"

# Seconds. A run hangs if it uses less CPU time than IDLE_CPU in IDLE.
IDLE, IDLE_CPU = 600, 30
LAST_BOUND = 2 * 3600


def start(work, command):
    """Returns the process, its screen, and the terminal of L1's command."""
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
    """The CPU time of a process, until somebody has waited for its end."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watchdog:
    """Notices that a run hangs.

    Its clock is the CPU time that the emulator used: on a busy machine it goes
    slower. Each output of the command sets it back to 0. Messages of the kernel
    do not, because a kernel that hangs may complain without end.
    """

    def __init__(self, limit, cpu, now):
        self.limit = limit
        self.started = self.idle_since = now
        self.heard_at = self.idle_cpu = cpu

    def heard(self, cpu, now):
        self.heard_at = self.idle_cpu = cpu
        self.idle_since = now

    def verdict(self, cpu, now):
        """Why the run must end, or None."""
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
    """Is there a panic on the console?"""
    try:
        with open(path, "rb") as f:
            return PANIC in f.read()
    except OSError:
        return False


def converse(args, work, process, screen, com, log):
    """Passes output on until the exit mark. Returns the command's status, or
    None and the reason.
    """
    dog = Watchdog(args.timeout, cpu_seconds(process.pid), time.monotonic())
    looked = time.monotonic()
    pending = b""
    stdin = sys.stdin.fileno() if args.interactive else None
    out = sys.stdout.buffer
    own = None
    while True:
        # Asked first: what it wrote before its end is there to be read then
        ended = process.poll() is not None
        fds = [f for f in (screen, com) + (() if ended else (stdin, own))
               if f is not None]
        ready = select.select(fds, [], [], 0 if ended else 1)[0]
        if ended and not {screen, com} & set(ready):
            del log[:-2000]
            out.write(pending)
            out.flush()
            return None, ENDED
        if screen in ready:
            try:
                log += os.read(screen, 65536)
            except OSError:
                screen = None
            if own is None and (found := OWN_SCREEN.search(log)):
                # Read it: the emulator stops when it is full
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
            # The end may be the beginning of a mark: hold it back
            keep = mark.start() if mark else max(
                pending.rfind(b"\r"), pending.rfind(b"\n"), 0)
            if not mark and b"@" not in pending[keep:]:
                keep = len(pending.rstrip(b"\r\n"))
            out.write(pending[:keep])
            out.flush()
            if mark:
                return int(mark.group(1)), ""
            pending = pending[keep:]
            if not ended:
                dog.heard(cpu_seconds(process.pid), time.monotonic())
        if time.monotonic() > looked + 1 and not ended:
            looked = time.monotonic()
            if panicked(f"{work}/console"):
                # Let the rest of its message come
                time.sleep(2)
                return None, PANICKED
            why = dog.verdict(cpu_seconds(process.pid), looked)
            if why and not args.interactive:
                return None, why
