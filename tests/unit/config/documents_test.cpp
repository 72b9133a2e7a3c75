// The annotated file and the document say what the code does.
#include "config/keys.h"
#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace runvm::config {
namespace {

using ::testing::HasSubstr;

/// etc/config.toml with the keys that are commented out ("#key = value"; prose has "# ") put in force.
struct AnnotatedFile {
    std::string text;
    std::map<std::string, std::string> comments; ///< above each key, by its full name
};

AnnotatedFile read_annotated_file() {
    AnnotatedFile file;
    std::istringstream lines(os::read_file(RUNVM_SOURCE_DIR "/etc/config.toml").value());
    std::string section;
    std::string comment;
    bool after_key = false;
    for (std::string line; std::getline(lines, line);) {
        bool is_key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        if (is_key) {
            line.erase(0, 1);
            file.comments[section + "." + line.substr(0, line.find(' '))] = comment;
        } else if (line.starts_with("# ")) {
            // Keys that stand together share the comment above the first.
            comment = after_key ? line : comment + line;
        } else if (line.starts_with("[")) {
            section = line.substr(1, line.find(']') - 1);
            comment.clear();
        }
        after_key = is_key;
        if (line.empty())
            comment.clear();
        file.text += line + "\n";
    }
    return file;
}

TEST(AnnotatedFileTest, AsItIsChangesNothing) {
    auto config = load(RUNVM_SOURCE_DIR "/etc/config.toml");
    ASSERT_TRUE(config.ok()) << config.error().to_string();
    for (const Key& key : keys())
        EXPECT_EQ(value_text(key, *config), value_text(key, Config{})) << key.name;
}

TEST(AnnotatedFileTest, ShowsEveryKeyWithItsDefault) {
    AnnotatedFile file = read_annotated_file();
    auto config = parse(file.text, "etc/config.toml");
    ASSERT_TRUE(config.ok()) << config.error().to_string();
    for (const Key& key : keys()) {
        EXPECT_EQ(value_text(key, *config), value_text(key, Config{})) << key.name;
        std::string name = key.name.substr(key.name.find('.') + 1);
        EXPECT_THAT(file.text, HasSubstr("\n" + name + " = " + value_text(key, Config{}) + "\n")) << key.name;
        EXPECT_FALSE(file.comments[key.name].empty()) << key.name << " has no comment";
    }
    EXPECT_EQ(file.comments.size(), keys().size());
}

TEST(AnnotatedFileTest, IsCopiedToTheBuildTree) {
    EXPECT_EQ(os::read_file(RUNVM_BINARY_DIR "/etc/runvm/config.toml").value(),
              os::read_file(RUNVM_SOURCE_DIR "/etc/config.toml").value());
}

TEST(ConfigurationDocumentTest, ListsEveryKeyWithDefaultAndAllowedValues) {
    std::string document = os::read_file(RUNVM_SOURCE_DIR "/docs/configuration.md").value();
    size_t rows = 0;
    for (const Key& key : keys()) {
        std::string row =
            "| `" + key.name + "` | `" + value_text(key, Config{}) + "` | " + allowed_values(key) + " | ";
        EXPECT_THAT(document, HasSubstr("\n" + row)) << "the row of " << key.name << " must begin with\n"
                                                     << row;
    }
    for (size_t at = document.find("\n| `"); at != std::string::npos; at = document.find("\n| `", at + 1))
        ++rows;
    EXPECT_EQ(rows, keys().size());
}

} // namespace
} // namespace runvm::config
