// SettingsImage: the content of one settings slot in RAM: the text of `set` lines and the PEM files that they name.
// Settings are views into it; it owns the bytes, nothing else copies them. About 0.5 MiB: static storage only.
//
// Payload, as on the card (integers little-endian):
//
//   text          text_bytes bytes, then one NUL
//   file_count x  { u16 name_bytes, u16 zero, u32 content_bytes, name, NUL, content, NUL }
//
// Names are 1 to 64 characters of A-Z a-z 0-9 . _ - and strictly ascend in byte order, so none comes twice. The NULs
// let C libraries parse PEM in place. The payload ends with the last file: no byte is left over.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "firmware/config/limits.h"
#include "hal/base/result.h"
#include "hal/block_device.h"

namespace sallyport::firmware {

enum class ImageError : std::uint8_t {
  too_large,    // more than limits::settings_bytes
  truncated,    // a length points behind the end
  bad_text,     // the text has no NUL behind it
  bad_name,     // a file's name is empty, too long, or has a character that is not allowed
  unordered,    // names do not ascend, or one comes twice
  bad_content,  // a file has no NUL behind it, or one inside
  too_many_files,
  trailing_bytes  // bytes behind the last file
};

/// A clause for operators: "a length points behind its end".
std::string_view to_text(ImageError error);

struct NamedFile {
  std::string_view name;
  std::string_view content;  // NUL follows, not counted
};

class SettingsImage {
 public:
  static constexpr std::size_t max_payload_bytes = limits::settings_bytes;
  static constexpr std::size_t max_file_name_bytes = 64;
  /// One trust anchor of its own for each partner, and room to replace some.
  static constexpr std::size_t max_files = limits::partners + 64;

  SettingsImage() = default;
  SettingsImage(const SettingsImage&) = delete;
  SettingsImage& operator=(const SettingsImage&) = delete;

  /// Forgets and wipes everything (it may hold private keys).
  void clear();

  /// Where a reader puts the payload: room for max_payload_bytes and up to one block more.
  std::span<std::byte> storage() {
    written_bytes_ = bytes_.size();
    return bytes_;
  }
  /// Checks `payload_bytes` bytes that were put into storage(). On an error the image is empty.
  Result<void, ImageError> adopt(std::size_t payload_bytes, std::size_t text_bytes, std::size_t file_count);
  /// Builds a payload from its parts, which are copied. `files` must ascend by name.
  Result<void, ImageError> build(std::string_view text, std::span<const NamedFile> files);

  /// Writable, because the parser of the settings brings domain names into their comparable form in place.
  std::span<char> text();
  std::span<const std::byte> payload() const { return {bytes_.data(), payload_bytes_}; }
  std::size_t text_bytes() const { return text_bytes_; }
  std::size_t file_count() const { return file_count_; }
  /// `index` < file_count(), in ascending order of names.
  NamedFile file(std::size_t index) const;
  std::optional<NamedFile> find(std::string_view name) const;

 private:
  static constexpr std::size_t file_header_bytes = 8;
  Result<void, ImageError> index_files(std::size_t file_count);
  Result<std::size_t, ImageError> check_file(std::size_t offset) const;
  bool append(std::span<const std::byte> bytes);

  alignas(4) std::array<std::byte, max_payload_bytes + hal::block_bytes> bytes_{};
  std::array<std::uint32_t, max_files> offsets_{};
  std::size_t written_bytes_ = 0;  // what clear() has to wipe
  std::size_t payload_bytes_ = 0;
  std::size_t text_bytes_ = 0;
  std::size_t file_count_ = 0;
};

}  // namespace sallyport::firmware
