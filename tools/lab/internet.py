"""The small internet: who lives on which wire, under which addresses, names and certificates.

The external wire holds the edge's network and a router (the namespace itself) to the partners' networks, so that the
appliance must use its gateway; the internal wire holds the organisation's gateways. Two views of DNS, as in a company.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from . import prosody
from .client import Client
from .dns import DnsServer, Zone
from .ejabberd import Ejabberd
from .pki import DAY, Authority, Credential, self_signed
from .prosody import Prosody, VirtualHost
from .sandbox import EXTERNAL, INTERNAL
from .settings import Partner, Settings

EDGE = "edge.corp.example"
EDGE_EXTERNAL = ("203.0.113.10", "2001:db8:113::10")
EDGE_INTERNAL = ("192.0.2.10", "2001:db8:2::10")
XMPP_SERVER_PORT = 5269
GATEWAY_PORT = 23456

ROUTER = ("203.0.113.1", "2001:db8:113::1")
EXTERNAL_DNS = ("203.0.113.53", "2001:db8:113::53")
INTERNAL_ROUTER = ("192.0.2.1", "2001:db8:2::1")
INTERNAL_DNS = ("192.0.2.53", "2001:db8:2::53")
PARTNER = ("198.51.100.20", "2001:db8:51::20")
PARTNER_V4_ONLY = "198.51.100.24"
PARTNER_V6_ONLY = "2001:db8:51::26"
EJABBERD = ("198.51.100.30", "2001:db8:51::30")
SCRIPTED = ("198.51.100.66", "2001:db8:51::66")  # nobody listens until a test does
SILENT = ("198.51.100.250", "2001:db8:51::250")  # routed to nobody: packets vanish
PAIR_GATEWAY = ("192.0.2.20", "2001:db8:2::20")
TRUNK_GATEWAY = ("192.0.2.21", "2001:db8:2::21")
SPARE_GATEWAY = ("192.0.2.22", "2001:db8:2::22")  # of single tests
SCRIPTED_GATEWAY = ("192.0.2.66", "2001:db8:2::66")

CORP = "corp.example"  # its gateway uses a stream per domain pair
BRANCH = "branch.example"  # its gateway uses the trunk
PARTNER_DOMAIN = "partner.example"
EJABBERD_DOMAIN = "elsewhere.example"
V4_DOMAIN = "four.example"
V6_DOMAIN = "six.example"
SCRIPTED_DOMAIN = "scripted.example"
SCRIPTED_SUBDOMAIN = "chat.scripted.example"
# One for each test that spoils it: the appliance waits longer and longer before it tries a failing partner again.
SCRIPTED_TARGETS = tuple(f"target{number}.scripted.example" for number in range(16))
STRANGER = "stranger.example"  # good certificate, not in the settings

# Domains of the partner's Prosody that differ in how DNS finds them.
DEAD_FIRST = "deadfirst.example"  # SRV: a silent target, a closed port, then the server
NO_SRV = "nosrv.example"  # A and AAAA only
MANY_TARGETS = "many.example"  # an SRV answer that does not fit into 512 bytes
RSA = "rsa.example"  # an RSA certificate
# ... and in the certificate it shows.
EXPIRED = "expired.example"
NOT_YET = "notyet.example"
FOREIGN = "foreign.example"  # of a CA that is not among the partner's trust anchors
SELF_SIGNED = "selfsigned.example"
WRONG_NAME = "wrongname.example"
BAD_CERTIFICATES = (EXPIRED, NOT_YET, FOREIGN, SELF_SIGNED, WRONG_NAME)
# In the settings, but nowhere in DNS; or in DNS, and never answering.
NOWHERE = "nowhere.example"
NEVER = "never.example"

PARTNERS = (PARTNER_DOMAIN, EJABBERD_DOMAIN, V4_DOMAIN, V6_DOMAIN, SCRIPTED_DOMAIN, SCRIPTED_SUBDOMAIN, DEAD_FIRST, NO_SRV, MANY_TARGETS,
            RSA, NOWHERE, NEVER) + BAD_CERTIFICATES + SCRIPTED_TARGETS
USER = "juliet"  # at every partner
LOCAL_USER = "romeo"  # at every local domain
# Users who never subscribe to anybody: their logging in makes no stanza that crosses the border.
QUIET_USER, QUIET_LOCAL_USER = "rosaline", "mercutio"


@dataclass(frozen=True)
class Pki:
    """Every authority and certificate of the lab, made once per run."""

    public: Authority
    foreign: Authority
    edges: Authority
    gateways: Authority
    edge_external: Credential
    edge_internal: Credential

    @staticmethod
    def make() -> "Pki":
        public = Authority("Lab Public CA")
        edges = Authority("Lab Edge CA")
        # The edge sends an intermediate with its external certificate, as most public CAs have it.
        return Pki(public, Authority("Lab Foreign CA"), edges, Authority("Lab Gateway CA"),
                   public.intermediate("Lab Public Intermediate").issue(EDGE, CORP, BRANCH), edges.issue(EDGE))

    def partner(self, domain: str) -> Credential:
        if domain == EXPIRED:
            return self.public.issue(domain, valid_from=-20 * DAY, valid_to=-2 * DAY)
        if domain == NOT_YET:
            return self.public.issue(domain, valid_from=20 * DAY, valid_to=40 * DAY)
        if domain == FOREIGN:
            return self.foreign.issue(domain)
        if domain == SELF_SIGNED:
            return self_signed(domain)
        if domain == WRONG_NAME:
            return self.public.issue("innocent.example", common_name=domain)
        return self.public.issue(domain, key_type="rsa2048" if domain == RSA else "ec")


class Internet:
    """The wires' inhabitants, each started when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.pki = Pki.make()
        self._servers: list = []
        for address in (*ROUTER, *EXTERNAL_DNS):
            EXTERNAL.add_address(f"{address}/{_network_bits(address)}")
        for address in (*PARTNER, PARTNER_V4_ONLY, PARTNER_V6_ONLY, *EJABBERD, *SCRIPTED):
            EXTERNAL.add_address(f"{address}/{_host_bits(address)}")
        for address in (*INTERNAL_ROUTER, *INTERNAL_DNS, *PAIR_GATEWAY, *TRUNK_GATEWAY, *SPARE_GATEWAY, *SCRIPTED_GATEWAY):
            INTERNAL.add_address(f"{address}/{_network_bits(address)}")
        self._servers.append(DnsServer(EXTERNAL.namespace, list(EXTERNAL_DNS), _external_zone(), folder / "dns-outside"))
        self._servers.append(DnsServer(INTERNAL.namespace, list(INTERNAL_DNS), _internal_zone(), folder / "dns-inside"))

    @cached_property
    def partner(self) -> Prosody:
        """The partner's Prosody: every domain that lives at PARTNER."""
        domains = (PARTNER_DOMAIN, STRANGER, DEAD_FIRST, NO_SRV, MANY_TARGETS, RSA) + BAD_CERTIFICATES
        return self._start(prosody.partner("partner's Prosody", EXTERNAL.namespace, list(PARTNER), self._hosts(domains),
                                           self.folder / "prosody-partner", EXTERNAL_DNS[0], self.pki.public.pem))

    @cached_property
    def partner_v4_only(self) -> Prosody:
        return self._start(prosody.partner("IPv4 partner's Prosody", EXTERNAL.namespace, [PARTNER_V4_ONLY], self._hosts((V4_DOMAIN,)),
                                           self.folder / "prosody-v4", EXTERNAL_DNS[0], self.pki.public.pem, families=(4,)))

    @cached_property
    def partner_v6_only(self) -> Prosody:
        return self._start(prosody.partner("IPv6 partner's Prosody", EXTERNAL.namespace, [PARTNER_V6_ONLY], self._hosts((V6_DOMAIN,)),
                                           self.folder / "prosody-v6", EXTERNAL_DNS[1], self.pki.public.pem, families=(6,)))

    @cached_property
    def ejabberd(self) -> Ejabberd:
        return self._start(Ejabberd("partner's ejabberd", EXTERNAL.namespace, EJABBERD[0], EJABBERD_DOMAIN,
                                    self.pki.partner(EJABBERD_DOMAIN), (USER,), self.folder / "ejabberd", EXTERNAL_DNS[0],
                                    self.pki.public.pem))

    def pair_gateway_of(self, domain: str) -> Prosody:
        """Not started: a gateway with stock modules."""
        return prosody.pair_gateway(f"gateway of {domain}", INTERNAL.namespace, list(PAIR_GATEWAY), [self._local_host(domain)],
                                    self.folder / "prosody-pair-gateway", INTERNAL_DNS[0], self.pki.edges.pem, list(PARTNERS) + [STRANGER])

    def trunk_gateway_of(self, domain: str, addresses: tuple[str, ...] = TRUNK_GATEWAY, options: dict | None = None) -> Prosody:
        """Not started: a gateway with mod_sallyport_trunk."""
        folder = self.folder / ("prosody-trunk-gateway" if addresses == TRUNK_GATEWAY else "prosody-spare-gateway")
        return prosody.trunk_gateway(f"gateway of {domain}", INTERNAL.namespace, list(addresses), [self._local_host(domain)], folder,
                                     INTERNAL_DNS[0], self.pki.edges.pem, EDGE,
                                     # Quicker than the defaults, for tests that restart the appliance.
                                     {"sallyport_trunk_retry_max": 3, "sallyport_trunk_ping_interval": 10,
                                      "sallyport_trunk_ping_timeout": 5, **(options or {})})

    @cached_property
    def pair_gateway(self) -> Prosody:
        return self._start(self.pair_gateway_of(CORP))

    @cached_property
    def trunk_gateway(self) -> Prosody:
        return self._start(self.trunk_gateway_of(BRANCH))

    def settings(self) -> Settings:
        """What the appliance of this internet is told; tests change a copy."""
        return Settings(
            system_name=EDGE, external_addresses=[f"{EDGE_EXTERNAL[0]}/24", f"{EDGE_EXTERNAL[1]}/64"], external_gateways=list(ROUTER),
            external_dns=list(EXTERNAL_DNS), external_credential=self.pki.edge_external,
            internal_addresses=[f"{EDGE_INTERNAL[0]}/24", f"{EDGE_INTERNAL[1]}/64"], internal_gateways=list(INTERNAL_ROUTER),
            internal_dns=[INTERNAL_DNS[0]], internal_credential=self.pki.edge_internal, gateway_trust=self.pki.gateways.pem,
            admitted_gateways=[CORP, BRANCH], local_domains=[CORP, BRANCH],
            partners=[Partner(domain, self.pki.public.pem) for domain in PARTNERS])

    def stop(self) -> None:
        for server in reversed(self._servers):
            server.stop()

    def _start(self, server):
        server.start()
        self._servers.append(server)
        return server

    def _hosts(self, domains: tuple[str, ...]) -> list[VirtualHost]:
        return [VirtualHost(domain, self.pki.partner(domain), (USER, QUIET_USER)) for domain in domains]

    def _local_host(self, domain: str) -> VirtualHost:
        return VirtualHost(domain, self.pki.gateways.issue(domain), (LOCAL_USER, QUIET_LOCAL_USER))


