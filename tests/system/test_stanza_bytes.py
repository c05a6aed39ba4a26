"""A stanza's bytes go through unchanged: scripted peers on both sides compare what was sent with what came."""

import contextlib
import socket
import xml.etree.ElementTree as ET

import pytest
from lab import internet as net

import scripted_peer as peer
from exchange import accept_partner_stream, gateway_stream, message, partner_stream, scripted_listener

REMOTE, LOCAL = f"juliet@{net.SCRIPTED_DOMAIN}", f"romeo@{net.CORP}"
DECLARATIONS = " xmlns:x='urn:example:x' xmlns:srv='jabber:server' xmlns:unused='urn:example:unused' xml:lang='de'"

# Between <message ...> and </message>; a name says what is odd.
INNER = {
    "cdata": "<body><![CDATA[<not>&markup;]]> and ]]&gt; text</body>",
    "character references": "<body>&#65;&#x42;&#xe4;&#x1F600; &lt;&gt;&amp;&apos;&quot;&#10;&#13;&#9;</body>",
    "language": "<body xml:lang='fr'>bonjour</body><body xml:lang='en'>hello</body>",
    "four-byte characters": "<body>\U0001f980\U0001d11e é é</body>",
    "quotes": "<body a='\"' b=\"'\" c='>'>text</body>",
    "white space in tags": "<body\n  a = 'x'\t b='y'\r\n>text</body >",
    "line ends in attributes": "<x xmlns='urn:example:y' a='one&#10;two\tthree'/>",
    "default namespace undone": "<a xmlns='urn:example:a'><b xmlns=''><c/></b></a>",
    "prefix declared where used": "<p:a xmlns:p='urn:example:p' p:b='1'><p:c/></p:a>",
    "prefix redeclared": "<p:a xmlns:p='urn:example:1'><p:a xmlns:p='urn:example:2'/></p:a>",
    "empty forms": "<body></body><subject/><thread />",
    "deep": "<a xmlns='urn:example:deep'>" + "<b>" * 30 + "</b>" * 30 + "</a>",
    "many attributes": "<a xmlns='urn:example:many' " + " ".join(f"a{n}='{n}'" for n in range(40)) + "/>",
}
# Whole stanzas; %s is the addresses. These use declarations of the stream header.
WITH_HEADER_PREFIXES = {
    "prefix of the header on a child": "<message %s><x:thing x:a='1'>text<x:other/></x:thing></message>",
    "prefix of the header on an attribute": "<message %s x:mark='yes'><body>text</body></message>",
    "prefix of the header deep inside": "<message %s><a xmlns='urn:example:a'><b><x:c/></b></a></message>",
    "stanza in a prefix of the header": "<srv:message %s><srv:body>text</srv:body></srv:message>",
    "prefix of the header shadowed": "<message %s xmlns:x='urn:example:shadow'><x:thing/></message>",
    "prefix of the header used, then shadowed": "<message %s><x:a/><b xmlns='urn:example:b' xmlns:x='urn:example:z'><x:c/></b></message>",
}


def canonical(raw: bytes, declarations: str = "") -> str:
    """Canonical XML of a stanza in a stream with these declarations: names resolved, prefixes gone."""
    wrapped = f"<stream xmlns='{peer.NS_SERVER}'{declarations}>".encode() + raw + b"</stream>"
    return ET.canonicalize(wrapped.decode(), rewrite_prefixes=True, with_comments=True)


def body_of_stanza(raw: bytes) -> bytes:
    """What follows the stanza's start tag."""
    return raw[peer._end_of_tag(bytearray(raw), 0):]


