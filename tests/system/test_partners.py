"""Who may be a partner: settings, certificates and names, with the appliance as receiving and as initiating entity."""

import ssl

import pytest
from lab import internet as net
from lab.pki import CLIENT_AUTH, SERVER_AUTH, self_signed

import scripted_peer as peer
from exchange import (accept_partner_stream, exchange, gateway_stream, message, partner_connection, partner_stream, scripted_listener,
                      users, wait_for_pong)

REMOTE, LOCAL = f"juliet@{net.SCRIPTED_DOMAIN}", f"romeo@{net.CORP}"


def credential(internet, kind: str, domain: str = net.SCRIPTED_DOMAIN):
    """A certificate for the scripted partner that must not authenticate it."""
    public = internet.pki.public
    return {
        "expired": lambda: public.issue(domain, valid_from=-20 * net.DAY, valid_to=-2 * net.DAY),
        "not yet valid": lambda: public.issue(domain, valid_from=20 * net.DAY, valid_to=40 * net.DAY),
        "foreign CA": lambda: internet.pki.foreign.issue(domain),
        "gateways' CA": lambda: internet.pki.gateways.issue(domain),
        "self-signed": lambda: self_signed(domain),
        "another's name": lambda: public.issue("innocent.example"),
        "name in the CN only": lambda: public.issue("innocent.example", common_name=domain),
        "no name but a CN": lambda: public.issue(common_name=domain),
        "name below": lambda: public.issue(f"sub.{domain}"),
        "wildcard for a top-level domain": lambda: public.issue("*.example"),
        "wildcard below": lambda: public.issue(f"*.{domain}"),
        "wildcard two labels up": lambda: public.issue("*.*.example"),
        "another service": lambda: public.issue(srv_names=(f"_imap.{domain}",)),
    }[kind]()


BAD = ["expired", "not yet valid", "foreign CA", "gateways' CA", "self-signed", "another's name", "name in the CN only", "no name but a CN",
       "name below", "wildcard for a top-level domain", "wildcard below", "wildcard two labels up", "another service"]


def assert_not_authenticated(establish) -> None:
    """The sequence fails: in TLS, because EXTERNAL is not offered or fails, or with a stream error; never by a time-out."""
    with pytest.raises((ssl.SSLError, ConnectionError, peer.PeerError)) as failure:
        stream = establish()
        stream.abort()
    assert not isinstance(failure.value, TimeoutError), failure.value


@pytest.mark.parametrize("kind", BAD)
def test_a_connecting_partner_with_a_bad_certificate_is_not_authenticated(appliance, internet, kind):
    assert_not_authenticated(lambda: partner_stream(internet, credential(internet, kind)))


def test_a_connecting_partner_without_a_certificate_is_not_authenticated(appliance, internet):
    def establish():
        stream = partner_connection()
        peer.initiate_starttls(stream, net.SCRIPTED_DOMAIN, net.CORP, peer.client_context(None, internet.pki.public.pem))
        peer.initiate_external(stream, net.SCRIPTED_DOMAIN, net.CORP)
        return stream
    assert_not_authenticated(establish)


@pytest.mark.parametrize("names", ["dNSName", "wildcard", "id-on-xmppAddr", "SRVName", "one of several"])
def test_each_kind_of_name_in_the_certificate_authenticates(appliance, internet, names):
    domain, public = net.SCRIPTED_SUBDOMAIN, internet.pki.public
    credentials = {
        "dNSName": lambda: public.issue(domain),
        "wildcard": lambda: public.issue("*." + net.SCRIPTED_DOMAIN),
        "id-on-xmppAddr": lambda: public.issue(xmpp_addrs=(domain,)),
        "SRVName": lambda: public.issue(srv_names=(f"_xmpp-server.{domain}",)),
        "one of several": lambda: public.issue("a.example", "b.example", domain.upper()),
    }
    with partner_stream(internet, credentials[names](), domain) as stream:
        stream.close()


@pytest.mark.parametrize("usages", [(SERVER_AUTH,), (SERVER_AUTH, CLIENT_AUTH), ()])
def test_public_certificates_without_client_usage_authenticate(appliance, internet, usages):
    """Public CAs issue serverAuth alone since 2026."""
    with partner_stream(internet, internet.pki.public.issue(net.SCRIPTED_DOMAIN, usages=usages)) as stream:
        stream.close()


