"""Users: slixmpp clients, each in a thread and a namespace of its own, with a blocking interface for tests and the simulator."""

import asyncio
import itertools
import logging
import queue
import threading
import time
from concurrent.futures import Future

logging.getLogger("slixmpp").setLevel(logging.CRITICAL)  # before the import, which has things to say of its own

import slixmpp  # noqa: E402
from slixmpp.xmlstream import ET  # noqa: E402

from .sandbox import Namespace  # noqa: E402

_PASSWORD = "lab"


class ClientError(Exception):
    """The client could not do it in time; the text says what was waited for and what came instead."""


class Client:
    """A logged-in user. Stanzas that come are kept in the order of arrival until somebody waits for them."""

    def __init__(self, jid: str, server_address: str, namespace: Namespace, timeout: float = 15, auto_subscribe: bool = True) -> None:
        self.bare = jid
        self._inbox: "queue.Queue[slixmpp.xmlstream.StanzaBase]" = queue.Queue()
        self._unclaimed: list = []
        self._numbers = itertools.count(1)
        self._online: "Future[str]" = Future()
        self._closed = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._live, args=(server_address, namespace, auto_subscribe), daemon=True, name=jid)
        self._thread.start()
        try:
            self.jid = self._online.result(timeout)
        except Exception as error:  # noqa: BLE001: whatever kept it off, the caller sees one kind of error
            raise ClientError(f"{jid} could not log in at {server_address}: {error!r}") from error

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def send_message(self, to: str, body: str, kind: str = "chat") -> str:
        """Sends and returns the stanza's id."""
        stanza_id = self._next_id()
        self._do(lambda: self._send_message(to, body, kind, stanza_id))
        return stanza_id

    def send_presence(self, to: str | None = None, kind: str | None = None, status: str | None = None) -> None:
        self._do(lambda: self._xmpp.send_presence(pto=to, ptype=kind, pstatus=status))

    def send_raw(self, xml: str) -> None:
        """Bytes as they are, on the client's own stream (the server parses and re-serialises them)."""
        self._do(lambda: self._xmpp.send_raw(xml))

    def iq(self, to: str, child: str, kind: str = "get", timeout: float = 15):
        """Sends an IQ with the child element (XML text) and waits for its result or error stanza, which it returns."""
        done: Future = Future()

        def send() -> None:
            request = self._xmpp.make_iq(ito=to, itype=kind)
            request["id"] = self._next_id()
            request.append(ET.fromstring(child))
            answer = request.send(timeout=timeout)

            def finish(task: asyncio.Future) -> None:
                error = task.exception()
                if error is None:
                    done.set_result(task.result())
                elif isinstance(error, slixmpp.exceptions.IqError):
                    done.set_result(error.iq)
                else:
                    done.set_exception(ClientError(f"{self.bare}: no answer from {to} within {timeout} s"))

            answer.add_done_callback(finish)

        self._do(send)
        return done.result(timeout + 5)

    def wait(self, wanted, timeout: float = 15, what: str = "stanza"):
        """The first stanza for which wanted(stanza) is true, whether it came already or comes in time."""
        deadline = time.monotonic() + timeout
        for index, stanza in enumerate(self._unclaimed):
            if wanted(stanza):
                return self._unclaimed.pop(index)
        while True:
            try:
                stanza = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                seen = "; ".join(str(item)[:300] for item in self._unclaimed[-5:]) or "nothing"
                raise ClientError(f"{self.bare} waited {timeout:.0f} s for {what}; other stanzas that came: {seen}") from None
            if wanted(stanza):
                return stanza
            self._unclaimed.append(stanza)

    def wait_message(self, body: str | None = None, sender: str | None = None, timeout: float = 15):
        """A message that is no error, with this body and from this address (bare or full) where given."""
        return self.wait(lambda s: s.name == "message" and s["type"] != "error" and (body is None or s["body"] == body)
                         and (sender is None or str(s["from"]).startswith(sender)), timeout, f"message {(body or '')[:60]!r}")

    def wait_error(self, stanza_id: str, timeout: float = 30) -> str:
        """The condition of the error that answers the stanza with this id."""
        stanza = self.wait(lambda s: s["type"] == "error" and s["id"] == stanza_id, timeout, f"error for {stanza_id}")
        return stanza["error"]["condition"]

    def wait_presence(self, sender: str, kind: str = "available", timeout: float = 15):
        return self.wait(lambda s: s.name == "presence" and s["type"] == kind and str(s["from"]).startswith(sender), timeout,
                         f"presence {kind} of {sender}")

    def messages(self, count: int, timeout: float) -> list:
        """The next `count` messages in order of arrival; fewer when the time is over."""
        deadline = time.monotonic() + timeout
        got: list = []
        while len(got) < count and (left := deadline - time.monotonic()) > 0:
            try:
                got.append(self.wait(lambda s: s.name == "message", left))
            except ClientError:
                break
        return got

    def close(self) -> None:
        if not self._closed.is_set() and self._thread.is_alive() and self._ready.is_set():
            self._loop.call_soon_threadsafe(self._stop)
            self._thread.join(5)

    def _live(self, server_address: str, namespace: Namespace, auto_subscribe: bool) -> None:
        namespace.enter_for_good()
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._xmpp = _Xmpp(self.bare, auto_subscribe, self._inbox, self._online)
        self._ready.set()
        self._xmpp.connect((server_address, 5222), disable_starttls=True, force_starttls=False)
        try:
            self._loop.run_forever()
        finally:
            self._closed.set()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    def _stop(self) -> None:
        self._xmpp.disconnect(wait=0.2)
        self._loop.call_later(0.3, self._loop.stop)

    def _do(self, action) -> None:
        if self._closed.is_set():
            raise ClientError(f"{self.bare} is closed")
        self._loop.call_soon_threadsafe(action)

    def _send_message(self, to: str, body: str, kind: str, stanza_id: str) -> None:
        message = self._xmpp.make_message(mto=to, mbody=body, mtype=kind)
        message["id"] = stanza_id
        message.send()

    def _next_id(self) -> str:
        return f"{self.bare.split('@')[0]}-{next(self._numbers)}-{time.time_ns() % 10**9}"


