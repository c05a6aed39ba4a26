"""Figures of the image under QEMU: what a stanza, a handshake and an idle second cost in instructions, and how long boot takes.

    tools/figures [--stanzas N] [--streams N]

QEMU's virtual clock counts instructions (-icount shift=3: 8 ns each), and the firmware's loop counts the time that it does
not sleep (`show status`), so their quotient is the work done, whatever this machine is busy with. Peers are scripted, so that
nothing else of the appliance is at work. Nothing here passes or fails.
"""

import argparse
import contextlib
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "system")]

import scripted_peer as peer  # noqa: E402
from exchange import gateway_stream, message, partner_stream  # noqa: E402
from lab import internet as net  # noqa: E402
from lab import sandbox  # noqa: E402
from lab.appliance import Rack  # noqa: E402

NANOSECONDS_PER_INSTRUCTION = 8  # shift=3
STANZA_BYTES = 200
BURST = 20
REMOTE, LOCAL = f"juliet@{net.SCRIPTED_DOMAIN}", f"romeo@{net.CORP}"


def stanza(number: int) -> str:
    """A message of STANZA_BYTES bytes, markup included."""
    bare = message(REMOTE, LOCAL, "", f"m{number}")
    return message(REMOTE, LOCAL, "x" * (STANZA_BYTES - len(bare)), f"m{number}")


class Meter:
    """The instructions that the appliance's loop has executed, less what asking costs."""

    def __init__(self, appliance) -> None:
        self._console = appliance.console
        first, second, third = (self._read() for _ in range(3))
        self._asking = min(second[0] - first[0], third[0] - second[0])
        self._last = third
        time.sleep(5)
        busy, elapsed = self._since()
        self.idle_per_second = busy / elapsed
        self.start()

    def start(self) -> None:
        self._last = self._read()

    def instructions(self) -> float:
        """Since start(), without what an idle appliance does in that time."""
        busy, elapsed = self._since()
        return busy - elapsed * self.idle_per_second

    def _since(self) -> tuple[float, float]:
        """(instructions, virtual seconds) since the last reading."""
        now = self._read()
        busy, elapsed = now[0] - self._last[0] - self._asking, now[1] - self._last[1]
        self._last = now
        return busy * 1000 / NANOSECONDS_PER_INSTRUCTION, elapsed / 1e6

    def _read(self) -> tuple[int, int]:
        match = re.search(r"busy (\d+) us of (\d+) us", self._console.command("show status", timeout=20))
        return int(match[1]), int(match[2])


def boot_times(internet, folder: Path, boots: int = 5) -> list[int]:
    """Milliseconds from reset to listening as the appliance's own clock has them, without instruction counting."""
    times = []
    rack = Rack("imx6ul-evk", folder / "boot")
    for _ in range(boots):
        appliance = rack.appliance(internet.settings(), fresh=True)
        times.append(int(appliance.console.wait_for(r"(\d+) ms after reset")[1]))
    rack.stop()
    return times


def measure(internet, folder: Path, options: argparse.Namespace) -> None:
    times = boot_times(internet, folder)
    print(f"reset to listening          {statistics.median(times):10.0f} ms  (median of {len(times)}, {min(times)} to {max(times)})")

    rack = Rack("imx6ul-evk", folder / "icount")
    rack.runner_options = ("--icount",)
    with contextlib.ExitStack() as closing:
        closing.callback(rack.stop)
        meter = Meter(rack.appliance(internet.settings()))
        print(f"idle                        {meter.idle_per_second / 1e3:10.0f} thousand instructions a second")

        meter.start()
        gateway = closing.enter_context(gateway_stream(internet))
        print(f"gateway's stream            {meter.instructions() / 1e6:10.2f} million instructions (TLS 1.3 both certificates, P-256)")
        meter.start()
        partners = [closing.enter_context(partner_stream(internet)) for _ in range(options.streams)]
        each = meter.instructions() / options.streams / 1e6
        print(f"partner's stream, inbound   {each:10.2f} million instructions (mean of {options.streams}; STARTTLS, TLS 1.3 both "
              "certificates, P-256, SASL EXTERNAL)")

        for name, burst in (("one by one", 1), ("in bursts of 20", BURST)):
            meter.start()
            relay(partners[0], gateway, options.stanzas, burst)
            cost = meter.instructions() / options.stanzas
            print(f"{STANZA_BYTES}-byte stanza, {name:<15} {cost:9.0f} instructions (inwards, mean of {options.stanzas})")


def measure_host(internet, folder: Path, options: argparse.Namespace) -> None:
    """The same firmware as a process: processor time, system calls included. Varies with the machine."""
    rack = Rack("host", folder / "host")
    with contextlib.ExitStack() as closing:
        closing.callback(rack.stop)
        appliance = rack.appliance(internet.settings())
        gateway = closing.enter_context(gateway_stream(internet))
        partner = closing.enter_context(partner_stream(internet))
        count = 20 * options.stanzas
        before = appliance.cpu_seconds()
        relay(partner, gateway, count, BURST)
        cost = (appliance.cpu_seconds() - before) / count * 1e6
        print(f"{STANZA_BYTES}-byte stanza on board host{cost:9.1f} us of processor time (inwards, in bursts of {BURST}, mean of {count})")


def relay(sender: peer.Stream, receiver: peer.Stream, count: int, burst: int) -> None:
    """`count` stanzas; the next burst goes out when the last one has arrived."""
    for first in range(0, count, burst):
        sender.send("".join(stanza(first + n) for n in range(burst)))
        for _ in range(burst):
            receiver.expect("message", timeout=60)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stanzas", type=int, default=1000, help="how many are relayed for each figure (default 1000)")
    parser.add_argument("--streams", type=int, default=10, help="how many partners connect (default 10)")
    options = parser.parse_args()
    if not sandbox.inside():
        return sandbox.run_inside([sys.executable, *sys.argv])
    sandbox.set_up()
    folder = Path(tempfile.mkdtemp(prefix="sallyport-figures-"))
    internet = net.Internet(folder)
    try:
        measure(internet, folder, options)
        measure_host(internet, folder, options)
    finally:
        internet.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
