# SPDX-License-Identifier: GPL-2.0
"""Is each kind of disorder noticed? Small made-up trees, and their objects."""
import os
import subprocess
import unittest

from testlib.script import MadeUpTree

KBUILD = ("options := slots policies pv pv_eoi irqfd ioeventfd dirty "
          "dirty_ring pml apicv mtrr mce debug "
          "vmx svm\n")
# One that is in order
TREE = {"Kbuild": KBUILD,
        "Makefile": "sources:\n\t@echo userspace/char/stdio.c\n",
        "uapi/mvmm.h": "",
        "kmod/main.c": '#include "fd/fd.h"\n',
        "kmod/fd/fd.h": '#include "vm.h"\n',
        "kmod/fd/vm.c": '#include <linux/kvm.h>\n#include "fd.h"\n'
                        '#include "mm/memory.h"\n',
        "kmod/mm/memory.h": '#include "compat.h"\n',
        "kmod/irq/apic.h": "",
        "kmod/vm.h": '#include "logic/event.h"\n',
        "kmod/compat.h": "#include <linux/mm.h>\n",
        "kmod/logic/event.h": "#include <linux/types.h>\n"
                              '#include "uapi/mvmm.h"\n',
        "kmod/logic/event.c": '#include "event.h"\n',
        "kmod/logic/pgtable.c": "#include <linux/gfp.h>\n"}


TREE |= {"userspace/core/machine.h": '#include "char/chardev.h"\n',
         "userspace/char/chardev.h": "",
         "userspace/base/error.h": "",
         "userspace/char/stdio.c": '#include "base/error.h"\n',
         "userspace/lib/libmvmm.h": '#include "mvmm.h"\n',
         "userspace/devices/isa/i8254.c": '#include "core/machine.h"\n'
                                          '#include "libmvmm.h"\n'}


class Rooms(MadeUpTree):
    script, files = "rooms", TREE

    def setUp(self):
        super().setUp()
        self.module.LONG = {}

    def assert_says(self, pattern, *words):
        """One complaint, and it is this."""
        status, lines = self.call(*(words or ("check",)))
        self.assertEqual((1, 1), (status, len(lines)), lines)
        self.assertRegex(lines[0], pattern)


class Includes(Rooms):
    def test_in_order(self):
        self.assertEqual((0, []), self.call("check"))

    def test_upward(self):
        self.write("kmod/mm/fault.c", '#include "fd/fd.h"\n')
        self.assert_says(r'mm/fault.c includes "fd/fd.h".* lower floor')

    def test_upward_however_it_is_written(self):
        for name in ('"../fd/fd.h"', "<fd/fd.h>", '\t"fd/fd.h"'):
            with self.subTest(name):
                self.write("kmod/mm/fault.c", f"#  include{name}\n")
                self.assert_says("mm/fault.c includes .* lower floor")

    def test_same_floor(self):
        self.write("kmod/mm/fault.c", '#include "irq/apic.h"\n')
        self.assert_says('mm/fault.c includes "irq/apic.h".* lower floor')

    def test_on_no_floor(self):
        self.write("kmod/new/new.h", "int a;\n")
        self.write("kmod/fd/vcpu.c", '#include "new/new.h"\n')
        self.assertEqual((1, [
            'kmod/fd/vcpu.c includes "new/new.h", which is on no floor '
            "(scripts/rooms)",
            "kmod/new/new.h is on no floor (scripts/rooms)",
            "no room: new/new.h: 1 lines, its budget is 0"]),
            self.call("check"))

    def test_userspace(self):
        for path, name in (("core/vcpu.c", "devices/isa/i8259.h"),
                           ("base/guard.c", "char/stdio.h"),
                           ("devices/isa/power.c", "cmd/cmd.h"),
                           ("block/file.c", "core/machine.h"),
                           ("net/tap.c", "net/nets.h"),
                           ("lib/walk.c", "core/machine.h")):
            with self.subTest(path):
                self.write(f"userspace/{name}", "")
                self.write(f"userspace/{path}", f'#include "{name}"\n')
                self.assert_says(f'{path} includes "{name}".* lower floor')
                self.write(f"userspace/{path}", "")

    def test_userspace_on_no_floor(self):
        self.write("userspace/new/new.c", "int a;\n")
        self.assertEqual((1, [
            "userspace/new/new.c is on no floor (scripts/rooms)",
            "no room: new/new.c: 1 lines, its budget is 0"]),
            self.call("check"))

    def test_userspace_missing(self):
        self.write("userspace/core/vcpu.c", '#include "core/gone.h"\n')
        self.assert_says('core/vcpu.c includes "core/gone.h", which does not')

    def test_missing(self):
        self.write("kmod/fd/vcpu.c", '#include "gone.h"\n')
        self.assert_says('fd/vcpu.c includes "gone.h", which does not exist')

    def test_impure(self):
        for name in ("<linux/sched.h>", "<linux/gfp.h>", '"compat.h"',
                     '"mm/memory.h"'):
            with self.subTest(name):
                self.write("kmod/logic/lapic.c", f"#include {name}\n")
                self.assert_says("logic/lapic.c includes .*: logic/ is pure")


