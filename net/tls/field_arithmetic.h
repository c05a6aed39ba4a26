// Arithmetic modulo the primes of P-256 and Curve25519, for the group operations in curve_arithmetic.cpp.
//
// Everything runs in constant time: no branch and no index depends on a value. Limb is the machine's word (32 bits on
// the appliance, 64 on the host); tests run both.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sallyport::net::tls::field {

#ifdef __SIZEOF_INT128__
__extension__ using Unsigned128 = unsigned __int128;
#else
using Unsigned128 = void;  // a 32-bit machine has no 64-bit limbs
#endif

template <class Limb>
using Double = std::conditional_t<sizeof(Limb) == 8, Unsigned128, std::uint64_t>;

template <class Limb>
inline constexpr int limb_bits = 8 * sizeof(Limb);

template <class Limb>
inline constexpr std::size_t limbs = 32 / sizeof(Limb);

/// 256 bits, least significant limb first.
template <class Limb>
using Number = std::array<Limb, limbs<Limb>>;

template <class Limb>
using Product = std::array<Limb, 2 * limbs<Limb>>;

/// sum = left + right; the carry.
template <class Limb>
constexpr Limb add(Number<Limb>& sum, const Number<Limb>& left, const Number<Limb>& right) {
  Limb carry = 0;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < limbs<Limb>; ++i) {
    const Double<Limb> word = static_cast<Double<Limb>>(left[i]) + right[i] + carry;
    sum[i] = static_cast<Limb>(word);
    carry = static_cast<Limb>(word >> limb_bits<Limb>);
  }
  return carry;
}

/// difference = left - right; the borrow, 0 or 1.
template <class Limb>
constexpr Limb subtract(Number<Limb>& difference, const Number<Limb>& left, const Number<Limb>& right) {
  Limb borrow = 0;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < limbs<Limb>; ++i) {
    const Double<Limb> word = static_cast<Double<Limb>>(left[i]) - right[i] - borrow;
    difference[i] = static_cast<Limb>(word);
    borrow = static_cast<Limb>(word >> limb_bits<Limb>) & 1;
  }
  return borrow;
}

/// `number` where `mask` is all ones, 0 where it is 0.
template <class Limb>
constexpr Number<Limb> masked(const Number<Limb>& number, Limb mask) {
  Number<Limb> result;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < limbs<Limb>; ++i) result[i] = number[i] & mask;
  return result;
}

/// low + high * 2^bits = a * b + high + low, which cannot overflow.
template <class Limb>
constexpr void multiply_add(Limb& low, Limb& high, Limb a, Limb b) {
#if defined(__arm__) && defined(__ARM_FEATURE_DSP)
  if (!std::is_constant_evaluated()) {
    asm("umaal %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(a), "r"(b));
    return;
  }
#endif
  const Double<Limb> word = static_cast<Double<Limb>>(a) * b + low + high;
  low = static_cast<Limb>(word);
  high = static_cast<Limb>(word >> limb_bits<Limb>);
}

template <class Limb>
constexpr Product<Limb> multiply_wide(const Number<Limb>& left, const Number<Limb>& right) {
  Product<Limb> product{};
#pragma GCC unroll 8
  for (std::size_t i = 0; i < limbs<Limb>; ++i) {
    Limb carry = 0;
#pragma GCC unroll 8
    for (std::size_t j = 0; j < limbs<Limb>; ++j) multiply_add(product[i + j], carry, left[i], right[j]);
    product[i + limbs<Limb>] = carry;
  }
  return product;
}

/// Each product of two different limbs is needed twice: 36 multiplications of words instead of 64 (10 instead of 16).
template <class Limb>
constexpr Product<Limb> square_wide(const Number<Limb>& value) {
  Product<Limb> product{};
#pragma GCC unroll 8
  for (std::size_t i = 0; i < limbs<Limb>; ++i) {
    Limb carry = 0;
#pragma GCC unroll 8
    for (std::size_t j = i + 1; j < limbs<Limb>; ++j) multiply_add(product[i + j], carry, value[i], value[j]);
    product[i + limbs<Limb>] = carry;
  }
  Limb carry = 0, shifted_out = 0;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < limbs<Limb>; ++i) {
    Limb low = static_cast<Limb>(product[2 * i] << 1) | shifted_out;
    Limb high = static_cast<Limb>(product[2 * i + 1] << 1) | (product[2 * i] >> (limb_bits<Limb> - 1));
    shifted_out = product[2 * i + 1] >> (limb_bits<Limb> - 1);
    // low + carry + square, whose high part then goes to `high`.
    multiply_add(low, carry, value[i], value[i]);
    const Double<Limb> word = static_cast<Double<Limb>>(high) + carry;
    high = static_cast<Limb>(word);
    carry = static_cast<Limb>(word >> limb_bits<Limb>);
    product[2 * i] = low;
    product[2 * i + 1] = high;
  }
  return product;
}

