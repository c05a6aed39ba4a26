"""The two sides do not mix: packets for one side's address that arrive on the other wire get no answer (RFC 1122 3.3.4.2)."""

import socket
import time

import pytest
from lab import internet as net
from lab.sandbox import EXTERNAL, INTERNAL
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether

SIDES = {
    "external": (EXTERNAL, net.ROUTER, net.EDGE_EXTERNAL, net.XMPP_SERVER_PORT),
    "internal": (INTERNAL, net.INTERNAL_ROUTER, net.EDGE_INTERNAL, net.GATEWAY_PORT),
}
_ETH_P_ALL = 3
_source_ports = iter(range(40001, 60000))


class Probe:
    """Sends frames on a wire as its router and hears what the appliance says to them."""

    def __init__(self, side: str, family: int) -> None:
        self.wire, router, own, self.own_port = SIDES[side]
        index = 0 if family == 4 else 1
        self.router, self.own = router[index], own[index]
        self.family = family
        with self.wire.namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            self._socket.bind(("eth0", 0))
        self.appliance_mac = self._neighbour()
        self.router_mac = self.wire.namespace.run("cat", "/sys/class/net/eth0/address").strip()

    def packet(self, destination: str, payload):
        ip = IP(src=self.router, dst=destination) if self.family == 4 else IPv6(src=self.router, dst=destination)
        return Ether(src=self.router_mac, dst=self.appliance_mac) / ip / payload

    def answers(self, frame, wanted, duration: float = 1.0) -> list:
        """Frames of the appliance within `duration` that `wanted` accepts."""
        self._socket.settimeout(0.05)
        self._drain()
        self._socket.send(bytes(frame))
        found, deadline = [], time.monotonic() + duration
        while time.monotonic() < deadline:
            try:
                heard = Ether(self._socket.recv(65536))
            except TimeoutError:
                continue
            if heard.src == self.appliance_mac and wanted(heard):
                found.append(heard)
        return found

    def close(self) -> None:
        self._socket.close()

    def _drain(self) -> None:
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            try:
                self._socket.recv(65536)
            except TimeoutError:
                return

    def _neighbour(self) -> str:
        tool = ["ping", "-c1", "-W2", self.own] if self.family == 4 else ["ping", "-6", "-c1", "-W2", self.own]
        self.wire.namespace.run(*tool, check=False)
        with self.wire.namespace.entered():
            try:
                socket.create_connection((self.own, self.own_port), 3).close()
            except OSError:
                pass
        words = self.wire.namespace.run("ip", "neigh", "show", self.own).split()
        assert "lladdr" in words, f"{self.own} does not answer ARP or ND: {words}"
        return words[words.index("lladdr") + 1]


@pytest.fixture(params=[("external", 4), ("external", 6), ("internal", 4), ("internal", 6)], ids=lambda p: f"{p[0]} wire IPv{p[1]}")
def probe(request, appliance):
    probe = Probe(*request.param)
    yield probe
    probe.close()


def syn(port: int):
    source = next(_source_ports)
    return TCP(sport=source, dport=port, flags="S", seq=1000), lambda heard: TCP in heard and heard[TCP].dport == source


def other(probe: Probe) -> tuple[str, int]:
    """The address and port of the appliance's other side."""
    _, _, addresses, port = SIDES["internal" if probe.wire is EXTERNAL else "external"]
    return addresses[0 if probe.family == 4 else 1], port


def test_the_side_s_own_port_answers(probe):
    """What the other tests compare with: the very same packet, to the right address, is answered."""
    segment, answers_it = syn(probe.own_port)
    answers = probe.answers(probe.packet(probe.own, segment), answers_it)
    assert answers and answers[0][TCP].flags & 0x12 == 0x12


def test_the_other_side_s_address_does_not_answer_on_this_wire(probe):
    address, port = other(probe)
    for target_port in (port, probe.own_port):
        segment, answers_it = syn(target_port)
        assert probe.answers(probe.packet(address, segment), answers_it) == []


def test_the_other_side_s_port_does_not_answer_at_this_side_s_address(probe):
    _, port = other(probe)
    segment, answers_it = syn(port)
    answers = probe.answers(probe.packet(probe.own, segment), answers_it)
    assert not any(heard[TCP].flags & 0x12 == 0x12 for heard in answers)


def test_the_other_side_s_address_does_not_answer_pings_on_this_wire(probe):
    address, _ = other(probe)
    request = ICMP(id=77, seq=1) if probe.family == 4 else ICMPv6EchoRequest(id=77, seq=1)

    def echo_reply(heard) -> bool:
        if probe.family == 4:
            return ICMP in heard and heard[ICMP].type == 0
        return IPv6 in heard and heard[IPv6].nh == 58 and bytes(heard[IPv6].payload)[0] == 129

    assert probe.answers(probe.packet(probe.own, request), echo_reply), "its own address does not answer either"
    assert probe.answers(probe.packet(address, request), echo_reply) == []


def test_nothing_is_forwarded_to_the_other_wire(probe, evidence):
    """A packet for a host of the other wire, handed to the appliance as if it were a router."""
    other_router = (net.INTERNAL_ROUTER if probe.wire is EXTERNAL else net.ROUTER)[0 if probe.family == 4 else 1]
    mark = b"sallyport-forwarding-probe"
    probe.answers(probe.packet(other_router, UDP(sport=9999, dport=9999) / mark), lambda heard: False, 0.5)
    side = "internal" if probe.wire is EXTERNAL else "external"
    assert not [frame for frame in evidence.frames(side) if mark in frame]


def test_frames_for_another_mac_get_no_answer(probe):
    segment, answers_it = syn(probe.own_port)
    frame = probe.packet(probe.own, segment)
    frame.dst = "02:00:00:00:77:77"
    assert probe.answers(frame, answers_it) == []


def test_unserved_ports_are_silent_or_reset(probe):
    for port in (22, 80, 443, 5222):
        segment, answers_it = syn(port)
        assert not any(heard[TCP].flags & 0x12 == 0x12 for heard in probe.answers(probe.packet(probe.own, segment), answers_it, 0.3))
