# SPDX-License-Identifier: GPL-2.0
"""The host kernels (L1) of scripts/setup, and their modules."""
import os
import subprocess

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Suites of Debian that have a chroot with their kernel
SUITES = ("trixie", "trixie-backports", "sid")
NAMES = ("test", "debug", "debian", "backports") + SUITES


class LabError(Exception):
    pass


def setup(*what):
    """Runs scripts/setup @what. Returns the path that it prints."""
    done = subprocess.run([f"{SCRIPTS}/setup", *what], stdout=subprocess.PIPE)
    if done.returncode:
        raise LabError(f"scripts/setup {' '.join(what)} failed")
    return done.stdout.decode().strip()


class Kernel:
    """A host kernel: its image, and where its modules are."""

    def __init__(self, name):
        self.root = root = setup(f"{name}-kernel")
        if name in ("debian", "backports") + SUITES:
            release, = os.listdir(f"{root}/lib/modules")
            self.image = f"{root}/boot/vmlinuz-{release}"
            if not os.path.exists(self.image):
                # Newer packages: its installation would copy it
                self.image = f"{root}/lib/modules/{release}/vmlinuz"
            self.modules = f"{root}/lib/modules/{release}/kernel"
            self.share_modules = ["virtio_pci", "9pnet_virtio", "9p"]
            self.disk_modules = ["virtio_blk"]
            self.net_modules = ["virtio_net"]
        else:
            self.image = f"{root}/arch/x86/boot/bzImage"
            self.modules = root
            self.share_modules = self.disk_modules = []
            self.net_modules = []
        # See lab-init
        # With KASAN and lockdep, ACPI's interpreter is most of a boot
        self.append = ("lab_panic_on_warn pci=noacpi " if name == "debug"
                       else "")

    def module(self, name):
        plain = name.replace("-", "_")
        for base, _, files in os.walk(self.modules):
            for found in files:
                stem, _, kind = found.partition(".")
                if kind in ("ko", "ko.xz") and \
                        stem.replace("-", "_") == plain:
                    return f"{base}/{found}"
        return None

    def with_dependencies(self, names):
        """The files of the modules and of those that they need, in the order of
        loading. A name without a file is taken for built in.
        """
        order = []
        for name in names:
            path = self.module(name)
            if not path:
                continue
            needs = subprocess.run(
                ["/sbin/modinfo", "-F", "depends", path],
                stdout=subprocess.PIPE, check=True).stdout.decode().strip()
            for found in self.with_dependencies(
                    [n for n in needs.split(",") if n]) + [path]:
                if found not in order:
                    order.append(found)
        return order
