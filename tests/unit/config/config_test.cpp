#include "config/config.h"

#include "../support/temporary_folder.h"
#include "config/keys.h"
#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>

namespace runvm::config {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(const std::string& text) {
    auto config = parse(text, "config.toml");
    if (config)
        return "no error";
    EXPECT_EQ(config.error().kind(), ErrorKind::invalid_argument);
    return config.error().to_string();
}

std::string as_toml(const Key& key, const std::string& value) {
    size_t dot = key.name.find('.');
    return "[" + key.name.substr(0, dot) + "]\n" + key.name.substr(dot + 1) + " = " + value + "\n";
}

TEST(ConfigTest, AnEmptyFileIsAllDefaults) {
    auto config = parse("", "config.toml");
    ASSERT_TRUE(config.ok());
    for (const Key& key : keys())
        EXPECT_EQ(value_text(key, *config), value_text(key, Config{})) << key.name;
}

TEST(ConfigTest, ReadsEveryKey) {
    auto config = parse(R"(
[hypervisor]
accelerator = "tcg"
machine = "pc-q35-7.2"
emulator = "/opt/qemu"
kernel = "/k"
image = "/i"
kernel_command_line = "quiet init=\"/x y\""
vcpus = 240
max_vcpus = 239
memory_mib = 4194304
max_memory_mib = 4194303
memory_step_mib = 2
boot_timeout_ms = 1000
agent_timeout_ms = 3_600_000
[libvirt]
uri = "qemu:///embed"
[channel]
type = "vsock"
[network]
model = "none"

[shared_fs]
daemon = "/virtiofsd"
options = ["cache=none", "xattr"]
[paths]
cache = "/c"
run = "/r"
[store]
type = "filesystem"
[logging]
level = "error"
[annotations]
allowed = ["hypervisor.vcpus", "channel.type"]
)",
                        "config.toml");
    ASSERT_TRUE(config.ok()) << config.error().to_string();
    EXPECT_EQ(config->hypervisor.accelerator, "tcg");
    EXPECT_EQ(config->hypervisor.machine, "pc-q35-7.2");
    EXPECT_EQ(config->hypervisor.emulator, "/opt/qemu");
    EXPECT_EQ(config->hypervisor.kernel, "/k");
    EXPECT_EQ(config->hypervisor.image, "/i");
    EXPECT_EQ(config->hypervisor.kernel_command_line, "quiet init=\"/x y\"");
    EXPECT_EQ(config->hypervisor.vcpus, 240U);
    EXPECT_EQ(config->hypervisor.max_vcpus, 239U);
    EXPECT_EQ(config->hypervisor.memory_mib, 4194304U);
    EXPECT_EQ(config->hypervisor.max_memory_mib, 4194303U);
    EXPECT_EQ(config->hypervisor.memory_step_mib, 2U);
    EXPECT_EQ(config->hypervisor.boot_timeout_ms, 1000U);
    EXPECT_EQ(config->hypervisor.agent_timeout_ms, 3'600'000U);
    EXPECT_EQ(config->libvirt.uri, "qemu:///embed");
    EXPECT_EQ(config->channel.type, "vsock");
    EXPECT_EQ(config->network.model, "none");
    EXPECT_EQ(config->shared_fs.daemon, "/virtiofsd");
    EXPECT_EQ(config->shared_fs.options, (std::vector<std::string>{"cache=none", "xattr"}));
    EXPECT_EQ(config->paths.cache, "/c");
    EXPECT_EQ(config->paths.run, "/r");
    EXPECT_EQ(config->store.type, "filesystem");
    EXPECT_EQ(config->logging.level, "error");
    EXPECT_EQ(config->annotations.allowed, (std::vector<std::string>{"hypervisor.vcpus", "channel.type"}));
    // What is written is what is read again.
    for (const Key& key : keys()) {
        auto again = parse(as_toml(key, value_text(key, *config)), "config.toml");
        ASSERT_TRUE(again.ok()) << again.error().to_string();
        EXPECT_EQ(value_text(key, *again), value_text(key, *config)) << key.name;
    }
}

