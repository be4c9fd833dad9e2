# SPDX-License-Identifier: GPL-2.0
"""scripts/test itself: however a run ends, it says so and returns 1."""
import contextlib
import io
import unittest
from unittest import mock

from testlib import jobs, labs
from testlib.script import load


def passes(results, name):
    results.add(True, name)


def says_nothing(results, name):
    pass


def raises(results, name):
    results.add(True, name)
    raise OSError("no such file")


class Ends(unittest.TestCase):
    """The status, and the last line."""

    def run_test(self, *functions, build_status=0):
        test = load("test")
        test.EVERY = {f.__name__: jobs.job(f.__name__, f, kernels=())
                      for f in functions}
        built = mock.Mock(returncode=build_status)
        out = io.StringIO()
        with mock.patch.object(labs.subprocess, "run", return_value=built), \
                mock.patch.object(labs.os, "makedirs"), \
                mock.patch.object(test.sys, "argv",
                                  ["test", "only", *test.EVERY]), \
                contextlib.redirect_stdout(out):
            status = test.main()
        return status, out.getvalue().splitlines()[-1]

    def test_passes(self):
        self.assertEqual((0, "1 passed, 0 failed, 0 skipped"),
                         self.run_test(passes))

    def test_build_fails(self):
        self.assertEqual((1, "0 passed, 1 failed, 0 skipped"),
                         self.run_test(passes, build_status=2))

    def test_job_raises(self):
        self.assertEqual((1, "2 passed, 1 failed, 0 skipped"),
                         self.run_test(passes, raises))

    def test_job_without_results(self):
        self.assertEqual((1, "1 passed, 1 failed, 0 skipped"),
                         self.run_test(passes, says_nothing))


if __name__ == "__main__":
    unittest.main()
