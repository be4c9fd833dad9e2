# SPDX-License-Identifier: GPL-2.0
"""The table of packages in scripts/setup: whole, and no less than debian/control
asks for."""
import re
import subprocess
import unittest

from testlib.labs import TOP

SYSTEMS = ["bookworm", "trixie", "ubuntu", "fedora"]
USES = {"lab", "deb", "root", "browser"}


def table():
    with open(f"{TOP}/scripts/setup") as script:
        text = script.read().split("<<'TABLE'\n")[1].split("\nTABLE\n")[0]
    return text.splitlines()


def names(use, system):
    done = subprocess.run([f"{TOP}/scripts/setup", "names", use, system],
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()


class Table(unittest.TestCase):
    def test_each_row_has_all_systems(self):
        rows = table()
        self.assertEqual(["#", "use", *SYSTEMS], rows[0].split())
        seen = set()
        for row in rows:
            if row.startswith("#"):
                continue
            use, name, *others = row.split()
            self.assertEqual(len(SYSTEMS) - 1, len(others), row)
            self.assertLessEqual(set(use.split(",")), USES, row)
            self.assertRegex(name, r"^[a-z0-9.+-]+$")
            self.assertNotIn(name, seen)
            seen.add(name)

    def test_other_names(self):
        self.assertIn("libvdeplug2t64", names("lab", "trixie"))
        self.assertNotIn("libvdeplug2t64", names("lab", "bookworm"))
        # A suite without a column is as the newest
        self.assertEqual(names("lab", "trixie"), names("lab", "sid"))
        self.assertIn("zydis-devel", names("lab", "fedora"))
        # Two of one, and none of another
        self.assertIn("virtiofsd", names("lab", "fedora"))
        self.assertFalse({"-", "="} & set(names("lab", "fedora")))

    def test_what_debian_asks_for(self):
        with open(f"{TOP}/debian/control") as control:
            text = re.search(r"^Build-Depends:\n((?: .*\n)+)", control.read(),
                             re.M).group(1)
        needed = {re.split(r"[ ,(]", line.strip())[0]
                  for line in text.splitlines()}
        # Virtual, or another name of it
        needed -= {"debhelper-compat", "pkgconf"}
        needed = {n for n in needed if not n.startswith("dh-sequence-")}
        self.assertGreater(len(needed), 10)
        for system in SYSTEMS[:2]:
            for use in ("deb", "root"):
                self.assertLessEqual(needed, set(names(use, system)))


if __name__ == "__main__":
    unittest.main()
