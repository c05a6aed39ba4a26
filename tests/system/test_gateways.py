"""The internal port: mutual TLS always, admitted names only, direct TLS and STARTTLS, pairs and trunks."""

import ssl

import pytest
from lab import internet as net
from lab.pki import self_signed
from lab.sandbox import INTERNAL

import scripted_peer as peer
from exchange import accept_partner_stream, gateway_connection, gateway_stream, message, partner_stream, scripted_listener

REMOTE, LOCAL = f"juliet@{net.SCRIPTED_DOMAIN}", f"romeo@{net.CORP}"


def credential(internet, kind: str):
    gateways = internet.pki.gateways
    return {
        "none": lambda: None,
        "a name that is not admitted": lambda: gateways.issue("other.example"),
        "the partners' CA": lambda: internet.pki.public.issue(net.CORP),
        "the edges' CA": lambda: internet.pki.edges.issue(net.CORP),
        "a foreign CA": lambda: internet.pki.foreign.issue(net.CORP),
        "self-signed": lambda: self_signed(net.CORP),
        "expired": lambda: gateways.issue(net.CORP, valid_from=-20 * net.DAY, valid_to=-2 * net.DAY),
        "the name in the CN only": lambda: gateways.issue("other.example", common_name=net.CORP),
    }[kind]()


@pytest.mark.parametrize("tls12", [False, True], ids=["TLS 1.3", "TLS 1.2"])
@pytest.mark.parametrize("kind", ["none", "a name that is not admitted", "the partners' CA", "the edges' CA", "a foreign CA", "self-signed",
                                  "expired", "the name in the CN only"])
def test_a_gateway_that_is_not_admitted_fails_in_the_tls_handshake(appliance, internet, kind, tls12):
    with gateway_connection() as stream:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            stream.start_tls_as_client(peer.client_context(credential(internet, kind), internet.pki.edges.pem, tls12), net.PARTNER_DOMAIN)
            # In TLS 1.3 the client is done before the server has looked at its certificate: the alert comes with the first read.
            stream.send_header(net.CORP, net.PARTNER_DOMAIN)
            if not stream.connection.recv(1):
                raise ConnectionError("closed")


def test_plain_xmpp_is_offered_nothing_but_starttls(appliance):
    with gateway_connection() as stream:
        stream.send_header(net.CORP, net.PARTNER_DOMAIN)
        stream.expect_header()
        features = stream.expect("features").tree
        assert [child.tag for child in features] == [f"{{{peer.NS_TLS}}}starttls"]
        stream.send_auth(net.CORP)
        with pytest.raises(peer.PeerError):
            element = stream.expect()
            assert element.name in ("failure",), element.raw
            stream.expect()


@pytest.mark.parametrize("starttls", [False, True], ids=["direct TLS", "STARTTLS"])
@pytest.mark.parametrize("identity", ["sender", ""])
def test_a_pair_s_stream_carries_both_directions(appliance, internet, starttls, identity):
    with scripted_listener() as listener, gateway_stream(internet, starttls=starttls, authorization_identity=identity) as gateway:
        with partner_stream(internet) as inbound:
            inbound.send(message(REMOTE, LOCAL, "in"))
            assert "in" in gateway.expect("message").raw.decode()
        gateway.send(message(LOCAL, REMOTE, "out"))
        with accept_partner_stream(listener, internet) as outbound:
            assert "out" in outbound.expect("message").raw.decode()


def test_features_offer_external_and_bidi_after_tls(appliance, internet):
    with gateway_connection() as stream:
        stream.start_tls_as_client(peer.client_context(internet.pki.gateways.issue(net.CORP), internet.pki.edges.pem), net.PARTNER_DOMAIN)
        stream.send_header(net.CORP, net.PARTNER_DOMAIN)
        assert stream.expect_header()["from"] == net.PARTNER_DOMAIN
        tags = {child.tag for child in stream.expect("features").tree}
        assert tags == {f"{{{peer.NS_SASL}}}mechanisms", f"{{{peer.NS_BIDI_FEATURE}}}bidi"}


def test_bidi_and_auth_may_come_in_one_segment(appliance, internet):
    """As Prosody sends them."""
    with gateway_connection() as stream:
        stream.start_tls_as_client(peer.client_context(internet.pki.gateways.issue(net.CORP), internet.pki.edges.pem), net.SCRIPTED_DOMAIN)
        stream.send_header(net.CORP, net.SCRIPTED_DOMAIN)
        stream.expect_header()
        stream.expect("features")
        stream.send(f"<bidi xmlns='{peer.NS_BIDI}'/><auth xmlns='{peer.NS_SASL}' mechanism='EXTERNAL'>=</auth>")
        stream.expect("success")


