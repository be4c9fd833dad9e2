# SPDX-License-Identifier: GPL-2.0
"""What scripts/silicon-report writes, from a made-up machine that tells too much.
"""
import os
import tempfile
import unittest

from testlib import matrix
from testlib.script import load

CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Made Up(R) CPU @ 2.00GHz
stepping\t: 7
microcode\t: 0x5003604
physical id\t: 0
apicid\t\t: 17
flags\t\t: fpu vme vmx
bugs\t\t: spectre_v1 mds
address sizes\t: 46 bits physical

processor\t: 1
model name\t: another
"""
SECRETS = ("tiger", "tiger.example.org", "alice", "PF0SERIAL", "00:1a:2b:3c:4d:5e",
           "192.168.17.4", "fe80::1:2:3:4", "alice@example.org",
           "123e4567-e89b-12d3-a456-426614174000", "/home/alice/mvmm")
LOG = "\n".join([
    "[    1.0] DMI: ACME PF0SERIAL, BIOS 1", "[    2.0] Linux on tiger",
    "[    3.0] mvmm: ready: VMX on Tiger.example.org for alice@example.org",
    "[    3.1] mvmm: file /home/alice/mvmm, 00:1a:2b:3c:4d:5e and 192.168.17.4, "
    "fe80::1:2:3:4, 123e4567-e89b-12d3-a456-426614174000",
    "[    4.0] WARNING: CPU: 0 PID: 1 Comm: alice at kmod/main.c:1",
    "[    4.1] Hardware name: ACME PF0SERIAL/board"])
PROGRAMS = {"insmod": (0, ""),
            "abi_test": (0, "TAP version 13\n1..3\nok 1 one\nok 2 two # SKIP no\n"
                            "ok 3 three\nI am tiger\n"),
            "exits_test": (1, "1..1\n# alice: expected 1\nnot ok 1 of tiger\n"
                              "\x1b]0;title\n"),
            "lost_test": (139, "1..5\nok 1 one\n")}
FIGURES = {"mvmm": "cpuid ticks 331.5\nsomething else on tiger\n"}


class Silicon(unittest.TestCase):
    def setUp(self):
        self.module = load("silicon-report")
        names = ["tiger.example.org", "tiger", "alice"]
        facts = {"mvmm": "0.1.0", **self.module.cpu(CPUINFO),
                 "kernel": "6.1.0-tiger", "vulnerability-mds": "Mitigation: Clear"}
        self.text = self.module.report(facts, PROGRAMS, FIGURES, LOG, names)

    def test_no_secrets(self):
        for secret in SECRETS:
            self.assertNotIn(secret.lower(), self.text.lower())

    def test_nothing_unknown(self):
        """Of what programs print only results and figures are taken."""
        for text in "I am", "something", "Hardware", "apicid", "another", "\x1b":
            self.assertNotIn(text, self.text)

    def test_facts(self):
        for line in ("cpu: Made Up(R) CPU @ 2.00GHz", "microcode: 0x5003604",
                     "cpus: 2", "hypervisor: no", "bugs: spectre_v1 mds",
                     "vulnerability-mds: Mitigation: Clear",
                     "kselftests: 3 passed, 2 failed, 1 skipped",
                     "[exits_test] status 1", "# (name): expected 1",
                     "cpuid ticks 331.5", "complaints of the kernel: 1",
                     "kernel: 6.1.0-(name)",
                     "mvmm: ready: VMX on (name) for (address)"):
            self.assertIn(line, self.text.splitlines())

    def test_names_of_this_host(self):
        self.assertIn(os.uname().nodename, [*self.module.private_names(), "root"])

    def test_page(self):
        """Such a file becomes a line of matrix.rst."""
        with tempfile.TemporaryDirectory(prefix="mvmm-silicon.") as folder:
            self.assertEqual("There is none yet.", matrix.silicon(folder))
            with open(f"{folder}/made-up.txt", "w") as out:
                out.write(self.text)
            rows = matrix.silicon(folder).splitlines()
            with open(f"{folder}/made-up.txt", "w") as out:
                out.write(self.text.replace("hypervisor: no",
                                            "hypervisor: yes"))
            self.assertEqual("There is none yet.", matrix.silicon(folder))
        self.assertEqual(5, len(rows))
        for word in "Made Up(R)", "0x5003604", "3 passed, 2 failed":
            self.assertIn(word, rows[3])

    def test_page_is_current(self):
        with open(matrix.PAGE) as page:
            self.assertIn(matrix.silicon(), page.read())


if __name__ == "__main__":
    unittest.main()
