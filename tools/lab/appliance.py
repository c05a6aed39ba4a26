"""The appliance: the image under QEMU or the host board's process, between the two TAP devices, with its console on a pty."""

import contextlib
import json
import os
import pty
import re
import socket
import subprocess
import termios
import threading
import time
import tty
from dataclasses import dataclass
from pathlib import Path

from . import internet as net
from .process import StartError, port_open, tail
from .sandbox import EXTERNAL, INTERNAL
from .settings import Settings, make_card

_ROOT = Path(__file__).resolve().parents[2]
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Board:
    """How a board's firmware is found and run."""

    name: str
    runner: str  # script that runs the image, relative to the repository; empty: the firmware is a process itself
    executable: str

    def firmware(self) -> Path:
        return _ROOT / "build" / self.name / "boards" / self.name / self.executable


BOARDS = {"imx6ul-evk": Board("imx6ul-evk", "boards/imx6ul-evk/run-qemu", "sallyport.elf"), "host": Board("host", "", "sallyport")}


class Rack:
    """The place of one appliance. appliance() gives the running one when it has these settings and is in order."""

    def __init__(self, board: str, folder: Path, firmware: Path | None = None) -> None:
        self.board = BOARDS[board]
        self.folder = folder
        self.firmware = firmware.resolve() if firmware else self.board.firmware()
        self.runner_options: tuple[str, ...] = ()  # for the board's runner, e.g. --icount
        self._current: Appliance | None = None
        self._count = 0

    def appliance(self, settings: Settings, fresh: bool = False) -> "Appliance":
        """A listening appliance."""
        current = self._current
        if current and not fresh and current.settings_text == settings.lines() and current.in_order():
            return current
        started = self.boot(settings)
        started.wait_listening()
        return started

    def boot(self, settings: Settings, card_options: tuple[str, ...] = (), prepare=None,
             host_options: tuple[str, ...] = ()) -> "Appliance":
        """A newly started appliance that may not listen yet, or never will.

        `card_options` are for make-card; `prepare(path)` may then spoil or remove the card; `host_options` are for the host board.
        """
        self.stop()
        self._count += 1
        self._current = Appliance(self.board, self.firmware, settings, self.folder / f"boot-{self._count:03}", card_options, host_options)
        self._current.runner_options = self.runner_options
        if prepare:
            prepare(self._current.card)
        if card_options or prepare or host_options:
            self._current.mark_damaged()  # no test that asks for an ordinary appliance shall get this one
        self._current.start()
        return self._current

    def stop(self) -> None:
        if self._current:
            self._current.stop()
            self._current = None


