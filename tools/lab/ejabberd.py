"""ejabberd as a partner's server: its own node folder, no distribution, no epmd."""

import glob
import os
import shutil
from pathlib import Path

from .pki import Credential
from .process import Process, StartError, port_open
from .sandbox import Namespace

C2S_PORT = 5222
_PASSWORD = "lab"


class Ejabberd:
    """ejabberd 23.01 in a namespace, STARTTLS required, SASL EXTERNAL, no dialback. Accounts are made at each start."""

    def __init__(self, name: str, namespace: Namespace, address: str, domain: str, credential: Credential, users: tuple[str, ...],
                 folder: Path, dns: str, trust: bytes) -> None:
        self.name = name
        self.namespace = namespace
        self.addresses = [address]
        self.domain = domain
        self.folder = folder
        self._users = users
        self._process: Process | None = None
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "contrib").mkdir(parents=True)
        certificate, key = credential.write(folder / "certs", domain)
        (folder / "trust.pem").write_bytes(trust)
        (folder / "resolv.conf").write_text(f"nameserver {dns}\n")
        (folder / "inetrc").write_text(f'{{lookup, [file, dns]}}.\n{{resolv_conf, "{folder}/resolv.conf"}}.\n')
        (folder / "ejabberd.yml").write_text(_CONFIGURATION.format(domain=domain, certificate=certificate, key=key,
                                                                    trust=folder / "trust.pem", address=address))

    @property
    def log(self) -> Path:
        return self.folder / "ejabberd.log"

    def start(self) -> None:
        libraries = glob.glob("/usr/lib/*/ejabberd-*/ebin")
        if not libraries:
            raise StartError("ejabberd is not installed")
        environment = {
            **os.environ, "HOME": str(self.folder), "ERL_LIBS": str(Path(libraries[0]).parents[1]),
            "ERL_INETRC": str(self.folder / "inetrc"), "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.log),
            "CONTRIB_MODULES_CONF_DIR": str(self.folder / "contrib"), "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump")}
        accounts = "".join(f'ejabberd_auth:try_register(<<"{user}">>, <<"{self.domain}">>, <<"{_PASSWORD}">>), ' for user in self._users)
        # Two schedulers and no busy waiting: the lab shares two cores with the appliance.
        self._process = Process(self.name, ["erl", "-noinput", "+S", "2", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
                                            "-mnesia", "dir", f'"{self.folder}/mnesia"', "-s", "ejabberd", "-eval",
                                            accounts + 'io:format("accounts made~n").'],
                                self.folder / "output.log", self.namespace, environment, self.folder,
                                # Its SRV look-ups go by inetrc, its address look-ups through the C library.
                                resolv_conf=self.folder / "resolv.conf")
        self._process.wait_until(self._ready, 40, "accepts clients")

    def stop(self) -> None:
        if self._process:
            self._process.stop(8)

    def kill(self) -> None:
        if self._process:
            self._process.kill()

    def _ready(self) -> bool:
        return "accounts made" in (self.folder / "output.log").read_text() and port_open(self.namespace, self.addresses[0], C2S_PORT)


_CONFIGURATION = """\
hosts: [{domain}]
loglevel: debug
log_rotate_count: 0
certfiles: ["{certificate}", "{key}"]
ca_file: "{trust}"
s2s_use_starttls: required
s2s_dns_timeout: 5 seconds
outgoing_s2s_families: [ipv4, ipv6]
outgoing_s2s_timeout: 10 seconds
auth_method: internal
auth_password_format: plain
listen:
  - {{port: 5222, ip: "{address}", module: ejabberd_c2s, max_stanza_size: 1000000}}
  - {{port: 5269, ip: "{address}", module: ejabberd_s2s_in, max_stanza_size: 1000000}}
s2s_access: all
modules:
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_time: {{}}
  mod_version: {{}}
"""
