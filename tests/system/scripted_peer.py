"""A scripted XMPP server: both roles, every byte under the test's control.

Steps are separate calls (header, features, TLS, SASL), so that a test can leave one out, repeat one or send rubbish between
two of them; establish_* do the usual sequence. Everything that the peer says is kept as it came: Element.raw holds the bytes.
"""

import base64
import itertools
import socket
import ssl
import tempfile
import time
import xml.etree.ElementTree as ET
import xml.parsers.expat
from dataclasses import dataclass
from pathlib import Path

from lab.pki import Credential
from lab.sandbox import Namespace

NS_SERVER = "jabber:server"
NS_STREAM = "http://etherx.jabber.org/streams"
NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_BIDI = "urn:xmpp:bidi"
NS_BIDI_FEATURE = "urn:xmpp:features:bidi"
NS_STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
NS_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"

STARTTLS_FEATURES = f"<stream:features><starttls xmlns='{NS_TLS}'><required/></starttls></stream:features>"
EXTERNAL_FEATURES = f"<stream:features><mechanisms xmlns='{NS_SASL}'><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"
EDGE_FEATURES = (f"<stream:features><mechanisms xmlns='{NS_SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>"
                 f"<bidi xmlns='{NS_BIDI_FEATURE}'/></stream:features>")
NO_FEATURES = "<stream:features/>"

_stream_numbers = itertools.count(1)


class PeerError(AssertionError):
    """The other end did something else than the script expects."""


class StreamErrorReceived(PeerError):
    """The other end closed the stream with an error; `condition` is its name (RFC 6120 4.9.3)."""

    def __init__(self, element: "Element") -> None:
        self.condition = next((child.tag.split("}")[1] for child in element.tree if child.tag != f"{{{NS_STREAM_ERRORS}}}text"), "none")
        super().__init__(f"stream error {self.condition}: {element.raw.decode(errors='replace')}")


class StreamClosed(PeerError):
    """The stream or its connection ended while an element was expected."""


@dataclass(frozen=True)
class Element:
    """A child of <stream/>: its bytes on the wire and what they mean."""

    raw: bytes
    tree: ET.Element

    @property
    def name(self) -> str:
        return self.tree.tag.split("}")[-1]

    @property
    def namespace(self) -> str:
        return self.tree.tag[1:].split("}")[0] if self.tree.tag.startswith("{") else ""


