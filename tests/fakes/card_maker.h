// Makes a MemoryCard as tools/make-card does, by running it: the two must agree on the layout.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/fakes/memory_card.h"

namespace sallyport::fakes {

/// A folder of its own that goes with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sallyport-card-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct MadeCard {
  int exit_code = 0;
  std::string output;  // stdout and stderr
};

/// Runs tools/make-card with `files` (settings.conf and PEM) as its folder, and puts the image into `card`.
inline MadeCard make_card(const std::map<std::string, std::string>& files, const std::string& options,
                          MemoryCard& card) {
  const ScratchFolder scratch;
  const auto folder = scratch.path() / "settings";
  std::filesystem::create_directory(folder);
  for (const auto& [name, content] : files) std::ofstream(folder / name, std::ios::binary) << content;
  const auto image = scratch.path() / "card.img";
  const auto log = scratch.path() / "log";
  const auto tool = std::filesystem::path(SALLYPORT_SOURCE_DIR) / "tools" / "make-card";
  const std::string command =
      tool.string() + " " + folder.string() + " " + image.string() + " " + options + " >" + log.string() + " 2>&1";

  MadeCard made;
  made.exit_code = std::system(command.c_str());
  std::ifstream log_file(log);
  made.output.assign(std::istreambuf_iterator<char>(log_file), {});
  std::ifstream from(image, std::ios::binary);
  MemoryCard::Block block;
  for (std::uint64_t number = 0; from.read(reinterpret_cast<char*>(block.data()), block.size()); ++number) {
    const MemoryCard::Block zeros{};
    if (block != zeros) card.block(number) = block;
  }
  return made;
}

}  // namespace sallyport::fakes
