#pragma once
// A bundle in a temporary folder, and what plan_container makes of it.

#include "oci/config.h"
#include "oci/spec_json.h"
#include "os/file.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

namespace runvm::oci::test {

using Json = nlohmann::json;

inline std::string read_source_file(const std::string& path) {
    auto text = os::read_file(std::string(RUNVM_SOURCE_DIR) + "/" + path);
    return text ? *text : "cannot read " + path;
}

inline std::string replace_all(std::string text, const std::string& what, const std::string& with) {
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
        text.replace(at, what.size(), with);
    return text;
}

/// An array of one element: braces alone would be taken for that element.
inline Json list_of(Json element) {
    Json list = Json::array();
    list.push_back(std::move(element));
    return list;
}

class Bundle : public ::testing::Test {
protected:
    Bundle() {
        std::string pattern = ::testing::TempDir() + "bundle-XXXXXX";
        if (::mkdtemp(pattern.data()) != nullptr)
            folder_ = *os::real_path(pattern);
        EXPECT_TRUE(os::make_folders(folder_ + "/rootfs", 0755));
        json_ = Json::parse(default_spec());
    }
    ~Bundle() override { EXPECT_TRUE(os::remove_tree(folder_)); }

    void write(const std::string& name, const std::string& text = "") {
        std::ofstream(folder_ + "/" + name) << text;
    }

    Result<HostPlan> plan_text(const std::string& text) {
        message_ = std::make_unique<capnp::MallocMessageBuilder>();
        container_ = message_->initRoot<protocol::Container>();
        return plan_container(text, "config.json", folder_, container_);
    }
    /// Of json_, which starts as the default specification.
    Result<HostPlan> plan() { return plan_text(json_.dump()); }

    /// The error's message; "" if there is none.
    std::string error() {
        auto result = plan();
        return result ? "" : result.error().message();
    }
    /// The same with one value changed: at a JSON pointer.
    std::string error_with(const std::string& pointer, Json value) {
        Json saved = json_;
        json_[Json::json_pointer(pointer)] = std::move(value);
        std::string message = error();
        json_ = std::move(saved);
        return message;
    }
    ErrorKind error_kind_with(const std::string& pointer, Json value) {
        Json saved = json_;
        json_[Json::json_pointer(pointer)] = std::move(value);
        auto result = plan();
        json_ = std::move(saved);
        return result ? ErrorKind::internal : result.error().kind();
    }
    HostPlan plan_ok() {
        auto result = plan();
        EXPECT_TRUE(result) << result.error().to_string();
        return result ? *result : HostPlan{};
    }
    protocol::Container::Reader container() const { return container_.asReader(); }
    protocol::Process::Reader process() const { return container_.asReader().getProcess(); }

    std::string folder_;
    Json json_;
    std::unique_ptr<capnp::MallocMessageBuilder> message_;
    protocol::Container::Builder container_{nullptr};
};

} // namespace runvm::oci::test
