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
                         {"run", "sched", "info", "disk", "raid", "switch",
                          "net", "screenshot", "wait-screen", "type", "key",
                          "eject", "change"})
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
        self.assertEqual(set(complete("switch", "lab", "")),
                         {"show", "stats", "mac", "vlan", "mirror", "capture"})

    def test_files(self):
        self.assertIn(f"{TOP}/README.md",
                      complete("run", "--kernel", f"{TOP}/READ"))

    def test_devices(self):
        self.assertIn("virtio-rng", complete("run", "--device", ""))
        self.assertEqual(complete("run", "--device", "virtio-bl"),
                         ["virtio-blk"])
        # bash cuts at "=": what is completed is the last piece
        self.assertEqual(complete("run", "--device", "virtio-blk,disk", "=",
                                  "0,iot"), ["0,iothread="])
        self.assertEqual(complete("run", "--device", "no-such,"), [])

    def test_values(self):
        self.assertEqual(complete("run", "--console", "v"), ["virtio"])
        self.assertEqual(complete("run", "--console", "="),
                         ["serial", "virtio"])
        self.assertEqual(complete("run", "--share", "/a b,t"),
                         ["/a", "b,tag="])
        self.assertEqual(set(complete("run", "--port", "a,")),
                         {"a,file=", "a,unix=", "a,pty"})

    def test_disks(self):
        self.assertEqual(complete("run", "--disk", f"{TOP}/READ"),
                         [f"{TOP}/README.md"])
        words = set(complete("run", "--disk", "a.img,"))
        self.assertLessEqual({"a.img,ro", "a.img,cache=", "a.img,overlay="},
                             words)
        self.assertTrue(all(word.startswith("a.img,") for word in words))
        self.assertEqual(complete("run", "--disk", "a.img,cache", "=",
                                  "none,se"), ["none,serial="])
        # Nobody runs what stands in a file's name
        self.assertEqual(complete("run", "--disk", "$(echo x),se"),
                         ["$(echo", "x),serial="])

    def test_networks(self):
        self.assertLessEqual({"user", "tap", "stream:unix=", "switch="},
                             set(complete("run", "--net", "")))
        self.assertEqual(complete("run", "--net", "user,ho"),
                         ["user,hostfwd="])
        self.assertEqual(complete("run", "--net", "stream", ":", "unix", "=",
                                  f"{TOP}/READ"), [f"{TOP}/README.md"])


if __name__ == "__main__":
    unittest.main()
