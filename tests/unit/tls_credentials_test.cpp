// Credentials and TrustAnchors from PEM, and what they say about PEM that is wrong.
#include "net/tls/credentials.h"

#include <random>

#include "tests/fakes/memory_byte_stream.h"
#include "tests/unit/tls_test_support.h"

namespace sallyport::net::tls {
namespace {

using testing::HasSubstr;

class TlsCredentials : public TlsTest {
 protected:
  CredentialsError error_of(const std::string& chain, const std::string& key) {
    OwnedArena arena{32 * 1024};
    Credentials credentials(*arena);
    const auto loaded = credentials.load(chain, key);
    EXPECT_FALSE(loaded);
    EXPECT_FALSE(credentials.loaded());
    return loaded ? CredentialsError{} : loaded.error();
  }
};

TEST_F(TlsCredentials, LoadEveryKindOfKey) {
  for (const auto& [name, key] :
       {std::pair{"edge", "P-256"}, std::pair{"edge-p384", "P-384"}, std::pair{"sec1", "P-256"},
        std::pair{"edge-rsa", "RSA-2048"}, std::pair{"partner-rsa-4096", "RSA-4096"}}) {
    const LoadedCredentials loaded(name);
    EXPECT_TRUE(loaded.credentials.loaded()) << name;
    EXPECT_EQ(summarize(loaded.credentials.certificate()).key.view(), key) << name;
  }
}

TEST_F(TlsCredentials, IgnoreTextAroundTheBlocks) {
  OwnedArena arena{32 * 1024};
  Credentials credentials(*arena);
  const std::string both =
      "# the key first\n" + pki_file("edge.key") + "\nand the certificate\n" + pki_file("edge.crt") + "end";
  EXPECT_TRUE(credentials.load(both, both));
}

TEST_F(TlsCredentials, LoadTextWithCarriageReturns) {
  const auto with_crlf = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('\n', at)) != text.npos; at += 2) text.insert(at, 1, '\r');
    return text;
  };
  OwnedArena arena{32 * 1024};
  Credentials credentials(*arena);
  EXPECT_TRUE(credentials.load(with_crlf(pki_file("edge.crt")), with_crlf(pki_file("edge.key"))));
}

TEST_F(TlsCredentials, SummarizeForTheConsole) {
  const LoadedCredentials loaded("edge");
  const CertificateSummary summary = summarize(loaded.credentials.certificate());
  EXPECT_EQ(summary.subject.view(), "CN=edge");
  EXPECT_EQ(summary.not_before, UnixTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)));
  EXPECT_EQ(summary.not_after, UnixTime(std::chrono::sys_days(std::chrono::year(2036) / 1 / 1)));
  EXPECT_NE(summary.sha256, Fingerprint{});
}

TEST_F(TlsCredentials, ExpireWithTheFirstOfTheirChain) {
  const LoadedCredentials loaded("short-chain");
  EXPECT_EQ(loaded.credentials.not_after(), UnixTime(std::chrono::sys_days(std::chrono::year(2026) / 6 / 1)) + 13h);
}

TEST_F(TlsCredentials, SayThatTheKeyDoesNotBelong) {
  for (const auto* other : {"partner.key", "edge-p384.key", "edge-rsa.key"})
    EXPECT_EQ(error_of(pki_file("edge.crt"), pki_file(other)).fault, CredentialsFault::does_not_belong) << other;
  EXPECT_EQ(error_of(pki_file("edge-rsa.crt"), pki_file("partner-rsa.key")).fault, CredentialsFault::does_not_belong);
}

TEST_F(TlsCredentials, SayThatAKeyIsEncrypted) {
  for (const auto* key : {"encrypted.key", "encrypted-sec1.key"}) {
    const CredentialsError error = error_of(pki_file("sec1.crt"), pki_file(key));
    EXPECT_EQ(error.fault, CredentialsFault::encrypted_key) << key;
    EXPECT_THAT(error.explanation.c_str(), HasSubstr("passphrase"));
  }
}

