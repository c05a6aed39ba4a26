"""Captures of both wires: one tcpdump each for the whole run, cut by time into the span that somebody asks for."""

import struct
import time
from pathlib import Path

from .process import Process
from .sandbox import EXTERNAL, INTERNAL, Wire

_GLOBAL_HEADER, _RECORD_HEADER = 24, 16
_NANOSECOND_MAGIC, _MICROSECOND_MAGIC = 0xA1B23C4D, 0xA1B2C3D4


class Captures:
    """tcpdump on the external and the internal wire."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._tools = {wire.side: _start(wire, folder / f"{wire.side}.pcap", logs) for wire in (EXTERNAL, INTERNAL)}
        self._files = {side: folder / f"{side}.pcap" for side in self._tools}
        for side, tool in self._tools.items():
            tool.wait_until(lambda path=self._files[side]: path.exists() and path.stat().st_size >= _GLOBAL_HEADER, 10, "capture file")

    def save(self, folder: Path, since: float) -> None:
        """Writes external.pcap and internal.pcap with the frames from `since` (Unix time) on."""
        time.sleep(0.1)  # tcpdump writes each packet at once, but the kernel hands them over in batches
        for side, path in self._files.items():
            cut(path, folder / f"{side}.pcap", since)

    def frames(self, side: str, since: float) -> list[bytes]:
        time.sleep(0.1)
        return [frame for when, frame in read(self._files[side]) if when >= since]

    def stop(self) -> None:
        for tool in self._tools.values():
            tool.stop()


def read(path: Path):
    """(Unix time, frame) of each whole record of a pcap file that may still be growing."""
    data = path.read_bytes()
    if len(data) < _GLOBAL_HEADER:
        return
    fraction = 1e-9 if struct.unpack_from("=I", data)[0] == _NANOSECOND_MAGIC else 1e-6
    at = _GLOBAL_HEADER
    while at + _RECORD_HEADER <= len(data):
        seconds, part, length, _ = struct.unpack_from("=IIII", data, at)
        if at + _RECORD_HEADER + length > len(data):
            return
        yield seconds + part * fraction, data[at + _RECORD_HEADER:at + _RECORD_HEADER + length]
        at += _RECORD_HEADER + length


def cut(source: Path, target: Path, since: float) -> None:
    with open(target, "wb") as out:
        # Ethernet, no snapshot limit worth the name.
        out.write(struct.pack("=IHHiIII", _MICROSECOND_MAGIC, 2, 4, 0, 0, 262144, 1))
        for when, frame in read(source):
            if when >= since:
                out.write(struct.pack("=IIII", int(when), int(when % 1 * 1e6), len(frame), len(frame)) + frame)


def _start(wire: Wire, path: Path, logs: Path) -> Process:
    # -Z root: stay who we are, as there is nobody else in a user namespace to become.
    return Process(f"capture of the {wire.side} wire", ["tcpdump", "-i", wire.port, "-U", "-s", "0", "-B", "8192", "-Z", "root", "-w",
                                                       str(path)], logs / f"tcpdump-{wire.side}.log")
