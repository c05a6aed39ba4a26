"""The lab tested on its own: servers, names, certificates and the Prosody trunk module against a scripted edge.

When these fail, failures of the other tests say nothing about the appliance.
"""

import ssl
import threading
import time

import dns.message
import dns.query
import pytest
from lab import internet as net
from lab.sandbox import EXTERNAL, INTERNAL

import scripted_peer as peer

pytestmark = pytest.mark.lab


def query(namespace, server: str, name: str, kind: str, tcp: bool = False):
    with namespace.entered():
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(dns.message.make_query(name, kind), server, timeout=2)


def test_partners_federate_with_each_other(internet):
    with net.client(net.USER, net.PARTNER_DOMAIN, internet.partner) as juliet, \
            net.client(net.USER, net.EJABBERD_DOMAIN, internet.ejabberd) as other:
        juliet.send_message(other.bare, "to ejabberd")
        other.wait_message("to ejabberd")
        other.send_message(juliet.bare, "to Prosody")
        juliet.wait_message("to Prosody")


def test_dns_lists_a_dead_target_first(internet):
    answer = query(EXTERNAL.namespace, net.EXTERNAL_DNS[0], f"_xmpp-server._tcp.{net.DEAD_FIRST}.", "SRV").answer[0]
    targets = sorted((record.priority, record.port, str(record.target)) for record in answer)
    assert [priority for priority, _, _ in targets] == [1, 2, 3]
    assert targets[0][2].startswith("silent.") and targets[2][1] == net.XMPP_SERVER_PORT


def test_dns_truncates_a_long_answer_over_udp_and_gives_it_over_tcp(internet):
    name = f"_xmpp-server._tcp.{net.MANY_TARGETS}."
    assert query(EXTERNAL.namespace, net.EXTERNAL_DNS[0], name, "SRV").flags & dns.flags.TC
    assert len(query(EXTERNAL.namespace, net.EXTERNAL_DNS[0], name, "SRV", tcp=True).answer[0]) == 24


def test_dns_answers_over_both_families_and_knows_no_other_names(internet):
    for server in net.EXTERNAL_DNS:
        assert query(EXTERNAL.namespace, server, "xmpp.partner.example.", "AAAA").answer
        assert query(EXTERNAL.namespace, server, f"_xmpp-server._tcp.{net.NOWHERE}.", "SRV").rcode() == dns.rcode.NXDOMAIN


@pytest.fixture
def edge_listener(internet):
    """A scripted edge at the edge's internal addresses, which exist in the inside namespace only for this test."""
    addresses = [f"{net.EDGE_INTERNAL[0]}/32", f"{net.EDGE_INTERNAL[1]}/128"]
    for address in addresses:
        INTERNAL.namespace.run("ip", "address", "add", address, "dev", "lo", "nodad")
    with peer.Listener(INTERNAL.namespace, net.EDGE_INTERNAL[0], net.GATEWAY_PORT) as listener:
        yield listener
    for address in addresses:
        INTERNAL.namespace.run("ip", "address", "del", address, "dev", "lo")


def edge_context(internet) -> ssl.SSLContext:
    return peer.server_context(internet.pki.edge_internal, internet.pki.gateways.pem)


def accept_gateway(listener: peer.Listener, internet, domain: str, timeout: float = 15,
                   local: str = net.BRANCH) -> tuple[peer.Stream, dict]:
    """Accepts connections until one is from `local` to `domain` and has come through TLS, SASL and bidi: what the edge does."""
    deadline = time.monotonic() + timeout
    while True:
        stream = listener.accept(max(0.1, deadline - time.monotonic()))
        try:
            stream.start_tls_as_server(edge_context(internet))
            header = peer.receive_external(stream, domain, peer.EDGE_FEATURES)
        except (OSError, AssertionError):
            if time.monotonic() > deadline:
                raise
            stream.abort()
            continue
        if header["from"] == local:
            return stream, header
        stream.abort()


