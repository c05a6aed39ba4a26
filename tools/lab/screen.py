"""What people see: steps with their times, progress of what takes long, aligned tables; plain text when it is no terminal."""

import os
import shutil
import sys
import time

_PROGRESS_AFTER = 2.0  # seconds until a step that is still going says so
_PLAIN_PROGRESS_EVERY = 10.0  # seconds between such lines in a file or pipe


class Screen:
    """Prints to standard output. Times are seconds since the screen was made, or since `started` (time.monotonic())."""

    def __init__(self, started: float | None = None) -> None:
        self._start = started or time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._colour = self._terminal and "NO_COLOR" not in os.environ
        self._unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        self._progress_at = 0.0
        self._progress_shown = False

    def line(self, text: str = "") -> None:
        self._clear_progress()
        print(self._drawable(text), flush=True)

    def heading(self, text: str) -> None:
        self.line()
        self.line(self.bold(text))

    def step(self, name: str, text: str, good: bool | None = None) -> None:
        """One aligned line: when, what, how it went."""
        mark = {True: self.green("ok") + "    ", False: self.red("FAILED"), None: "      "}[good]
        self.line(f"  {self.clock()}  {mark}  {name:<12} {text}")

    def clock(self) -> str:
        return self.dim(f"{time.monotonic() - self._start:7.2f} s")

    def progress(self, name: str, since: float, detail: str = "") -> None:
        """Called again and again while something goes on: a line that renews itself, or one line now and then in a file."""
        now = time.monotonic()
        if now - since < _PROGRESS_AFTER or now - self._progress_at < (0.2 if self._terminal else _PLAIN_PROGRESS_EVERY):
            return
        self._progress_at = now
        width = shutil.get_terminal_size().columns
        text = f"  {now - self._start:7.2f} s  ...     {name:<12} {now - since:.0f} s {detail}"[:width - 1]
        if self._terminal:
            print("\r\x1b[K" + self._drawable(text), end="", flush=True)
            self._progress_shown = True
        else:
            print(self._drawable(text), flush=True)

    def bold(self, text: str) -> str:
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        return self._paint("2", text)

    def green(self, text: str) -> str:
        return self._paint("32", text)

    def red(self, text: str) -> str:
        return self._paint("31;1", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _clear_progress(self) -> None:
        if self._progress_shown:
            print("\r\x1b[K", end="")
            self._progress_shown = False

    def _drawable(self, text: str) -> str:
        if self._unicode:
            return text
        return text.translate(str.maketrans("─│┌┐└┘├┤┬┴→←◀▶", "-|++++++++><<>")).encode("ascii", "replace").decode()