// Does not compile when a section gets a field more or less: then the table in keys.cpp has to follow, and
// the number of keys below.
TEST(ConfigTest, TheTableHasEveryField) {
    Config config;
    auto& [hypervisor, libvirt, channel, network, shared_fs, paths, store, logging, annotations] = config;
    auto& [accelerator, machine, emulator, kernel, image, kernel_command_line, vcpus, max_vcpus, memory_mib,
           max_memory_mib, memory_step_mib, boot_timeout_ms, agent_timeout_ms] = hypervisor;
    auto& [uri] = libvirt;
    auto& [channel_type] = channel;
    auto& [model] = network;
    auto& [daemon, options] = shared_fs;
    auto& [cache, run] = paths;
    auto& [store_type] = store;
    auto& [level] = logging;
    auto& [allowed] = annotations;
    std::set<const void*> fields = {&accelerator,
                                    &machine,
                                    &emulator,
                                    &kernel,
                                    &image,
                                    &kernel_command_line,
                                    &vcpus,
                                    &max_vcpus,
                                    &memory_mib,
                                    &max_memory_mib,
                                    &memory_step_mib,
                                    &boot_timeout_ms,
                                    &agent_timeout_ms,
                                    &uri,
                                    &channel_type,
                                    &model,
                                    &daemon,
                                    &options,
                                    &cache,
                                    &run,
                                    &store_type,
                                    &level,
                                    &allowed};
    for (const Key& key : keys())
        std::visit([&](const auto& field) { EXPECT_EQ(fields.erase(&field.of(config)), 1U) << key.name; },
                   key.field);
    EXPECT_TRUE(fields.empty());
}

TEST(ConfigTest, NamesFileLineKeyFoundAndAllowed) {
    EXPECT_EQ(error_of("\n[hypervisor]\naccelerator = \"xen\"\n"),
              "config.toml:3: hypervisor.accelerator: found \"xen\", allowed: \"auto\", \"kvm\" or \"tcg\"");
    EXPECT_EQ(error_of("[hypervisor]\nvcpus = 0"),
              "config.toml:2: hypervisor.vcpus: found 0, allowed: an integer from 1 to 240");
    EXPECT_EQ(error_of("[hypervisor]\nvcpus = \"2\""),
              "config.toml:2: hypervisor.vcpus: found \"2\", allowed: an integer from 1 to 240");
    EXPECT_EQ(error_of("[paths]\nrun = \"run\""),
              "config.toml:2: paths.run: found \"run\", allowed: an absolute path");
    EXPECT_EQ(error_of("[shared_fs]\noptions = [\n\"a\",\n7]"),
              "config.toml:4: shared_fs.options: found 7, allowed: a list of texts of one line, none empty");
}

TEST(ConfigTest, RefusesUnknownKeys) {
    EXPECT_EQ(error_of("[logging]\nlevel = \"info\"\nlevels = 1\n"),
              "config.toml:3: unknown key logging.levels; allowed here: level");
    EXPECT_EQ(error_of("vcpus = 1\n"),
              "config.toml:1: unknown key vcpus; allowed here: hypervisor, libvirt, channel, "
              "network, shared_fs, paths, store, logging, annotations");
    EXPECT_THAT(error_of("[hypervisors]\n"), StartsWith("config.toml:1: unknown key hypervisors;"));
    EXPECT_THAT(error_of("[hypervisor.vcpus]\nx = 1\n"),
                HasSubstr("hypervisor.vcpus: found a table, allowed: an integer"));
    EXPECT_EQ(error_of("store = 1.5\n"), "config.toml:1: store: found 1.5, allowed: a table with type");
    EXPECT_THAT(error_of("[[store]]\ntype = \"filesystem\"\n"), HasSubstr("store: found a list"));
    EXPECT_THAT(error_of("[hypervisor]\n\"kernel.\" = 1\n"), HasSubstr("unknown key"));
    EXPECT_THAT(error_of("[hypervisor]\n\"\" = 1\n"), HasSubstr("unknown key"));
    EXPECT_THAT(error_of("\"hypervisor.vcpus\" = 0\n"), StartsWith("config.toml:1: "));
}

TEST(ConfigTest, ReportsTheFirstFaultOfTheFile) {
    EXPECT_THAT(error_of("[store]\ntype = 1\n[channel]\ntype = 1\n"),
                StartsWith("config.toml:2: store.type"));
    EXPECT_THAT(error_of("[channel]\ntype = 1\n[store]\ntype = 1\n"),
                StartsWith("config.toml:2: channel.type"));
}

