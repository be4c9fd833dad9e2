# SPDX-License-Identifier: GPL-2.0
"""When does the watchdog end a run? Pairs of times: CPU time, real time."""
import argparse
import io
import os
import sys
import tempfile
import time
import unittest
from unittest import mock

from . import console


class Watchdog(unittest.TestCase):
    def setUp(self):
        self.dog = console.Watchdog(300, 0, 0)

    def test_spins_in_silence(self):
        self.assertIsNone(self.dog.verdict(299, 299))
        self.assertIn("CPU time", self.dog.verdict(301, 301))

    def test_output_starts_again(self):
        self.dog.heard(299, 299)
        self.assertIsNone(self.dog.verdict(598, 598))
        self.assertIsNotNone(self.dog.verdict(600, 600))

    def test_busy_machine(self):
        """With a tenth of a CPU it may be silent for ten times as long."""
        for now in range(0, 2990, 10):
            self.assertIsNone(self.dog.verdict(now / 10, now))

    def test_waits_idle(self):
        for now in range(0, 600, 10):
            self.assertIsNone(self.dog.verdict(now / 100, now))
        self.assertIn("hardly any", self.dog.verdict(6, 601))

    def test_talks_for_ever(self):
        for now in range(0, console.LAST_BOUND, 100):
            self.dog.heard(now, now)
            self.assertIsNone(self.dog.verdict(now, now))
        self.assertIn("no end", self.dog.verdict(7300, 7300))


class End(unittest.TestCase):
    def end_of(self, command):
        """What the lab makes of an emulator that has ended before it looks."""
        args = argparse.Namespace(timeout=60, interactive=False)
        out = io.TextIOWrapper(io.BytesIO())
        with tempfile.TemporaryDirectory() as work, \
                mock.patch.object(sys, "stdout", out):
            process, screen, com = console.start(
                work, ["sh", "-c", f"exec >{work}/tty; {command}"])
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            end = console.converse(args, work, process, screen, com,
                                   bytearray())
        return end, out.buffer.getvalue()

    def test_last_words_count(self):
        end, said = self.end_of(r"printf 'ok 1\n\n@@lab-exit 3\n'")
        self.assertEqual(end, (3, ""))
        self.assertEqual(said.split(), [b"ok", b"1"])

    def test_without_a_mark(self):
        end, said = self.end_of(r"printf 'ok 1\n'")
        self.assertEqual(end, (None, console.ENDED))
        self.assertEqual(said.split(), [b"ok", b"1"])


class CpuSeconds(unittest.TestCase):
    def test_moves_with_work_only(self):
        start = console.cpu_seconds(os.getpid())
        time.sleep(0.3)
        self.assertLess(console.cpu_seconds(os.getpid()) - start, 0.2)
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
        self.assertGreater(console.cpu_seconds(os.getpid()) - start, 0.2)


if __name__ == "__main__":
    unittest.main()