class Sizes(Rooms):
    def test_long_file(self):
        self.write("bench/bench.c", "\n" * 700)
        self.assertEqual((0, []), self.call("check"))
        self.write("bench/bench.c", "\n" * 701)
        self.assert_says("bench/bench.c has 701 lines")
        self.module.LONG = {"bench/bench.c": "a reason"}
        self.assertEqual((0, []), self.call("check"))

    def test_reason_without_a_long_file(self):
        self.module.LONG = {"bench/gone.c": "a reason"}
        self.assert_says("bench/gone.c is not long")

    def test_budget(self):
        self.module.EXCESS = {}
        for i in range(3):
            self.write(f"kmod/pv/pv{i}.c", "int a;\n" * 150)
        self.assertEqual((0, []), self.call("check"))
        self.write("kmod/pv/pv3.c", "/* b */\n")
        self.assert_says("pv: 451 lines, its budget is 450")
        _, table = self.call("lines")
        self.assertIn("pv            451    450        1    450  1 over", table)

    def test_budget_of_an_option(self):
        self.write("kmod/pv/eoi.c", "int a;\n" * 601)
        self.assert_says("pv_eoi: 601 lines, its budget is 600")

    def test_smallest_launcher(self):
        self.module.SMALLEST = 4
        self.write("userspace/base/error.h", "int a;\n" * 3)
        self.assertEqual((0, []), self.call("check"))
        self.write("userspace/base/error.h", "int a;\n" * 4)
        self.assert_says("the smallest launcher: 5 lines, its budget is 4")

    def test_evening(self):
        self.write("userspace/core/vcpu.c", "/* evening 1: a */\nint a;\n")
        self.write("userspace/core/bus.c", "int a;\n")
        _, table = self.call("lines")
        self.assertIn("evening         2      1        1         its files in "
                      "Documentation/launcher.rst", table)

    def test_option_that_kbuild_does_not_have(self):
        self.write("Kbuild", KBUILD.replace(" pml", ""))
        self.assert_says("these options: pml$")


class Circles(Rooms):
    def build(self, objects):
        """{object: the other objects whose functions it calls}"""
        for path, callees in objects.items():
            path = f"{self.top}/kmod/{path}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            calls = "".join(f"void {c}(void); void *to_{c} = {c};"
                            for c in map(self.function, callees))
            subprocess.run(
                ["gcc", "-c", "-x", "c", "-", "-o", path], check=True,
                text=True,
                input=f"{calls} void {self.function(path)}(void) {{}}")

    @staticmethod
    def function(path):
        return os.path.basename(path).replace(".o", "")

    def test_none(self):
        self.build({"fd/a.o": ["b.o", "c.o"], "run/b.o": ["c.o"],
                    "mm/c.o": []})
        self.assertEqual((0, []), self.call("circles", self.top))

    def test_two_and_three(self):
        self.build({"fd/a.o": ["b.o"], "run/b.o": ["a.o", "c.o"],
                    "mm/c.o": ["d.o"], "mm/d.o": ["e.o"], "mm/e.o": ["c.o"]})
        status, lines = self.call("circles", self.top)
        self.assertEqual(1, status)
        self.assertEqual(["fd/a.o, run/b.o", "mm/c.o, mm/d.o, mm/e.o"],
                         sorted(line.rpartition(": ")[2] for line in lines))

    def test_one_that_may_be_is_no_excuse_for_a_larger_one(self):
        self.build({"fd/vcpu.o": ["vm.o"], "fd/vm.o": ["vcpu.o"]})
        self.assertEqual((0, []), self.call("circles", self.top))
        self.build({"fd/vm.o": ["vcpu.o", "run.o"], "run/run.o": ["vcpu.o"]})
        self.assert_says("fd/vcpu.o, fd/vm.o, run/run.o", "circles", self.top)

    def test_no_objects(self):
        self.assert_says("no objects", "circles", self.top)


if __name__ == "__main__":
    unittest.main()