class Stream:
    """One end of a stream over TCP or TLS."""

    def __init__(self, connection: socket.socket, timeout: float = 15) -> None:
        self.connection = connection
        self.timeout = timeout
        self._new_parser()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_exception) -> None:
        self.abort()

    # Sending

    def send(self, data: str | bytes) -> None:
        self.connection.settimeout(self.timeout)
        self.connection.sendall(data.encode() if isinstance(data, str) else data)

    def send_in_pieces(self, data: str | bytes, size: int, pause: float = 0.0) -> None:
        """As a peer whose segments (and TLS records) end anywhere."""
        data = data.encode() if isinstance(data, str) else data
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            self.send(data[start:start + size])
            if pause:
                time.sleep(pause)

    def send_header(self, sender: str | None, to: str | None, stream_id: str | None = None, declarations: str = "") -> None:
        attributes = "".join(f" {name}='{value}'" for name, value in (("from", sender), ("to", to), ("id", stream_id)) if value is not None)
        self.send(f"<?xml version='1.0'?><stream:stream xmlns='{NS_SERVER}' xmlns:stream='{NS_STREAM}'{declarations}{attributes}"
                  " version='1.0'>")

    def send_auth(self, authorization_identity: str | None) -> None:
        """SASL EXTERNAL; None sends no initial response, "" the empty one ("=", RFC 6120 6.4.2)."""
        text = "" if authorization_identity is None else base64.b64encode(authorization_identity.encode()).decode() or "="
        self.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{text}</auth>")

    def close(self) -> None:
        """Ends our direction and waits for the other's end."""
        self.send("</stream:stream>")
        self.expect_closed()

    def abort(self) -> None:
        self.connection.close()

    # Receiving

    def expect_header(self, timeout: float | None = None) -> dict[str, str]:
        self._receive_until(lambda: self.header is not None, timeout, "a stream header")
        return self.header

    def expect(self, name: str | None = None, timeout: float | None = None) -> Element:
        """The next child of <stream/>, which must have this local name; a stream error raises StreamErrorReceived."""
        self._receive_until(lambda: self._elements or self.closed, timeout, f"<{name or 'any element'}>")
        if not self._elements:
            raise StreamClosed(f"</stream> while <{name}> was expected")
        element = self._elements.pop(0)
        if element.tree.tag == f"{{{NS_STREAM}}}error" and name != "error":
            raise StreamErrorReceived(element)
        if name is not None and element.name != name:
            raise PeerError(f"expected <{name}>, got {element.raw.decode(errors='replace')}")
        return element

    def expect_stream_error(self, *conditions: str, timeout: float | None = None) -> str:
        """The other end closes with a stream error of one of these conditions; its name."""
        try:
            while True:
                self.expect(timeout=timeout)
        except StreamErrorReceived as error:
            if conditions and error.condition not in conditions:
                raise PeerError(f"expected one of {conditions}, got {error}") from error
            return error.condition

    def expect_nothing(self, duration: float) -> None:
        try:
            element = self.expect(timeout=duration)
        except TimeoutError:
            return
        raise PeerError(f"expected silence, got {element.raw.decode(errors='replace')}")

    def expect_closed(self, timeout: float | None = None) -> None:
        """The other end's </stream>, or its end of the connection."""
        try:
            self._receive_until(lambda: self.closed, timeout, "the end of the stream")
        except (StreamClosed, ConnectionError, ssl.SSLError):
            pass

    # TLS

    def start_tls_as_client(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        self.connection.settimeout(self.timeout)
        self.connection = context.wrap_socket(self.connection, server_hostname=server_name)
        self._new_parser()

    def start_tls_as_server(self, context: ssl.SSLContext) -> None:
        self.connection.settimeout(self.timeout)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self._new_parser()

    def restart(self) -> None:
        """After SASL: the next bytes are a new stream."""
        self._new_parser()

    # Parsing

    def _new_parser(self) -> None:
        self.header: dict[str, str] | None = None
        self.closed = False
        self._elements: list[Element] = []
        self._bytes = bytearray()
        self._start = 0
        self._depth = 0
        self._just_opened = False
        self._builder: ET.TreeBuilder | None = None
        parser = xml.parsers.expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = self._start_element
        parser.EndElementHandler = self._end_element
        parser.CharacterDataHandler = lambda text: self._builder.data(text) if self._builder else None
        self._parser = parser

    def _receive_until(self, done, timeout: float | None, what: str) -> None:
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {what} in time; last bytes: {bytes(self._bytes[-300:])!r}")
            self.connection.settimeout(left)
            try:
                data = self.connection.recv(65536)
            except TimeoutError:
                continue
            if not data:
                raise StreamClosed(f"connection closed while {what} was expected")
            self._bytes += data
            try:
                self._parser.Parse(data, False)
            except xml.parsers.expat.ExpatError as error:
                raise PeerError(f"not well-formed ({error}): {bytes(self._bytes[-1000:])!r}") from error

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._just_opened = True
        if self._depth == 1:
            self.header = attributes
            return
        if self._depth == 2:
            self._start = self._parser.CurrentByteIndex
            self._builder = ET.TreeBuilder()
        self._builder.start(_clark(name), {_clark(key): value for key, value in attributes.items()})

    def _end_element(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.closed = True
            return
        self._builder.end(_clark(name))
        just_opened, self._just_opened = self._just_opened, False
        if self._depth == 1:
            at = self._parser.CurrentByteIndex
            # Expat reports the end of <a/> behind the tag, the end of <a></a> before its end tag.
            empty = just_opened and self._bytes[at - 2:at] == b"/>"
            end = at if empty else _end_of_tag(self._bytes, at)
            self._elements.append(Element(bytes(self._bytes[self._start:end]), self._builder.close()))
            self._builder = None


class Listener:
    """A listening socket in a namespace; accept() gives streams."""

    def __init__(self, namespace: Namespace, address: str, port: int) -> None:
        with namespace.entered():
            self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((address, port))
            self._socket.listen(16)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_exception) -> None:
        self._socket.close()

    def accept(self, timeout: float = 15) -> Stream:
        self._socket.settimeout(timeout)
        return Stream(self._socket.accept()[0])


def connect(namespace: Namespace, address: str, port: int, timeout: float = 10, source: str | None = None,
            receive_buffer: int | None = None) -> Stream:
    """A TCP connection from the namespace; a small receive buffer (bytes) makes a reader whose window soon closes."""
    with namespace.entered():
        connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(timeout)
    try:
        if source:
            connection.bind((source, 0))
        connection.connect((address, port))
    except OSError:
        connection.close()
        raise
    return Stream(connection)


# TLS contexts


def client_context(credential: Credential | None, trust: bytes | None, tls12: bool = False) -> ssl.SSLContext:
    """For an initiating entity; without `trust` the other's certificate is not looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    _fill(context, credential, trust, tls12)
    return context


def server_context(credential: Credential, trust: bytes | None, tls12: bool = False) -> ssl.SSLContext:
    """For a receiving entity; with `trust` the initiating entity must show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _fill(context, credential, trust, tls12)
    return context


def _fill(context: ssl.SSLContext, credential: Credential | None, trust: bytes | None, tls12: bool) -> None:
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if credential:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = credential.write(Path(folder), "peer")
            context.load_cert_chain(certificate, key)
    if trust:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=trust.decode())
    else:
        context.verify_mode = ssl.CERT_NONE


