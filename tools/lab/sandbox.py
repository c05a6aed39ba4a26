"""The sandbox: private network, mount and process namespaces around the whole lab.

One mechanism for root and for anybody else: the program starts itself again under unshare(1), without root also in a new
user namespace. What is started inside dies with the sandbox, whatever happens to the program, because its first process
is the init of a process namespace; and only what is inside can be reached by a signal sent from inside.

Inside, the sandbox's own network namespace is called the rack: the appliance runs there, with one TAP device per wire.

    namespace outside                  rack                          namespace inside
    ext [partners, DNS] --veth-- bridge --TAP-- appliance --TAP-- bridge --veth-- int [gateways, DNS]
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

_MARK = "SALLYPORT_SANDBOX"
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class SandboxError(Exception):
    """The machine does not let us make namespaces; the text says what to change."""


def inside() -> bool:
    return _MARK in os.environ


def run_inside(argv: list[str]) -> int:
    """Runs argv in a new sandbox and returns its exit code; SIGTERM and SIGHUP are passed on, Ctrl-C comes from the terminal."""
    command = _unshare_command() + argv

    def die_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    # Debian keeps the folders of administration out of other users' PATH.
    path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    child = subprocess.Popen(command, env={**os.environ, _MARK: "1", "PATH": path}, preexec_fn=die_with_parent)

    def pass_on(number: int, _frame) -> None:
        for pid in _children_of(child.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    code = child.wait()
    return code if code >= 0 else 128 - code


def exit_on_signal(number: int, _frame) -> None:
    """A signal handler: leaves through every `finally`."""
    sys.exit(128 + number)


def set_up(handler=exit_on_signal) -> None:
    """First thing inside: a private /run, the two namespaces, the two wires, `handler` for SIGTERM and SIGHUP (the init of a
    process namespace gets no signal that it does not handle). Raises SandboxError with the kernel's words."""
    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGHUP, handler)
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    os.makedirs("/run/netns", exist_ok=True)
    # /etc/resolv.conf may be a link into the /run that is hidden now; processes get their own mounted over what it names.
    resolver = Path(os.path.realpath("/etc/resolv.conf"))
    if not resolver.exists() and resolver.is_relative_to("/run"):
        resolver.parent.mkdir(parents=True, exist_ok=True)
        resolver.touch()
    run("ip", "link", "set", "lo", "up")
    for wire in (EXTERNAL, INTERNAL):
        wire.build()


def run(*argv: str, check: bool = True) -> str:
    """Runs a short command; its output, or SandboxError with what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    if check and done.returncode != 0:
        raise SandboxError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Namespace:
    """A network namespace by name. Processes enter it with prefix(), the current thread with entered()."""

    def __init__(self, name: str) -> None:
        self.name = name

    def prefix(self) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.name}", "--"]

    def run(self, *argv: str, check: bool = True) -> str:
        return run(*self.prefix(), *argv, check=check)

    @contextlib.contextmanager
    def entered(self):
        """Sockets this thread makes meanwhile belong to the namespace, and stay there afterwards."""
        with open(f"/proc/self/task/{threading.get_native_id()}/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def enter_for_good(self) -> None:
        """For a thread that lives in this namespace."""
        with open(f"/run/netns/{self.name}") as there:
            _setns(there.fileno())


class Wire:
    """One Ethernet segment: the appliance's TAP device and the interface eth0 of a namespace, on a bridge in the rack."""

    def __init__(self, side: str, tap: str, namespace: Namespace) -> None:
        self.side = side
        self.tap = tap
        self.namespace = namespace
        self.bridge = f"{side}-br"
        self.port = f"{side}-lan"  # the bridge's end of the veth pair: captures listen here, a cable pull leaves it up

    def build(self) -> None:
        name = self.namespace.name
        run("ip", "netns", "add", name)
        # Snooping without a querier would drop neighbour solicitations; the rack's own stack must stay silent on the wire.
        run("ip", "link", "add", self.bridge, "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        run("ip", "tuntap", "add", "dev", self.tap, "mode", "tap")
        run("ip", "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", name)
        for device in (self.bridge, self.tap, self.port):
            Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").write_text("1")
            run("ip", "link", "set", device, *([] if device == self.bridge else ["master", self.bridge]), "up")
        # Duplicate address detection would make each address wait a second for nobody.
        self.namespace.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad;"
                           "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad")
        self.namespace.run("ip", "link", "set", "lo", "up")
        self.namespace.run("ip", "link", "set", "eth0", "up")

    def add_address(self, address: str) -> None:
        self.namespace.run("ip", "address", "add", address, "dev", "eth0", "nodad")

    def set_tap(self, up: bool) -> None:
        """The cable of a board that has no link state of its own: the TAP device goes down."""
        run("ip", "link", "set", self.tap, "up" if up else "down")


EXTERNAL = Wire("external", "ext0", Namespace("outside"))
INTERNAL = Wire("internal", "int0", Namespace("inside"))


def _unshare_command() -> list[str]:
    base = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    attempts = [base + ["--"]] if os.geteuid() == 0 else []
    attempts.append(base + ["--user", "--map-root-user", "--"])
    words = "unshare(1) is missing: apt-get install util-linux"
    if shutil.which("unshare"):
        for command in attempts:
            probe = subprocess.run(command + ["true"], capture_output=True, text=True)
            if probe.returncode == 0:
                return command
            words = probe.stderr.strip()
    raise SandboxError(f"this machine does not let us make network namespaces ({words}); run it as root, or allow user "
                       "namespaces (sysctl kernel.unprivileged_userns_clone=1)")


def _children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
