# SPDX-License-Identifier: GPL-2.0
"""What scripts/lab is made of, by trade.

kernels  the host kernels (L1) and their modules
image    the root file system that L1 boots into
bochs    Bochs' disk and configuration
qemu     QEMU's command line; what this machine's KVM offers
console  the emulator while it runs: output, exit status, watchdog
"""
