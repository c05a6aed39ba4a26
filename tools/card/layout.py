"""The card's layout, as firmware/config/store.h and settings_image.h describe it."""

import binascii
import struct

BLOCK = 512
MIB = 1024 * 1024

LABEL_VERSION = 1
FIRST_SLOT_BYTE = 1 * MIB
SLOT_BYTES = 2 * MIB
MIN_SLOTS = 2
MAX_SLOTS = 12  # ten to go back to, the running one, and the one being written
SEED_AREA = 8  # block numbers
CLOCK_AREA = 16

MAX_PAYLOAD = 512 * 1024  # limits::settings_bytes
MAX_FILES = 1064  # SettingsImage::max_files
SEED_BYTES = 64


class LayoutError(Exception):
    """The content does not fit the card; the text is for the operator."""


def _block(magic, fields):
    body = (magic.ljust(8, b"\0") + fields).ljust(BLOCK - 4, b"\0")
    return body + struct.pack("<I", binascii.crc32(body))


def slots_for(card_bytes):
    return min(MAX_SLOTS, (card_bytes - FIRST_SLOT_BYTE) // SLOT_BYTES)


def payload(text, files):
    """`files` is a dict of name to content, bytes both."""
    if len(files) > MAX_FILES:
        raise LayoutError(f"{len(files)} files are named in the settings; {MAX_FILES} are allowed")
    result = text + b"\0"
    for name in sorted(files):
        result += struct.pack("<HHI", len(name), 0, len(files[name])) + name + b"\0" + files[name] + b"\0"
    if len(result) > MAX_PAYLOAD:
        raise LayoutError(f"settings and files have {len(result)} bytes together; {MAX_PAYLOAD} are allowed")
    return result


def label_block(slots, made):
    return _block(b"SALLYPRT", struct.pack("<IIQI4xQQq", LABEL_VERSION, slots, FIRST_SLOT_BYTE // BLOCK,
                                           SLOT_BYTES // BLOCK, SEED_AREA, CLOCK_AREA, made))


def slot_blocks(text, files, generation, saved, comment):
    """Header block and payload of a slot."""
    content = payload(text, files)
    header = _block(b"SPSLOT", struct.pack("<QqIIII80s", generation, saved, len(content), len(text), len(files),
                                           binascii.crc32(content), comment))
    return header + content


def seed_block(generation, seed):
    return _block(b"SPSEED", struct.pack("<Q", generation) + seed)


def clock_block(time):
    return _block(b"SPCLOCK", struct.pack("<q", time))


def pieces(text, files, card_bytes, made, seed, comment):
    """(byte offset, bytes) of everything that is written; the rest of the card stays as it is, or zero."""
    slots = slots_for(card_bytes)
    if slots < MIN_SLOTS:
        raise LayoutError(f"a card needs at least {(FIRST_SLOT_BYTE + MIN_SLOTS * SLOT_BYTES) // MIB} MiB")
    label = label_block(slots, made)
    yield 0, label + label
    empty = bytes(BLOCK)
    yield SEED_AREA * BLOCK, (seed_block(1, seed) if seed else empty) + empty
    yield CLOCK_AREA * BLOCK, clock_block(made) + empty
    # A card that was used before: its old slots must not look newer than the new one.
    for slot in range(1, slots):
        yield FIRST_SLOT_BYTE + slot * SLOT_BYTES, empty
    yield FIRST_SLOT_BYTE, slot_blocks(text, files, 1, made, comment)