@pytest.fixture(params=["inwards", "outwards"])
def ends(request, appliance, internet):
    """(sending stream, receiving stream, addresses of a stanza), from the partner to the gateway or the other way."""
    with contextlib.ExitStack() as streams:
        if request.param == "inwards":
            receiving = streams.enter_context(gateway_stream(internet))
            sending = streams.enter_context(partner_stream(internet, declarations=DECLARATIONS))
            yield sending, receiving, f"from='{REMOTE}' to='{LOCAL}'"
        else:
            listener = streams.enter_context(scripted_listener())
            sending = streams.enter_context(gateway_stream(internet, declarations=DECLARATIONS))
            sending.send(message(LOCAL, REMOTE, "opens the stream"))
            receiving = streams.enter_context(accept_partner_stream(listener, internet))
            assert "opens the stream" in receiving.expect("message").raw.decode()
            yield sending, receiving, f"from='{LOCAL}' to='{REMOTE}'"


def test_odd_but_legal_stanzas_arrive_byte_for_byte(ends):
    sending, receiving, addresses = ends
    for name, inner in INNER.items():
        sent = f"<message {addresses} id='{name}'>{inner}</message>".encode()
        sending.send(sent)
        got = receiving.expect("message")
        assert body_of_stanza(got.raw) == body_of_stanza(sent), name
        # The language of the sender's stream header reaches the receiver on the stanza.
        with_language = sent.replace(b"<message ", b"<message xml:lang='de' ", 1)
        assert canonical(got.raw) in (canonical(sent), canonical(with_language)), name


def test_declarations_of_the_stream_header_go_along_where_they_are_used(ends):
    sending, receiving, addresses = ends
    for name, template in WITH_HEADER_PREFIXES.items():
        sent = (template % addresses).encode()
        sending.send(sent)
        got = receiving.expect("message")
        wanted = ET.fromstring(f"<stream xmlns='{peer.NS_SERVER}' {DECLARATIONS}>{sent.decode()}</stream>")[0]
        assert same_infoset(got.tree, wanted), f"{name}: {got.raw!r}"


def test_a_stanza_in_pieces_of_one_byte_arrives_whole(ends):
    sending, receiving, addresses = ends
    sent = f"<message {addresses} id='slow'><body>&amp;<![CDATA[<]]>é</body></message>".encode()
    sending.send_in_pieces(sent, 1)
    assert body_of_stanza(receiving.expect("message").raw) == body_of_stanza(sent)


def test_many_stanzas_in_one_write_arrive_in_order(ends):
    sending, receiving, addresses = ends
    sending.send("".join(f"<message {addresses} id='{n}'><body>{n}</body></message>{' ' * (n % 3)}" for n in range(200)))
    assert [receiving.expect("message").tree.get("id") for _ in range(200)] == [str(n) for n in range(200)]


def test_a_slow_receiver_stops_the_sender_and_loses_nothing(appliance, internet):
    """Back-pressure instead of loss: the sender's window closes while nobody reads inside, and everything comes in the end."""
    padding = "x" * 8000
    with gateway_stream(internet, receive_buffer=16384) as receiving, partner_stream(internet) as sending:
        sending.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        sending.connection.settimeout(4)
        accepted = 0
        try:
            while accepted < 8000:  # 64 MB: more than every queue between the two ends could hold
                sending.connection.sendall(message(REMOTE, LOCAL, f"{accepted} {padding}").encode())
                accepted += 1
        except TimeoutError:
            pass
        assert accepted < 8000, "the sender was never stopped"
        for number in range(accepted):
            assert receiving.expect("message", timeout=30).tree.findtext("{jabber:server}body") == f"{number} {padding}"


def same_infoset(got: ET.Element, wanted: ET.Element) -> bool:
    return (got.tag == wanted.tag and (got.text or "") == (wanted.text or "") and (got.tail or "") == (wanted.tail or "")
            and without_language(got) == without_language(wanted) and len(got) == len(wanted)
            and all(same_infoset(*pair) for pair in zip(got, wanted)))


def without_language(element: ET.Element) -> dict:
    # xml:lang of the header may have been written onto the stanza.
    return {name: value for name, value in element.attrib.items() if not (name.endswith("namespace}lang") and value == "de")}
