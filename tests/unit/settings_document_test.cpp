// docs/settings.md is kept true: its table is the parser's table, and its example is taken without a mistake.
// SALLYPORT_WRITE_DOCS=1 writes the table into the document instead of comparing it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "firmware/config/settings_parser.h"

namespace sallyport::firmware {
namespace {

const std::string path = SALLYPORT_SOURCE_DIR "/docs/settings.md";
const std::string begin_mark = "<!-- table -->\n";
const std::string end_mark = "<!-- end -->\n";

std::string read_document() {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string shown_path(const SettingEntry& entry) {
  std::string text(entry.path);
  if (const auto at = text.find("<domain>"); at != std::string::npos) text.replace(at, 8, "DOMAIN");
  const std::string placeholder(describe(entry.value).placeholder);
  return "`set " + text + (placeholder.empty() ? "" : " " + placeholder) + "`";
}

std::string make_table() {
  std::string table = "\n| Setting | Times | Without it | Meaning |\n|---|---|---|---|\n";
  for (const SettingEntry& entry : setting_table()) {
    const std::string without = entry.required           ? "**required**"
                                : entry.fallback.empty() ? "-"
                                                         : "`" + std::string(entry.fallback) + "`";
    table += "| " + shown_path(entry) + " | " + std::string(entry.times) + " | " + without + " | " +
             std::string(entry.help) + " |\n";
  }
  table += "\n| Value | What is accepted |\n|---|---|\n";
  std::string seen;
  for (const SettingEntry& entry : setting_table()) {
    const auto& value = describe(entry.value);
    if (value.placeholder.empty() || seen.find(std::string(value.allowed)) != std::string::npos) continue;
    seen += value.allowed;
    table += "| `" + std::string(value.placeholder) + "` | " + std::string(value.allowed) + " |\n";
  }
  return table + "\n";
}

TEST(SettingsDocument, TableIsTheParsersTable) {
  const std::string document = read_document();
  const std::size_t begin = document.find(begin_mark) + begin_mark.size();
  const std::size_t end = document.find(end_mark);
  ASSERT_LT(begin, document.size());
  ASSERT_LT(end, document.size());
  if (std::getenv("SALLYPORT_WRITE_DOCS") != nullptr) {
    std::ofstream(path) << document.substr(0, begin) << make_table() << document.substr(end);
    return;
  }
  EXPECT_EQ(document.substr(begin, end - begin), make_table())
      << "write it anew: SALLYPORT_WRITE_DOCS=1 settings_document_test";
}

TEST(SettingsDocument, ExampleIsTakenWithoutAMistake) {
  const std::string document = read_document();
  const std::size_t begin = document.find("```\n") + 4;
  const std::string example = document.substr(begin, document.find("```", begin) - begin);
  const std::string certificate = "-----BEGIN CERTIFICATE-----\n";
  const std::string key = "-----BEGIN PRIVATE KEY-----\n";
  const std::vector<NamedFile> files{{"corp-ca.pem", certificate},       {"edge-external.key", key},
                                     {"edge-external.pem", certificate}, {"edge-internal.key", key},
                                     {"edge-internal.pem", certificate}, {"public-cas.pem", certificate}};
  auto image = std::make_unique<SettingsImage>();
  auto settings = std::make_unique<Settings>();
  MistakeList mistakes;
  ASSERT_TRUE(image->build(example, files));
  EXPECT_TRUE(parse_settings(*image, *settings, mistakes)) << (mistakes.empty() ? "" : mistakes.kept()[0].text.c_str());
  EXPECT_EQ(settings->partners.size(), 1U);
}

}  // namespace
}  // namespace sallyport::firmware
