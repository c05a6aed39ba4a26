#!/usr/bin/python3
"""tools/make-card: what it refuses, what it says, and that it shows no key. That the firmware reads what it wrote is the
store's own unit test."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import stat
import struct
import sys
import tempfile
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
KEY = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"
SETTINGS = """# with a "lonely quote in a comment
set external certificate edge.pem
set external key edge.key
set local-domain corp.example
set partner a.example trust ca.pem   # comment
set partner a.example description "A # and set external key nonsense.key"
set partner b.example trust ca.pem
"""


def load(path):
    loader = importlib.machinery.SourceFileLoader("make_card", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_card", loader))
    loader.exec_module(module)
    return module


make_card = load(ROOT / "tools" / "make-card")


class MakeCard(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="sallyport-make-card-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.folder = self.root / "settings"
        self.folder.mkdir()
        self.card = self.root / "card.img"
        self.write("settings.conf", SETTINGS)
        self.write("edge.pem", CERTIFICATE)
        self.write("edge.key", KEY)
        self.write("ca.pem", CERTIFICATE * 3)

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def run_tool(self, *options):
        """(what main() returned, what it printed)"""
        output = io.StringIO()
        arguments = ["make-card", str(self.folder), str(self.card), *options]
        with unittest.mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(output):
            return make_card.main(), output.getvalue()

    def assert_refused(self, *words, options=()):
        result, _ = self.run_tool(*options)
        for word in words:
            self.assertIn(word, str(result))
        self.assertFalse(self.card.exists())
        self.assertEqual(list(self.root.glob("*.part")), [])

    def test_writes_a_sparse_image_of_a_power_of_two_for_its_owner_only(self):
        result, output = self.run_tool()
        self.assertEqual(result, 0)
        status = self.card.stat()
        self.assertEqual(status.st_size, 64 * 1024 * 1024)
        self.assertLess(status.st_blocks * 512, 1024 * 1024)
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
        self.assertIn("7 lines, 1 local domains, 2 partners", output)
        self.assertIn("ca.pem, edge.key, edge.pem", output)
        self.assertIn("Next:", output)
        self.assertNotIn(SECRET, output)

    def test_takes_only_the_files_that_are_named(self):
        self.write("unrelated.key", "UNRELATED")
        self.assertEqual(self.run_tool()[0], 0)
        self.assertNotIn(b"UNRELATED", self.card.read_bytes())
        self.assertIn(SECRET.encode(), self.card.read_bytes())

    def test_each_card_has_a_seed_of_its_own(self):
        seeds = set()
        for _ in range(3):
            self.assertEqual(self.run_tool()[0], 0)
            block = self.card.read_bytes()[8 * 512:9 * 512]
            self.assertEqual(block[:8], b"SPSEED\0\0")
            seeds.add(block[16:80])
        self.assertEqual(len(seeds), 3)
        self.assertEqual(self.run_tool("--seed", "none")[0], 0)
        self.assertEqual(self.card.read_bytes()[8 * 512:10 * 512], bytes(1024))

    def test_an_old_cards_slots_never_look_newer(self):
        self.assertEqual(self.run_tool()[0], 0)
        slots = [1024 * 1024 + slot * 2 * 1024 * 1024 for slot in range(12)]
        with open(self.card, "r+b") as card:
            for slot in slots:
                card.seek(slot)
                card.write(b"SPSLOT\0\0" + struct.pack("<Q", 1000))
        pieces = list(make_card.layout.pieces(b"", {}, 64 << 20, 1, None, b""))
        make_card.write_device(self.card, 0, pieces)
        content = self.card.read_bytes()
        self.assertEqual([struct.unpack("<Q", content[slot + 8:slot + 16])[0] for slot in slots], [1] + [0] * 11)

    def test_time_is_what_was_asked_for(self):
        self.assertEqual(self.run_tool("--time", "2026-05-28T20:26:40Z")[0], 0)
        self.assertEqual(struct.unpack("<q", self.card.read_bytes()[48:56])[0], 1780000000)
        for wrong in ("yesterday", "1999-01-01", "2200-01-01T00:00:00Z"):
            self.card.unlink(missing_ok=True)
            self.assert_refused(wrong, options=("--time", wrong))

    def test_refuses_sizes_that_qemu_or_the_layout_cannot_take(self):
        self.assert_refused("power of two", options=("--size-mib", "48"))
        self.assert_refused("power of two", options=("--size-mib", "0"))
        self.assert_refused("at least 5 MiB", options=("--size-mib", "4"))
        self.assertEqual(self.run_tool("--size-mib", "8")[0], 0)

    def test_says_line_and_reason_of_what_is_wrong(self):
        for line, *words in (("set external key absent.key", "line 8", "absent.key", "No such file"),
                             ("set external certificate edge.key", "line 8", "no certificate"),
                             ("set external key edge.pem", "line 8", "no private key"),
                             ("set external key ../settings/edge.key", "line 8", "no folder"),
                             ("delete everything", "line 8", '"delete"', '"set"'),
                             ('set partner c.example description "open', "line 8", "closing quote")):
            with self.subTest(line=line):
                self.write("settings.conf", SETTINGS + line + "\n")
                self.assert_refused(*words)

    def test_refuses_keys_that_want_a_passphrase_and_binary_files(self):
        self.write("edge.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n")
        self.assert_refused("edge.key is encrypted")
        self.write("edge.key", KEY)
        (self.folder / "ca.pem").write_bytes(b"\x30\x82\x00\x00")
        self.assert_refused("ca.pem is binary")

    def test_says_what_is_missing_and_keeps_the_old_card(self):
        self.assertEqual(self.run_tool()[0], 0)
        before = self.card.read_bytes()
        (self.folder / "settings.conf").unlink()
        result, _ = self.run_tool()
        self.assertIn("settings.conf is missing", result)
        self.assertEqual(self.card.read_bytes(), before)

    def test_says_when_the_content_is_too_large(self):
        self.write("ca.pem", CERTIFICATE * 20000)
        self.assert_refused(f"{make_card.layout.MAX_PAYLOAD} are allowed")

    def test_reports_a_folder_that_cannot_be_written(self):
        self.card = self.root / "absent" / "card.img"
        result, _ = self.run_tool()
        self.assertIn("No such file or directory", str(result))

    def test_help_is_the_tools_own_text(self):
        self.assertIn("private keys", make_card.__doc__)
        self.assertTrue(os.access(ROOT / "tools" / "make-card", os.X_OK))


if __name__ == "__main__":
    unittest.main()
