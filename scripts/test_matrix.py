# SPDX-License-Identifier: GPL-2.0
"""kernels.rst's table says what matrix.rst says."""
import unittest

from testlib import matrix


class Kernels(unittest.TestCase):
    def test_verdicts(self):
        cells = {("qemu", "max", "sid"): "9 passed, 1 skipped",
                 ("qemu", "EPYC", "sid"): "not tried",
                 ("qemu", "Haswell", "sid"): "refused: symbol",
                 ("bochs", "corei7_haswell_4770", "trixie"): "failed: 1 of 9",
                 ("qemu", "max", "trixie"): "not tried"}
        svm, vmx = matrix.VENDORS.values()
        self.assertEqual("runs", matrix.verdict(cells, "sid", svm))
        self.assertEqual("refused: ``symbol``",
                         matrix.verdict(cells, "sid", vmx))
        self.assertEqual("fails", matrix.verdict(cells, "trixie", vmx))
        self.assertEqual("not tried", matrix.verdict(cells, "trixie", svm))

    def test_every_cell_has_a_line(self):
        self.assertEqual([c[:3] for c in matrix.CELLS],
                         list(matrix.rows_of(matrix.PAGE)))

    def test_table_is_of_the_matrix(self):
        with open(matrix.KERNELS_PAGE) as page:
            table = matrix.TABLE.search(page.read()).group()
        facts = matrix.facts_of(table)
        self.assertEqual(set(matrix.OF_SUITE.values()), set(facts))
        self.assertEqual(
            matrix.kernels_table(matrix.rows_of(matrix.PAGE), facts), table)

    def test_versions_and_compilers_are_the_page_s(self):
        """Written once more, nothing changes."""
        table = matrix.kernels_table({}, {
            k: ("6.1", "gcc 12") for k in matrix.OF_SUITE.values()})
        self.assertEqual({("6.1", "gcc 12")},
                         set(matrix.facts_of(table).values()))


if __name__ == "__main__":
    unittest.main()