@pytest.mark.parametrize("tls12", [False, True], ids=["TLS 1.3", "TLS 1.2"])
@pytest.mark.parametrize("key_type", ["ec", "rsa2048"])
def test_both_tls_versions_and_key_types_serve_in_both_roles(appliance, internet, tls12, key_type):
    good = internet.pki.public.issue(net.SCRIPTED_DOMAIN, key_type=key_type)
    with gateway_stream(internet) as gateway:
        with partner_stream(internet, good, tls12=tls12) as stream:
            assert stream.connection.version() == ("TLSv1.2" if tls12 else "TLSv1.3")
            stream.send(message(REMOTE, LOCAL, "in"))
            assert "in" in gateway.expect("message").raw.decode()
        with scripted_listener() as listener:
            gateway.send(message(LOCAL, REMOTE, "out"))
            with accept_partner_stream(listener, internet, credential=good, tls12=tls12) as stream:
                assert "out" in stream.expect("message").raw.decode()


def test_the_external_certificate_chain_is_sent_whole(appliance, internet):
    """The peers know the root only; the context of partner_connection verifies."""
    stream = partner_connection()
    context = peer.client_context(internet.pki.public.issue(net.SCRIPTED_DOMAIN), internet.pki.public.pem)
    context.check_hostname = True
    with stream:
        peer.initiate_starttls(stream, net.SCRIPTED_DOMAIN, net.CORP, context)


@pytest.mark.parametrize("family", [4, 6])
def test_a_domain_that_is_not_in_the_settings_is_refused(appliance, internet, family):
    with partner_connection(family) as stream:
        stream.send_header(net.STRANGER, net.CORP)
        try:
            peer_features = stream.expect_header() and stream.expect("features")
        except peer.StreamErrorReceived as error:
            assert error.condition in ("policy-violation", "host-unknown", "not-authorized")
            return
        assert peer_features, "a stranger got neither an error nor features"
    pytest.fail("a stranger was offered features")


def test_a_stranger_s_server_cannot_send_a_message(gateway, internet):
    with net.client(net.USER, net.STRANGER, internet.partner) as stranger, \
            net.client(net.LOCAL_USER, gateway.domain, gateway.server) as local:
        stanza_id = stranger.send_message(local.bare, "let me in")
        assert stranger.wait_error(stanza_id)
        with pytest.raises(Exception):
            local.wait_message("let me in", timeout=1)


@pytest.mark.parametrize("domain", net.BAD_CERTIFICATES)
def test_nothing_is_sent_to_a_target_with_a_bad_certificate(gateway, internet, domain):
    with net.client(net.USER, domain, internet.partner) as target, net.client(net.LOCAL_USER, gateway.domain, gateway.server) as local:
        stanza_id = local.send_message(target.bare, "secret")
        assert local.wait_error(stanza_id) in ("remote-server-not-found", "remote-server-timeout", "not-authorized")
        with pytest.raises(Exception):
            target.wait_message("secret", timeout=1)


@pytest.mark.parametrize("kind, domain", zip(BAD, net.SCRIPTED_TARGETS))
def test_a_target_with_a_bad_certificate_gets_no_credentials_and_no_stanza(appliance, internet, kind, domain):
    remote = f"juliet@{domain}"
    with scripted_listener() as listener, gateway_stream(internet, domain) as gateway:
        gateway.send(message(LOCAL, remote, "secret", "s1"))
        with listener.accept() as stream:
            context = peer.server_context(credential(internet, kind, domain), None)
            with pytest.raises((ssl.SSLError, ConnectionError, peer.PeerError)) as failure:
                peer.receive_starttls(stream, domain, context)
                peer.receive_external(stream, domain)
                stream.expect("message")
            assert not isinstance(failure.value, TimeoutError), failure.value
        answer = gateway.expect("message", timeout=30)
        assert (answer.tree.get("type"), answer.tree.get("id"), answer.tree.get("from")) == ("error", "s1", remote)


def test_a_target_that_offers_no_tls_gets_no_stanza(appliance, internet):
    domain = net.SCRIPTED_TARGETS[-1]
    with scripted_listener() as listener, gateway_stream(internet, domain) as gateway:
        gateway.send(message(LOCAL, f"juliet@{domain}", "secret", "s2"))
        with listener.accept() as stream:
            header = stream.expect_header()
            stream.send_header(domain, header["from"], "plain")
            stream.send(peer.EXTERNAL_FEATURES)
            with pytest.raises(peer.PeerError):
                element = stream.expect()
                assert element.name not in ("auth", "message", "iq", "presence"), element.raw
                stream.expect()
        answer = gateway.expect("message", timeout=30)
        assert answer.tree.get("type") == "error"


def test_the_partner_with_good_certificates_is_served_after_all_these(gateway, internet):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote)
        assert wait_for_pong(local, net.PARTNER_DOMAIN) < 5
