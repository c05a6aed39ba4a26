"""How a partner is found: SRV priorities, dead targets, truncated answers, no SRV at all, nothing at all."""

import pytest
from lab import internet as net

from exchange import exchange, users


@pytest.mark.parametrize("domain", [net.NO_SRV, net.MANY_TARGETS])
def test_partner_is_found(gateway, internet, domain):
    """No SRV record: A/AAAA and port 5269. An SRV answer too long for UDP: TCP."""
    with users(gateway, internet.partner, domain) as (local, remote):
        exchange(local, remote)


def test_dead_first_targets_are_passed_over(gateway, internet):
    """The first target never answers, the second refuses, the third is the partner."""
    with net.client(net.LOCAL_USER, gateway.domain, gateway.server) as local, \
            net.client(net.USER, net.DEAD_FIRST, internet.partner) as remote:
        local.send_message(remote.bare, "past the dead")
        remote.wait_message("past the dead", timeout=75)


def test_a_domain_that_dns_does_not_know_is_answered_remote_server_not_found(gateway, internet):
    with net.client(net.LOCAL_USER, gateway.domain, gateway.server) as local:
        stanza_id = local.send_message(f"juliet@{net.NOWHERE}", "anybody?")
        assert local.wait_error(stanza_id) == "remote-server-not-found"


def test_a_server_that_never_answers_is_answered_remote_server_timeout(gateway, internet):
    with net.client(net.LOCAL_USER, gateway.domain, gateway.server) as local:
        ids = [local.send_message(f"juliet@{net.NEVER}", f"anybody {number}?") for number in range(3)]
        assert [local.wait_error(stanza_id, timeout=90) for stanza_id in ids] == ["remote-server-timeout"] * 3
