"""Stream errors of RFC 6120 4.9.3 and 13: what a partner may not say, and that it harms only its own stream."""

import pytest
from lab import internet as net

import scripted_peer as peer
from exchange import gateway_stream, message, partner_connection, partner_stream

REMOTE, LOCAL = f"juliet@{net.SCRIPTED_DOMAIN}", f"romeo@{net.CORP}"


def test_a_stream_to_a_host_that_is_not_ours_is_refused(appliance):
    with partner_connection() as stream:
        stream.send_header(net.SCRIPTED_DOMAIN, "elsewhere.invalid")
        assert stream.expect_stream_error("host-unknown") == "host-unknown"
        assert stream.header is not None  # RFC 6120 4.9.1.2: the error comes in a stream


@pytest.mark.parametrize("said, conditions", [
    ("<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='urn:wrong' version='1.0'>", ("invalid-namespace",)),
    ("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='corp.example' "
     "from='scripted.example' version='1.0'>", ("invalid-namespace",)),
    ("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><stream:stream xmlns='jabber:server' "
     "xmlns:stream='http://etherx.jabber.org/streams' to='corp.example' version='1.0'>", ("restricted-xml", "not-well-formed")),
    ("GET / HTTP/1.1\r\nHost: edge\r\n\r\n", ("not-well-formed", "bad-format", "invalid-xml")),
    ("<?xml version='1.0'?><stream:features xmlns:stream='http://etherx.jabber.org/streams'>", ("bad-format", "invalid-namespace",
                                                                                               "not-well-formed", "invalid-xml")),
], ids=["stream namespace", "content namespace", "DOCTYPE", "HTTP", "no stream"])
def test_a_wrong_stream_header_is_answered_with_its_error(appliance, said, conditions):
    with partner_connection() as stream:
        stream.send(said)
        stream.expect_stream_error(*conditions)


@pytest.mark.parametrize("said, conditions", [
    ("<message from='{remote}' to='{local}'><body>a</wrong></message>", ("not-well-formed",)),
    ("<!-- comment --><message from='{remote}' to='{local}'/>", ("restricted-xml",)),
    ("<?processing instruction?>", ("restricted-xml",)),
    ("<message from='{remote}' to='{local}'><body>&undefined;</body></message>", ("restricted-xml", "not-well-formed")),
    ("<message from='juliet@innocent.example' to='{local}'/>", ("invalid-from",)),
    ("<message to='{local}'/>", ("improper-addressing", "invalid-from")),
    ("<message from='{remote}'/>", ("improper-addressing",)),
    ("<message from='{remote}' to='romeo@partner.example'/>", ("host-unknown", "improper-addressing", "policy-violation")),
    ("<message from='{remote}' to='romeo@branch.example'/>", ("host-unknown", "improper-addressing", "policy-violation",
                                                            "invalid-from", "not-authorized")),
    ("<greeting xmlns='jabber:server' from='{remote}' to='{local}'/>", ("unsupported-stanza-type",)),
    ("text between stanzas", ("bad-format", "invalid-xml", "not-well-formed", "policy-violation")),
    ("<message from='{remote}' to='{local}'>\xff</message>".encode("latin-1"), ("not-well-formed", "unsupported-encoding", "bad-format")),
], ids=["not well-formed", "comment", "processing instruction", "entity", "forged from", "no from", "no to", "foreign to",
        "another of our domains", "no stanza", "text", "invalid UTF-8"])
def test_what_a_partner_may_not_say_closes_its_stream_and_reaches_nobody(appliance, internet, said, conditions):
    text = said if isinstance(said, bytes) else said.format(remote=REMOTE, local=LOCAL).encode()
    text = text.replace(b"{remote}", REMOTE.encode()).replace(b"{local}", LOCAL.encode())
    with gateway_stream(internet) as gateway:
        with partner_stream(internet) as partner:
            partner.send(text)
            partner.expect_stream_error(*conditions)
        with partner_stream(internet) as partner:
            partner.send(message(REMOTE, LOCAL, "after"))
            assert "after" in gateway.expect("message").raw.decode()


