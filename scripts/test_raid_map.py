# SPDX-License-Identifier: GPL-2.0
"""The pictures of raid.rst are what scripts/raid-map prints. It wants build/mvmm."""
import re
import subprocess
import unittest

from testlib.script import TOP


class Pictures(unittest.TestCase):
    def test_all(self):
        with open(f"{TOP}/Documentation/raid.rst") as f:
            shown = re.findall(r"``raid-map (\d+) (\d+)``::\n\n((?: {4}.*\n)+)",
                               f.read())
        self.assertEqual(["0", "5", "6", "10"], [level for level, *_ in shown])
        for level, members, picture in shown:
            with self.subTest(level):
                done = subprocess.run(
                    [f"{TOP}/scripts/raid-map", level, members], check=True,
                    stdout=subprocess.PIPE, text=True)
                self.assertEqual(re.sub("^ {4}", "", picture, flags=re.M),
                                 done.stdout)
