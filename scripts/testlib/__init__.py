# SPDX-License-Identifier: GPL-2.0
"""The parts of scripts/test.

results  TAP and kernel logs: what counts as passed, failed, skipped
labs     a run of the lab, and what is built for it
jobs     the jobs: what each runs, and which belong to "quick", "all", "long"
matrix   the jobs of CPU models and host kernels, and the pages made of them
hosts    the jobs for other systems than this one
script   scripts as modules, for their tests
"""