def test_a_stanza_that_is_too_big_is_refused(appliance, internet):
    with gateway_stream(internet) as gateway, partner_stream(internet) as partner:
        try:
            partner.send(message(REMOTE, LOCAL, "x" * 1_000_000))
        except ConnectionError:
            pass
        partner.expect_stream_error("policy-violation")
        gateway.expect_nothing(1)


def test_stanzas_before_authentication_reach_nobody(appliance, internet):
    with gateway_stream(internet) as gateway, partner_connection() as partner:
        partner.send_header(net.SCRIPTED_DOMAIN, net.CORP)
        partner.send(message(REMOTE, LOCAL, "too early"))
        partner.expect_stream_error("not-authorized")
        gateway.expect_nothing(0.5)


def test_plaintext_behind_starttls_is_not_taken_into_the_protected_stream(appliance, internet):
    """The injection of CVE-2011-0411's kind: bytes after <starttls/> must not be read as if they had come inside TLS."""
    with gateway_stream(internet) as gateway, partner_connection() as partner:
        partner.send_header(net.SCRIPTED_DOMAIN, net.CORP)
        partner.expect_header()
        partner.expect("features")
        partner.send(f"<starttls xmlns='{peer.NS_TLS}'/><stream:stream xmlns='jabber:server' xmlns:stream='{peer.NS_STREAM}' "
                     f"from='{net.SCRIPTED_DOMAIN}' to='{net.CORP}' version='1.0'>" + message(REMOTE, LOCAL, "smuggled"))
        with pytest.raises((OSError, peer.PeerError)):
            partner.expect("proceed")
            partner.start_tls_as_client(peer.client_context(internet.pki.public.issue(net.SCRIPTED_DOMAIN), internet.pki.public.pem))
            partner.expect_header(timeout=3)
        gateway.expect_nothing(0.5)


def test_a_stream_is_closed_gracefully(appliance, internet):
    with partner_stream(internet) as stream:
        stream.send("</stream:stream>")
        stream.expect_closed()
        assert stream.closed, "no </stream> of the appliance"


def test_the_answers_of_a_stream_carry_what_rfc_6120_asks_for(appliance, internet):
    """4.7: from, to, id (of its own per stream), version."""
    ids = set()
    for _ in range(3):
        with partner_connection() as stream:
            stream.send_header(net.SCRIPTED_DOMAIN, net.CORP)
            header = stream.expect_header()
            assert (header["from"], header["to"], header["version"]) == (net.CORP, net.SCRIPTED_DOMAIN, "1.0")
            ids.add(header["id"])
    assert len(ids) == 3


@pytest.mark.parametrize("identity", [net.SCRIPTED_DOMAIN, ""])
def test_the_authorization_identity_may_be_named_or_empty(appliance, internet, identity):
    with partner_connection() as stream:
        context = peer.client_context(internet.pki.public.issue(net.SCRIPTED_DOMAIN), internet.pki.public.pem)
        peer.initiate_starttls(stream, net.SCRIPTED_DOMAIN, net.CORP, context)
        peer.initiate_external(stream, net.SCRIPTED_DOMAIN, net.CORP, authorization_identity=identity)


def test_another_authorization_identity_fails(appliance, internet):
    with partner_connection() as stream:
        context = peer.client_context(internet.pki.public.issue(net.SCRIPTED_DOMAIN), internet.pki.public.pem)
        peer.initiate_starttls(stream, net.SCRIPTED_DOMAIN, net.CORP, context)
        stream.send_header(net.SCRIPTED_DOMAIN, net.CORP)
        stream.expect_header()
        stream.expect("features")
        stream.send_auth("innocent.example")
        failure = stream.expect("failure")
        assert failure.tree.find(f"{{{peer.NS_SASL}}}invalid-authzid") is not None or \
            failure.tree.find(f"{{{peer.NS_SASL}}}not-authorized") is not None
