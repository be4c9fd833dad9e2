# SPDX-License-Identifier: GPL-2.0
"""What scripts/test is made of, by trade.

results  TAP and kernel logs: what counts as passed, failed, skipped
labs     one run of the lab, and what is built for it
jobs     the tables of jobs, and what each runs
matrix   the jobs of CPU models and host kernels, and the page made of them
script   scripts as modules, for their tests
"""