TEST_F(TlsCredentials, SayThatAKeyIsOfNoUse) {
  EXPECT_EQ(error_of(pki_file("edge.crt"), pki_file("ed25519.key")).fault, CredentialsFault::private_key);
  EXPECT_EQ(error_of(pki_file("edge.crt"), pki_file("p521.key")).fault, CredentialsFault::private_key);
  EXPECT_EQ(error_of(pki_file("partner-rsa-1024.crt"), pki_file("partner-rsa-1024.key")).fault,
            CredentialsFault::unsuitable_key);
}

TEST_F(TlsCredentials, SayWhatIsMissing) {
  EXPECT_EQ(error_of("", pki_file("edge.key")).fault, CredentialsFault::not_pem);
  EXPECT_EQ(error_of(pki_file("edge.key"), pki_file("edge.key")).fault, CredentialsFault::not_pem);
  EXPECT_EQ(error_of(pki_file("edge.crt"), "").fault, CredentialsFault::not_pem);
  EXPECT_EQ(error_of(pki_file("edge.crt"), pki_file("edge.crt")).fault, CredentialsFault::not_pem);
}

TEST_F(TlsCredentials, NameTheLineOfADamagedBlock) {
  const std::string good = pki_file("edge.crt");
  const auto lines = static_cast<std::size_t>(std::ranges::count(good, '\n'));
  std::string damaged = pki_file("partner.crt");
  damaged[damaged.find('\n') + 20] = '*';
  const CredentialsError error = error_of("# first line\n" + good + damaged, pki_file("edge.key"));
  EXPECT_EQ(error.fault, CredentialsFault::certificate);
  EXPECT_EQ(error.line, 1 + lines + 1);

  const CredentialsError cut = error_of(good + damaged.substr(0, 100), pki_file("edge.key"));
  EXPECT_EQ(cut.fault, CredentialsFault::not_pem);
  EXPECT_EQ(cut.line, lines + 1);
}

TEST_F(TlsCredentials, SayThatACriticalExtensionIsUnknown) {
  const CredentialsError error = error_of(pki_file("critical-unknown.crt"), pki_file("critical-unknown.key"));
  EXPECT_EQ(error.fault, CredentialsFault::certificate);
  EXPECT_EQ(error.line, 1U);
}

TEST_F(TlsCredentials, SurviveEveryTruncationAndBitFlip) {
  const std::string chain = pki_file("edge.crt"), key = pki_file("edge.key");
  std::mt19937 generator(7);
  for (int round = 0; round < 300; ++round) {
    std::string bad_chain = chain, bad_key = key;
    std::string& target = round % 2 == 0 ? bad_chain : bad_key;
    if (round % 3 == 0) {
      target.resize(generator() % target.size());
    } else {
      target[generator() % target.size()] = static_cast<char>(generator());
    }
    OwnedArena arena{32 * 1024};
    {
      Credentials credentials(*arena);
      static_cast<void>(credentials.load(bad_chain, bad_key));
    }
    EXPECT_EQ(arena->in_use(), 0U) << round;
  }
}

TEST_F(TlsCredentials, SayWhenTheArenaIsTooSmall) {
  for (std::size_t bytes = 256; bytes < 16 * 1024; bytes += 256) {
    OwnedArena arena{bytes};
    bool fits = false;
    {
      Credentials credentials(*arena);
      const auto loaded = credentials.load(pki_file("edge-rsa.crt"), pki_file("edge-rsa.key"));
      fits = loaded.has_value();
      if (!fits) {
        EXPECT_EQ(loaded.error().fault, CredentialsFault::too_large) << bytes << loaded.error().explanation.c_str();
      }
    }
    EXPECT_EQ(arena->in_use(), 0U) << bytes;
    if (fits) return;
  }
  FAIL() << "an RSA-2048 key and a chain of two do not fit 16 KB";
}

TEST_F(TlsCredentials, AnchorsHoldSeveralCas) {
  OwnedArena arena{16 * 1024};
  TrustAnchors anchors(*arena);
  EXPECT_EQ(anchors.count(), 0U);
  EXPECT_TRUE(anchors.load(pki_file("ca.crt") + pki_file("rsa-ca.crt")));
  EXPECT_EQ(anchors.count(), 2U);
  EXPECT_TRUE(anchors.load(pki_file("foreign-ca.crt")));
  EXPECT_EQ(anchors.count(), 3U);
  EXPECT_FALSE(anchors.load("nothing"));
}

}  // namespace
}  // namespace sallyport::net::tls
