// The field and group arithmetic of P-256 and Curve25519 against OpenSSL's, for both sizes of a machine word.
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "hal/base/arena.h"
#include "mbedtls/ecdh.h"
#include "mbedtls/ecdsa.h"
#include "mbedtls/ecp.h"
#include "net/tls/engine.h"
#include "net/tls/field_arithmetic.h"

namespace sallyport::net::tls {
namespace {

using Bytes = std::array<std::uint8_t, 32>;  // big endian

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};
using Big = std::unique_ptr<BIGNUM, Release<BN_free>>;

Big big(const Bytes& bytes) { return Big(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)); }
Big big() { return Big(BN_new()); }

template <class Limb>
field::Number<Limb> number(const Bytes& bytes) {
  field::Number<Limb> result{};
  for (std::size_t i = 0; i < 32; ++i)
    result[i / sizeof(Limb)] |= static_cast<Limb>(static_cast<Limb>(bytes[31 - i]) << (8 * (i % sizeof(Limb))));
  return result;
}

template <class Limb>
Bytes bytes(const field::Number<Limb>& value) {
  Bytes result{};
  for (std::size_t i = 0; i < 32; ++i)
    result[31 - i] = static_cast<std::uint8_t>(value[i / sizeof(Limb)] >> (8 * (i % sizeof(Limb))));
  return result;
}

/// Numbers where carries run through and where reductions are decided, and the same number of random ones.
std::vector<Bytes> samples(const BIGNUM& prime) {
  std::vector<Bytes> all;
  const auto add = [&](const BIGNUM& value) {
    Bytes padded{};
    if (BN_is_negative(&value) || BN_num_bytes(&value) > 32) return;
    BN_bn2binpad(&value, padded.data(), 32);
    all.push_back(padded);
  };
  for (int shift = 0; shift <= 256; shift += 16) {
    for (const int offset : {-20, -19, -2, -1, 0, 1, 2, 19, 37, 38}) {
      Big value = big();
      BN_lshift(value.get(), BN_value_one(), shift);
      Big delta = big();
      BN_set_word(delta.get(), static_cast<unsigned long>(std::abs(offset)));
      (offset < 0 ? BN_sub : BN_add)(value.get(), value.get(), delta.get());
      add(*value);
      BN_sub(value.get(), &prime, value.get());
      add(*value);
    }
  }
  std::mt19937 generator(2026);
  for (std::size_t count = all.size(); count > 0; --count) {
    Bytes random;
    std::ranges::generate(random, [&] { return static_cast<std::uint8_t>(generator()); });
    // Runs of ones and zeros are where carries live.
    if (count % 3 == 0)
      std::fill_n(random.begin() + static_cast<std::ptrdiff_t>(generator() % 24), 8, count % 2 ? 0xFF : 0);
    all.push_back(random);
  }
  return all;
}

class Reference {
 public:
  explicit Reference(const char* prime_hex) : context_(BN_CTX_new()) {
    BIGNUM* prime = nullptr;
    BN_hex2bn(&prime, prime_hex);
    prime_.reset(prime);
  }
  const BIGNUM& prime() const { return *prime_; }
  template <class Operation>
  Bytes operator()(Operation operation, const Bytes& left, const Bytes& right) {
    Big result = big();
    operation(result.get(), big(left).get(), big(right).get(), prime_.get(), context_.get());
    return padded(*result);
  }
  Bytes reduced(const Bytes& value) {
    Big result = big();
    BN_nnmod(result.get(), big(value).get(), prime_.get(), context_.get());
    return padded(*result);
  }
  Bytes inverse(const Bytes& value) {
    Big result = big();
    BN_mod_inverse(result.get(), big(value).get(), prime_.get(), context_.get());
    return padded(*result);
  }

 private:
  static Bytes padded(const BIGNUM& value) {
    Bytes result{};
    BN_bn2binpad(&value, result.data(), 32);
    return result;
  }
  std::unique_ptr<BN_CTX, Release<BN_CTX_free>> context_;
  Big prime_;
};

constexpr const char* p256_prime = "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF";
constexpr const char* p25519_prime = "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFED";

template <class Limb>
class FieldTest : public testing::Test {};
using Limbs = testing::Types<std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(FieldTest, Limbs);

