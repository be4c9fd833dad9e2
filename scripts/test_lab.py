# SPDX-License-Identifier: GPL-2.0
"""What scripts/lab, run-guest and guest-initrd refuse, and names that they hand on."""
import os
import shutil
import subprocess
import tempfile
import unittest

from lablib import qemu
from testlib.labs import TOP


def refused(*words):
    """The last line of what was said; empty: it was not refused."""
    done = subprocess.run([f"{TOP}/scripts/{words[0]}", *words[1:]],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.stdout.splitlines()[-1] if done.returncode == 2 else ""


def program(path, text):
    with open(path, "w") as script:
        script.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path, 0o755)


class Lab(unittest.TestCase):
    def test_ports_that_are_forwarded(self):
        for ports in ("80", "80:", "a:80", "80:0", "65536:1", "1:2:3"):
            self.assertIn("it is PORT:PORT", refused(
                "lab", "--lab", "qemu", "--net", "--forward", ports, "true"))
        self.assertIn("--forward is for --net", refused(
            "lab", "--lab", "qemu", "--forward", "80:80", "true"))
        self.assertIn("has no --share", refused(
            "lab", "--lab", "bochs", "--forward", "80:80", "true"))

    def test_names_with_commas(self):
        self.assertEqual("/a,,b", qemu.where("/a,b"))
        self.assertEqual("/a,,b,readonly=on", qemu.where("/a,b,ro"))


class RunGuest(unittest.TestCase):
    def test_a_port_of_the_screen(self):
        for port in ("0.0.0.0:6080", "x", "0", "-1", "65536", "1;true"):
            self.assertIn("a number from 1 to 65535", refused(
                "run-guest", "--screen", f"web={port}", "--iso", __file__))

    def test_names_of_a_cd(self):
        with tempfile.TemporaryDirectory() as there:
            self.assertIn("there is no such file", refused(
                "run-guest", "--screen", "web", "--iso", f"{there}/a"))
            os.mkdir(f"{there}/a,b")
            with open(f"{there}/a,b/c", "w"):
                pass
            os.symlink("a,b/c", f"{there}/d")
            self.assertIn("a comma", refused(
                "run-guest", "--screen", "web", "--iso", f"{there}/d"))

    def test_a_cd_in_the_lab(self):
        """What L1 gets; beside programs that stand in for what builds and runs."""
        with tempfile.TemporaryDirectory() as tree:
            for name in ("scripts", "bin"):
                os.mkdir(f"{tree}/{name}")
            shutil.copy(f"{TOP}/scripts/run-guest", f"{tree}/scripts")
            for name, text in (("scripts/lab", 'printf "%s\\n" "$@"'),
                               ("scripts/setup", "echo /unpacked"),
                               ("scripts/build-module", "echo /module"),
                               ("bin/make", "true")):
                program(f"{tree}/{name}", text)

            def run():
                # As a user's, who is not root
                path = f"{tree}/bin:/usr/bin:/bin"
                return subprocess.run(
                    [f"{tree}/scripts/run-guest", "--screen", "web=6081",
                     "--iso", __file__], text=True, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=os.environ | {"PATH": path, "LAB": "qemu"})

            said = run().stdout.splitlines()
            for option in ("6081:1", "/unpacked/usr/share/novnc,ro",
                           f"{os.path.realpath(__file__)},ro"):
                self.assertIn(option, said)
            library, = [word for word in said if word.endswith(
                ":lab/.lib/libvncserver.so.1")]
            self.assertTrue(os.path.exists(library.split(":")[0]), library)
            program(f"{tree}/bin/ldconfig", "echo libc.so.6 x86-64 /lib/libc")
            done = run()
            self.assertEqual(1, done.returncode)
            self.assertIn("there is no libvncserver.so.1", done.stdout)

    def test_words_of_make(self):
        """A name is one word of the shell."""
        done = subprocess.run(
            ["make", "-s", "-n", "run-guest", "SCREEN=web", "ISO=it's; a, b"],
            cwd=TOP, stdout=subprocess.PIPE, text=True, check=True)
        self.assertIn(r"--iso 'it'\''s; a, b'", done.stdout)


class GuestInitrd(unittest.TestCase):
    def test_drivers_of_another_width(self):
        for option in ("--disk", "--net"):
            self.assertIn("are of 64 bits", refused(
                "guest-initrd", "--i386", option, "/dev/null"))


if __name__ == "__main__":
    unittest.main()