# The usual sequences


def initiate_starttls(stream: Stream, sender: str, to: str, context: ssl.SSLContext) -> None:
    """Initiating entity: header, <starttls/>, TLS (RFC 6120 5)."""
    stream.send_header(sender, to)
    stream.expect_header()
    features = stream.expect("features")
    if features.tree.find(f"{{{NS_TLS}}}starttls") is None:
        raise PeerError(f"STARTTLS is not offered: {features.raw!r}")
    stream.send(f"<starttls xmlns='{NS_TLS}'/>")
    stream.expect("proceed")
    stream.start_tls_as_client(context, to)


def initiate_external(stream: Stream, sender: str, to: str, bidi: bool = False, declarations: str = "",
                      authorization_identity: str | None = "sender") -> Element:
    """Initiating entity on a protected stream: header, SASL EXTERNAL, new header with `declarations`; the last features."""
    stream.send_header(sender, to)
    stream.expect_header()
    features = stream.expect("features")
    if "EXTERNAL" not in [item.text for item in features.tree.iter(f"{{{NS_SASL}}}mechanism")]:
        raise PeerError(f"EXTERNAL is not offered: {features.raw!r}")
    if bidi:
        if features.tree.find(f"{{{NS_BIDI_FEATURE}}}bidi") is None:
            raise PeerError(f"bidi is not offered: {features.raw!r}")
        stream.send(f"<bidi xmlns='{NS_BIDI}'/>")
    stream.send_auth(sender if authorization_identity == "sender" else authorization_identity)
    stream.expect("success")
    stream.restart()
    stream.send_header(sender, to, declarations=declarations)
    stream.expect_header()
    return stream.expect("features")


def receive_starttls(stream: Stream, domain: str, context: ssl.SSLContext) -> dict[str, str]:
    """Receiving entity: answers the header, offers STARTTLS, does TLS; the initiating entity's header."""
    header = stream.expect_header()
    stream.send_header(domain, header.get("from"), f"script-{next(_stream_numbers)}")
    stream.send(STARTTLS_FEATURES)
    stream.expect("starttls")
    stream.send(f"<proceed xmlns='{NS_TLS}'/>")
    stream.start_tls_as_server(context)
    return header


def receive_external(stream: Stream, domain: str, features: str = EXTERNAL_FEATURES, declarations: str = "") -> dict[str, str]:
    """Receiving entity on a protected stream: offers EXTERNAL, accepts it, ends with empty features; the last header."""
    header = stream.expect_header()
    stream.send_header(domain, header.get("from"), f"script-{next(_stream_numbers)}")
    stream.send(features)
    element = stream.expect()
    if element.name == "bidi":
        element = stream.expect()
    if element.name != "auth" or element.tree.get("mechanism") != "EXTERNAL":
        raise PeerError(f"expected SASL EXTERNAL, got {element.raw!r}")
    stream.send(f"<success xmlns='{NS_SASL}'/>")
    stream.restart()
    header = stream.expect_header()
    stream.send_header(domain, header.get("from"), f"script-{next(_stream_numbers)}", declarations)
    stream.send(NO_FEATURES)
    return header


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def _end_of_tag(data: bytearray, at: int) -> int:
    """The byte after the tag that begins at `at`; a '>' in a quoted attribute value does not end it."""
    quote = 0
    for index in range(at, len(data)):
        byte = data[index]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"'\"":
            quote = byte
        elif byte == ord(">"):
            return index + 1
    raise PeerError("a tag without an end")
