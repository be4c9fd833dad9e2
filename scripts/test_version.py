# SPDX-License-Identifier: GPL-2.0
"""Is the version in one place, and everywhere the same?"""
import re
import subprocess
import unittest

from testlib.labs import TOP


def read(path):
    with open(f"{TOP}/{path}") as f:
        return f.read()


class Version(unittest.TestCase):
    version = read("VERSION").strip()

    def test_semantic(self):
        self.assertRegex(self.version, r"^(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}$")

    def test_changelog(self):
        """Its newest entry is this version's, and has a date."""
        first = re.search(r"^## (.*)$", read("CHANGELOG.md"), re.M).group(1)
        self.assertRegex(first,
                         rf"^{re.escape(self.version)} - \d{{4}}-\d\d-\d\d$")

    def test_command(self):
        done = subprocess.run([f"{TOP}/build/mvmm", "--version"], check=True,
                              stdout=subprocess.PIPE, text=True)
        self.assertEqual(f"mvmm {self.version}\n", done.stdout)


if __name__ == "__main__":
    unittest.main()
