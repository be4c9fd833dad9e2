# SPDX-License-Identifier: GPL-2.0
"""Does scripts/headers-check name what a kernel lacks? Its headers are made up: what
one file of the module includes. Kbuild is the module's own."""
import os
import subprocess
import tempfile
import unittest

from testlib.labs import TOP

FILES = {
    "include/config/kernel.release": "9.9.9-made-up\n",
    "include/linux/bits.h": "#define BIT(n) (1UL << (n))\n",
    "include/linux/errno.h": "#include <asm-generic/errno-base.h>\n",
    "include/linux/string.h":
        "void *memchr_inv(const void *, int, unsigned long);\n",
    # As the kernel's own has it
    "include/linux/types.h": "#include <stdbool.h>\n"
                             "#include_next <linux/types.h>\n"
                             "typedef __u8 u8; typedef __u16 u16;\n"
                             "typedef __u32 u32; typedef __u64 u64;\n",
    "include/asm/trapnr.h": "".join(
        f"#define X86_TRAP_{name} {number}\n" for number, name in enumerate(
            "DE DB NMI BP OF BR UD NM DF OLD_MF TS NP SS GP PF SPURIOUS MF "
            "AC MC XF VE CP".split())),
    "Module.symvers": "0x1\tcr4_update_irqsoff\tvmlinux\tEXPORT_SYMBOL\t\n"
                      "0x1\tmemchr_inv\tvmlinux\tEXPORT_SYMBOL_GPL\t\n",
    # One file is compiled. Of the others only the name counts
    "Makefile": r"""
src := $(M)
srctree := .
objtree := .
include $(M)/Kbuild
modules: $(addprefix $(M)/,$(mvmm-y))
	@echo '$(ccflags-y)' >$(M)/kmod/.main.o.cmd
	@nm -u $(M)/kmod/logic/event.o | while read -r _ name; do \
		cut -f 2 Module.symvers | grep -qx $$name || { \
			echo "ERROR: modpost: \"$$name\" [mvmm.ko] undefined!" >&2; \
			exit 1; }; \
	done
$(M)/%.o:
	@touch $@
$(M)/kmod/logic/event.o: $(M)/kmod/logic/event.c
	@gcc -Iinclude -ffreestanding $(ccflags-y) -c -o $@ $<
""",
}


class Headers(unittest.TestCase):
    def setUp(self):
        there = tempfile.TemporaryDirectory(prefix="mvmm-headers.")
        self.addCleanup(there.cleanup)
        self.kdir = there.name
        for path, text in FILES.items():
            os.makedirs(os.path.dirname(f"{self.kdir}/{path}"), exist_ok=True)
            with open(f"{self.kdir}/{path}", "w") as out:
                out.write(text)

    def edit(self, path, old, new, count=-1):
        self.assertIn(old, FILES[path])
        with open(f"{self.kdir}/{path}", "w") as out:
            out.write(FILES[path].replace(old, new, count))

    def check(self, kernel=None):
        return subprocess.run(
            [f"{TOP}/scripts/headers-check", kernel or self.kdir],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def lacks(self, *named):
        done = self.check()
        self.assertEqual(1, done.returncode, done.stdout)
        *lines, last = done.stdout.splitlines()
        self.assertIn("9.9.9-made-up: mvmm does not build", last)
        self.assertEqual(len(named), len(lines), done.stdout)
        for line, (where, what) in zip(lines, named):
            self.assertTrue(line.startswith(where), line)
            self.assertIn(what, line)

    def test_nothing_is_missing(self):
        done = self.check()
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual("9.9.9-made-up: mvmm builds: vmx svm\n", done.stdout)

    def test_a_constant(self):
        """Named once, where it is used many times."""
        self.edit("include/asm/trapnr.h", "X86_TRAP_NMI", "X86_TRAP_OTHER")
        self.lacks(("kmod/logic/event.c: ", "X86_TRAP_NMI"))

    def test_a_header(self):
        os.unlink(f"{self.kdir}/include/asm/trapnr.h")
        self.lacks(("kmod/logic/event.c: ", "asm/trapnr.h"))

    def test_in_a_header_of_the_kernel(self):
        self.edit("include/linux/string.h", "void", "extern no_such_type x;\nvoid", 1)
        self.lacks(("include/linux/string.h: ", "no_such_type"))

    def test_a_symbol(self):
        self.edit("Module.symvers", "memchr_inv", "memchr")
        self.lacks(('"memchr_inv"', "undefined"))

    def test_a_symbol_for_kvm_only(self):
        """Builds, without VMX."""
        self.edit("Module.symvers", "EXPORT_SYMBOL\t", "EXPORT_SYMBOL\tmodule:kvm")
        done = self.check()
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual("9.9.9-made-up: mvmm builds: svm\n"
                         "no VMX: this kernel gives cr4_update_irqsoff to KVM "
                         "only\n", done.stdout)

    def test_no_such_kernel(self):
        done = self.check("no-such-kernel")
        self.assertEqual(2, done.returncode)
        self.assertIn("build-module [--as NAME] KERNEL", done.stdout)


if __name__ == "__main__":
    unittest.main()