@pytest.mark.parametrize("sender, to, conditions", [
    ("mercutio@other.example", REMOTE, ("invalid-from", "not-authorized", "improper-addressing")),
    (f"romeo@{net.BRANCH}", REMOTE, ("invalid-from", "not-authorized", "improper-addressing")),
    (LOCAL, f"juliet@{net.PARTNER_DOMAIN}", ("improper-addressing", "host-unknown", "invalid-from", "not-authorized", "policy-violation")),
], ids=["a foreign from", "another local from", "another partner's to"])
def test_a_pair_s_stream_carries_only_its_pair(appliance, internet, sender, to, conditions):
    with gateway_stream(internet) as gateway:
        gateway.send(message(sender, to, "wrong"))
        gateway.expect_stream_error(*conditions)


def test_the_trunk_carries_every_partner_both_ways(appliance, internet):
    with scripted_listener() as listener, gateway_stream(internet, remote=net.EDGE, local=net.CORP) as trunk:
        with partner_stream(internet) as inbound, partner_stream(internet, domain=net.NOWHERE) as other:
            inbound.send(message(REMOTE, LOCAL, "from one"))
            assert trunk.expect("message").tree.get("from") == REMOTE
            other.send(message(f"juliet@{net.NOWHERE}", LOCAL, "from another"))
            assert trunk.expect("message").tree.get("from") == f"juliet@{net.NOWHERE}"
        trunk.send(message(LOCAL, REMOTE, "out"))
        with accept_partner_stream(listener, internet) as outbound:
            assert "out" in outbound.expect("message").raw.decode()


def test_the_trunk_carries_no_local_domain_that_its_certificate_lacks(appliance, internet):
    with gateway_stream(internet, remote=net.EDGE, local=net.CORP) as trunk:
        trunk.send(message(f"romeo@{net.BRANCH}", REMOTE, "forged"))
        trunk.expect_stream_error("invalid-from", "not-authorized", "improper-addressing")


def test_the_edge_answers_a_ping_on_the_trunk(appliance, internet):
    """contrib/prosody/mod_sallyport_trunk.lua closes the stream of an edge that does not."""
    with gateway_stream(internet, remote=net.EDGE, local=net.CORP) as trunk:
        trunk.send(f"<iq type='get' id='p1' from='{net.CORP}' to='{net.EDGE}'><ping xmlns='urn:xmpp:ping'/></iq>")
        answer = trunk.expect("iq").tree
        assert (answer.get("id"), answer.get("from"), answer.get("to")) == ("p1", net.EDGE, net.CORP)
        assert answer.get("type") in ("result", "error")


def test_the_trunk_says_what_it_cannot_reach(appliance, internet):
    with gateway_stream(internet, remote=net.EDGE, local=net.CORP) as trunk:
        trunk.send(message(LOCAL, f"juliet@{net.STRANGER}", "x", "u1"))
        answer = trunk.expect("message", timeout=30).tree
        assert (answer.get("type"), answer.get("id")) == ("error", "u1")
        assert (answer.get("from"), answer.get("to")) == (f"juliet@{net.STRANGER}", LOCAL)
        conditions = [child.tag.split("}")[1] for child in answer.iter() if child.tag.startswith(f"{{{peer.NS_STANZAS}}}")]
        assert "remote-server-not-found" in conditions


def test_an_error_is_not_answered_with_an_error(appliance, internet):
    with gateway_stream(internet, remote=net.EDGE, local=net.CORP) as trunk:
        trunk.send(f"<message type='error' id='e1' from='{LOCAL}' to='juliet@{net.STRANGER}'><error type='cancel'>"
                   f"<item-not-found xmlns='{peer.NS_STANZAS}'/></error></message>")
        trunk.send(f"<iq type='result' id='e2' from='{LOCAL}' to='juliet@{net.STRANGER}'/>")
        trunk.expect_nothing(2)


@pytest.mark.parametrize("address", net.EDGE_INTERNAL)
def test_the_internal_port_is_open_on_both_families(appliance, address):
    peer.connect(INTERNAL.namespace, address, net.GATEWAY_PORT).abort()
