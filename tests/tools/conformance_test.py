#!/usr/bin/python3
"""docs/conformance.md names tests that exist."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def unit_tests():
    names = set()
    for path in [*(ROOT / "tests" / "unit").glob("*_test.cpp"), *(ROOT / "tests" / "fuzz").glob("*.cpp")]:
        names |= {f"{suite}.{name}" for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", path.read_text(), re.M)}
    return names


class Conformance(unittest.TestCase):
    def setUp(self):
        self.named = re.findall(r"`([^`]+)`", (ROOT / "docs" / "conformance.md").read_text())

    def test_unit_tests_exist(self):
        known = unit_tests()
        self.assertGreater(len(known), 300)
        for name in self.named:
            if re.fullmatch(r"[A-Z]\w+\.[A-Z]\w+", name):
                self.assertIn(name, known)
            elif re.fullmatch(r"[A-Z]\w+\.\*", name):
                self.assertTrue(any(test.startswith(name[:-1]) for test in known), name)

    def test_system_tests_exist(self):
        for name in self.named:
            match = re.fullmatch(r"(tests/system/\w+\.py)(?:::(\w+))?", name)
            if match:
                path = ROOT / match[1]
                self.assertTrue(path.exists(), name)
                if match[2]:
                    self.assertIn(f"def {match[2]}(", path.read_text(), name)


if __name__ == "__main__":
    unittest.main()