/// A number from eight 32-bit words, least significant first.
template <class Limb>
constexpr Number<Limb> from_words(const std::array<std::uint32_t, 8>& words) {
  if constexpr (sizeof(Limb) == 4) {
    return words;
  } else {
    Number<Limb> number;
#pragma GCC unroll 4
    for (std::size_t i = 0; i < limbs<Limb>; ++i) number[i] = words[2 * i] | static_cast<Limb>(words[2 * i + 1]) << 32;
    return number;
  }
}

/// Modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1. Values are in [0, p).
template <class Limb>
struct P256 {
  using Value = Number<Limb>;

  static constexpr Value prime = from_words<Limb>({~0U, ~0U, ~0U, 0, 0, 0, 1, ~0U});

  static constexpr Value sum(const Value& left, const Value& right) {
    Value result;
    const Limb carry = add<Limb>(result, left, right);
    return reduce_once(result, carry);
  }

  static constexpr Value difference(const Value& left, const Value& right) {
    Value result;
    const Limb borrow = subtract<Limb>(result, left, right);
    add<Limb>(result, result, masked<Limb>(prime, static_cast<Limb>(0 - borrow)));
    return result;
  }

  static constexpr Value product(const Value& left, const Value& right) {
    return reduce(multiply_wide<Limb>(left, right));
  }

  static constexpr Value square(const Value& value) { return reduce(square_wide<Limb>(value)); }

  /// 1 / value = value^(p - 2); 0 for 0. p - 2 = 2^256 - 2^224 + 2^192 + 2^96 - 3.
  static constexpr Value inverse(const Value& value) {
    const Value x2 = product(power(value, 1), value);
    const Value x4 = product(power(x2, 2), x2);
    const Value x8 = product(power(x4, 4), x4);
    const Value x16 = product(power(x8, 8), x8);
    const Value x32 = product(power(x16, 16), x16);
    Value result = product(power(x32, 32), value);  // ffffffff 00000001
    result = product(power(result, 128), x32);      // ... 00000000 00000000 00000000 ffffffff
    result = product(power(result, 32), x32);       // ... ffffffff
    const Value x30 = product(power(product(power(product(power(x16, 8), x8), 4), x4), 2), x2);
    return product(power(result, 32), product(power(x30, 2), value));  // ... fffffffd
  }

 private:
  /// value^(2^times)
  static constexpr Value power(const Value& value, int times) {
    Value result = value;
    for (int i = 0; i < times; ++i) result = square(result);
    return result;
  }

