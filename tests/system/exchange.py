"""What the system tests do again and again: users on both sides, streams of scripted gateways and partners, waiting."""

import contextlib
import time
from dataclasses import dataclass

from lab import internet as net
from lab.client import Client, ClientError
from lab.pki import Credential
from lab.process import port_open
from lab.sandbox import EXTERNAL, INTERNAL

import scripted_peer as peer

PING = "<ping xmlns='urn:xmpp:ping'/>"
VERSION = "<query xmlns='jabber:iq:version'/>"


@dataclass(frozen=True)
class Gateway:
    """A local domain and the server that is its gateway, in one of the two modes."""

    mode: str
    domain: str
    server: object


@contextlib.contextmanager
def users(gateway: Gateway, partner, partner_domain: str):
    """A local user and a partner's user, logged in, with a stream up in both directions."""
    with net.client(net.LOCAL_USER, gateway.domain, gateway.server) as local, net.client(net.USER, partner_domain, partner) as remote:
        open_both_ways(local, remote)
        yield local, remote


def open_both_ways(local: Client, remote: Client, timeout: float = 45) -> None:
    """Until each side's server answers a ping of the other side's user: no stale stream of an earlier appliance is left."""
    wait_for_pong(local, domain_of(remote), timeout)
    wait_for_pong(remote, domain_of(local), timeout)


def wait_for_pong(user: Client, domain: str, timeout: float = 45) -> float:
    """Pings until there is an answer; the seconds it took."""
    start = time.monotonic()
    answer = None
    while time.monotonic() - start < timeout:
        try:
            answer = user.iq(domain, PING, timeout=4)
        except ClientError:
            continue
        if answer["type"] == "result":
            return time.monotonic() - start
        time.sleep(0.5)
    raise AssertionError(f"{user.bare} pinged {domain} for {timeout:.0f} s; last answer: {answer}")


def exchange(local: Client, remote: Client, note: str = "") -> None:
    """One message each way."""
    stamp = f"{note} {time.time_ns()}"
    local.send_message(remote.bare, f"out {stamp}")
    remote.wait_message(f"out {stamp}", local.bare)
    remote.send_message(local.bare, f"in {stamp}")
    local.wait_message(f"in {stamp}", remote.bare)


def domain_of(user: Client) -> str:
    return user.bare.split("@")[1]


# Scripted peers of the appliance


def partner_connection(family: int = 4) -> peer.Stream:
    """TCP to the external port, nothing said yet."""
    return peer.connect(EXTERNAL.namespace, net.EDGE_EXTERNAL[0 if family == 4 else 1], net.XMPP_SERVER_PORT)


def partner_stream(internet, credential: Credential | None = None, domain: str = net.SCRIPTED_DOMAIN, local: str = net.CORP,
                   declarations: str = "", tls12: bool = False) -> peer.Stream:
    """An authenticated stream from a partner's domain to a local domain: STARTTLS, SASL EXTERNAL."""
    stream = partner_connection()
    context = peer.client_context(credential or internet.pki.public.issue(domain), internet.pki.public.pem, tls12)
    peer.initiate_starttls(stream, domain, local, context)
    peer.initiate_external(stream, domain, local, declarations=declarations)
    return stream


def gateway_connection(receive_buffer: int | None = None) -> peer.Stream:
    """TCP to the internal port, nothing said yet."""
    return peer.connect(INTERNAL.namespace, net.EDGE_INTERNAL[0], net.GATEWAY_PORT, source=net.SCRIPTED_GATEWAY[0],
                        receive_buffer=receive_buffer)


def gateway_stream(internet, remote: str = net.SCRIPTED_DOMAIN, local: str = net.CORP, declarations: str = "", starttls: bool = False,
                   authorization_identity: str | None = "sender", receive_buffer: int | None = None) -> peer.Stream:
    """A gateway's bidirectional stream for a pair, or with remote=net.EDGE the trunk."""
    stream = gateway_connection(receive_buffer)
    context = peer.client_context(internet.pki.gateways.issue(local), internet.pki.edges.pem)
    if starttls:
        peer.initiate_starttls(stream, local, remote, context)
    else:
        stream.start_tls_as_client(context, remote)
    peer.initiate_external(stream, local, remote, bidi=True, declarations=declarations, authorization_identity=authorization_identity)
    return stream


def accept_partner_stream(listener: peer.Listener, internet, domain: str = net.SCRIPTED_DOMAIN, credential: Credential | None = None,
                          declarations: str = "", tls12: bool = False, timeout: float = 15) -> peer.Stream:
    """The appliance's stream to a scripted partner, through STARTTLS and SASL EXTERNAL."""
    stream = listener.accept(timeout)
    context = peer.server_context(credential or internet.pki.public.issue(domain), internet.pki.public.pem, tls12)
    peer.receive_starttls(stream, domain, context)
    peer.receive_external(stream, domain, declarations=declarations)
    return stream


def scripted_listener(address: str = net.SCRIPTED[0]) -> peer.Listener:
    return peer.Listener(EXTERNAL.namespace, address, net.XMPP_SERVER_PORT)


def message(sender: str, to: str, body: str, stanza_id: str = "m1") -> str:
    return f"<message from='{sender}' to='{to}' type='chat' id='{stanza_id}'><body>{body}</body></message>"


def assert_ports_closed() -> None:
    """A second later still: neither port accepts a connection, on either family."""
    time.sleep(1)
    for wire, addresses, port in ((EXTERNAL, net.EDGE_EXTERNAL, net.XMPP_SERVER_PORT), (INTERNAL, net.EDGE_INTERNAL, net.GATEWAY_PORT)):
        for address in addresses:
            assert not port_open(wire.namespace, address, port), f"{address} port {port} is open"
