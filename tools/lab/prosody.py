"""Prosody as a partner's server and as the organisation's gateway, in both modes of contrib/prosody/README.md."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .pki import Credential
from .process import Process, port_open
from .sandbox import Namespace

TRUNK_MODULE_FOLDER = Path(__file__).resolve().parents[2] / "contrib" / "prosody"
C2S_PORT = 5222
_PASSWORD = "lab"


@dataclass
class VirtualHost:
    """A domain of a server: its certificate, its users, options of its own."""

    domain: str
    credential: Credential
    users: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    options: dict = field(default_factory=dict)


class Prosody:
    """A Prosody of our own configuration in a namespace. start() and stop() may alternate; accounts stay."""

    def __init__(self, name: str, namespace: Namespace, addresses: list[str], hosts: list[VirtualHost], folder: Path,
                 dns: str, options: dict) -> None:
        self.name = name
        self.namespace = namespace
        self.addresses = addresses
        self.folder = folder
        self._hosts = hosts
        self._process: Process | None = None
        self._configuration = folder / "prosody.cfg.lua"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "data").mkdir(parents=True)
        (folder / "no-certificates").mkdir()
        (folder / "resolv.conf").write_text(f"nameserver {dns}\n")
        self._write_configuration(options)
        for host in hosts:
            self._write_accounts(host)

    @property
    def log(self) -> Path:
        return self.folder / "prosody.log"

    def start(self) -> None:
        self._process = Process(self.name, ["/usr/bin/prosody", "--config", str(self._configuration), "-F"],
                                self.folder / "output.log", self.namespace)
        self._process.wait_until(lambda: port_open(self.namespace, self.addresses[0], C2S_PORT), 15, "accepts clients")

    def stop(self) -> None:
        if self._process:
            self._process.stop(8)

    def kill(self) -> None:
        if self._process:
            self._process.kill()

    def ping(self, local: str, remote: str, timeout: float = 5) -> bool:
        """`prosodyctl shell xmpp ping`: opens the stream of the pair when there is none. True when the peer answered."""
        try:
            done = subprocess.run(["prosodyctl", "--config", str(self._configuration), "shell",
                                   f"xmpp:ping({local!r}, {remote!r}, {timeout})"],
                                  capture_output=True, text=True, timeout=timeout + 5, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return False
        return re.search(r"OK:.*(pong|reply)|\bpong\b", done.stdout, re.IGNORECASE) is not None

    def _write_configuration(self, options: dict) -> None:
        common = {
            "run_as_root": True,  # root of the sandbox, which is nobody outside it
            "prosody_user": "root",
            "prosody_group": "root",
            "pidfile": str(self.folder / "prosody.pid"),
            "data_path": str(self.folder / "data"),
            "certificates": str(self.folder / "no-certificates"),
            "log": {"debug": str(self.log)},
            "interfaces": self.addresses,
            "unbound": {"resolvconf": str(self.folder / "resolv.conf")},
            "network_settings": {"nagle": False, "connect_timeout": 5},
            "authentication": "internal_plain",
            "c2s_require_encryption": False,  # clients and server share a namespace: nothing to protect, more to read
            "allow_unencrypted_plain_auth": True,
            "s2s_timeout": 20,
        }
        lines = [f"{key} = {_lua(value)}" for key, value in {**common, **options}.items()]
        for host in self._hosts:
            certificate, key = host.credential.write(self.folder / "certs", host.domain)
            lines += ["", f"VirtualHost {_lua(host.domain)}"]
            ssl = {**options.get("ssl", {}), "certificate": str(certificate), "key": str(key)}
            own = {"ssl": ssl, **({"modules_enabled": list(host.modules)} if host.modules else {}), **host.options}
            lines += [f"  {name} = {_lua(value)}" for name, value in own.items()]
        self._configuration.write_text("\n".join(lines) + "\n")

    def _write_accounts(self, host: VirtualHost) -> None:
        folder = self.folder / "data" / host.domain.replace(".", "%2e") / "accounts"
        folder.mkdir(parents=True)
        for user in host.users:
            (folder / f"{user}.dat").write_text(f"return {_lua({'password': _PASSWORD})};\n")


def partner(name: str, namespace: Namespace, addresses: list[str], hosts: list[VirtualHost], folder: Path, dns: str, trust: bytes,
            families: tuple[int, ...] = (4, 6)) -> Prosody:
    """A partner's server: STARTTLS and SASL EXTERNAL required, no dialback, nothing of ours."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    trust_file = folder.parent / f"{folder.name}-trust.pem"
    trust_file.write_bytes(trust)
    return Prosody(name, namespace, addresses, hosts, folder, dns, {
        "modules_enabled": ["roster", "saslauth", "tls", "disco", "ping", "version", "time", "admin_shell"],
        "ssl": {"cafile": str(trust_file), "capath": False},
        "s2s_secure_auth": True,
        "s2s_ports": [5269],
        "use_ipv4": 4 in families,
        "use_ipv6": 6 in families,
    })


def pair_gateway(name: str, namespace: Namespace, addresses: list[str], hosts: list[VirtualHost], folder: Path, dns: str,
                 edge_trust: bytes, partners: list[str]) -> Prosody:
    """The gateway with stock modules: a stream per domain pair (contrib/prosody/README.md, pair mode)."""
    trust_file = folder.parent / f"{folder.name}-trust.pem"
    folder.parent.mkdir(parents=True, exist_ok=True)
    trust_file.write_bytes(edge_trust)
    return Prosody(name, namespace, addresses, hosts, folder, dns, {
        "modules_enabled": ["roster", "saslauth", "tls", "disco", "ping", "version", "time", "s2s_bidi", "admin_shell"],
        "ssl": {"cafile": str(trust_file), "capath": False},
        "s2s_secure_auth": True,
        "s2s_insecure_domains": partners,
        "s2s_ssl": {"cafile": str(trust_file), "verify": ["peer", "fail_if_no_peer_cert"], "verifyext": {"lsec_continue": False}},
        "s2s_ports": [],  # the gateway connects, nobody connects to it
    })


def trunk_gateway(name: str, namespace: Namespace, addresses: list[str], hosts: list[VirtualHost], folder: Path, dns: str,
                  edge_trust: bytes, edge: str, options: dict | None = None) -> Prosody:
    """The gateway with mod_sallyport_trunk: one stream to the edge's own name (contrib/prosody/README.md, trunk mode)."""
    trust_file = folder.parent / f"{folder.name}-trust.pem"
    folder.parent.mkdir(parents=True, exist_ok=True)
    trust_file.write_bytes(edge_trust)
    return Prosody(name, namespace, addresses, hosts, folder, dns, {
        "plugin_paths": [str(TRUNK_MODULE_FOLDER)],
        "modules_enabled": ["roster", "saslauth", "tls", "disco", "ping", "version", "time", "s2s_bidi", "admin_shell", "sallyport_trunk"],
        "ssl": {"cafile": str(trust_file), "capath": False},
        "s2s_secure_auth": True,
        "s2s_ports": [],
        "sallyport_trunk_edge": edge,
        **(options or {}),
    })


def _lua(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, dict):
        return "{ " + "".join(f"[{_lua(key)}] = {_lua(item)}; " for key, item in value.items()) + "}"
    return "{ " + "".join(f"{_lua(item)}; " for item in value) + "}"
