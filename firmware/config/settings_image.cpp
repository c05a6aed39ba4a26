#include "firmware/config/settings_image.h"

#include <algorithm>
#include <cstring>

#include "firmware/config/little_endian.h"
#include "hal/base/assert.h"

namespace sallyport::firmware {
namespace {

constexpr bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

constexpr std::byte nul{0};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

std::string_view to_text(ImageError error) {
  switch (error) {
    case ImageError::too_large: return "it is larger than the appliance's memory for settings";
    case ImageError::truncated: return "a length in it points behind its end";
    case ImageError::bad_text: return "its text does not end where it should";
    case ImageError::bad_name: return "a file in it has a name that is not allowed";
    case ImageError::unordered: return "its files are not in order, or one comes twice";
    case ImageError::bad_content: return "a file in it is binary, or does not end where it should";
    case ImageError::too_many_files: return "it holds too many files";
    case ImageError::trailing_bytes: return "bytes follow its last file";
  }
  return "unknown reason";
}

void SettingsImage::clear() {
  // Through volatile: a plain fill of memory that nobody reads afterwards may be left out.
  volatile std::byte* byte = bytes_.data();
  for (std::size_t i = 0; i < written_bytes_; ++i) byte[i] = nul;
  written_bytes_ = payload_bytes_ = text_bytes_ = file_count_ = 0;
}

Result<void, ImageError> SettingsImage::adopt(std::size_t payload_bytes, std::size_t text_bytes,
                                              std::size_t file_count) {
  payload_bytes_ = text_bytes_ = file_count_ = 0;
  const auto checked = [&]() -> Result<void, ImageError> {
    if (payload_bytes > max_payload_bytes) return unexpected(ImageError::too_large);
    if (text_bytes >= payload_bytes) return unexpected(ImageError::truncated);
    if (bytes_[text_bytes] != nul) return unexpected(ImageError::bad_text);
    payload_bytes_ = payload_bytes;
    text_bytes_ = text_bytes;
    return index_files(file_count);
  }();
  if (!checked) clear();
  return checked;
}

Result<void, ImageError> SettingsImage::build(std::string_view text, std::span<const NamedFile> files) {
  clear();
  bool fits = append(bytes_of(text)) && append({&nul, 1});
  for (const NamedFile& file : files) {
    if (file.name.size() > max_file_name_bytes) return clear(), unexpected(ImageError::bad_name);
    std::array<std::byte, file_header_bytes> header{};
    write_little_endian(std::span(header), 0, static_cast<std::uint16_t>(file.name.size()));
    write_little_endian(std::span(header), 4, static_cast<std::uint32_t>(file.content.size()));
    fits = fits && append(header) && append(bytes_of(file.name)) && append({&nul, 1}) &&
           append(bytes_of(file.content)) && append({&nul, 1});
  }
  if (!fits) return clear(), unexpected(ImageError::too_large);
  return adopt(payload_bytes_, text.size(), files.size());
}

std::span<char> SettingsImage::text() { return {reinterpret_cast<char*>(bytes_.data()), text_bytes_}; }

NamedFile SettingsImage::file(std::size_t index) const {
  SALLYPORT_ASSERT(index < file_count_);
  const std::size_t offset = offsets_[index];
  const std::size_t name_bytes = read_little_endian<std::uint16_t>(bytes_, offset);
  const std::size_t content_bytes = read_little_endian<std::uint32_t>(bytes_, offset + 4);
  const char* name = reinterpret_cast<const char*>(bytes_.data()) + offset + file_header_bytes;
  return {{name, name_bytes}, {name + name_bytes + 1, content_bytes}};
}

std::optional<NamedFile> SettingsImage::find(std::string_view name) const {
  std::size_t low = 0;
  for (std::size_t high = file_count_; low < high;) {
    const std::size_t middle = low + (high - low) / 2;
    if (file(middle).name < name)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == file_count_ || file(low).name != name) return std::nullopt;
  return file(low);
}

Result<void, ImageError> SettingsImage::index_files(std::size_t file_count) {
  if (file_count > max_files) return unexpected(ImageError::too_many_files);
  std::size_t offset = text_bytes_ + 1;
  for (std::size_t index = 0; index < file_count; ++index) {
    const auto next = check_file(offset);
    if (!next) return unexpected(next.error());
    offsets_[index] = static_cast<std::uint32_t>(offset);
    file_count_ = index + 1;
    if (index > 0 && file(index - 1).name >= file(index).name) return unexpected(ImageError::unordered);
    offset = *next;
  }
  if (offset != payload_bytes_) return unexpected(ImageError::trailing_bytes);
  return {};
}

// The offset behind the file. Every sum is of values that were compared with what is left first, so none wraps.
Result<std::size_t, ImageError> SettingsImage::check_file(std::size_t offset) const {
  std::size_t left = payload_bytes_ - offset;
  if (left < file_header_bytes) return unexpected(ImageError::truncated);
  left -= file_header_bytes;
  const std::size_t name_bytes = read_little_endian<std::uint16_t>(bytes_, offset);
  const std::size_t content_bytes = read_little_endian<std::uint32_t>(bytes_, offset + 4);
  if (name_bytes == 0 || name_bytes > max_file_name_bytes) return unexpected(ImageError::bad_name);
  if (left < name_bytes + 1) return unexpected(ImageError::truncated);
  left -= name_bytes + 1;
  if (left < 1 || content_bytes > left - 1) return unexpected(ImageError::truncated);

  const char* name = reinterpret_cast<const char*>(bytes_.data()) + offset + file_header_bytes;
  if (name[name_bytes] != '\0' || !std::all_of(name, name + name_bytes, is_name_character))
    return unexpected(ImageError::bad_name);
  const char* content = name + name_bytes + 1;
  if (content[content_bytes] != '\0' || std::memchr(content, '\0', content_bytes) != nullptr)
    return unexpected(ImageError::bad_content);
  return offset + file_header_bytes + name_bytes + 1 + content_bytes + 1;
}

bool SettingsImage::append(std::span<const std::byte> bytes) {
  if (bytes.size() > max_payload_bytes - payload_bytes_) return false;
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(payload_bytes_));
  payload_bytes_ += bytes.size();
  written_bytes_ = std::max(written_bytes_, payload_bytes_);
  return true;
}

}  // namespace sallyport::firmware
