"""The console, wrong settings, and what an idle appliance costs."""

import re
import time
from dataclasses import replace

import pytest
from lab import internet as net
from lab.settings import CardError, make_card

from exchange import assert_ports_closed, exchange, users


def test_an_unknown_command_is_refused_with_a_hint(appliance):
    said = appliance.console.command("make coffee")
    assert '"make"' in said and "help" in said


@pytest.mark.parametrize("line", ["", "show", "show statuss", "SHOW STATUS; reboot", "\x1b[A\x1b[B", "x" * 2000, "reboot now please"])
def test_no_wrong_line_harms_the_console(appliance, line):
    appliance.console.command(line)
    assert "5269" in appliance.console.command("show status")
    assert appliance.in_order()


def test_show_status_names_both_sides_and_their_ports(appliance):
    said = appliance.console.command("show status")
    for word in (net.EDGE, "external", "internal", "5269", "23456", "link up"):
        assert word in said, f"{word} is missing in:\n{said}"


def test_show_sessions_lists_the_streams(gateway, internet, appliance):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote)
        said = appliance.console.command("show sessions")
    assert net.PARTNER_DOMAIN in said and gateway.domain in said


def test_show_log_tells_of_streams(gateway, internet, appliance):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote, "never to be logged")
        said = appliance.console.command("show log", quiet=1.0)
    assert net.PARTNER_DOMAIN in said
    assert "never to be logged" not in appliance.console.text


def test_reboot_brings_the_appliance_back(appliance):
    since = appliance.console.mark()
    appliance.console.type("reboot now\r")
    time.sleep(0.5)
    appliance.wait_listening()
    assert len(appliance.console.text) > since + 100, "no boot messages"
    appliance.mark_damaged()  # the servers' streams of before are stale; the next test starts afresh


@pytest.mark.parametrize("line, word", [
    ("set external adress 203.0.113.11/24", "adress"),
    ("set external address 203.0.113.999/24", "203.0.113.999"),
    ("set partner bad..example trust partner-ca-1.pem", "bad..example"),
    ("set local-domain partner.example", "partner.example"),
], ids=["unknown setting", "bad address", "bad domain", "a domain of both sides"])
def test_wrong_settings_are_explained_by_line_and_keep_the_ports_closed(rack, internet, line, word):
    settings = internet.settings()
    settings.extra = [line]
    number = len(settings.lines())
    appliance = rack.boot(settings)
    appliance.console.wait_for(rf"(?i)\bline {number}\b", timeout=15)
    appliance.console.wait_for(re.escape(word), timeout=5)
    assert_ports_closed()
    assert appliance.console.command("show status")


def test_a_key_that_does_not_belong_to_its_certificate_is_explained(rack, internet):
    settings = internet.settings()
    settings.external_credential = replace(settings.external_credential, key_pem=settings.internal_credential.key_pem)
    appliance = rack.boot(settings)
    appliance.console.wait_for(r"(?i)external.*key|key.*external", timeout=15)
    assert_ports_closed()


def test_a_missing_setting_is_named(rack, internet):
    settings = internet.settings()
    settings.local_domains = []
    appliance = rack.boot(settings)
    appliance.console.wait_for("local-domain", timeout=15)
    assert_ports_closed()


def test_make_card_refuses_a_missing_file_and_names_the_line(internet, work_folder):
    settings = internet.settings()
    settings.extra = ["set external certificate missing.pem"]
    with pytest.raises(CardError, match=rf"line {len(settings.lines())}.*missing.pem"):
        make_card(settings, work_folder / "refused-card")


def test_an_idle_appliance_uses_less_than_a_tenth_of_a_core(gateway, internet, appliance):
    with users(gateway, internet.partner, net.PARTNER_DOMAIN) as (local, remote):
        exchange(local, remote)
        time.sleep(1)
        before, start = appliance.cpu_seconds(), time.monotonic()
        time.sleep(5)
        share = (appliance.cpu_seconds() - before) / (time.monotonic() - start)
    assert share < 0.10, f"{share:.1%} of a core"
