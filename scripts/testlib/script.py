# SPDX-License-Identifier: GPL-2.0
"""For tests of the scripts themselves."""
import importlib.machinery
import importlib.util

from .labs import TOP


def load(name):
    """scripts/NAME, which has no .py at its end, as a module."""
    loader = importlib.machinery.SourceFileLoader(f"script_{name}",
                                                  f"{TOP}/scripts/{name}")
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module
