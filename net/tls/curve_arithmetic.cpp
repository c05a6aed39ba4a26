// Group operations of P-256 and Curve25519 for Mbed TLS (MBEDTLS_ECP_INTERNAL_ALT): its own do the same steps on
// numbers of any length, with an allocation for many of them, which is five to ten times slower. Scalars, tables,
// blinding and the checks of points stay the library's, and so does every other curve. Figures: net/tls/README.md.

#include <algorithm>
#include <array>
#include <span>

#include "mbedtls/ecp.h"
#include "net/tls/field_arithmetic.h"

namespace sallyport::net::tls {
namespace {

using Limb = mbedtls_mpi_uint;
using Value = field::Number<Limb>;

/// The library keeps coordinates reduced, so that more limbs than ours hold nothing but zeros.
Value load(const mbedtls_mpi& number) {
  Value value{};
  const std::size_t count = std::min<std::size_t>(number.MBEDTLS_PRIVATE(n), value.size());
  std::copy_n(number.MBEDTLS_PRIVATE(p), count, value.begin());
  return value;
}

int store(mbedtls_mpi& number, const Value& value) {
  if (number.MBEDTLS_PRIVATE(n) < value.size()) {
    const int status = mbedtls_mpi_grow(&number, value.size());
    if (status != 0) return status;
  }
  Limb* limbs = number.MBEDTLS_PRIVATE(p);
  std::ranges::copy(value, limbs);
  std::fill(limbs + value.size(), limbs + number.MBEDTLS_PRIVATE(n), Limb{0});
  number.MBEDTLS_PRIVATE(s) = 1;
  return 0;
}

int store(mbedtls_ecp_point& point, const Value& x, const Value& y, const Value& z) {
  int status = store(point.MBEDTLS_PRIVATE(X), x);
  if (status == 0) status = store(point.MBEDTLS_PRIVATE(Y), y);
  if (status == 0) status = store(point.MBEDTLS_PRIVATE(Z), z);
  return status;
}

bool is_zero(const Value& value) {
  Limb bits = 0;
  for (const Limb limb : value) bits |= limb;
  return bits == 0;
}

/// Jacobian coordinates, a = -3: 4 multiplications, 4 squarings.
int double_point(mbedtls_ecp_point& result, const mbedtls_ecp_point& point) {
  using F = field::P256<Limb>;
  const auto twice = [](const Value& value) { return F::sum(value, value); };
  const Value x = load(point.MBEDTLS_PRIVATE(X)), y = load(point.MBEDTLS_PRIVATE(Y)),
              z = load(point.MBEDTLS_PRIVATE(Z));
  const Value zz = F::square(z);
  const Value slope = F::product(F::difference(x, zz), F::sum(x, zz));
  const Value m = F::sum(twice(slope), slope);
  const Value yy2 = twice(F::square(y));
  const Value s = twice(F::product(x, yy2));
  const Value x3 = F::difference(F::square(m), twice(s));
  const Value y3 = F::difference(F::product(m, F::difference(s, x3)), twice(F::square(yy2)));
  const Value z3 = twice(F::product(y, z));
  return store(result, x3, y3, z3);
}

/// left + right, where right is affine (z = 1) and neither is the point at infinity: 8 multiplications, 3 squarings.
int add_affine(mbedtls_ecp_point& result, const mbedtls_ecp_point& left, const mbedtls_ecp_point& right) {
  using F = field::P256<Limb>;
  const Value x1 = load(left.MBEDTLS_PRIVATE(X)), y1 = load(left.MBEDTLS_PRIVATE(Y)),
              z1 = load(left.MBEDTLS_PRIVATE(Z));
  const Value zz = F::square(z1);
  const Value h = F::difference(F::product(zz, load(right.MBEDTLS_PRIVATE(X))), x1);
  const Value r = F::difference(F::product(F::product(zz, z1), load(right.MBEDTLS_PRIVATE(Y))), y1);
  // The same point, or one and its opposite: the library's own code branches here too, and blinding makes it
  // meaningless.
  if (is_zero(h)) return is_zero(r) ? double_point(result, left) : mbedtls_ecp_set_zero(&result);
  const Value hh = F::square(h);
  const Value hhh = F::product(hh, h);
  const Value v = F::product(hh, x1);
  const Value x3 = F::difference(F::difference(F::square(r), F::sum(v, v)), hhh);
  const Value y3 = F::difference(F::product(r, F::difference(v, x3)), F::product(hhh, y1));
  return store(result, x3, y3, F::product(z1, h));
}

/// Coordinates as a table of the library keeps them: affine, and no longer than they need to be.
int make_affine(mbedtls_ecp_point& point, const Value& inverse_z) {
  using F = field::P256<Limb>;
  const Value squared = F::square(inverse_z);
  const Value x = F::product(load(point.MBEDTLS_PRIVATE(X)), squared);
  const Value y = F::product(load(point.MBEDTLS_PRIVATE(Y)), F::product(squared, inverse_z));
  int status = store(point.MBEDTLS_PRIVATE(X), x);
  if (status == 0) status = store(point.MBEDTLS_PRIVATE(Y), y);
  if (status == 0) status = mbedtls_mpi_shrink(&point.MBEDTLS_PRIVATE(X), x.size());
  if (status == 0) status = mbedtls_mpi_shrink(&point.MBEDTLS_PRIVATE(Y), y.size());
  if (status == 0) status = mbedtls_mpi_lset(&point.MBEDTLS_PRIVATE(Z), 1);
  return status;
}

/// Montgomery's trick: one inversion for all of them.
int make_all_affine(std::span<mbedtls_ecp_point*> points) {
  using F = field::P256<Limb>;
  // The library's tables have 2^(w-1) points, and w is at most MBEDTLS_ECP_WINDOW_SIZE + 1.
  std::array<Value, 1 << MBEDTLS_ECP_WINDOW_SIZE> products;
  if (points.size() > products.size()) return MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE;
  products[0] = load(points[0]->MBEDTLS_PRIVATE(Z));
  for (std::size_t i = 1; i < points.size(); ++i)
    products[i] = F::product(products[i - 1], load(points[i]->MBEDTLS_PRIVATE(Z)));
  Value inverse = F::inverse(products[points.size() - 1]);
  for (std::size_t i = points.size(); i-- > 0;) {
    const Value inverse_z = i > 0 ? F::product(inverse, products[i - 1]) : inverse;
    inverse = F::product(inverse, load(points[i]->MBEDTLS_PRIVATE(Z)));
    const int status = make_affine(*points[i], inverse_z);
    if (status != 0) return status;
  }
  return 0;
}

/// A step of the Montgomery ladder, in the x and z coordinates of RFC 7748 5: doubled = 2 point, sum = point + other,
/// whose difference has the affine coordinate x = `base`.
int ladder_step(mbedtls_ecp_point& doubled, mbedtls_ecp_point& sum, const mbedtls_ecp_point& point,
                const mbedtls_ecp_point& other, const mbedtls_mpi& base) {
  using F = field::Curve25519<Limb>;
  constexpr std::uint32_t a24 =
      121666;  // (A + 2) / 4, which the library's formulas use (RFC 7748: (A - 2) / 4 with AA)
  const Value x2 = load(point.MBEDTLS_PRIVATE(X)), z2 = load(point.MBEDTLS_PRIVATE(Z));
  const Value x3 = load(other.MBEDTLS_PRIVATE(X)), z3 = load(other.MBEDTLS_PRIVATE(Z));
  const Value a = F::sum(x2, z2), b = F::difference(x2, z2);
  const Value da = F::product(F::difference(x3, z3), a), cb = F::product(F::sum(x3, z3), b);
  const Value aa = F::square(a), bb = F::square(b);
  const Value e = F::difference(aa, bb);
  const Value zd = F::product(e, F::sum(bb, F::times(e, a24)));
  const Value zs = F::product(load(base), F::square(F::difference(da, cb)));
  int status = store(doubled.MBEDTLS_PRIVATE(X), F::canonical(F::product(aa, bb)));
  if (status == 0) status = store(doubled.MBEDTLS_PRIVATE(Z), F::canonical(zd));
  if (status == 0) status = store(sum.MBEDTLS_PRIVATE(X), F::canonical(F::square(F::sum(da, cb))));
  if (status == 0) status = store(sum.MBEDTLS_PRIVATE(Z), F::canonical(zs));
  return status;
}

}  // namespace
}  // namespace sallyport::net::tls

