"""An authoritative DNS server (NSD) that holds the whole name space of its wire: everything else is NXDOMAIN."""

import socket
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from .process import Process
from .sandbox import Namespace


class Zone:
    """Records of one wire, written as a root zone: the resolvers of the lab know no other root."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def address(self, name: str, *addresses: str) -> None:
        for address in addresses:
            self._lines.append(f"{name}. {'AAAA' if ':' in address else 'A'} {address}")

    def srv(self, domain: str, service: str, port: int, *targets: str, priority: int = 0, weight: int = 5) -> None:
        for target in targets:
            self._lines.append(f"_{service}._tcp.{domain}. SRV {priority} {weight} {port} {target}.")

    def text(self) -> str:
        head = ["$ORIGIN .", "$TTL 5", ". SOA ns.example. hostmaster.example. 1 3600 600 86400 1", ". NS ns.example.",
                "ns.example. A 192.0.2.1"]
        return "\n".join(head + self._lines) + "\n"


class DnsServer:
    """NSD on port 53 of the given addresses."""

    def __init__(self, namespace: Namespace, addresses: list[str], zone: Zone, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "zone").write_text(zone.text())
        configuration = folder / "nsd.conf"
        configuration.write_text("\n".join([
            "server:", '  username: ""', '  chroot: ""', '  database: ""', f'  zonesdir: "{folder}"', f'  pidfile: "{folder}/nsd.pid"',
            f'  xfrdfile: "{folder}/xfrd.state"', f'  zonelistfile: "{folder}/zone.list"', f'  xfrdir: "{folder}"',
            "  server-count: 1", "  verbosity: 1", "  rrl-ratelimit: 0", "  tcp-reject-overflow: no",
            *[f"  ip-address: {address}" for address in addresses], "remote-control:", "  control-enable: no", "zone:", '  name: "."',
            '  zonefile: "zone"', ""]))
        self._process = Process(f"DNS server {namespace.name}", ["/usr/sbin/nsd", "-d", "-c", str(configuration)], folder / "nsd.log",
                                namespace)
        self._process.wait_until(lambda: _answers(namespace, addresses[0]), 10, "answers a query")

    @property
    def log(self) -> Path:
        return self._process.log

    def stop(self) -> None:
        self._process.stop()


def _answers(namespace: Namespace, address: str) -> bool:
    # The socket is made here because it must be made in the namespace.
    query = dns.message.make_query("ns.example.", "A")
    with namespace.entered():
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with probe:
        probe.settimeout(0.2)
        try:
            probe.sendto(query.to_wire(), (address, 53))
            return bool(dns.message.from_wire(probe.recv(4096)).answer)
        except (OSError, dns.exception.DNSException):
            return False
