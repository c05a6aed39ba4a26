"""What the appliance does with the card it finds: none, a damaged one, without a seed, of another time."""

import pytest
from lab import internet as net

import scripted_peer as peer
from exchange import assert_ports_closed, gateway_connection

BLOCK = 512
SEED_BLOCK = 8  # firmware/config/store.h
FIRST_SLOT = 1024 * 1024
WITHOUT_GENERATOR = ("--entropy", "none")  # of the host board; QEMU's i.MX 6UL has none anyway
WITHOUT_CLOCK = ("--rtc", "none")  # the same


def overwrite(card, offset: int, data: bytes) -> None:
    with open(card, "r+b") as image:
        image.seek(offset)
        image.write(data)


@pytest.mark.parametrize("spoil", [
    lambda card: card.unlink(),
    lambda card: overwrite(card, 0, bytes(4 * FIRST_SLOT)),
    lambda card: overwrite(card, FIRST_SLOT + BLOCK + 20, b"?"),
    lambda card: overwrite(card, FIRST_SLOT, b"SPSLOT\xff\xff" + b"\xff" * 56),
], ids=["no card", "an empty card", "a changed byte in the settings", "a torn slot header"])
def test_without_good_settings_the_ports_stay_closed_and_the_console_says_why(rack, internet, spoil):
    appliance = rack.boot(internet.settings(), prepare=spoil)
    appliance.console.wait_for("no settings: .+", timeout=15)
    appliance.console.wait_for("make-card", timeout=5)
    assert_ports_closed()
    assert "show status" in appliance.console.command("help")


def test_without_seed_and_generator_the_appliance_does_not_serve(rack, internet):
    appliance = rack.boot(internet.settings(), card_options=("--seed", "none"), host_options=WITHOUT_GENERATOR)
    appliance.console.wait_for("random numbers", timeout=15)
    assert_ports_closed()


def test_a_seed_serves_one_boot_only(rack, internet):
    """Its successor is on the card before anything is drawn from it."""
    def seeds(card) -> bytes:
        with open(card, "rb") as image:
            image.seek(SEED_BLOCK * BLOCK)
            return image.read(2 * BLOCK)

    taken = []
    appliance = rack.boot(internet.settings(), prepare=lambda card: taken.append(seeds(card)), host_options=WITHOUT_GENERATOR)
    appliance.wait_listening()
    taken.append(seeds(appliance.card))
    appliance.power_cycle()
    appliance.wait_listening()
    taken.append(seeds(appliance.card))
    assert len(set(taken)) == 3


def test_a_clock_from_the_card_is_said_and_used(rack, internet):
    appliance = rack.boot(internet.settings(), host_options=WITHOUT_CLOCK)
    appliance.wait_listening()
    assert "from the card" in appliance.console.command("show status")


def test_with_a_clock_of_years_ago_no_certificate_is_believed(rack, internet):
    """The lab's certificates are younger than the card's time: they are not valid yet."""
    appliance = rack.boot(internet.settings(), card_options=("--time", "2024-01-01T00:00:00Z"), host_options=WITHOUT_CLOCK)
    appliance.wait_listening()
    with gateway_connection() as stream:
        with pytest.raises((OSError, AssertionError)):
            stream.start_tls_as_client(peer.client_context(internet.pki.gateways.issue(net.CORP), internet.pki.edges.pem), net.EDGE)
            stream.send_header(net.CORP, net.EDGE)
            stream.expect_header()
    appliance.console.wait_for("(?i)certificate", timeout=5)