// The library's side: library/ecp_internal_alt.h of Mbed TLS 3.6 declares these.
extern "C" {

unsigned char mbedtls_internal_ecp_grp_capable(const mbedtls_ecp_group* group) {
  return group->id == MBEDTLS_ECP_DP_SECP256R1 || group->id == MBEDTLS_ECP_DP_CURVE25519;
}

int mbedtls_internal_ecp_init(const mbedtls_ecp_group*) { return 0; }

void mbedtls_internal_ecp_free(const mbedtls_ecp_group*) {}

int mbedtls_internal_ecp_double_jac(const mbedtls_ecp_group*, mbedtls_ecp_point* result,
                                    const mbedtls_ecp_point* point) {
  return sallyport::net::tls::double_point(*result, *point);
}

int mbedtls_internal_ecp_add_mixed(const mbedtls_ecp_group*, mbedtls_ecp_point* result, const mbedtls_ecp_point* left,
                                   const mbedtls_ecp_point* right) {
  const mbedtls_mpi& z = right->MBEDTLS_PRIVATE(Z);
  if (z.MBEDTLS_PRIVATE(p) == nullptr) return MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
  if (mbedtls_mpi_cmp_int(&left->MBEDTLS_PRIVATE(Z), 0) == 0) return mbedtls_ecp_copy(result, right);
  if (mbedtls_mpi_cmp_int(&z, 0) == 0) return mbedtls_ecp_copy(result, left);
  if (mbedtls_mpi_cmp_int(&z, 1) != 0) return MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
  return sallyport::net::tls::add_affine(*result, *left, *right);
}

int mbedtls_internal_ecp_normalize_jac(const mbedtls_ecp_group*, mbedtls_ecp_point* point) {
  using namespace sallyport::net::tls;
  return make_affine(*point, field::P256<Limb>::inverse(load(point->MBEDTLS_PRIVATE(Z))));
}

int mbedtls_internal_ecp_normalize_jac_many(const mbedtls_ecp_group*, mbedtls_ecp_point* points[], std::size_t count) {
  return sallyport::net::tls::make_all_affine({points, count});
}

int mbedtls_internal_ecp_normalize_mxz(const mbedtls_ecp_group*, mbedtls_ecp_point* point) {
  using namespace sallyport::net::tls;
  using F = field::Curve25519<Limb>;
  const Value x = F::product(load(point->MBEDTLS_PRIVATE(X)), F::inverse(load(point->MBEDTLS_PRIVATE(Z))));
  const int status = store(point->MBEDTLS_PRIVATE(X), F::canonical(x));
  return status != 0 ? status : mbedtls_mpi_lset(&point->MBEDTLS_PRIVATE(Z), 1);
}

int mbedtls_internal_ecp_double_add_mxz(const mbedtls_ecp_group*, mbedtls_ecp_point* doubled, mbedtls_ecp_point* sum,
                                        const mbedtls_ecp_point* point, const mbedtls_ecp_point* other,
                                        const mbedtls_mpi* base) {
  return sallyport::net::tls::ladder_step(*doubled, *sum, *point, *other, *base);
}

}  // extern "C"
