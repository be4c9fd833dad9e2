# SPDX-License-Identifier: GPL-2.0
"""Tests of userspace/mvmm.bash, with the command that was built."""
import os
import subprocess
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def complete(*words):
    """What bash offers for the last of the words."""
    script = (f'. {TOP}/userspace/mvmm.bash; COMP_WORDS=("$@"); '
              'COMP_CWORD=$(($# - 1)); _mvmm; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash",
                           f"{TOP}/build/mvmm", *words],
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()


class Completion(unittest.TestCase):
    def test_commands(self):
        self.assertEqual(set(complete("")),
                         {"run", "sched", "info", "disk", "raid"})
        self.assertEqual(complete("ra"), ["raid"])

    def test_options(self):
        self.assertEqual(complete("run", "--mem"), ["--mem", "--mem-backend"])
        self.assertEqual(complete("raid", "--lay"), ["--layout"])
        # The text speaks of it, but it is mvmm run's
        self.assertNotIn("--control", complete("raid", "--"))

    def test_verbs(self):
        self.assertEqual(set(complete("raid", "")),
                         {"create", "status", "scrub", "fail", "remove",
                          "add", "speed"})
        self.assertIn("convert", complete("disk", "c"))

    def test_files(self):
        self.assertIn(f"{TOP}/README.md",
                      complete("run", "--kernel", f"{TOP}/READ"))


if __name__ == "__main__":
    unittest.main()
