# SPDX-License-Identifier: GPL-2.0
"""Is each kind of failure noticed? By samples of what the kernel and the test
harness print.
"""
import unittest

from . import jobs, labs, longer
from .results import COMPLAINTS, Results

SPLATS = """\
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: KASAN: slab-use-after-free in vm_release+0x1f/0x40 [mvmm]
BUG kmalloc-64 (Tainted: G           O      ): Redzone overwritten
BUG: sleeping function called from invalid context at mm/slab.h:274
BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 33s!
watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [mvmm:91]
WARNING: CPU: 0 PID: 91 at kernel/sched/core.c:5921 sched_exec+0x10/0x20
WARNING: possible circular locking dependency detected
WARNING: suspicious RCU usage
Oops: 0002 [#1] PREEMPT SMP KASAN
Kernel panic - not syncing: UBSAN: panic_on_warn set ...
general protection fault, probably for non-canonical address 0xdead
invalid opcode: 0000 [#1] PREEMPT SMP
process 91 (mvmm) has bad frame
 Call Trace:
rcu: INFO: rcu_preempt self-detected stall on CPU
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: { 0-... }
rcu: rcu_preempt kthread starved for 2100 jiffies! g501 f0x0
rcu: rcu_preempt kthread timer wakeup didn't happen for 2099 jiffies!
UBSAN: shift-out-of-bounds in kmod/pgt.c:41:12
UBSAN: array-index-out-of-bounds in kmod/apic.c:70:9
INFO: task mvmm:91 blocked for more than 122 seconds.
NMI watchdog: Watchdog detected hard LOCKUP on cpu 1
list_add corruption. next->prev should be prev (ffff), but was dead.
list_del corruption. prev->next should be ffff, but was dead
refcount_t: underflow; use-after-free.
refcount_t: addition on 0; use-after-free.
unchecked MSR access error: WRMSR to 0x48 (tried to write 0x0) at rIP: 0xf
mvmm: VMWRITE of 0x4000 failed
"""

QUIET = """\
mvmm: loading out-of-tree module taints kernel.
mvmm: another VMM owns vmx: unload it
zram0: detected capacity change from 0 to 524288
Adding 262140k swap on /dev/zram0.  Priority:-2 extents:1 across:262140k SS
smpboot: CPU 1 is now offline
rcu: Hierarchical SRCU implementation.
process 'lab/hold' started with executable stack
"""


def program(*lines, status=0, name="apic_test"):
    return "\n".join((f"@@begin {name}", *lines, f"@@end {name} {status}", ""))


def log(text="", tainted="12288"):
    return f"@@log\n{text}\n@@tainted {tainted}\n@@log-end\n"


class Tap(unittest.TestCase):
    def counts(self, output):
        results = Results()
        results.parse("job", output)
        return results.passed, results.failed, results.skipped

    def test_counted(self):
        self.assertEqual((1, 0, 1), self.counts(program(
            "TAP version 13", "1..2", "ok 1 apic.self_ipi",
            "#      SKIP      one CPU only", "ok 2 # SKIP one CPU only")))

    def test_skip_that_failed(self):
        self.assertEqual((0, 1, 0), self.counts(program(
            "1..1", "not ok 1 apic.self_ipi # SKIP", status=1)))

    def test_failure(self):
        self.assertEqual((1, 1, 0), self.counts(program(
            "1..2", "not ok 1 a", "ok 2 b", status=1)))

    def test_status(self):
        self.assertEqual((1, 1, 0), self.counts(program(
            "1..1", "ok 1 a", status=124)))
        self.assertEqual((1, 1, 0), self.counts(program(
            "1..1", "ok 1 a", "# not ok, says a comment", status=1)))

    def test_results_that_are_missing(self):
        self.assertEqual((1, 1, 0), self.counts(program("1..2", "ok 1 a")))
        self.assertEqual((0, 1, 0), self.counts(program("1..0 # SKIP")))
        self.assertEqual((0, 1, 0), self.counts(program("Terminated")))

    def test_no_end(self):
        self.assertEqual((1, 1, 0), self.counts(
            "@@begin a\n1..2\nok 1 a\n"))
        self.assertEqual((2, 1, 0), self.counts(
            "@@begin a\n1..1\nok 1 a\n" + program("1..1", "ok 1 b")))


class Kernel(unittest.TestCase):
    def failed(self, output):
        results = Results()
        results.kernel_log("job", output)
        self.assertEqual(2, results.passed + results.failed)
        return results.failed

    def test_each_splat_is_noticed(self):
        for line in SPLATS.splitlines():
            with self.subTest(line):
                self.assertEqual(1, self.failed(log(f"[    3.21] {line}")))

    def test_each_pattern_has_a_line(self):
        for pattern in COMPLAINTS:
            with self.subTest(pattern):
                self.assertRegex(SPLATS, pattern)

    def test_quiet(self):
        self.assertEqual(0, self.failed(log(QUIET)))

    def test_no_log(self):
        self.assertEqual(2, self.failed("ok 1\n"))
        self.assertEqual(2, self.failed("@@log\nmvmm: half a li"))

    def test_taint(self):
        self.assertEqual(0, self.failed(log(tainted="4096")))
        # A warning; a test module though KUnit did not run; though it did
        self.assertEqual(1, self.failed(log(tainted=str(12288 | 1 << 9))))
        self.assertEqual(1, self.failed(log(tainted=str(12288 | 1 << 18))))
        self.assertEqual(0, self.failed(
            program("ok 1", name="kunit") + log(tainted=str(12288 | 1 << 18))))


class Crashes(unittest.TestCase):
    ENDED = "lab: the emulator ended by itself, after 9 s\n"

    def test_errata_has_them(self):
        with open(labs.ERRATA) as errata:
            self.assertTrue(labs.known_crashes(errata.read()))

    def test_known(self):
        self.assertTrue(labs.Crashes.known(
            self.ENDED + "ERROR:../tcg_handle_interrupt: assertion failed: "
            "(qemu_mutex_iothread_locked())"))

    def test_unknown(self):
        self.assertFalse(labs.Crashes.known(self.ENDED))
        self.assertFalse(labs.Crashes.known(self.ENDED + "Segmentation fault"))
        # The emulator did not end
        self.assertFalse(labs.Crashes.known("qemu_mutex_iothread_locked()"))


class Tables(unittest.TestCase):
    def test_names(self):
        table = jobs.ALL + longer.LONG
        self.assertEqual(len(table), len({j.name for j in table}))


if __name__ == "__main__":
    unittest.main()