def test_pair_gateway_opens_a_direct_tls_stream_with_its_certificate_when_pinged(internet, edge_listener):
    seen = {}
    context = edge_context(internet)
    context.set_alpn_protocols(["xmpp-server"])
    context.sni_callback = lambda _connection, name, _context: seen.update(sni=name)
    gateway = internet.pair_gateway
    threading.Thread(target=gateway.ping, args=(net.CORP, net.PARTNER_DOMAIN), daemon=True).start()
    with edge_listener.accept() as stream:
        stream.start_tls_as_server(context)
        names = [value for kind, value in stream.connection.getpeercert()["subjectAltName"] if kind == "DNS"]
        assert names == [net.CORP]
        assert seen["sni"] == net.PARTNER_DOMAIN
        assert stream.connection.selected_alpn_protocol() == "xmpp-server"
        header = peer.receive_external(stream, net.PARTNER_DOMAIN, peer.EDGE_FEATURES)
        assert (header["from"], header["to"]) == (net.CORP, net.PARTNER_DOMAIN)
        ping = stream.expect("iq")
        assert ping.tree.get("to") == net.PARTNER_DOMAIN and ping.tree.find("{urn:xmpp:ping}ping") is not None
        stream.send(f"<iq type='result' id='{ping.tree.get('id')}' from='{net.PARTNER_DOMAIN}' to='{net.CORP}'/>")


def stanza_to(stream: peer.Stream, to: str, timeout: float = 10) -> peer.Element:
    """The next stanza to this address; pings to the edge are answered on the way, as the edge does."""
    while True:
        element = stream.expect(timeout=timeout)
        if element.tree.get("to") == net.EDGE:
            answer_ping(stream, element)
        elif element.tree.get("to") == to:
            return element


def answer_ping(stream: peer.Stream, ping: peer.Element) -> None:
    assert ping.tree.find("{urn:xmpp:ping}ping") is not None
    stream.send(f"<iq type='result' id='{ping.tree.get('id')}' from='{net.EDGE}' to='{ping.tree.get('from')}'/>")


def test_trunk_module_carries_every_domain_both_ways(internet, edge_listener):
    gateway = internet.trunk_gateway
    stream, header = accept_gateway(edge_listener, internet, net.EDGE)
    with stream, net.client(net.LOCAL_USER, net.BRANCH, gateway) as romeo:
        assert (header["from"], header["to"]) == (net.BRANCH, net.EDGE)
        for domain in (net.PARTNER_DOMAIN, net.EJABBERD_DOMAIN):
            romeo.send_message(f"juliet@{domain}", f"to {domain}")
            message = stanza_to(stream, f"juliet@{domain}")
            assert message.tree.findtext("{jabber:server}body") == f"to {domain}"
            stream.send(f"<message from='juliet@{domain}/x' to='{romeo.bare}' type='chat'><body>from {domain}</body></message>")
            romeo.wait_message(f"from {domain}", f"juliet@{domain}")
        stream.send(f"<iq type='get' id='v1' from='juliet@{net.PARTNER_DOMAIN}/x' to='{net.BRANCH}'>"
                    "<query xmlns='jabber:iq:version'/></iq>")
        answer = stanza_to(stream, f"juliet@{net.PARTNER_DOMAIN}/x")
        assert (answer.tree.get("type"), answer.tree.get("id")) == ("result", "v1")


def test_trunk_module_lets_nobody_speak_for_a_local_domain(internet, edge_listener):
    gateway = internet.trunk_gateway
    stream, _ = accept_gateway(edge_listener, internet, net.EDGE)
    with stream, net.client(net.LOCAL_USER, net.BRANCH, gateway) as romeo:
        stream.send(f"<message from='mercutio@{net.BRANCH}/x' to='{romeo.bare}' type='chat'><body>forged</body></message>")
        assert stream.expect_stream_error() == "not-authorized"
        with pytest.raises(Exception):
            romeo.wait_message("forged", timeout=1)