TYPED_TEST(FieldTest, P256AgreesWithOpenssl_Fips186_4_D_2_3) {
  using Limb = TypeParam;
  using F = field::P256<Limb>;
  Reference reference(p256_prime);
  std::vector<Bytes> values = samples(reference.prime());
  for (Bytes& value : values) value = reference.reduced(value);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Bytes& a = values[i];
    for (const std::size_t step : {0U, 1U, 7U, 101U, 203U}) {
      const Bytes& b = values[(i + step) % values.size()];
      const auto x = number<Limb>(a), y = number<Limb>(b);
      ASSERT_EQ(bytes<Limb>(F::sum(x, y)), reference(BN_mod_add, a, b)) << i << "+" << step;
      ASSERT_EQ(bytes<Limb>(F::difference(x, y)), reference(BN_mod_sub, a, b)) << i << "-" << step;
      ASSERT_EQ(bytes<Limb>(F::product(x, y)), reference(BN_mod_mul, a, b)) << i << "*" << step;
    }
    ASSERT_EQ(bytes<Limb>(F::square(number<Limb>(a))), reference(BN_mod_mul, a, a));
  }
}

TYPED_TEST(FieldTest, Curve25519AgreesWithOpenssl_Rfc7748_5) {
  using Limb = TypeParam;
  using F = field::Curve25519<Limb>;
  Reference reference(p25519_prime);
  // Not reduced: the ladder works on any 256 bits.
  const std::vector<Bytes> values = samples(reference.prime());
  const auto canonical = [](const field::Number<Limb>& value) { return bytes<Limb>(F::canonical(value)); };
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Bytes& a = values[i];
    ASSERT_EQ(canonical(number<Limb>(a)), reference.reduced(a)) << i;
    for (const std::size_t step : {0U, 1U, 7U, 101U, 203U}) {
      const Bytes& b = values[(i + step) % values.size()];
      const auto x = number<Limb>(a), y = number<Limb>(b);
      ASSERT_EQ(canonical(F::sum(x, y)), reference(BN_mod_add, a, b)) << i << "+" << step;
      ASSERT_EQ(canonical(F::difference(x, y)), reference(BN_mod_sub, a, b)) << i << "-" << step;
      ASSERT_EQ(canonical(F::product(x, y)), reference(BN_mod_mul, a, b)) << i << "*" << step;
    }
    Bytes a24{};
    a24[29] = 1, a24[30] = 0xDB, a24[31] = 0x42;  // 121666
    ASSERT_EQ(canonical(F::times(number<Limb>(a), 121666)), reference(BN_mod_mul, a, a24)) << i;
  }
}

TYPED_TEST(FieldTest, InversesAreInverses) {
  using Limb = TypeParam;
  Reference p256(p256_prime), p25519(p25519_prime);
  const std::vector<Bytes> values = samples(p256.prime());
  for (std::size_t i = 0; i < values.size(); i += 5) {
    const Bytes a = p256.reduced(values[i]), b = p25519.reduced(values[i]);
    if (a != Bytes{}) {
      ASSERT_EQ(bytes<Limb>(field::P256<Limb>::inverse(number<Limb>(a))), p256.inverse(a)) << i;
    }
    if (b != Bytes{}) {
      using F = field::Curve25519<Limb>;
      ASSERT_EQ(bytes<Limb>(F::canonical(F::inverse(number<Limb>(b)))), p25519.inverse(b)) << i;
    }
  }
  EXPECT_EQ(field::P256<Limb>::inverse({}), field::Number<Limb>{});
}

// The library with our group operations ------------------------------------------------------------------------------

class CurveTest : public testing::Test {
 protected:
  CurveTest() {
    mbedtls_ecp_group_init(&p256);
    mbedtls_ecp_group_init(&x25519);
    EXPECT_EQ(mbedtls_ecp_group_load(&p256, MBEDTLS_ECP_DP_SECP256R1), 0);
    EXPECT_EQ(mbedtls_ecp_group_load(&x25519, MBEDTLS_ECP_DP_CURVE25519), 0);
  }
  ~CurveTest() override {
    mbedtls_ecp_group_free(&p256);
    mbedtls_ecp_group_free(&x25519);
    EXPECT_EQ(arena.in_use(), 0U);
  }

