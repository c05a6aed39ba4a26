"""A rough look at settings.conf: which files it names, and the slips that are cheaper to find here than at the console.

The appliance checks everything when it starts; this only spares a trip."""

import re

FILE_SETTINGS = {
    ("external", "certificate"): "certificate",
    ("external", "key"): "key",
    ("internal", "certificate"): "certificate",
    ("internal", "key"): "key",
    ("internal", "trust"): "certificate",
    ("partner", None, "trust"): "certificate",
}
WORD = re.compile(r'(#.*)|("[^"]*$)|"([^"]*)"|([^\s"]\S*)')
FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z0-9]+ )?PRIVATE KEY-----")
ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED")


class ScanError(Exception):
    """A mistake in the settings; the text says where and what to do."""


def _words(line, number):
    words = []
    for comment, unclosed, quoted, plain in WORD.findall(line):
        if comment:
            break
        if unclosed:
            raise ScanError(f"line {number}: a closing quote is missing")
        words.append(plain or quoted)
    return words


def _file_kind(words):
    for path, kind in FILE_SETTINGS.items():
        if len(words) == len(path) + 2 and all(want in (None, word) for want, word in zip(path, words[1:])):
            return kind
    return None


def _check_content(name, kind, content, number):
    if b"\0" in content:
        raise ScanError(f"line {number}: {name} is binary; convert it to PEM")
    if kind == "certificate" and CERTIFICATE not in content:
        raise ScanError(f"line {number}: {name} holds no certificate in PEM form")
    if kind == "key":
        if ENCRYPTED.search(content):
            raise ScanError(f"line {number}: {name} is encrypted, and the appliance cannot ask for its passphrase")
        if not PRIVATE_KEY.search(content):
            raise ScanError(f"line {number}: {name} holds no private key in PEM form")


def scan(text, read_file):
    """Returns {name: content} of the files that `text` names, and a count of lines by their first words."""
    files, counts = {}, {}
    for number, line in enumerate(text.decode("utf-8", "surrogateescape").split("\n"), 1):
        words = _words(line.rstrip("\r"), number)
        if not words:
            continue
        if words[0] != "set":
            raise ScanError(f'line {number}: "{words[0]}": every line begins with "set", and a comment with #')
        if len(words) > 2:
            subject = " ".join(words[1:3]) if words[1] == "partner" else words[1]
            counts.setdefault(words[1], set()).add(subject if words[1] == "partner" else number)
        kind = _file_kind(words)
        if kind is None:
            continue
        name = words[-1]
        if not FILE_NAME.fullmatch(name):
            raise ScanError(f'line {number}: "{name}": a file name has 1 to 64 letters, digits, dots, _ or -, no folder')
        content = read_file(name, number)
        _check_content(name, kind, content, number)
        files[name.encode()] = content
    return files, {key: len(value) for key, value in counts.items()}
