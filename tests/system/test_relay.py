"""Stanzas cross the border: stock servers and clients on both sides, both gateway modes, both families."""

import random
import socket
import string
import struct

import pytest
from lab import internet as net
from lab.client import ClientError

from exchange import VERSION, exchange, open_both_ways, users


def partners(internet) -> dict:
    return {"prosody": (internet.partner, net.PARTNER_DOMAIN), "ejabberd": (internet.ejabberd, net.EJABBERD_DOMAIN),
            "rsa": (internet.partner, net.RSA)}


@pytest.mark.parametrize("kind", ["prosody", "ejabberd", "rsa"])
def test_messages_cross_in_both_directions(gateway, internet, kind):
    with users(gateway, *partners(internet)[kind]) as (local, remote):
        exchange(local, remote, kind)


@pytest.mark.parametrize("family", [4, 6])
def test_messages_cross_over_one_family_only(gateway, internet, evidence, family):
    """The partner's server and name know this family only; in pair mode the gateway's connection uses it, too."""
    partner = internet.partner_v4_only if family == 4 else internet.partner_v6_only
    domain = net.V4_DOMAIN if family == 4 else net.V6_DOMAIN
    with users(gateway, partner, domain) as (local, remote):
        exchange(local, remote)
    address = net.PARTNER_V4_ONLY if family == 4 else net.PARTNER_V6_ONLY
    peers = {item for frame in evidence.frames("external") for item in tcp_addresses(frame)}
    assert address in peers or appliance_kept_its_streams(peers)


def appliance_kept_its_streams(peers: set[str]) -> bool:
    # Established streams of an earlier test carry the exchange; then no other partner was talked to either.
    return not peers & {net.PARTNER[0], net.PARTNER[1]}


def forget_each_other(local, remote) -> None:
    """Both rosters without the other: servers keep subscriptions, and another board's run may have made one."""
    for user, other in ((local, remote), (remote, local)):
        user.iq(user.bare, f"<query xmlns='jabber:iq:roster'><item jid='{other.bare}' subscription='remove'/></query>", kind="set")
    exchange(local, remote)  # behind the servers' presences about it, whose order the border keeps


def test_presence_and_subscription_cross(gateway, internet):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        forget_each_other(local, remote)
        local.send_presence(remote.bare, "subscribe")
        remote.wait_presence(local.bare, "subscribe")
        local.wait_presence(remote.bare, "subscribed")
        local.wait_presence(remote.bare, "available")
        remote.send_presence(status="at the balcony")
        local.wait(lambda s: s.name == "presence" and s["status"] == "at the balcony", what="the status")


def test_iq_crosses_in_both_directions_with_its_answer(gateway, internet):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        for asker, answerer in ((local, remote), (remote, local)):
            answer = asker.iq(answerer.jid, VERSION)
            assert answer["type"] == "result"
            assert answer.xml.findtext("{jabber:iq:version}query/{jabber:iq:version}name")
            host = asker.iq(answerer.bare.split("@")[1], VERSION)
            assert host.xml.findtext("{jabber:iq:version}query/{jabber:iq:version}name") == "Prosody"


def test_a_thousand_stanzas_each_way_arrive_in_order_none_lost_none_altered(gateway, internet):
    count = 1000
    chance = random.Random(2)
    bodies = {way: [f"{way} {number} {some_text(chance)}" for number in range(count)] for way in ("out", "in")}
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        for outgoing, incoming in zip(bodies["out"], bodies["in"]):
            local.send_message(remote.jid, outgoing)
            remote.send_message(local.jid, incoming)
        assert [item["body"] for item in remote.messages(count, 120)] == bodies["out"]
        assert [item["body"] for item in local.messages(count, 120)] == bodies["in"]


@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
def test_a_body_of_64_kilobytes_crosses_unaltered(gateway, internet, kind):
    chance = random.Random(64)
    alphabet = string.ascii_letters + string.digits + " <>&'\"äλ€"
    body = "".join(chance.choices(alphabet, k=65536))
    while len(body.encode()) > 65536:
        body = body[:-1]
    with users(gateway, *partners(internet)[kind]) as (local, remote):
        local.send_message(remote.bare, body)
        assert remote.wait_message(sender=local.bare, timeout=30)["body"] == body
        remote.send_message(local.bare, body)
        assert local.wait_message(sender=remote.bare, timeout=30)["body"] == body


@pytest.mark.parametrize("first", ["gateway", "partner"])
def test_the_first_stanza_after_boot_arrives(gateway, rack, internet, first):
    """Nobody has a stream yet; in pair mode the operator's timer pings the partner (contrib/prosody/README.md)."""
    rack.stop()
    # So that no server holds a stream that the old appliance cannot end any more.
    for server in (gateway.server, internet.partner):
        server.stop()
        server.start()
    with net.client(net.QUIET_LOCAL_USER, gateway.domain, gateway.server) as local, \
            net.client(net.QUIET_USER, net.PARTNER_DOMAIN, internet.partner) as remote:
        rack.appliance(internet.settings())
        sender, receiver = (local, remote) if first == "gateway" else (remote, local)
        sender.send_message(receiver.bare, "the very first")
        if first == "partner" and gateway.mode == "pair":
            with pytest.raises(ClientError):
                receiver.wait_message("the very first", timeout=1)  # held: there is no stream of the pair
            assert gateway.server.ping(gateway.domain, net.PARTNER_DOMAIN)
        receiver.wait_message("the very first", sender.bare, timeout=20)


def test_the_appliance_opens_no_connection_inwards(gateway, internet, evidence):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote)
    opened = [frame for frame in evidence.frames("internal") if is_syn_from(frame, net.EDGE_INTERNAL)]
    assert opened == []


def test_an_unknown_domain_is_answered_with_an_error(gateway, internet):
    with net.client(net.LOCAL_USER, gateway.domain, gateway.server) as local, \
            net.client(net.USER, net.PARTNER_DOMAIN, internet.partner) as remote:
        open_both_ways(local, remote)
        stanza_id = local.send_message(f"juliet@{net.STRANGER}", "hello stranger")
        assert local.wait_error(stanza_id) in ("remote-server-not-found", "remote-server-timeout")
        stanza_id = local.send_message("juliet@unheard-of.example", "hello nobody")
        assert local.wait_error(stanza_id) in ("remote-server-not-found", "remote-server-timeout")


def some_text(chance: random.Random) -> str:
    return "".join(chance.choices(string.ascii_letters + " <&>äλ", k=chance.randrange(1, 200)))


def tcp_addresses(frame: bytes) -> list[str]:
    """Source and destination of a TCP segment over Ethernet."""
    kind = struct.unpack_from("!H", frame, 12)[0] if len(frame) > 14 else 0
    if kind == 0x0800 and frame[23] == 6:
        return [socket.inet_ntop(socket.AF_INET, frame[26:30]), socket.inet_ntop(socket.AF_INET, frame[30:34])]
    if kind == 0x86DD and frame[20] == 6:
        return [socket.inet_ntop(socket.AF_INET6, frame[22:38]), socket.inet_ntop(socket.AF_INET6, frame[38:54])]
    return []


def is_syn_from(frame: bytes, addresses: tuple[str, ...]) -> bool:
    ends = tcp_addresses(frame)
    if not ends or ends[0] not in addresses:
        return False
    header = 14 + (20 if frame[12:14] == b"\x08\x00" else 40)
    flags = frame[header + 13]
    return bool(flags & 0x02) and not flags & 0x10
