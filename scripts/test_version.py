# SPDX-License-Identifier: GPL-2.0
"""Is the version in one place, and everywhere the same? The tarball."""
import os
import re
import subprocess
import tarfile
import tempfile
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
        """Its newest entry is this version's, all have a date, none is lost."""
        found = re.findall(r"^## ([\d.]+) - \d{4}-\d\d-\d\d$",
                           read("CHANGELOG.md"), re.M)
        self.assertEqual((self.version, "0.1.0"), (found[0], found[-1]))

    def test_command(self):
        done = subprocess.run([f"{TOP}/build/mvmm", "--version"], check=True,
                              stdout=subprocess.PIPE, text=True)
        self.assertEqual(f"mvmm {self.version}\n", done.stdout)


class Tarball(unittest.TestCase):
    version = read("VERSION").strip()

    def test_same_bytes(self):
        """From the tree, and from what was unpacked by somebody else."""
        def pack(tree, umask):
            done = subprocess.run([f"{tree}/scripts/dist"], check=True, umask=umask,
                                  stdout=subprocess.PIPE, text=True)
            with open(done.stdout.strip(), "rb") as f:
                return f.read()

        with tempfile.TemporaryDirectory(prefix="mvmm-dist.") as there:
            one = pack(TOP, 0o022)
            path = f"{TOP}/build/mvmm-{self.version}.tar.xz"
            subprocess.run(["tar", "-xf", path, "-C", there], check=True,
                           umask=0o077)
            tree = f"{there}/mvmm-{self.version}"
            # What a build leaves does not count
            os.mkdir(f"{tree}/build")
            for name in "build/mvmm", "mvmm.ko", "kmod/main.o":
                with open(f"{tree}/{name}", "w") as f:
                    f.write(name)
            self.assertEqual(one, pack(tree, 0o077))

    def test_files(self):
        """All that git tracks, and the changelog."""
        done = subprocess.run([f"{TOP}/scripts/dist"], check=True,
                              stdout=subprocess.PIPE, text=True)
        top = f"mvmm-{self.version}/"
        with tarfile.open(done.stdout.strip()) as tar:
            names = {n[len(top):] for n in tar.getnames()
                     if not tar.getmember(n).isdir()}
            log = tar.extractfile(f"{top}debian/changelog").read().decode()
        done = subprocess.run(["git", "ls-files"], cwd=TOP, check=True,
                              stdout=subprocess.PIPE, text=True)
        there = {f for f in done.stdout.splitlines()
                 if os.path.exists(f"{TOP}/{f}")}
        self.assertEqual(there | {"debian/changelog"}, names)
        self.assertTrue(log.startswith(f"mvmm ({self.version}) "))
        self.assertRegex(log, r"\n -- .* <.*>  \w{3}, \d\d \w{3} \d{4} "
                              r"00:00:00 \+0000\n")


if __name__ == "__main__":
    unittest.main()