  static int random(void* self, unsigned char* output, std::size_t length) {
    std::generate_n(output, length,
                    [&] { return static_cast<unsigned char>(static_cast<CurveTest*>(self)->generator()); });
    return 0;
  }

  /// scalar * point with OpenSSL; the uncompressed point (SEC 1 2.3.3).
  std::vector<std::uint8_t> openssl_multiple(const Bytes& scalar, const std::vector<std::uint8_t>& point) {
    std::unique_ptr<EC_GROUP, Release<EC_GROUP_free>> group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    std::unique_ptr<EC_POINT, Release<EC_POINT_free>> input(EC_POINT_new(group.get())),
        output(EC_POINT_new(group.get()));
    EXPECT_EQ(EC_POINT_oct2point(group.get(), input.get(), point.data(), point.size(), nullptr), 1);
    EXPECT_EQ(EC_POINT_mul(group.get(), output.get(), nullptr, input.get(), big(scalar).get(), nullptr), 1);
    std::vector<std::uint8_t> encoded(65);
    encoded.resize(EC_POINT_point2oct(group.get(), output.get(), POINT_CONVERSION_UNCOMPRESSED, encoded.data(),
                                      encoded.size(), nullptr));
    return encoded;
  }

  std::vector<std::uint8_t> our_multiple(const Bytes& scalar, const std::vector<std::uint8_t>& point) {
    mbedtls_mpi m;
    mbedtls_ecp_point input, output;
    mbedtls_mpi_init(&m);
    mbedtls_ecp_point_init(&input);
    mbedtls_ecp_point_init(&output);
    EXPECT_EQ(mbedtls_mpi_read_binary(&m, scalar.data(), scalar.size()), 0);
    EXPECT_EQ(mbedtls_ecp_point_read_binary(&p256, &input, point.data(), point.size()), 0);
    EXPECT_EQ(mbedtls_ecp_mul(&p256, &output, &m, &input, random, this), 0);
    std::vector<std::uint8_t> encoded(65);
    std::size_t length = 0;
    EXPECT_EQ(mbedtls_ecp_point_write_binary(&p256, &output, MBEDTLS_ECP_PF_UNCOMPRESSED, &length, encoded.data(),
                                             encoded.size()),
              0);
    mbedtls_mpi_free(&m);
    mbedtls_ecp_point_free(&input);
    mbedtls_ecp_point_free(&output);
    return encoded;
  }

  std::mt19937 generator{5};
  alignas(8) std::array<std::byte, 16384> memory{};
  Arena arena{memory};
  ArenaScope scope{arena};
  mbedtls_ecp_group p256, x25519;
};

std::vector<std::uint8_t> p256_generator() {
  std::unique_ptr<EC_GROUP, Release<EC_GROUP_free>> group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  std::vector<std::uint8_t> encoded(65);
  EC_POINT_point2oct(group.get(), EC_GROUP_get0_generator(group.get()), POINT_CONVERSION_UNCOMPRESSED, encoded.data(),
                     encoded.size(), nullptr);
  return encoded;
}

