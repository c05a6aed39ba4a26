// client_hello_offers: what is offered, and nothing from beyond the bytes.
#include "net/tls/client_hello.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <vector>

namespace sallyport::net::tls {
namespace {

std::vector<std::byte> client_hello(std::size_t session_id, std::vector<std::uint16_t> suites) {
  std::vector<std::byte> bytes;
  const auto put = [&](std::initializer_list<std::size_t> values) {
    for (const std::size_t value : values) bytes.push_back(static_cast<std::byte>(value));
  };
  put({22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3});
  bytes.resize(bytes.size() + 32, std::byte{0xAA});
  put({session_id});
  bytes.resize(bytes.size() + session_id, std::byte{0x13});
  put({suites.size() * 2 >> 8, suites.size() * 2 & 0xFF});
  for (const std::uint16_t suite : suites)
    put({static_cast<std::size_t>(suite >> 8), static_cast<std::size_t>(suite & 0xFF)});
  put({1, 0});
  return bytes;
}

TEST(ClientHello, OffersWhatItsListHolds_Rfc8446_4_1_2) {
  for (const std::size_t session_id : {0U, 32U}) {
    const auto hello = client_hello(session_id, {0x1302, 0x1303, 0x1301});
    EXPECT_TRUE(client_hello_offers(hello, 0x1302));
    EXPECT_TRUE(client_hello_offers(hello, 0x1303));
    EXPECT_TRUE(client_hello_offers(hello, 0x1301));
    EXPECT_FALSE(client_hello_offers(hello, 0x1304));
    EXPECT_FALSE(client_hello_offers(hello, 0x0213)) << "not across two entries";
    EXPECT_FALSE(client_hello_offers(hello, 0x1313)) << "not in the session id";
    EXPECT_FALSE(client_hello_offers(hello, 0x0100)) << "not behind the list";
  }
}

TEST(ClientHello, OtherBytesOfferNothing) {
  auto hello = client_hello(32, {0x1303});
  hello[0] = std::byte{21};
  EXPECT_FALSE(client_hello_offers(hello, 0x1303));
  hello = client_hello(32, {0x1303});
  hello[5] = std::byte{2};
  EXPECT_FALSE(client_hello_offers(hello, 0x1303));
  EXPECT_FALSE(client_hello_offers({}, 0x1303));
}

TEST(ClientHello, StaysInsideWhateverItIsGiven) {
  std::mt19937 generator(3);
  const auto hello = client_hello(32, {0x1301, 0x1302, 0xC02B, 0x1303});
  for (std::size_t length = 0; length <= hello.size(); ++length) {
    const std::vector<std::byte> cut(hello.begin(), hello.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(client_hello_offers(cut, 0x1303), length >= hello.size() - 2) << length;
  }
  for (int round = 0; round < 20000; ++round) {
    auto mutated = hello;
    for (int change = 0; change < 4; ++change)
      mutated[generator() % mutated.size()] = static_cast<std::byte>(generator());
    mutated.resize(generator() % mutated.size());
    mutated.shrink_to_fit();
    static_cast<void>(client_hello_offers(mutated, 0x1303));
  }
}

}  // namespace
}  // namespace sallyport::net::tls
