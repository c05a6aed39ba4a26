"""Servers restart and cables are pulled: the border stands and the exchange goes on."""

import time

import pytest
from lab import internet as net

from exchange import domain_of, exchange, open_both_ways, users


def test_the_gateway_restarts(gateway, internet):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote, "before")
    gateway.server.stop()
    gateway.server.start()
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote, "after")


def test_the_gateway_crashes_and_restarts(gateway, internet):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote, "before")
    gateway.server.kill()
    gateway.server.start()
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote, "after")


@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
def test_the_partner_restarts(gateway, internet, kind):
    server, domain = (internet.partner, net.PARTNER_DOMAIN) if kind == "prosody" else (internet.ejabberd, net.EJABBERD_DOMAIN)
    with users(gateway, server, domain) as (local, remote):
        exchange(local, remote, "before")
    server.stop()
    server.start()
    with users(gateway, server, domain) as (local, remote):
        exchange(local, remote, "after")


def test_while_the_gateway_is_away_a_partner_s_stanza_waits_for_it(gateway, internet):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        address = local.bare
    gateway.server.stop()
    with net.client(net.USER, net.PARTNER_DOMAIN, internet.partner) as remote:
        remote.send_message(address, "wait for me")
        time.sleep(1)
        gateway.server.start()
        with net.client(net.LOCAL_USER, gateway.domain, gateway.server) as local:
            if gateway.mode == "pair":
                assert gateway.server.ping(gateway.domain, net.PARTNER_DOMAIN)
            local.wait_message("wait for me", timeout=20)


@pytest.mark.parametrize("sides", [("external",), ("internal",), ("external", "internal")], ids="+".join)
def test_cables_are_pulled_and_put_back(gateway, internet, appliance, sides):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote, "before")
        for side in sides:
            appliance.set_cable(side, plugged=False)
        try:
            local.send_message(remote.bare, "sent into the cut, outwards")
            remote.send_message(local.bare, "sent into the cut, inwards")
            time.sleep(3)
        finally:
            for side in sides:
                appliance.set_cable(side, plugged=True)
        remote.wait_message("sent into the cut, outwards", timeout=60)
        local.wait_message("sent into the cut, inwards", timeout=60)
        exchange(local, remote, "after")


def test_the_appliance_loses_its_power_and_comes_back(gateway, internet, appliance):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote, "before")
        appliance.power_cycle()
        appliance.wait_listening()
        open_both_ways(local, remote, timeout=90)
        exchange(local, remote, "after")
        assert domain_of(local) == gateway.domain
