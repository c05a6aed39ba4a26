#include "xmpp/base64.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

namespace sallyport::xmpp {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 7> vectors = {{{"", ""},
                                                                         {"f", "Zg=="},
                                                                         {"fo", "Zm8="},
                                                                         {"foo", "Zm9v"},
                                                                         {"foob", "Zm9vYg=="},
                                                                         {"fooba", "Zm9vYmE="},
                                                                         {"foobar", "Zm9vYmFy"}}};

TEST(Base64, MatchesTheTestVectors_Rfc4648_10) {
  for (const auto& [plain, encoded] : vectors) {
    std::array<char, 16> buffer;
    EXPECT_EQ(base64_encode(plain, buffer), encoded);
    EXPECT_EQ(base64_decode(encoded, buffer), plain);
  }
}

TEST(Base64, KeepsEveryByteValue) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  std::array<char, base64_length(256)> encoded;
  std::array<char, 256> decoded;
  EXPECT_EQ(base64_decode(base64_encode(all, encoded), decoded), all);
}

TEST(Base64, RefusesWhatIsNotCanonical_Rfc4648_3) {
  std::array<char, 64> buffer;
  for (const char* text :
       {"Zg", "Zg=", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "=", "====", "Z===", "Zg==Zg==", "Zm-_", "\xFF\xFF\xFF\xFF"})
    EXPECT_FALSE(base64_decode(text, buffer)) << text;
}

TEST(Base64, RefusesMoreThanTheBufferHolds) {
  std::array<char, 5> buffer;
  EXPECT_TRUE(base64_decode("Zm9vYmE=", buffer));
  EXPECT_FALSE(base64_decode("Zm9vYmFy", buffer));
}

}  // namespace
}  // namespace sallyport::xmpp
