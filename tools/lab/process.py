"""A server or tool that the lab runs: in a namespace, with a log file, ended by its own process id."""

import socket
import subprocess
import time
from pathlib import Path

from .sandbox import Namespace


class StartError(Exception):
    """A process ended or did not become ready; the text holds the end of its log."""


class Process:
    """A running child. stop() is idempotent and bounded; the sandbox ends it at the latest."""

    def __init__(self, name: str, argv: list[str], log: Path, namespace: Namespace | None = None,
                 env: dict[str, str] | None = None, cwd: Path | None = None, resolv_conf: Path | None = None) -> None:
        """`resolv_conf` takes the place of /etc/resolv.conf for this process alone."""
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        prefix = namespace.prefix() if namespace else []
        if resolv_conf:
            prefix += ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(resolv_conf)]
        with open(log, "ab") as output:
            self._popen = subprocess.Popen(prefix + argv, stdin=subprocess.DEVNULL,
                                           stdout=output, stderr=subprocess.STDOUT, env=env, cwd=cwd)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def alive(self) -> bool:
        return self._popen.poll() is None

    def stop(self, grace: float = 3.0) -> None:
        if self.alive():
            self._popen.terminate()
            try:
                self._popen.wait(grace)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        self._popen.wait(5)

    def kill(self) -> None:
        """As a crash: no goodbye to its peers beyond what the kernel says for it."""
        self._popen.kill()
        self._popen.wait(5)

    def wait_until(self, ready, timeout: float, what: str) -> None:
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.alive():
                raise StartError(f"{self.name} ended with code {self._popen.returncode} before it was ready ({what}):\n"
                                 + tail(self.log))
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready within {timeout:.0f} s ({what}):\n" + tail(self.log))
            time.sleep(0.03)


def tail(path: Path, lines: int = 15) -> str:
    if not path.exists():
        return f"({path} does not exist)"
    return "\n".join("    " + line for line in path.read_text(errors="replace").splitlines()[-lines:])


def port_open(namespace: Namespace, address: str, port: int, timeout: float = 0.5) -> bool:
    """Whether a TCP connection from the namespace is accepted."""
    with namespace.entered():
        try:
            connection = socket.create_connection((address, port), timeout)
        except OSError:
            return False
    connection.close()
    return True
