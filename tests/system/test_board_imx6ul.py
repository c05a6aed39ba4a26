"""The board i.MX 6UltraLite under QEMU by itself: start-up, drivers, exceptions and resets, with the image of
tests/bench/imx6ul_smoke, which has neither network stack nor firmware. Its commands are letters on the console.
"""

import json
import os
import pty
import socket
import subprocess
import time
import tty
from pathlib import Path

import pytest
from lab.appliance import Console
from lab.sandbox import run

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / "build" / "imx6ul-evk" / "tests" / "bench" / "imx6ul_smoke" / "imx6ul_smoke.elf"
RUN_QEMU = ROOT / "boards" / "imx6ul-evk" / "run-qemu"
EXPERIMENTAL = b"\x88\xb5"
OTHER = {"external": "internal", "internal": "external"}
ADDRESS = {"external": bytes.fromhex("025341590001"), "internal": bytes.fromhex("025341590002")}
OURS = bytes.fromhex("02000000aa01")


class Board:
    def __init__(self, folder: Path, card_bytes: int | None = 8 << 20) -> None:
        assert IMAGE.exists(), f"{IMAGE} is not built: tools/build imx6ul-evk"
        self.folder = folder
        self.card = folder / "card.img"
        if card_bytes:
            with open(self.card, "wb") as card:
                card.truncate(card_bytes)
        self.taps = {"external": "smoke-ext", "internal": "smoke-int"}
        for tap in self.taps.values():
            run("ip", "tuntap", "add", "dev", tap, "mode", "tap")
            Path(f"/proc/sys/net/ipv6/conf/{tap}/disable_ipv6").write_text("1")
            run("ip", "link", "set", tap, "up")
        self._start(card_bytes is not None)
        self.wires = {side: Wire(tap) for side, tap in self.taps.items()}

    def _start(self, with_card: bool) -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.console = Console(master, self.folder / "console.log")
        self._qmp = self.folder / "qmp.sock"
        command = [str(RUN_QEMU), str(IMAGE), "--external", self.taps["external"], "--internal", self.taps["internal"],
                   "--qmp", str(self._qmp)]
        if with_card:
            command += ["--card", str(self.card)]
        self.qemu = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.console.wait_for(r"^link internal up")

    def stop(self) -> None:
        self.qemu.kill()
        self.qemu.wait(5)
        self.console.close()
        for wire in self.wires.values():
            wire.socket.close()
        for tap in self.taps.values():
            run("ip", "link", "delete", tap)

    def ask(self, letter: str, pattern: str, timeout: float = 10):
        since = self.console.mark()
        self.console.type(letter)
        return self.console.wait_for(pattern, timeout, since)

    def counters(self, side: str) -> dict[str, int]:
        words = self.ask("c", rf"^counters {side} (.*)\r")[1].replace("/", " ").replace(" of ", " ").split()
        names = ["rx", "rx_bytes", "tx", "tx_bytes", "errors", "foreign", "empty", "full", "free", "all"]
        return dict(zip(names, (int(word) for word in words if word.isdigit())))

    def set_link(self, side: str, up: bool) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._qmp))
            lines = connection.makefile("rw")
            lines.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": "set_link", "arguments": {"name": side, "up": up}}):
                lines.write(json.dumps(request) + "\n")
                lines.flush()
                assert "return" in json.loads(lines.readline())

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.qemu.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Wire:
    def __init__(self, tap: str) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(0x0003))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((tap, 0))

    def send(self, destination: bytes, payload: bytes, source: bytes = OURS, kind: bytes = EXPERIMENTAL) -> bytes:
        frame = destination + source + kind + payload
        self.socket.send(frame)
        return frame

    def answers(self, count: int, timeout: float = 5) -> list[bytes]:
        """Frames addressed to us, until there are `count` of them or the time is up."""
        found = []
        deadline = time.monotonic() + timeout
        while len(found) < count and (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                frame = self.socket.recv(2048)
            except TimeoutError:
                break
            if frame[:6] == OURS:
                found.append(frame)
        return found


@pytest.fixture
def smoke(internet, tmp_path):
    board = Board(tmp_path)
    yield board
    board.stop()


@pytest.mark.parametrize("side", OTHER)
def test_frame_comes_back_on_the_side_it_came_from(smoke, side):
    wire = smoke.wires[side]
    for length in (46, 47, 48, 49, 1499, 1500):
        payload = bytes((length + i) % 251 for i in range(length))
        wire.send(ADDRESS[side], payload)
        assert [frame[14:] for frame in wire.answers(1)] == [payload]
        assert not smoke.wires[OTHER[side]].answers(1, timeout=0.05)


@pytest.mark.parametrize("side", OTHER)
def test_short_frame_is_padded_with_zeros(smoke, side):
    smoke.wires[side].send(ADDRESS[side], b"\xff" * 1000)
    smoke.wires[side].answers(1)
    smoke.wires[side].send(ADDRESS[side], b"\x01" * 20)
    frame = smoke.wires[side].answers(1)[0]
    assert len(frame) == 60 and frame[14:34] == b"\x01" * 20 and frame[34:] == bytes(26)


def test_only_own_address_broadcast_and_ipv6_multicast_are_received(smoke):
    wire = smoke.wires["external"]
    before = smoke.counters("external")
    for accepted in (ADDRESS["external"], b"\xff" * 6, bytes.fromhex("333300000001")):
        wire.send(accepted, b"hello" * 20)
    for foreign in (ADDRESS["internal"], bytes.fromhex("01005e000001"), bytes.fromhex("025341590003"), bytes(6)):
        wire.send(foreign, b"hello" * 20)
    assert len(wire.answers(4, timeout=0.5)) == 3
    after = smoke.counters("external")
    assert after["rx"] - before["rx"] == 3 and after["foreign"] - before["foreign"] == 4


def test_flood_outside_takes_no_buffer_inside(smoke):
    outside, inside = smoke.counters("external"), smoke.counters("internal")
    assert outside["free"] == outside["all"] and inside["free"] == inside["all"]
    smoke.ask("h", "^holding")
    answered = 0
    for _ in range(outside["all"] // 100 + 4):  # a TAP device holds 500 frames
        for i in range(100):
            smoke.wires["external"].send(ADDRESS["external"], i.to_bytes(2, "big") * 30)
        answered += len(smoke.wires["external"].answers(100, timeout=0.5))
    assert answered == outside["all"]
    outside = smoke.counters("external")
    assert outside["free"] == 0 and outside["empty"] > 0
    assert smoke.counters("internal")["free"] == inside["all"]
    smoke.wires["internal"].send(ADDRESS["internal"], b"still here" * 10)
    assert len(smoke.wires["internal"].answers(1)) == 1
    smoke.ask("r", "^released")
    assert smoke.counters("external")["free"] == outside["all"]
    smoke.wires["external"].answers(500, timeout=0.5)  # what waited in the TAP device
    smoke.wires["external"].send(ADDRESS["external"], b"again" * 20)
    assert smoke.wires["external"].answers(1)[-1][14:19] == b"again"


def test_ten_thousand_frames_come_back_in_order(smoke):
    wire = smoke.wires["internal"]
    for start in range(0, 10_000, 100):
        for number in range(start, start + 100):
            wire.send(ADDRESS["internal"], number.to_bytes(4, "big") * 25)
        answers = wire.answers(100)
        assert [int.from_bytes(frame[14:18], "big") for frame in answers] == list(range(start, start + 100))


@pytest.mark.parametrize("side", OTHER)
def test_cable_pulled_and_put_back(smoke, side):
    since = smoke.console.mark()
    smoke.set_link(side, False)
    smoke.console.wait_for(rf"^link {side} down", 2, since)
    assert smoke.ask("l", rf"^link {OTHER[side]} (\w+)")[1] == "up"
    smoke.set_link(side, True)
    smoke.console.wait_for(rf"^link {side} up", 2, since)
    smoke.wires[side].send(ADDRESS[side], b"back" * 20)
    assert smoke.wires[side].answers(1)


def test_card_block_is_read_and_written(smoke):
    blocks = (8 << 20) // 512
    smoke.ask("s", rf"^card blocks {blocks}, first byte 0 -> 1, same, beyond refused")
    smoke.ask("s", rf"^card blocks {blocks}, first byte 1 -> 2, same, beyond refused")
    assert smoke.card.read_bytes()[-512:] == bytes((i * 7 + 2) % 256 for i in range(512))


@pytest.mark.parametrize("card_bytes", [1 << 20, 4 << 30])
def test_card_sizes_below_and_above_two_gigabytes(internet, tmp_path, card_bytes):
    board = Board(tmp_path, card_bytes)
    try:
        board.ask("s", rf"^card blocks {card_bytes // 512}, first byte 0 -> 1, same, beyond refused")
    finally:
        board.stop()


def test_empty_slot_is_no_medium(internet, tmp_path):
    board = Board(tmp_path, None)
    try:
        board.ask("s", r"^card error 0\r")
    finally:
        board.stop()


def test_clock_runs_with_the_host_and_the_watchdog_stays_quiet(smoke):
    first, at = int(smoke.ask("t", r"^clock (\d+) ms")[1]), time.monotonic()
    time.sleep(4)
    second, then = int(smoke.ask("t", r"^clock (\d+) ms")[1]), time.monotonic()
    assert abs((second - first) / 1000 - (then - at)) < 0.2


def test_idle_board_sleeps(smoke):
    loops = int(smoke.ask("t", r"loops (\d+)")[1])
    cpu, at = smoke.cpu_seconds(), time.monotonic()
    time.sleep(3)
    used, passed = smoke.cpu_seconds() - cpu, time.monotonic() - at
    # Four looks at the link a second, and our own letter.
    assert int(smoke.ask("t", r"loops (\d+)")[1]) - loops < 30
    assert used / passed < 0.1, f"{used / passed:.1%} of a core"


@pytest.mark.parametrize("letter, dump", [
    ("a", r"data abort\s+\*\*\* dfsr \w+ \(translation, section, writing\) dfar 00000000"),
    ("f", r"data abort\s+\*\*\* dfsr \w+ \(permission, page, writing\) dfar 8000"),
    ("x", r"prefetch abort\s+\*\*\* ifsr \w+ \(permission, page\) ifar 80"),
    ("o", r"data abort\s+\*\*\* dfsr \w+ \(translation, page, writing\) dfar \w+ \(stack overflow\)"),
    ("?", r"assertion failed: how == 'x', main.cpp:\d+"),
], ids=["write to address 0", "write to code", "execute data", "stack overflow", "assertion"])
def test_crash_says_why_and_starts_again(smoke, letter, dump):
    since = smoke.console.mark()
    smoke.console.type(letter)
    smoke.console.wait_for(dump, 5, since)
    if letter != "?":
        smoke.console.wait_for(r"\*\*\* pc \w+  lr \w+  sp \w+  cpsr \w+\s+\*\*\* r0 ", 5, since)
    smoke.console.wait_for(r"\*\*\* reset\s+smoke imx6ul-evk\s(.*\n)*?link internal up", 5, since)
    smoke.wires["external"].send(ADDRESS["external"], b"alive" * 20)
    assert smoke.wires["external"].answers(1)


def test_watchdog_bites(smoke):
    since = smoke.console.mark()
    smoke.console.type("w")
    smoke.console.wait_for("waiting for the watchdog", 5, since)
    at = time.monotonic()
    smoke.console.wait_for("smoke imx6ul-evk", 5, since)
    assert 1 < time.monotonic() - at < 3.5


def test_reset_sends_what_the_console_holds_first(smoke):
    smoke.ask("R", r"resetting\s+smoke imx6ul-evk")
