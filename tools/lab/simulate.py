"""tools/simulate: a partner outside, the organisation inside, the appliance between them, and people who talk through it.

Builds the image if need be, makes the networks in namespaces of their own (nothing leaves them, nothing remains of them), shows
messages, presence and IQs crossing the border with their times, and then leaves the appliance's console on the terminal.
"""

import argparse
import contextlib
import os
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty
from pathlib import Path

from .screen import Screen

ROOT = Path(__file__).resolve().parents[2]
_STARTED = "SALLYPORT_SIMULATE_STARTED"
_LEAVE_KEY = b"\x1d"  # Ctrl-]
_ROUND_TRIPS = 20
_PATIENCE = 20.0  # seconds until a stanza counts as lost
_PATIENCE_AFTER_FAILURE = 4.0  # the rest then only shows what works


def main() -> int:
    options = parse_arguments()
    from . import sandbox  # after --help, which must work before anything is installed
    screen = Screen(float(os.environ.get(_STARTED, 0)) or None)
    try:
        if sandbox.inside():
            return simulate(options, screen)
        os.environ[_STARTED] = str(time.monotonic())
        if not options.firmware and not build(options.board, screen):
            return 1
        return sandbox.run_inside([sys.executable, "-m", "lab.simulate", *sys.argv[1:]])
    except sandbox.SandboxError as error:
        screen.line(f"simulate: {error}")
        return 1
    except KeyboardInterrupt:
        screen.line()
        screen.line("simulate: interrupted; everything it started has ended")
        return 130


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/simulate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", action="store_true", help="end after the exchange: exit code 0 when everything arrived, else 1")
    parser.add_argument("--board", choices=("imx6ul-evk", "host"), default="imx6ul-evk",
                        help="imx6ul-evk (default): the image under QEMU; host: the same firmware as a process")
    parser.add_argument("--mode", choices=("pair", "trunk"), default="pair",
                        help="how the gateway connects: pair (default), a stream per domain pair with a stock Prosody; "
                             "trunk: one stream for all, with contrib/prosody")
    parser.add_argument("--firmware", type=Path, metavar="FILE", help="run this image instead of building one")
    parser.add_argument("--capture", type=Path, metavar="DIR", help="write external.pcap and internal.pcap into this folder")
    parser.add_argument("--keep", action="store_true", help="keep the folder of settings, keys, card and logs, and say where it is")
    return parser.parse_args()


def build(board: str, screen: Screen) -> bool:
    """tools/build with its output in a file; the end of it is shown when it fails."""
    since = time.monotonic()
    log = Path(tempfile.gettempdir()) / f"sallyport-build-{os.getpid()}.log"
    try:
        with open(log, "wb") as output:
            process = subprocess.Popen([str(ROOT / "tools" / "build"), board], stdout=output, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                screen.progress("build", since, last_line(log))
                time.sleep(0.1)
        except KeyboardInterrupt:
            process.wait()
            raise
        if process.returncode != 0:
            screen.step("build", f"tools/build {board} failed:", good=False)
            text = log.read_text(errors="replace").splitlines()
            for line in [item for item in text if "error" in item.lower()][:15] or text[-25:]:
                screen.line("    " + line)
            return False
        screen.step("build", f"{board}, {time.monotonic() - since:.1f} s", good=True)
        return True
    finally:
        log.unlink(missing_ok=True)


def last_line(log: Path) -> str:
    """How far ninja is, without the compiler's remarks in between; before that, whatever was said last."""
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - 4000))
        lines = [line.strip() for line in file.read().decode(errors="replace").split("\n") if line.strip()]
    return next((line for line in reversed(lines) if re.match(r"\[\d+/\d+\]", line)), lines[-1] if lines else "")


