#!/usr/bin/python3
"""tools/fetch-libraries stays in its series, never goes back, and notices a package that is not the recorded one."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(path):
    loader = importlib.machinery.SourceFileLoader("fetch_libraries", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fetch_libraries", loader))
    loader.exec_module(module)
    return module


fetch_libraries = load(ROOT / "tools" / "fetch-libraries")


class FakeApt:
    """An archive whose index lists `listed`; its pool has all of them but `missing`."""

    def __init__(self, *listed, missing=()):
        self.listed, self.missing = set(listed), set(missing)

    def versions(self, _):
        return self.listed

    def download(self, package, version, into):
        if version in self.missing:
            raise fetch_libraries.DownloadError(f"no {package} {version}")
        (into / f"{package}_{version}.dsc").write_text(f"{package} {version}", encoding="utf-8")


def library(version, hashes="", series="3.6"):
    result = fetch_libraries.Library("tls", {"series": series, "suites": "sid", "version": version, "sha256": hashes})
    result.unpack = lambda scratch: (scratch / "source").mkdir()
    return result


class Candidates(unittest.TestCase):
    def candidates(self, version, *listed, newest=False):
        return library(version).candidates(FakeApt(*listed), newest)

    def test_prefers_the_recorded_version(self):
        self.assertEqual(self.candidates("3.6.6-1", "3.6.6-1", "3.6.7-3")[0], "3.6.6-1")

    def test_takes_the_newest_of_the_series_when_the_recorded_one_is_gone(self):
        self.assertEqual(self.candidates("3.6.6-1", "3.6.7-3", "3.6.10-1", "3.6.5-1"), ["3.6.10-1", "3.6.7-3"])

    def test_never_leaves_the_series(self):
        self.assertEqual(self.candidates("3.6.6-1", "3.6.7-3", "3.60.1-1", "4.0.0-1"), ["3.6.7-3"])
        with self.assertRaisesRegex(fetch_libraries.FetchError, "offers no tls 3.6.x"):
            self.candidates("3.6.6-1", "4.0.0-1", "2.28.3-1")

    def test_refuses_to_go_back(self):
        with self.assertRaisesRegex(fetch_libraries.FetchError, "refusing to go back"):
            self.candidates("3.6.6-1", "3.6.5-1")

    def test_update_takes_the_newest(self):
        self.assertEqual(self.candidates("3.6.6-1", "3.6.6-1", "3.6.7-3", newest=True)[0], "3.6.7-3")


class Fetch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sallyport-fetch-")
        self.addCleanup(folder.cleanup)
        self.cache = pathlib.Path(folder.name)
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))

    def test_a_fetched_version_is_in_the_cache(self):
        tls = library("")
        self.assertIsNone(tls.cached_version(self.cache))
        hashes = tls.fetch(self.cache, FakeApt("3.6.7-3"), "3.6.7-3")
        recorded = library("3.6.7-3", "\n".join(f"{digest}  {name}" for name, digest in hashes.items()))
        self.assertEqual(recorded.cached_version(self.cache), "3.6.7-3")
        recorded.fetch(self.cache, FakeApt("3.6.7-3"), "3.6.7-3")  # the hashes agree

    def test_refuses_a_package_with_another_hash(self):
        tls = library("3.6.7-3", "0123abcd  tls_3.6.7-3.dsc")
        with self.assertRaisesRegex(fetch_libraries.FetchError, "is not what cmake/libraries.lock recorded"):
            tls.fetch(self.cache, FakeApt("3.6.7-3"), "3.6.7-3")
        self.assertIsNone(tls.cached_version(self.cache))

    def test_goes_on_when_the_pool_lacks_what_the_index_lists(self):
        tls = library("")
        apt = FakeApt("3.6.8-1", "3.6.7-3", missing=["3.6.8-1"])
        version, _ = tls.fetch_first(self.cache, apt, tls.candidates(apt, True))
        self.assertEqual(version, "3.6.7-3")

    def test_a_substitute_needs_no_network_the_second_time(self):
        tls = library("3.6.6-1")
        tls.fetch(self.cache, FakeApt("3.6.7-3"), "3.6.7-3")
        tls.substitute_marker(self.cache).write_text("3.6.7-3", encoding="utf-8")
        self.assertEqual(tls.cached_version(self.cache), "3.6.7-3")


class Sources(unittest.TestCase):
    def test_reads_the_deb822_format(self):
        text = ("Types: deb\n# a comment\nURIs: http://archive.example/debian\nSuites: bookworm\n bookworm-updates\n"
                "Signed-By: /usr/share/keyrings/key.gpg\n\nTypes: deb\nURIs: http://other.example/\nSuites: x\n")
        first, second = fetch_libraries.deb822_stanzas(text)
        self.assertEqual(first["uris"], "http://archive.example/debian")
        self.assertEqual(first["suites"].split(), ["bookworm", "bookworm-updates"])
        self.assertEqual(first["signed-by"], "/usr/share/keyrings/key.gpg")
        self.assertEqual(second["suites"], "x")

    def test_reads_the_one_line_format(self):
        text = ("# deb http://commented.example/ x main\n"
                "deb [arch=amd64 signed-by=/usr/share/keyrings/key.gpg] http://archive.example/debian bookworm main contrib\n")
        (entry,) = fetch_libraries.one_line_entries(text)
        self.assertEqual(entry, {"uris": "http://archive.example/debian", "suites": "bookworm",
                                 "signed-by": "/usr/share/keyrings/key.gpg"})


class Lock(unittest.TestCase):
    def test_records_a_version_for_each_library(self):
        for recorded in fetch_libraries.read_lock():
            self.assertTrue(fetch_libraries.in_series(recorded.version, recorded.series), recorded.name)
            self.assertTrue(any(name.endswith(".dsc") for name in recorded.hashes), recorded.name)

    def test_update_keeps_comments_and_other_libraries(self):
        before = fetch_libraries.LOCK_FILE
        with tempfile.TemporaryDirectory() as folder:
            fetch_libraries.LOCK_FILE = pathlib.Path(folder) / "libraries.lock"
            fetch_libraries.LOCK_FILE.write_text(before.read_text(encoding="utf-8"), encoding="utf-8")
            try:
                fetch_libraries.write_lock({"lwip": ("2.2.9-1", {"lwip_2.2.9-1.dsc": "ab" * 32})})
                text = fetch_libraries.LOCK_FILE.read_text(encoding="utf-8")
                libraries = {each.name: each for each in fetch_libraries.read_lock()}
            finally:
                fetch_libraries.LOCK_FILE = before
        self.assertIn("# The third-party libraries", text)
        self.assertEqual(libraries["lwip"].version, "2.2.9-1")
        self.assertEqual(libraries["lwip"].hashes, {"lwip_2.2.9-1.dsc": "ab" * 32})
        original = {each.name: each for each in fetch_libraries.read_lock()}
        for name in ("mbedtls", "expat"):
            self.assertEqual(libraries[name].version, original[name].version)
            self.assertEqual(libraries[name].hashes, original[name].hashes)


if __name__ == "__main__":
    unittest.main()
