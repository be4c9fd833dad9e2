# SPDX-License-Identifier: GPL-2.0
"""For tests of the scripts themselves."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import tempfile
import unittest
from unittest import mock

from .labs import TOP


def load(name):
    """scripts/NAME, which has no .py at its end, as a module."""
    loader = importlib.machinery.SourceFileLoader(f"script_{name}",
                                                  f"{TOP}/scripts/{name}")
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class MadeUpTree(unittest.TestCase):
    """A small tree of git's in which the script of this name is called."""
    script, files = None, {}

    def setUp(self):
        self.module = load(self.script)
        top = tempfile.TemporaryDirectory(prefix="mvmm-tree.")
        self.addCleanup(top.cleanup)
        self.module.TOP = self.top = top.name
        subprocess.run(["git", "init", "-q", self.top], check=True)
        for path, text in self.files.items():
            self.write(path, text)

    def write(self, path, text):
        os.makedirs(os.path.dirname(f"{self.top}/{path}"), exist_ok=True)
        with open(f"{self.top}/{path}", "w") as out:
            out.write(text)

    def call(self, *words):
        """Runs it. Returns its status, and the lines that it prints."""
        subprocess.run(["git", "-C", self.top, "add", "."], check=True)
        out = io.StringIO()
        with mock.patch.object(self.module.sys, "argv",
                               [self.script, *words]), \
                contextlib.redirect_stdout(out):
            status = self.module.main()
        return status, out.getvalue().splitlines()