TEST(ConfigTest, SaysWhereTheSyntaxIsWrong) {
    EXPECT_THAT(error_of("[hypervisor]\nvcpus = \n"), StartsWith("config.toml:2: "));
    EXPECT_THAT(error_of("[store]\ntype = \"filesystem\"\ntype = \"filesystem\"\n"),
                StartsWith("config.toml:3: "));
    EXPECT_THAT(error_of("[=]"), StartsWith("config.toml:1: "));
    EXPECT_THAT(error_of("[store"), StartsWith("config.toml:1: "));
    EXPECT_THAT(error_of("[store]\ntype = \"\xff\"\n"), StartsWith("config.toml:2: "));
}

TEST(ConfigTest, CharactersAboveAsciiMayStandWhereTomlAllowsThem) {
    // Of two, three and four bytes; U+1680 is white space to toml++.
    for (const char* character : {"\xc3\xa9", "\xe1\x9a\x80", "\xef\xbf\xbd", "\xf0\x9f\x98\x80"}) {
        std::string accent = character;
        for (const std::string& text :
             {"\"/" + accent + "\" # " + accent, "'/" + accent + "'", "\"\"\"/" + accent + "\"\"\""}) {
            auto config = parse("\xef\xbb\xbf# " + accent + "\n[paths]\nrun = " + text, "config.toml");
            ASSERT_TRUE(config.ok()) << text << config.error().message();
            EXPECT_EQ(config->paths.run, "/" + accent);
        }
        for (const std::string& line :
             {"run = " + accent, accent + " = 1", "run = '/'" + accent, "run = '''/'''''" + accent,
              "run =+\"" + accent + "\"", "run = +x''=" + accent + "''" + accent})
            EXPECT_THAT(error_of("[paths]\n" + line), StartsWith("config.toml:2: ")) << line;
        EXPECT_THAT(error_of("[paths]\nrun = '" + accent + "'"), HasSubstr(accent));
        EXPECT_THAT(error_of("'" + accent + "' = 1"), HasSubstr("unknown key " + accent + ";"));
    }
    EXPECT_EQ(parse(R"(paths.run = "/\u00e9")", "config.toml")->paths.run, "/\xc3\xa9");
}

TEST(ConfigTest, WhatIsNoUtf8IsRefused) {
    for (const char* bytes : {"\x80", "\xc3", "\xc1\x81", "\xe1\x9a", "\xe0\x81\x81", "\xed\xa0\x80", "\xff"})
        EXPECT_THAT(error_of("[paths]\nrun = \"/" + std::string(bytes) + "\""), StartsWith("config.toml:2: "))
            << testing::PrintToString(bytes);
    for (const char* character : {"\xf4\x80\x83\xa9", "\\U001000E9"})
        EXPECT_THAT(error_of("[paths]\nrun = \"/" + std::string(character) + "\""),
                    StartsWith("config.toml:2: characters from U+100000 on"));
}

TEST(ConfigTest, EveryKeyRefusesOtherTypesAndBadValues) {
    for (const Key& key : keys()) {
        for (const char* value :
             {"true", "1.5", "-1", "{}", "{ a = 1 }", "[[]]", "[1]", "1979-05-27", "inf"}) {
            std::string error = error_of(as_toml(key, value));
            EXPECT_THAT(error, StartsWith("config.toml:2: " + key.name + ": found ")) << value;
            EXPECT_THAT(error, EndsWith(", allowed: " + allowed_values(key))) << value;
        }
        if (const auto* text = std::get_if<TextField>(&key.field)) {
            EXPECT_TRUE(text->rule.accepts(text->of(*std::make_unique<Config>()))) << key.name;
            for (const char* value : {"\"/a\\nb\"", "\"/a\\u0000b\"", "\"/a\\u001b[1m\"", "\"/a\\u007f\""})
                EXPECT_THAT(error_of(as_toml(key, value)), HasSubstr(", allowed: ")) << key.name << value;
        }
        auto check_bounds = [&](auto smallest, auto largest) {
            EXPECT_TRUE(parse(as_toml(key, std::to_string(smallest)), "x").ok()) << key.name;
            EXPECT_TRUE(parse(as_toml(key, std::to_string(largest)), "x").ok()) << key.name;
            EXPECT_FALSE(parse(as_toml(key, std::to_string(smallest - 1)), "x").ok()) << key.name;
            EXPECT_FALSE(parse(as_toml(key, std::to_string(uint64_t{largest} + 1)), "x").ok()) << key.name;
        };
        if (const auto* number = std::get_if<IntegerField<uint32_t>>(&key.field))
            check_bounds(number->smallest, number->largest);
        if (const auto* number = std::get_if<IntegerField<uint64_t>>(&key.field))
            check_bounds(number->smallest, number->largest);
    }
}