def simulate(options: argparse.Namespace, screen: Screen) -> int:
    folder = Path(tempfile.mkdtemp(prefix="sallyport-simulate-"))
    simulation = Simulation(options, screen, folder)
    try:
        good = simulation.run()
        if not good:
            simulation.show_console_log()
        if not options.once:
            simulation.console()
        return 0 if good else 1
    finally:
        simulation.stop()
        if options.keep:
            screen.line(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


class Simulation:
    """One run inside the sandbox."""

    def __init__(self, options: argparse.Namespace, screen: Screen, folder: Path) -> None:
        self._options = options
        self._screen = screen
        self._folder = folder
        self._closing = contextlib.ExitStack()

    def run(self) -> bool:
        from .appliance import StartError
        from .client import ClientError
        from .settings import CardError
        try:
            self._start()
            talk = Talk(self._screen, self._romeo, self._juliet)
            good = talk.run()
            self._summary(talk)
            return good
        except (StartError, ClientError, CardError, AssertionError) as error:
            self._screen.step("start", str(error), good=False)
            return False

    def stop(self) -> None:
        self._closing.close()

    def show_console_log(self) -> None:
        appliance = getattr(self, "_appliance", None)
        if appliance and appliance.console.log.exists():
            self._screen.heading("What the appliance's console said last")
            for line in appliance.console.log.read_text(errors="replace").splitlines()[-25:]:
                self._screen.line("  " + line)

    def console(self) -> None:
        """The appliance's console on this terminal until Ctrl-]."""
        appliance = getattr(self, "_appliance", None)
        if appliance is None or not appliance.alive():
            self._screen.line("The appliance does not run; there is no console to show.")
            return
        if not sys.stdin.isatty():
            self._screen.line("Standard input is no terminal: ending here, as with --once.")
            return
        self._screen.heading("The appliance's console")
        self._screen.line("Try show status, show sessions, show log, reboot. " + self._screen.bold("Ctrl-] leaves")
                          + "; romeo and juliet stay online meanwhile.")
        self._screen.line()
        pass_through(appliance)
        self._screen.line("Left the console. The networks and all that ran in them are gone; " + self._screen.bold("tools/simulate")
                          + " makes them again.")

    def _start(self) -> None:
        from . import internet as net
        from . import sandbox
        from .appliance import Rack
        from .capture import Captures
        options, screen = self._options, self._screen
        sandbox.set_up()
        draw_topology(screen, options)
        screen.heading("Start")
        if options.capture:
            options.capture.mkdir(parents=True, exist_ok=True)
            self._closing.callback(Captures(options.capture.resolve(), self._folder).stop)
        internet = net.Internet(self._folder)
        self._closing.callback(internet.stop)
        screen.step("network", "two wires, a DNS server on each, certificates from four private CAs", good=True)

        settings = internet.settings()
        settings.partners = [partner for partner in settings.partners if partner.domain == net.PARTNER_DOMAIN]
        settings.partners[0].description = "The other house"
        settings.local_domains = settings.admitted_gateways = [net.CORP]
        rack = Rack(options.board, self._folder, options.firmware)
        self._closing.callback(rack.stop)
        booted = time.monotonic()
        self._appliance = rack.boot(settings)
        screen.step("appliance", "switched on; its card: " + str(len(settings.lines())) + " lines of settings, 2 certificates, 2 CAs")

        gateway = internet.pair_gateway_of(net.CORP) if options.mode == "pair" else internet.trunk_gateway_of(net.CORP)
        partner = internet.partner
        gateway.start()
        self._closing.callback(gateway.stop)
        screen.step("servers", "Prosody outside and Prosody inside run", good=True)
        with progress(screen, "appliance"):
            self._appliance.wait_listening()
        self._boot_seconds = time.monotonic() - booted
        screen.step("appliance", f"listens on both sides {self._boot_seconds:.2f} s after it was switched on", good=True)
        self._romeo = self._closing.enter_context(net.client(net.LOCAL_USER, net.CORP, gateway))
        self._juliet = self._closing.enter_context(net.client(net.USER, net.PARTNER_DOMAIN, partner))
        screen.step("users", f"{self._romeo.bare} and {self._juliet.bare} are online", good=True)

    def _summary(self, talk: "Talk") -> None:
        screen = self._screen
        screen.heading("Summary")
        for way, times in (("outwards", talk.outwards), ("inwards", talk.inwards)):
            if times:
                screen.line(f"  {way:<10} {len(times):3} stanzas   first {times[0] * 1000:7.1f} ms   "
                            f"then median {statistics.median(times[1:] or times) * 1000:6.1f} ms   "
                            f"slowest {max(times[1:] or times) * 1000:6.1f} ms")
        screen.line(f"  appliance  listening after {self._boot_seconds:.2f} s, {self._appliance.cpu_seconds():.2f} s of processor time "
                    f"({'QEMU' if self._appliance.board.runner else 'process'})")
        if self._options.capture:
            screen.line(f"  captures   {self._options.capture / 'external.pcap'}, {self._options.capture / 'internal.pcap'}")
        verdict = screen.green("everything arrived") if not talk.failed else screen.red(f"{talk.failed} of {talk.done} did not arrive")
        screen.line(f"  result     {verdict}")


class Talk:
    """What romeo (inside) and juliet (outside) say to each other; each line is shown when it has arrived."""

    def __init__(self, screen: Screen, romeo, juliet) -> None:
        self._screen = screen
        self._romeo = romeo
        self._juliet = juliet
        self.outwards: list[float] = []
        self.inwards: list[float] = []
        self.done = 0
        self.failed = 0

    def run(self) -> bool:
        romeo, juliet = self._romeo, self._juliet
        self._screen.heading("Exchange")
        self._screen.line(self._screen.dim(f"  {'since start':>9}  {'':6}  {'from':<24}   {'to':<24}  {'took':>9}   what"))
        # The first stanza out makes the gateway's stream, the SRV look-up, and TLS with the partner; the first one in the other stream.
        self._message(romeo, juliet, "But, soft! what light through yonder window breaks?")
        self._message(juliet, romeo, "What man art thou that thus bescreen'd in night?")
        self._message(romeo, juliet, "<love> & \"names\": \u20ac\u00e9\u03bb \U0001f339")
        self._presence(romeo, juliet, "subscribe", "asks to see presence")
        self._expect(juliet, romeo, "presence: subscribed", lambda t: romeo.wait_presence(juliet.bare, "subscribed", t))
        self._status(juliet, romeo, "on the balcony")
        self._status(romeo, juliet, "in the orchard")
        self._iq(romeo, juliet)
        self._iq(juliet, romeo)
        self._round_trips()
        return self.failed == 0

    def _message(self, sender, receiver, body: str) -> None:
        def action(timeout: float) -> None:
            sender.send_message(receiver.bare, body)
            receiver.wait_message(body, sender.bare, timeout)
        self._expect(sender, receiver, f"message: {body}", action)

    def _presence(self, sender, receiver, kind: str, text: str) -> None:
        def action(timeout: float) -> None:
            sender.send_presence(receiver.bare, kind)
            receiver.wait_presence(sender.bare, kind, timeout)
        self._expect(sender, receiver, f"presence: {text}", action)

    def _status(self, sender, receiver, status: str) -> None:
        def action(timeout: float) -> None:
            sender.send_presence(status=status)
            receiver.wait(lambda s: s.name == "presence" and s["status"] == status, timeout, f"status {status!r}")
        self._expect(sender, receiver, f"presence: {status}", action)

    def _iq(self, sender, receiver) -> None:
        answer = ""

        def action(timeout: float) -> None:
            nonlocal answer
            result = sender.iq(receiver.jid, "<query xmlns='jabber:iq:version'/>", timeout=timeout)
            answer = result.xml.findtext("{jabber:iq:version}query/{jabber:iq:version}name") or ""
            if not answer:
                raise AssertionError(f"the answer is {result}")
        self._expect(sender, receiver, "iq: which software?", action, lambda: f" - {answer} (there and back)", counted=False)

    def _round_trips(self) -> None:
        romeo, juliet = self._romeo, self._juliet
        since = time.monotonic()
        for number in range(_ROUND_TRIPS):
            for sender, receiver, times in ((romeo, juliet, self.outwards), (juliet, romeo, self.inwards)):
                start = time.monotonic()
                if self.failed:
                    return
                sender.send_message(receiver.bare, f"line {number}")
                receiver.wait_message(f"line {number}", sender.bare)
                times.append(time.monotonic() - start)
            self._screen.progress("talk", since, f"{number + 1} of {_ROUND_TRIPS}")
        self._line(True, romeo, juliet, time.monotonic() - since, f"message: {_ROUND_TRIPS} more each way, one after the other")
        self.done += 1

    def _expect(self, sender, receiver, text: str, action, more=lambda: "", counted: bool = True) -> None:
        self.done += 1
        start = time.monotonic()
        try:
            with progress(self._screen, "waiting"):
                action(_PATIENCE if not self.failed else _PATIENCE_AFTER_FAILURE)
        except Exception as error:  # noqa: BLE001: shown to the user, and counted
            self.failed += 1
            self._line(False, sender, receiver, time.monotonic() - start, text)
            self._screen.line(f"              {str(error)[:400]}")
            return
        took = time.monotonic() - start
        if counted:
            (self.outwards if sender is self._romeo else self.inwards).append(took)
        self._line(True, sender, receiver, took, text + more())

    def _line(self, good: bool, sender, receiver, took: float, text: str) -> None:
        screen = self._screen
        mark = screen.green("ok    ") if good else screen.red("FAILED")
        screen.line(f"  {screen.clock()}  {mark}  {sender.bare:<24} → {receiver.bare:<24}  {took * 1000:6.0f} ms   {text}")


@contextlib.contextmanager
def progress(screen: Screen, name: str):
    """Shows that something goes on while the block runs."""
    done = threading.Event()
    since = time.monotonic()

    def show() -> None:
        while not done.wait(0.25):
            screen.progress(name, since)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def draw_topology(screen: Screen, options: argparse.Namespace) -> None:
    from . import internet as net
    what = "the image in QEMU" if options.board != "host" else "the firmware as a process"
    outside = ["outside, the internet", "", "juliet@" + net.PARTNER_DOMAIN, f"Prosody {net.PARTNER[0]}", f"DNS     {net.EXTERNAL_DNS[0]}",
               "", "namespace outside"]
    box = ["┌──────────── Sallyport ────────────┐",
           f"│ {what:^33} │",
           "│ external                 internal │",
           f"┤ {net.EDGE_EXTERNAL[0]:<18}{net.EDGE_INTERNAL[0]:>15} ├",
           f"│ {'TCP 5269':<18}{'TCP 23456':>15} │",
           f"│ {'MAC ...00:01':<18}{'MAC ...00:02':>15} │",
           "└───────────────────────────────────┘"]
    mode = "a stream per pair" if options.mode == "pair" else "one trunk"
    gateway = net.PAIR_GATEWAY[0] if options.mode == "pair" else net.TRUNK_GATEWAY[0]
    inside = ["inside, the organisation", "", f"romeo@{net.CORP}", f"Prosody {gateway}", f"DNS     {net.INTERNAL_DNS[0]}",
              f"gateway, {mode}", "namespace inside"]
    screen.heading("Sallyport between two networks")
    screen.line()
    for number, (left, middle, right) in enumerate(zip(outside, box, inside)):
        wire = "─────" if number == 3 else "     "
        screen.line(f"  {left:<22} {wire}{middle}{wire} {right}")


def pass_through(appliance) -> None:
    """Bytes both ways between this terminal and the console; the terminal is restored whatever happens."""
    console = appliance.console
    before = termios.tcgetattr(sys.stdin)
    shown = re.sub(r"(?<!\r)\n", "\r\n", console.text[-3000:])
    try:
        tty.setraw(sys.stdin)
        os.write(1, shown.encode())
        console.listen(lambda data: os.write(1, data))
        while appliance.alive():
            if not select.select([sys.stdin], [], [], 0.2)[0]:
                continue
            data = os.read(sys.stdin.fileno(), 1024)
            if not data or _LEAVE_KEY in data:
                break
            console.write_bytes(data)
    finally:
        console.listen(None)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        print()


if __name__ == "__main__":
    sys.exit(main())
