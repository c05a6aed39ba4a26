// Settings: what the operator has set, checked and typed. Static storage (about 0.2 MiB); texts and PEM are views into
// the SettingsImage they were parsed from, which must stay as it is for as long as these settings are in use.
//
// Each value keeps the line it came from, so that whoever judges it later (does the key fit the certificate?) can say
// where.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "firmware/config/bounded_list.h"
#include "firmware/config/domain_table.h"
#include "firmware/config/limits.h"
#include "hal/base/log.h"
#include "hal/base/time.h"
#include "net/ip_address.h"

namespace sallyport::firmware {

inline constexpr std::size_t max_dns_servers = 3;           // per side
inline constexpr std::size_t max_internal_trust_files = 4;  // CAs of gateways
inline constexpr std::size_t max_admitted_names = 16;
inline constexpr std::size_t max_partner_trust_files = 4;  // per partner
inline constexpr std::size_t max_description_bytes = 120;
inline constexpr std::chrono::seconds min_gateway_wait{1};
inline constexpr std::chrono::seconds max_gateway_wait{600};
inline constexpr std::chrono::seconds default_gateway_wait{30};
inline constexpr LogLevel default_log_level = LogLevel::info;

template <class T>
struct Located {
  T value{};
  std::uint32_t line = 0;  // from 1; 0: not set

  bool is_set() const { return line != 0; }
};

/// One value per address family.
template <class T>
using PerFamily = std::array<Located<T>, 2>;

constexpr std::size_t index_of(net::IpFamily family) { return family == net::IpFamily::v4 ? 0 : 1; }

/// A PEM file of the card. A NUL follows `pem`, not counted: Mbed TLS wants {pem.data(), pem.size() + 1}.
struct FileReference {
  std::string_view name;
  std::string_view pem;
  std::uint32_t line = 0;  // from 1; 0: not set

  bool is_set() const { return line != 0; }
};

struct SideSettings {
  PerFamily<net::IpPrefix> address;
  PerFamily<net::IpAddress> gateway;
  BoundedList<Located<net::IpAddress>, max_dns_servers> dns;
  FileReference certificate;  // chain, own certificate first
  FileReference key;
};

struct InternalSettings : SideSettings {
  BoundedList<FileReference, max_internal_trust_files> trust;
  BoundedList<Located<std::string_view>, max_admitted_names> admit;
};

struct Partner {
  std::string_view domain;
  std::uint32_t line = 0;  // the first that names it
  Located<std::string_view> description;
  BoundedList<FileReference, max_partner_trust_files> trust;
};

struct Settings {
  Located<std::string_view> system_name;
  SideSettings external;
  InternalSettings internal;
  BoundedList<Located<std::string_view>, limits::local_domains> local_domains;
  BoundedList<Partner, limits::partners> partners;
  Located<std::chrono::seconds> gateway_wait{default_gateway_wait, 0};
  Located<LogLevel> log_level{default_log_level, 0};
  DomainTable domains;  // system name, local domains and partners

  /// To what a Settings is without a line, without a second object of this size on the stack.
  void clear();
};

}  // namespace sallyport::firmware