TEST_F(CurveTest, MultiplesOfP256PointsAgreeWithOpenssl) {
  std::vector<std::uint8_t> point = p256_generator();
  std::vector<Bytes> scalars;
  for (const int small : {1, 2, 3, 4, 5, 15, 16, 17, 255, 256}) {
    Bytes scalar{};
    scalar[30] = static_cast<std::uint8_t>(small >> 8), scalar[31] = static_cast<std::uint8_t>(small);
    scalars.push_back(scalar);
  }
  for (const int below : {1, 2, 3, 16}) {  // n - 1, ...
    Big order(nullptr);
    BIGNUM* raw = nullptr;
    BN_hex2bn(&raw, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
    order.reset(raw);
    BN_sub_word(order.get(), static_cast<unsigned long>(below));
    Bytes scalar{};
    BN_bn2binpad(order.get(), scalar.data(), 32);
    scalars.push_back(scalar);
  }
  for (int count = 0; count < 60; ++count) {
    Bytes scalar;
    std::ranges::generate(scalar, [&] { return static_cast<std::uint8_t>(generator()); });
    scalar[0] &= 0x7F;
    scalars.push_back(scalar);
  }
  for (const Bytes& scalar : scalars) {
    const auto ours = our_multiple(scalar, point);
    ASSERT_EQ(ours, openssl_multiple(scalar, point));
    point = ours;  // the next one is of an arbitrary point
  }
}

TEST_F(CurveTest, X25519PassesTheVectorsOfRfc7748_5_2) {
  struct Vector {
    const char *scalar, *u, *result;
  };
  const Vector vectors[] = {
      {"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
       "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
       "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
      {"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
       "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
       "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
  };
  for (const Vector& vector : vectors) {
    const auto from_hex = [](const char* hex) {
      Bytes result{};
      for (std::size_t i = 0; i < 32; ++i) {
        unsigned value = 0;
        std::sscanf(hex + 2 * i, "%2x", &value);
        result[i] = static_cast<std::uint8_t>(value);
      }
      return result;
    };
    Bytes scalar = from_hex(vector.scalar);
    scalar[0] &= 248, scalar[31] &= 127, scalar[31] |= 64;
    const Bytes u = from_hex(vector.u);
    mbedtls_mpi m;
    mbedtls_ecp_point input, output;
    mbedtls_mpi_init(&m);
    mbedtls_ecp_point_init(&input);
    mbedtls_ecp_point_init(&output);
    EXPECT_EQ(mbedtls_mpi_read_binary_le(&m, scalar.data(), scalar.size()), 0);
    EXPECT_EQ(mbedtls_ecp_point_read_binary(&x25519, &input, u.data(), u.size()), 0);
    EXPECT_EQ(mbedtls_ecp_mul(&x25519, &output, &m, &input, random, this), 0);
    Bytes result{};
    std::size_t length = 0;
    EXPECT_EQ(mbedtls_ecp_point_write_binary(&x25519, &output, MBEDTLS_ECP_PF_UNCOMPRESSED, &length, result.data(), 32),
              0);
    EXPECT_EQ(result, from_hex(vector.result));
    mbedtls_mpi_free(&m);
    mbedtls_ecp_point_free(&input);
    mbedtls_ecp_point_free(&output);
  }
}

TEST_F(CurveTest, SignaturesVerifyAndAlteredOnesDoNot) {
  mbedtls_ecp_keypair key;
  mbedtls_ecp_keypair_init(&key);
  ASSERT_EQ(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, &key, random, this), 0);
  mbedtls_mpi r, s;
  mbedtls_mpi_init(&r);
  mbedtls_mpi_init(&s);
  for (int round = 0; round < 20; ++round) {
    Bytes digest;
    std::ranges::generate(digest, [&] { return static_cast<std::uint8_t>(generator()); });
    auto& group = key.MBEDTLS_PRIVATE(grp);
    ASSERT_EQ(mbedtls_ecdsa_sign(&group, &r, &s, &key.MBEDTLS_PRIVATE(d), digest.data(), 32, random, this), 0);
    EXPECT_EQ(mbedtls_ecdsa_verify(&group, digest.data(), 32, &key.MBEDTLS_PRIVATE(Q), &r, &s), 0);
    digest[31] ^= 1;
    EXPECT_EQ(mbedtls_ecdsa_verify(&group, digest.data(), 32, &key.MBEDTLS_PRIVATE(Q), &r, &s),
              MBEDTLS_ERR_ECP_VERIFY_FAILED);
  }
  mbedtls_mpi_free(&r);
  mbedtls_mpi_free(&s);
  mbedtls_ecp_keypair_free(&key);
}

TEST_F(CurveTest, PointsThatAreNotOnTheCurveAreRefused_Sec1_3_2_2) {
  std::vector<std::uint8_t> point = p256_generator();
  mbedtls_ecp_point input;
  mbedtls_ecp_point_init(&input);
  ASSERT_EQ(mbedtls_ecp_point_read_binary(&p256, &input, point.data(), point.size()), 0);
  EXPECT_EQ(mbedtls_ecp_check_pubkey(&p256, &input), 0);
  point.back() ^= 1;
  ASSERT_EQ(mbedtls_ecp_point_read_binary(&p256, &input, point.data(), point.size()), 0);
  EXPECT_NE(mbedtls_ecp_check_pubkey(&p256, &input), 0);
  mbedtls_ecp_point_free(&input);
}

}  // namespace
}  // namespace sallyport::net::tls
