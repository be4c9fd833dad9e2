# SPDX-License-Identifier: GPL-2.0
"""Is it noticed when the pages and the source part ways? Small made-up trees."""
import glob
import os
import re
import subprocess
import textwrap
import unittest

from testlib.labs import TOP
from testlib.script import MadeUpTree

# One that is in order
TREE = {"kmod/main.c": "/* tour 1: load */\nint load_module(void);\n",
        "kmod/fd/vm.c": "/* tour 2: a VM */\n",
        "kmod/run/run.c": "/* tour 3: the loop */\n",
        "Documentation/tour.rst": "1. ``kmod/main.c``: ``load_module()``\n"
                                  "2. ``kmod/fd/vm.c``: here\n"
                                  "3. ``kmod/run/run.c``: there\n",
        "userspace/core/vcpu.c": "/* evening 1: an exit */\n",
        "Documentation/launcher.rst": "1. ``userspace/core/vcpu.c``: exits\n"}


class Docs(MadeUpTree):
    script, files = "docs", TREE

    def says(self):
        """What it prints; its status has to agree."""
        status, lines = self.call("check")
        self.assertEqual(bool(lines), bool(status))
        return "\n".join(lines)

    def test_order(self):
        self.assertEqual("", self.says())

    def test_mark_missing(self):
        self.write("kmod/fd/vm.c", "")
        self.assertIn('has no "tour 2:"', self.says())

    def test_mark_too_many(self):
        self.write("kmod/fd/vcpu.c", "/* tour 4: more */\n")
        self.assertIn('kmod/fd/vcpu.c has "tour 4:"', self.says())

    def test_evening(self):
        self.write("userspace/core/bus.c", "/* evening 2: a bus */\n")
        self.assertIn('userspace/core/bus.c has "evening 2:", launcher.rst has '
                      'not', self.says())

    def test_room_twice(self):
        self.write("kmod/fd/vcpu.c", "/* tour 4: again */\n")
        self.write("Documentation/tour.rst", TREE["Documentation/tour.rst"] +
                   "4. ``kmod/fd/vcpu.c``: again\n")
        self.assertIn("visits fd more than once", self.says())

    def test_room_never(self):
        self.write("kmod/mm/fault.c", "")
        self.assertIn("never visits mm", self.says())

    def test_numbers(self):
        self.write("Documentation/tour.rst",
                   TREE["Documentation/tour.rst"].replace("3. ", "4. "))
        self.assertIn("not numbered", self.says())

    def test_name(self):
        self.write("Documentation/a.rst", "``no_such_name()``\n")
        self.assertIn("there is no ``no_such_name()``".replace("``", ""),
                      self.says())

    def test_included_file(self):
        self.write("Documentation/a.rst", ".. include:: b.rst\n")
        self.assertIn("no file b.rst to include", self.says())
        self.write("Documentation/b.rst", "b\n")
        self.assertEqual("", self.says())

    def test_file(self):
        self.write("Documentation/a.rst", "``mm/nothing.c``\n")
        self.assertIn("no file mm/nothing.c", self.says())


class DeviceInAPage(unittest.TestCase):
    def test_compiles(self):
        """The device in devices.rst, as it stands there."""
        with open(f"{TOP}/Documentation/devices.rst") as page:
            block = page.read().partition("adds it. ::\n")[2]
        block = re.match(r"\n*((?:    .*\n|\n)+)", block).group(1)
        code = textwrap.dedent(block)
        self.assertLess(code.count("\n"), 75)
        done = subprocess.run(
            ["gcc", "-fsyntax-only", "-std=gnu11", "-Wall", "-Wextra",
             "-Wno-unused-parameter", "-Werror", "-Iuapi", "-Iuserspace/lib",
             "-Iuserspace", "-xc", "-"], input=code, cwd=TOP, text=True,
            stderr=subprocess.PIPE)
        self.assertEqual("", done.stderr)


def page(name):
    """The text of a man page"""
    with open(f"{TOP}/Documentation/{name}.1") as f:
        return f.read().replace("\\-", "-")


def helps(*command):
    return subprocess.run([f"{TOP}/build/mvmm", *command, "--help"],
                          stdout=subprocess.PIPE, text=True,
                          check=True).stdout


class ManPages(unittest.TestCase):
    """The page of each subcommand has its options, and no other."""

    def check(self, command):
        helped = set(re.findall(r"^ +(?:-., )?(--[a-z-]+)", helps(command),
                                re.M))
        helped -= {"--help", "--usage", "--version"}
        self.assertTrue(helped)
        # As the tag of a paragraph
        tags = re.findall(r"^\.TP\n\.B\S* (.*)", page(f"mvmm-{command}"), re.M)
        there = set(re.findall(r"--[a-z-]+[a-z]", "\n".join(tags)))
        self.assertEqual(helped, there)

    def test_run(self):
        self.check("run")

    def test_sched(self):
        self.check("sched")

    def test_info(self):
        self.check("info")

    def test_disk(self):
        self.check("disk")

    def test_raid(self):
        self.check("raid")

    def test_switch(self):
        self.check("switch")

    def test_net(self):
        self.check("net")

    def test_overview(self):
        """mvmm.1 has the commands of --help, and names all pages at its end."""
        helped = set(re.findall(r"^  ([a-z-]+) ", helps(), re.M))
        self.assertTrue(helped)
        described, _, see = page("mvmm").partition(".SH SEE ALSO\n")
        for part in described, see:
            self.assertEqual(helped, set(re.findall(r"^\.BR mvmm-([a-z-]+) \(1\)",
                                                    part, re.M)))

    def test_renders(self):
        for path in sorted(glob.glob(f"{TOP}/Documentation/*.1")):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-z", "-ww", path],
                                  stderr=subprocess.PIPE, text=True, check=True)
            self.assertEqual("", done.stderr)


if __name__ == "__main__":
    unittest.main()