  /// `value` + carry * 2^256, less than 2p, to [0, p).
  static constexpr Value reduce_once(const Value& value, Limb carry) {
    Value less;
    const Limb borrow = subtract<Limb>(less, value, prime);
    const Limb keep = static_cast<Limb>(0 - (borrow & (carry ^ 1)));
    Value result;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < limbs<Limb>; ++i) result[i] = (value[i] & keep) | (less[i] & ~keep);
    return result;
  }

  /// FIPS 186-4 D.2.3: each 32-bit word of the high half is worth a sum of words of the low half.
  static constexpr Value reduce(const Product<Limb>& wide) {
    const auto c = [&wide](std::size_t index) -> std::int64_t {
      if constexpr (sizeof(Limb) == 4) return wide[index];
      return static_cast<std::int64_t>((wide[index / 2] >> (index % 2 * 32)) & 0xFFFFFFFFU);
    };
    const std::int64_t sums[8] = {
        c(0) + c(8) + c(9) - c(11) - c(12) - c(13) - c(14),  c(1) + c(9) + c(10) - c(12) - c(13) - c(14) - c(15),
        c(2) + c(10) + c(11) - c(13) - c(14) - c(15),        c(3) + 2 * c(11) + 2 * c(12) + c(13) - c(15) - c(8) - c(9),
        c(4) + 2 * c(12) + 2 * c(13) + c(14) - c(9) - c(10), c(5) + 2 * c(13) + 2 * c(14) + c(15) - c(10) - c(11),
        c(6) + 3 * c(14) + 2 * c(15) + c(13) - c(8) - c(9),  c(7) + 3 * c(15) + c(8) - c(10) - c(11) - c(12) - c(13),
    };
    std::array<std::uint32_t, 8> words;
    std::int64_t carry = 0;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      carry += sums[i];
      words[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    // The carry is within -5..6. 2^256 = 2^224 - 2^192 - 2^96 + 1 mod p, so a first folding leaves -1, 0 or 1 and a
    // second one nothing: then the words are so small, or so large, that it cannot carry again.
    carry = fold(words, carry);
    fold(words, carry);
    return reduce_once(from_words<Limb>(words), 0);
  }

  static constexpr std::int64_t fold(std::array<std::uint32_t, 8>& words, std::int64_t times) {
    constexpr std::int64_t worth[8] = {1, 0, 0, -1, 0, 0, -1, 1};
    std::int64_t carry = 0;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      carry += static_cast<std::int64_t>(words[i]) + worth[i] * times;
      words[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    return carry;
  }
};

/// Modulo p = 2^255 - 19. Values are in [0, 2^256) until canonical() brings them into [0, p).
template <class Limb>
struct Curve25519 {
  using Value = Number<Limb>;

  static constexpr Value sum(const Value& left, const Value& right) {
    Value result;
    const Limb carry = add<Limb>(result, left, right);
    add_small(result, fold_add(result, carry));
    return result;
  }

  static constexpr Value difference(const Value& left, const Value& right) {
    Value result;
    const Limb borrow = subtract<Limb>(result, left, right);
    // 2^256 = 38 mod p. The second time the low limb is so large that it cannot borrow.
    const Limb again = subtract<Limb>(result, result, small(38 * borrow));
    subtract<Limb>(result, result, small(38 * again));
    return result;
  }

  static constexpr Value product(const Value& left, const Value& right) {
    return reduce(multiply_wide<Limb>(left, right));
  }

  static constexpr Value square(const Value& value) { return reduce(square_wide<Limb>(value)); }
  static constexpr Value times(const Value& value, std::uint32_t factor) {
    Value result{};
    Limb carry = 0;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < limbs<Limb>; ++i) multiply_add<Limb>(result[i], carry, value[i], factor);
    add_small(result, fold_add(result, carry));
    return result;
  }

  /// 1 / value = value^(p - 2); 0 for 0. p - 2 = 2^255 - 21. x<n> is value^(2^n - 1).
  static constexpr Value inverse(const Value& value) {
    const Value x2 = product(power(value, 1), value);
    const Value x4 = product(power(x2, 2), x2);
    const Value x5 = product(power(x4, 1), value);
    const Value x10 = product(power(x5, 5), x5);
    const Value x20 = product(power(x10, 10), x10);
    const Value x40 = product(power(x20, 20), x20);
    const Value x50 = product(power(x40, 10), x10);
    const Value x100 = product(power(x50, 50), x50);
    const Value x200 = product(power(x100, 100), x100);
    const Value x250 = product(power(x200, 50), x50);
    // 2^255 - 21 = (2^250 - 1) * 2^5 + 11
    const Value eleven = product(power(product(power(value, 2), value), 1), value);
    return product(power(x250, 5), eleven);
  }

  static constexpr Value canonical(const Value& value) {
    constexpr Limb top = static_cast<Limb>(1) << (limb_bits<Limb> - 1);
    // 2^255 = 19 mod p.
    Value result = value;
    const Limb high = result.back() >> (limb_bits<Limb> - 1);
    result.back() &= static_cast<Limb>(~top);
    add_small(result, 19 * high);
    // Now below 2^255 + 19. Adding 19 carries into bit 255 exactly when the value is not below p.
    Value plus19 = result;
    add_small(plus19, 19);
    const Limb above = static_cast<Limb>(0 - (plus19.back() >> (limb_bits<Limb> - 1)));
    plus19.back() &= static_cast<Limb>(~top);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < limbs<Limb>; ++i) result[i] = (result[i] & ~above) | (plus19[i] & above);
    return result;
  }

 private:
  /// value^(2^times)
  static constexpr Value power(const Value& value, int times) {
    Value result = value;
    for (int i = 0; i < times; ++i) result = square(result);
    return result;
  }

  static constexpr Value reduce(const Product<Limb>& wide) {
    Value result;
    Limb carry = 0;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < limbs<Limb>; ++i) {
      result[i] = wide[i];
      multiply_add<Limb>(result[i], carry, wide[i + limbs<Limb>], 38);
    }
    add_small(result, fold_add(result, carry));
    return result;
  }

  static constexpr Value small(Limb number) {
    Value value{};
    value[0] = number;
    return value;
  }
  static constexpr Limb add_small(Value& value, Limb number) { return add<Limb>(value, value, small(number)); }
  /// Adds carry * 2^256; what is left to add to the low limb, which cannot carry further.
  static constexpr Limb fold_add(Value& value, Limb carry) {
    Limb low = 0, high = 0;
    multiply_add<Limb>(low, high, carry, 38);
    return 38 * add_small(value, low);
  }
};

}  // namespace sallyport::net::tls::field
