# SPDX-License-Identifier: GPL-2.0
"""What passed, failed and was skipped, from TAP and from kernel logs."""
import re

RESULT = re.compile(r"^(\s*)(not )?ok \d+ ?-? ?(.*)$")
PLAN = re.compile(r"^(\s*)1\.\.(\d+)")
BEGIN = re.compile(r"^@@begin (\S+)")
END = re.compile(r"^@@end (\S+) (\d+)")
WHY = re.compile(r"(?:SKIP|^skipped:) (.*)$")
TAINTED = re.compile(r"^@@tainted (\d+)\s*$", re.M)

# The kernel's complaints about itself, in the words of 6.1 and 6.12
COMPLAINTS = (
    r"\bBUG\b", r"WARNING:", r"Oops", r"Kernel panic", r"Call Trace:",
    r"general protection", r"invalid opcode", r"bad frame",
    r"rcu: INFO: .*stall", r"rcu: .* kthread (starved|timer wakeup)",
    r"soft lockup", r"hard LOCKUP", r"blocked for more than",
    r"UBSAN:", r"list_(add|del) corruption", r"refcount_t:",
    r"unchecked MSR access error",
    # mvmm's own
    r"VMWRITE of")
SPLAT = re.compile("|".join(COMPLAINTS))

# Bits of /proc/sys/kernel/tainted: admin-guide/tainted-kernels.rst
OUT_OF_TREE, UNSIGNED, KUNIT = 1 << 12, 1 << 13, 1 << 18


class Results:
    """The counts, the failures, and text about them, which flush() prints."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.text = []
        self.failures = []

    def say(self, text):
        self.text.append(text)

    def flush(self):
        if self.text:
            print("\n".join(self.text), flush=True)
        self.text = []

    def merge(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        other.flush()

    def add(self, ok, name, note=""):
        """Counts one result. "not ok # SKIP" is a failure."""
        if not ok:
            self.failed += 1
            self.failures.append(f"FAIL: {name} {note}".rstrip())
            self.say(self.failures[-1])
        elif "# SKIP" in name:
            self.skipped += 1
            self.say(f"skip: {name}")
        else:
            self.passed += 1

    def parse(self, where, output):
        """Counts the TAP of each program, from @@begin to @@end."""
        program, planned, seen, skips = None, 0, 0, []
        text, failed_before = [], 0
        for line in output.splitlines():
            line = line.rstrip("\r")
            if begin := BEGIN.match(line):
                if program:
                    self.add(False, f"{where}: {program}", "did not end")
                program, planned, seen, skips = begin.group(1), 0, 0, []
                text, failed_before = [], self.failed
                continue
            if not program:
                continue
            if end := END.match(line):
                if seen != planned or not planned:
                    self.add(False, f"{where}: {program}",
                             f"{seen} results of {planned}")
                elif end.group(2) != "0" and self.failed == failed_before:
                    self.add(False, f"{where}: {program}",
                             f"returned {end.group(2)}")
                if self.failed > failed_before:
                    self.say("\n".join(text))
                program = None
                continue
            text.append(line)
            # The kselftest harness prints the reason on a line before, and so do
            # the unit tests
            if (why := WHY.search(line)) and not RESULT.match(line):
                skips.append(why.group(1).strip())
            if plan := PLAN.match(line):
                planned += int(plan.group(2))
            elif result := RESULT.match(line):
                seen += 1
                name, ok = result.group(3), not result.group(2)
                if name.startswith("# SKIP"):
                    name = f"{skips[-1] if skips else ''} {name}"
                    # cmocka's skip() is a "not ok", which has its name behind
                    ok = ok or not name.endswith("# SKIP")
                self.add(ok, f"{where}: {program}: {name}")
        if program:
            self.add(False, f"{where}: {program}", "did not end")
            self.say("\n".join(text[-30:]))

    def kernel_log(self, where, output):
        """Judges the log and the taint flags that log_end in l1.sh printed."""
        _, _, log = output.partition("@@log\n")
        splats = [line for line in log.splitlines() if SPLAT.search(line)]
        # A log that did not come proves nothing
        self.add("@@log-end" in log and not splats, f"{where}: kernel log",
                 "\n".join(splats[:10]))
        if splats:
            self.say(log[-8000:])
        allowed = OUT_OF_TREE | UNSIGNED
        if "@@begin kunit" in output:
            allowed |= KUNIT
        tainted = TAINTED.search(log)
        bits = int(tainted.group(1)) & ~allowed if tainted else None
        self.add(bits == 0, f"{where}: taint flags",
                 "not printed" if bits is None else f"{bits:#x}")