class Appliance:
    """One boot after another of one card."""

    def __init__(self, board: Board, firmware: Path, settings: Settings, folder: Path, card_options: tuple[str, ...] = (),
                 host_options: tuple[str, ...] = ()) -> None:
        self.board = board
        self._host_options = host_options
        self.folder = folder
        self.settings_text = settings.lines()
        self._firmware = firmware
        self._popen: subprocess.Popen | None = None
        self._qmp = folder / "qmp.sock"
        self._damaged = False
        self.runner_options: tuple[str, ...] = ()
        if not firmware.exists():
            raise StartError(f"{firmware} does not exist: build it (tools/build {board.name})")
        folder.mkdir(parents=True)
        self.card = make_card(settings, folder, *card_options)

    @property
    def pid(self) -> int:
        """Of the process that is the appliance, for its CPU time."""
        return self._popen.pid

    def start(self) -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        termios.tcsetwinsize(slave, (24, 80))
        self.console = Console(master, self.folder / "console.log")
        self._popen = subprocess.Popen(self._command(), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)

    def stop(self) -> None:
        """As if its power were cut."""
        if self._popen:
            self._popen.kill()
            self._popen.wait(5)
            self.console.close()
            self._popen = None

    def power_cycle(self) -> None:
        self.stop()
        self.start()

    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def wait_listening(self, timeout: float = 20) -> None:
        """Until both ports accept connections."""
        deadline = time.monotonic() + timeout
        while not self.listening():
            if not self.alive():
                raise StartError(f"the appliance ended with code {self._popen.returncode}; its console:\n" + tail(self.console.log, 40))
            if time.monotonic() > deadline:
                raise StartError(f"the appliance did not listen within {timeout:.0f} s; its console:\n" + tail(self.console.log, 40))
            time.sleep(0.05)

    def listening(self) -> bool:
        return (port_open(EXTERNAL.namespace, net.EDGE_EXTERNAL[0], net.XMPP_SERVER_PORT)
                and port_open(INTERNAL.namespace, net.EDGE_INTERNAL[0], net.GATEWAY_PORT))

    def mark_damaged(self) -> None:
        """The next test gets another one."""
        self._damaged = True

    def in_order(self) -> bool:
        return not self._damaged and self.alive() and self.listening()

    def set_cable(self, side: str, plugged: bool) -> None:
        """Pulls or plugs the cable of a side ("external", "internal"): the link state under QEMU, the TAP device on the host."""
        if self.board.runner:
            self._monitor("set_link", name=side, up=plugged)
        else:
            {"external": EXTERNAL, "internal": INTERNAL}[side].set_tap(plugged)

    def cpu_seconds(self) -> float:
        """User and system time of the process since its start."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def _command(self) -> list[str]:
        wires = ["--external", EXTERNAL.tap, "--internal", INTERNAL.tap, *(["--card", str(self.card)] if self.card.exists() else [])]
        if self.board.runner:
            return [str(_ROOT / self.board.runner), *wires, "--qmp", str(self._qmp), *self.runner_options, str(self._firmware)]
        return [str(self._firmware), *wires, *self._host_options]

    def _monitor(self, command: str, **arguments) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._qmp))
            lines = connection.makefile("rw")
            lines.readline()  # the greeting
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                lines.write(json.dumps(request) + "\n")
                lines.flush()
                while True:
                    answer = json.loads(lines.readline())
                    if "return" in answer:
                        break
                    if "error" in answer:
                        raise RuntimeError(f"QMP {command} {arguments}: {answer['error']['desc']}")


class Console:
    """The serial console: everything it says is kept and logged, with the time since the start on each line."""

    def __init__(self, master: int, log: Path) -> None:
        self.log = log
        self._master = master
        self._text = ""
        self._changed = threading.Condition()
        self._start = time.monotonic()
        self._listener = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        with self._changed:
            return self._text

    def mark(self) -> int:
        """A place in the text, for wait_for(since=...)."""
        return len(self.text)

    def wait_for(self, pattern: str, timeout: float = 10, since: int = 0) -> re.Match:
        expression = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (found := expression.search(self._text, since)):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"the console did not say {pattern!r} within {timeout:.0f} s; it said:\n"
                                         + self._text[since:][-2000:])
                self._changed.wait(left)
            return found

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def command(self, line: str, timeout: float = 5, quiet: float = 0.4) -> str:
        """Types a line; what the console says after its echo, until it has been quiet for a while. Log lines may be among it."""
        since = self.mark()
        self.type(line + "\r")
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                before = len(self._text)
                self._changed.wait(min(quiet, max(0.0, deadline - time.monotonic())))
                said = self._text[since:]
                # The echo alone is no answer yet, nor is a log line before it; of a long line only the end may be shown.
                echo = said.find(line[-20:])
                answered = echo >= 0 and "\n" in said[echo + len(line[-20:]):].strip("\r\n ")
                if (len(self._text) == before and answered) or time.monotonic() >= deadline:
                    return said

    def listen(self, listener) -> None:
        """From now on listener(bytes) gets what the console says, too; None ends it."""
        with self._changed:
            self._listener = listener

    def write_bytes(self, data: bytes) -> None:
        os.write(self._master, data)

    def close(self) -> None:
        self._thread.join(1)
        with contextlib.suppress(OSError):
            os.close(self._master)

    def _read(self) -> None:
        at_line_start = True
        with open(self.log, "a", encoding="utf-8") as log:
            while True:
                try:
                    data = os.read(self._master, 4096)
                except OSError:  # the other end is closed: the process has ended
                    return
                if not data:
                    return
                text = data.decode(errors="replace")
                for piece in text.splitlines(keepends=True):
                    if at_line_start:
                        log.write(f"{time.monotonic() - self._start:9.3f} ")
                    log.write(piece.replace("\r", ""))
                    at_line_start = piece.endswith("\n")
                log.flush()
                with self._changed:
                    self._text += text
                    listener = self._listener
                    self._changed.notify_all()
                if listener:
                    listener(data)