def test_trunk_module_pings_to_keep_the_stream_and_drops_a_silent_edge(internet, edge_listener):
    gateway = internet.trunk_gateway  # pings every 10 s, waits 5 s for the answer
    assert gateway
    stream, _ = accept_gateway(edge_listener, internet, net.EDGE)
    with stream:
        answer_ping(stream, stream.expect("iq", timeout=15))
        stream.expect("iq", timeout=15)
        stream.expect_stream_error("connection-timeout", timeout=10)
    second, _ = accept_gateway(edge_listener, internet, net.EDGE)
    second.abort()


def test_trunk_module_queues_until_the_stream_is_up_and_reconnects_in_order(internet, edge_listener):
    gateway = internet.trunk_gateway
    with net.client(net.LOCAL_USER, net.BRANCH, gateway) as romeo:
        stream, _ = accept_gateway(edge_listener, internet, net.EDGE)
        stream.abort()  # the edge restarts
        time.sleep(0.3)
        for number in range(5):
            romeo.send_message(f"juliet@{net.PARTNER_DOMAIN}", f"queued {number}")
        second, _ = accept_gateway(edge_listener, internet, net.EDGE)
        with second:
            bodies = [stanza_to(second, f"juliet@{net.PARTNER_DOMAIN}").tree.findtext("{jabber:server}body") for _ in range(5)]
        assert bodies == [f"queued {number}" for number in range(5)]


@pytest.fixture
def spare_gateway(internet, request):
    """A trunk gateway with the options that the test names."""
    gateway = internet.trunk_gateway_of(net.CORP, net.SPARE_GATEWAY, request.param)
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.mark.parametrize("spare_gateway", [{"sallyport_trunk_queue_time": 2, "sallyport_trunk_queue_stanzas": 3}], indirect=True)
def test_trunk_module_answers_what_waited_too_long_and_what_finds_the_queue_full(internet, spare_gateway):
    with net.client(net.LOCAL_USER, net.CORP, spare_gateway) as romeo:
        start = time.monotonic()
        ids = [romeo.send_message(f"juliet@{net.PARTNER_DOMAIN}", f"number {number}") for number in range(4)]
        assert romeo.wait_error(ids[3], timeout=1) == "resource-constraint"
        assert [romeo.wait_error(stanza_id, timeout=6) for stanza_id in ids[:3]] == ["remote-server-timeout"] * 3
        assert time.monotonic() - start > 1.5


@pytest.mark.parametrize("spare_gateway", [{"sallyport_trunk_domains": [net.PARTNER_DOMAIN]}], indirect=True)
def test_trunk_module_takes_only_the_listed_domains(internet, edge_listener, spare_gateway):
    stream, _ = accept_gateway(edge_listener, internet, net.EDGE, local=net.CORP)
    with stream, net.client(net.LOCAL_USER, net.CORP, spare_gateway) as romeo:
        stream.send(f"<message from='juliet@{net.PARTNER_DOMAIN}/x' to='{romeo.bare}' type='chat'><body>listed</body></message>")
        romeo.wait_message("listed")
        stream.send(f"<message from='juliet@{net.EJABBERD_DOMAIN}/x' to='{romeo.bare}' type='chat'><body>not listed</body></message>")
        assert stream.expect_stream_error() == "not-authorized"


def test_trunk_module_refuses_an_edge_with_a_foreign_certificate(internet, edge_listener):
    gateway = internet.trunk_gateway
    assert gateway
    context = peer.server_context(internet.pki.foreign.issue(net.EDGE), internet.pki.gateways.pem)
    deadline = time.monotonic() + 15
    while True:
        stream = edge_listener.accept()
        with stream:
            try:
                stream.start_tls_as_server(context)
                header = stream.expect_header()
                stream.send_header(net.EDGE, header["from"], "x")
                stream.send(peer.EDGE_FEATURES)
                condition = stream.expect_stream_error()
            except OSError:  # a connection that was under way when the listener came
                assert time.monotonic() < deadline
                continue
        assert condition == "not-authorized"
        return
