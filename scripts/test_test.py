# SPDX-License-Identifier: GPL-2.0
"""scripts/test itself: however a run ends, it says so and returns 1."""
import contextlib
import io
import unittest
from unittest import mock

from testlib import jobs, labs
from testlib.results import Results
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


class Tap(unittest.TestCase):
    """What is counted, of what programs print."""

    def parse(self, *lines):
        results = Results()
        tests = sum("ok " in line for line in lines)
        results.parse("unit", "\n".join(["@@begin a", f"1..{tests}", *lines,
                                         "@@end a 0"]))
        return results

    def counts(self, results):
        return [results.passed, results.failed, results.skipped]

    def test_skips(self):
        self.assertEqual([0, 0, 1], self.counts(self.parse("ok 1 # SKIP")))

    def test_skips_of_cmocka(self):
        results = self.parse("ok 1 - one", "skipped: no sshd",
                             "not ok 2 # SKIP over_ssh")
        self.assertEqual([1, 0, 1], self.counts(results))
        self.assertIn("skip: unit: a: no sshd # SKIP over_ssh", results.text)

    def test_what_fails_is_no_skip(self):
        for line in ("not ok 1 - over_ssh # SKIP", "not ok 1 # SKIP"):
            self.assertEqual([0, 1, 0], self.counts(self.parse(line)))


if __name__ == "__main__":
    unittest.main()
