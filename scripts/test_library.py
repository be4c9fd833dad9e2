# SPDX-License-Identifier: GPL-2.0
"""libmvmm as others see it: its symbols, and what "make install" puts there."""
import os
import re
import subprocess
import tempfile
import unittest

from testlib.labs import TOP

# Uses a function without hardware, and one that takes a few of libZydis
PROGRAM = r"""
#include <errno.h>
#include <libmvmm.h>
int main(void)
{
	struct mvmm_decode_cache *cache = mvmm_decode_cache_new();
	struct mvmm_run run = { 0 };
	struct mvmm_guest guest = { .run = &run, .cache = cache };

	mvmm_decode_cache_free(cache);
	return cache && mvmm_open("/nowhere") == -ENOENT &&
		mvmm_complete(&guest) == -EOPNOTSUPP ? 0 : 1;
}
"""


def output(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          text=True, **more).stdout


def declared():
    """The functions of libmvmm.h."""
    with open(f"{TOP}/userspace/lib/libmvmm.h") as header:
        text = re.sub(r"/\*.*?\*/", "", header.read(), flags=re.S)
    return set(re.findall(r"^\w[\w *]*?\b(mvmm_\w+)\(", text, re.M))


class Library(unittest.TestCase):
    def test_symbols(self):
        """It exports what the header declares."""
        lines = output("nm", "-D", "--defined-only",
                       f"{TOP}/build/libmvmm.so.1").splitlines()
        self.assertEqual(declared(), {line.split()[2] for line in lines})
        self.assertGreater(len(lines), 50)

    def test_package(self):
        """Debian's file of symbols has all of them: a new one gets the version
        in which it appears.
        """
        with open(f"{TOP}/debian/libmvmm1.symbols") as symbols:
            names = re.findall(r"^ (\w+)@Base \d+\.\d+\.\d+$",
                               symbols.read(), re.M)
        self.assertEqual(sorted(declared()), sorted(names))

    def test_install(self):
        """A program builds with it, shared and static, as pkg-config says."""
        with tempfile.TemporaryDirectory(prefix="mvmm-install.") as root:
            subprocess.run(["make", "-s", "-C", TOP, "install",
                            f"DESTDIR={root}", "PREFIX=/usr"], check=True)
            with open(f"{root}/main.c", "w") as out:
                out.write(PROGRAM)
            folder = f"{root}/usr/lib"
            env = dict(os.environ, PKG_CONFIG_PATH=f"{folder}/pkgconfig",
                       PKG_CONFIG_SYSROOT_DIR=root, LD_LIBRARY_PATH=folder)
            for how in ([], ["--static"]):
                flags = output("pkg-config", *how, "--cflags", "--libs",
                               "libmvmm", env=env).split()
                # libZydis has no static one in Debian
                if how:
                    flags[flags.index("-lmvmm")] = "-l:libmvmm.a"
                subprocess.run(["gcc", "-Wall", "-Werror", "-o",
                                f"{root}/main", f"{root}/main.c", *flags],
                               check=True)
                subprocess.run([f"{root}/main"], env=env, check=True)
                with open(f"{TOP}/VERSION") as version:
                    self.assertEqual(version.read(), output(
                        "pkg-config", "--modversion", "libmvmm", env=env))
                needed = output("readelf", "-d", f"{root}/main")
                self.assertEqual("[libmvmm.so.1]" in needed, not how)


if __name__ == "__main__":
    unittest.main()