class _Xmpp(slixmpp.ClientXMPP):
    def __init__(self, jid: str, auto_subscribe: bool, inbox: queue.Queue, online: Future) -> None:
        super().__init__(jid, _PASSWORD, plugin_config={"feature_mechanisms": {"unencrypted_plain": True, "unencrypted_scram": True}})
        self._inbox = inbox
        self._online = online
        self.auto_authorize = True if auto_subscribe else None
        self.auto_subscribe = auto_subscribe
        for name in ("xep_0030", "xep_0199", "xep_0092", "xep_0202"):
            self.register_plugin(name)
        self.add_event_handler("session_start", self._session_start)
        self.add_event_handler("failed_auth", lambda _event: self._fail("authentication failed"))
        self.add_event_handler("connection_failed", lambda event: self._fail(f"connection failed: {event}"))
        self.register_handler(slixmpp.xmlstream.handler.Callback(
            "inbox messages", slixmpp.xmlstream.matcher.MatchXPath(f"{{{self.default_ns}}}message"), self._inbox.put))
        self.register_handler(slixmpp.xmlstream.handler.Callback(
            "inbox presence", slixmpp.xmlstream.matcher.MatchXPath(f"{{{self.default_ns}}}presence"), self._inbox.put))

    async def _pick_dns_answer(self, domain, service=None):
        return None  # the address is given; asking the machine's resolver would leave the namespaces

    async def _session_start(self, _event) -> None:
        await self.get_roster()
        self.send_presence()
        if not self._online.done():
            self._online.set_result(str(self.boundjid))

    def _fail(self, why: str) -> None:
        if not self._online.done():
            self._online.set_exception(ClientError(why))
