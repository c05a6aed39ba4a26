#!/usr/bin/python3
"""tools/check-includes knows the rooms of docs/architecture.md."""

import importlib.machinery
import importlib.util
import pathlib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(path):
    loader = importlib.machinery.SourceFileLoader("check_includes", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_includes", loader))
    loader.exec_module(module)
    return module


check_includes = load(ROOT / "tools" / "check-includes")


def problem(path, include):
    room = check_includes.longest_room(path)
    return check_includes.problem_with(path, room, include[0], include.strip("<>\""))


class CheckIncludes(unittest.TestCase):
    def assert_allowed(self, path, *includes):
        for include in includes:
            self.assertIsNone(problem(path, include), f"{path} includes {include}")

    def assert_refused(self, path, *includes):
        for include in includes:
            self.assertIsNotNone(problem(path, include), f"{path} includes {include}")

    def test_rooms_know_what_is_below_them(self):
        self.assert_allowed("xmpp/jid.cpp", '"xmpp/jid.h"', '"net/transport.h"', '"hal/base/result.h"', "<cstring>")
        self.assert_allowed("net/lwip/stack.cpp", '"lwip/tcp.h"', '"net/side.h"', '"hal/ethernet_mac.h"')
        self.assert_allowed("net/tls/session.cpp", "<mbedtls/ssl.h>", '"psa/crypto.h"', '"net/byte_stream.h"')
        self.assert_allowed("firmware/relay/border_relay.cpp", '"xmpp/stanza.h"', '"firmware/config/limits.h"',
                            '"net/dns/service_resolver.h"')
        self.assert_allowed("firmware/event_loop.cpp", '"net/tls/session.h"', '"bsp/board.h"', '"firmware/relay/border_relay.h"')
        self.assert_allowed("boards/host/host_board.cpp", '"hal/drivers/linux_tap/linux_tap.h"', '"bsp/board.h"')

    def test_nobody_looks_up(self):
        self.assert_refused("hal/base/log.cpp", '"hal/clock.h"', '"net/side.h"', '"firmware/log.h"')
        self.assert_refused("hal/clock.h", '"hal/drivers/imx_enet/imx_enet.h"')
        self.assert_refused("net/tls/session.cpp", '"xmpp/jid.h"', '"firmware/config/limits.h"')
        self.assert_refused("xmpp/jid.cpp", '"firmware/relay/border_policy.h"')

    def test_xmpp_sees_no_network_stack_no_tls_library_and_no_register(self):
        self.assert_refused("xmpp/s2s_stream.cpp", '"lwip/tcp.h"', "<mbedtls/ssl.h>", '"net/tls/session.h"',
                            '"net/lwip/stack.h"', '"hal/drivers/imx_enet/enet_registers.h"')

    def test_only_the_xml_parser_sees_expat(self):
        self.assert_allowed("xmpp/xml_parser.cpp", "<expat.h>")
        self.assert_refused("xmpp/stream_reader.cpp", "<expat.h>")

    def test_net_rooms_are_strangers(self):
        self.assert_refused("net/tls/session.cpp", '"lwip/tcp.h"', '"net/lwip/connection.h"')
        self.assert_refused("net/lwip/stack.cpp", "<mbedtls/ssl.h>", '"net/tls/session.h"')

    def test_drivers_and_boards_are_strangers(self):
        self.assert_refused("hal/drivers/imx_enet/imx_enet.cpp", '"hal/drivers/imx_uart/imx_uart.h"', '"bsp/imx6ul/gic.h"')
        self.assert_refused("boards/host/host_board.cpp", '"boards/imx6ul-evk/pins.h"')

    def test_firmware_names_no_hardware_and_no_library(self):
        self.assert_refused("firmware/event_loop.cpp", '"bsp/imx6ul/gic.h"', '"boards/host/host_board.h"', '"lwip/tcp.h"',
                            "<mbedtls/ssl.h>", "<expat.h>")

    def test_shared_code_has_no_heap_headers(self):
        self.assert_refused("xmpp/jid.cpp", "<string>", "<vector>", "<functional>", "<iostream>")
        self.assert_allowed("xmpp/jid.cpp", "<string_view>", "<optional>", "<memory>")

    def test_paths_are_from_the_root(self):
        self.assert_refused("xmpp/jid.cpp", '"jid.h"', '"../net/side.h"')


if __name__ == "__main__":
    unittest.main()