TEST(ConfigTest, MachineIsQ35) {
    EXPECT_TRUE(parse("[hypervisor]\nmachine = \"pc-q35-10.0\"", "x").ok());
    for (const char* machine : {"pc", "microvm", "pc-q35-", "pc-q35-7.2,accel=kvm", "Q35", ""})
        EXPECT_FALSE(parse("[hypervisor]\nmachine = \"" + std::string(machine) + "\"", "x").ok()) << machine;
}

TEST(ConfigTest, LibvirtIsEmbeddedOrALibvirtdOfThisMachine) {
    auto has = [](const std::string& uri) {
        auto config = parse("libvirt.uri = \"" + uri + '"', "x");
        return config.ok() ? std::optional(has_libvirtd(*config)) : std::nullopt;
    };
    EXPECT_EQ(has("qemu:///embed"), false);
    EXPECT_EQ(has("qemu:///system"), true);
    EXPECT_EQ(has("qemu+unix:///system?socket=/run/libvirt/libvirt-sock"), true);
    for (const char* uri : {"", "qemu:///session", "qemu+ssh://host/system", "qemu:///system?socket=/x",
                            "qemu+unix:///system?socket=x", "qemu+unix:///system?socket=/x&mode=direct"})
        EXPECT_EQ(has(uri), std::nullopt) << uri;
}

TEST(ConfigTest, ErrorsStayShortAndOnOneLine) {
    std::string error = error_of("[channel]\ntype = \"" + std::string(10'000, 'x') + "\"");
    EXPECT_LT(error.size(), 250U);
    error = error_of("[channel]\ntype = \"\"\"a\nb\"\"\"");
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    error = error_of("\"a\\n" + std::string(10'000, 'x') + "\" = 1");
    EXPECT_LT(error.size(), 300U);
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    std::string accents;
    for (int i = 0; i < 200; ++i)
        accents += "\xc3\xa9";
    // Cut between characters: one byte more or less in front makes no difference.
    EXPECT_THAT(error_of("[channel]\ntype = \"" + accents + "\""), HasSubstr("\xc3\xa9..."));
    EXPECT_THAT(error_of("[channel]\ntype = \"x" + accents + "\""), HasSubstr("\xc3\xa9..."));
    error = error_of("_mib= n\n");
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

TEST(ConfigTest, LoadsAFile) {
    test::TemporaryFolder folder;
    std::string path = folder.path() + "/config.toml";
    auto missing = load(path);
    EXPECT_EQ(missing.error().errno_value(), ENOENT);
    EXPECT_THAT(missing.error().to_string(), HasSubstr(path));
    ASSERT_TRUE(os::write_file_atomically(path, "[hypervisor]\nvcpus = 3\n", 0600, false).ok());
    EXPECT_EQ(load(path)->hypervisor.vcpus, 3U);
    ASSERT_TRUE(os::write_file_atomically(path, "x", 0600, false).ok());
    EXPECT_THAT(load(path).error().to_string(), StartsWith(path + ":1: "));
    ASSERT_TRUE(os::write_file_atomically(path, std::string(2U << 20U, '\n'), 0600, false).ok());
    EXPECT_EQ(load(path).error().kind(), ErrorKind::invalid_argument);
}

TEST(ConfigTest, KnownKeysAreUnique) {
    auto names = known_keys();
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
    EXPECT_EQ(names.size(), keys().size());
    EXPECT_EQ(names.front(), "hypervisor.accelerator");
}

} // namespace
} // namespace runvm::config
