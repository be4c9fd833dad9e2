# SPDX-License-Identifier: GPL-2.0
"""The parts of scripts/lab.

kernels  the host kernels (L1) and their modules
image    the root file system that L1 boots into
bochs    Bochs' disk and configuration
qemu     QEMU's command line; whether this machine's KVM nests
console  a run: the command's output and exit status, the watchdog
"""