def client(user: str, domain: str, server) -> Client:
    """A user of a running server, logged in."""
    return Client(f"{user}@{domain}", server.addresses[0], server.namespace)


def _external_zone() -> Zone:
    zone = Zone()
    zone.address(EDGE, *EDGE_EXTERNAL)
    zone.address("xmpp.partner.example", *PARTNER)
    zone.address("silent.partner.example", *SILENT)
    zone.address("xmpp.four.example", PARTNER_V4_ONLY)
    zone.address("xmpp.six.example", PARTNER_V6_ONLY)
    zone.address("xmpp.elsewhere.example", EJABBERD[0])
    zone.address("xmpp.scripted.example", *SCRIPTED)
    zone.address(NO_SRV, *PARTNER)
    for domain in (CORP, BRANCH):
        zone.srv(domain, "xmpp-server", XMPP_SERVER_PORT, EDGE)
    for domain in (PARTNER_DOMAIN, STRANGER, RSA) + BAD_CERTIFICATES:
        zone.srv(domain, "xmpp-server", XMPP_SERVER_PORT, "xmpp.partner.example")
    zone.srv(V4_DOMAIN, "xmpp-server", XMPP_SERVER_PORT, "xmpp.four.example")
    zone.srv(V6_DOMAIN, "xmpp-server", XMPP_SERVER_PORT, "xmpp.six.example")
    zone.srv(EJABBERD_DOMAIN, "xmpp-server", XMPP_SERVER_PORT, "xmpp.elsewhere.example")
    for domain in (SCRIPTED_DOMAIN, SCRIPTED_SUBDOMAIN) + SCRIPTED_TARGETS:
        zone.srv(domain, "xmpp-server", XMPP_SERVER_PORT, "xmpp.scripted.example")
    zone.srv(NEVER, "xmpp-server", XMPP_SERVER_PORT, "silent.partner.example")
    zone.srv(DEAD_FIRST, "xmpp-server", XMPP_SERVER_PORT, "silent.partner.example", priority=1)
    zone.srv(DEAD_FIRST, "xmpp-server", 5299, "xmpp.partner.example", priority=2)  # nobody listens there: reset
    zone.srv(DEAD_FIRST, "xmpp-server", XMPP_SERVER_PORT, "xmpp.partner.example", priority=3)
    for number in range(24):
        target = f"a-rather-long-host-name-number-{number:02}.many.example"
        zone.address(target, *PARTNER)
        zone.srv(MANY_TARGETS, "xmpp-server", XMPP_SERVER_PORT, target, priority=number)
    return zone


def _internal_zone() -> Zone:
    zone = Zone()
    zone.address(EDGE, *EDGE_INTERNAL)
    zone.address("edge4.corp.example", EDGE_INTERNAL[0])
    zone.address("edge6.corp.example", EDGE_INTERNAL[1])
    for domain in PARTNERS + (STRANGER,):
        target = {V4_DOMAIN: "edge4.corp.example", V6_DOMAIN: "edge6.corp.example"}.get(domain, EDGE)
        zone.srv(domain, "xmpps-server", GATEWAY_PORT, target)
    return zone


def _network_bits(address: str) -> int:
    return 64 if ":" in address else 24


def _host_bits(address: str) -> int:
    return 128 if ":" in address else 32
