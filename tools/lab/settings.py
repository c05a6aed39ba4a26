"""The appliance's settings: the text of `set` lines and the PEM files beside it, from which tools/make-card makes a card."""

import copy
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .pki import Credential

_MAKE_CARD = Path(__file__).resolve().parents[1] / "make-card"


class CardError(Exception):
    """tools/make-card refused; the text is what it said."""


@dataclass
class Partner:
    domain: str
    trust: bytes
    description: str | None = None


@dataclass
class Settings:
    """Everything an appliance is told. `extra` lines come last, as they are: for tests of wrong settings."""

    system_name: str
    external_addresses: list[str]
    external_gateways: list[str]
    external_dns: list[str]
    external_credential: Credential
    internal_addresses: list[str]
    internal_gateways: list[str]
    internal_dns: list[str]
    internal_credential: Credential
    gateway_trust: bytes
    admitted_gateways: list[str]
    local_domains: list[str]
    partners: list[Partner]
    extra: list[str] = field(default_factory=list)

    def copy(self) -> "Settings":
        return copy.deepcopy(self)

    def lines(self) -> list[str]:
        lines = [f"set system name {self.system_name}"]
        for side, addresses, gateways, servers in (("external", self.external_addresses, self.external_gateways, self.external_dns),
                                                   ("internal", self.internal_addresses, self.internal_gateways, self.internal_dns)):
            lines += [f"set {side} address {address}" for address in addresses]
            lines += [f"set {side} gateway {gateway}" for gateway in gateways]
            lines += [f"set {side} dns {server}" for server in servers]
            lines += [f"set {side} certificate {side}.pem", f"set {side} key {side}.key"]
        lines.append("set internal trust gateway-ca.pem")
        lines += [f"set internal admit {name}" for name in self.admitted_gateways]
        lines += [f"set local-domain {domain}" for domain in self.local_domains]
        for number, partner in self._trust_files():
            lines.append(f"set partner {partner.domain} trust partner-ca-{number}.pem")
            if partner.description:
                lines.append(f'set partner {partner.domain} description "{partner.description}"')
        return lines + self.extra

    def write(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "settings.conf").write_text("\n".join(self.lines()) + "\n")
        self.external_credential.write(folder, "external")
        self.internal_credential.write(folder, "internal")
        (folder / "gateway-ca.pem").write_bytes(self.gateway_trust)
        for number, partner in self._trust_files():
            (folder / f"partner-ca-{number}.pem").write_bytes(partner.trust)

    def _trust_files(self):
        """Partners with the number of their trust file: equal anchors share one."""
        numbers: dict[bytes, int] = {}
        for partner in self.partners:
            yield numbers.setdefault(partner.trust, len(numbers) + 1), partner


def make_card(settings: Settings, folder: Path, *options: str) -> Path:
    """Writes folder/settings/ and makes folder/card.img of it; `options` are make-card's."""
    settings.write(folder / "settings")
    card = folder / "card.img"
    done = subprocess.run([str(_MAKE_CARD), *options, str(folder / "settings"), str(card)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise CardError((done.stderr or done.stdout).strip())
    return card
