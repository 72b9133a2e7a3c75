#include "oci/document.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace runvm::oci {

namespace {

// Walks the text once before the tree is built: depth and duplicates are checked before memory is spent.
class Checker : public nlohmann::json_sax<Json> {
public:
    explicit Checker(std::string_view text) : text_(text) {}

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(size_t) override { return push(); }
    bool end_object() override { return pop(); }
    bool start_array(size_t) override { return push(); }
    bool end_array() override { return pop(); }

    bool key(string_t& name) override {
        if (keys_.back().insert(name).second)
            return true;
        problem_ = "the key \"" + name + "\" comes twice in one object; keep one";
        return false;
    }

    bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        position = std::min(position, text_.size());
        std::string_view before = text_.substr(0, position);
        size_t line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
        size_t line_start = before.rfind('\n');
        size_t column = position - (line_start == std::string_view::npos ? 0 : line_start + 1);
        // "[json.exception.parse_error.101] parse error at line 1, column 2: REASON", or without "parse
        // error"
        std::string reason = error.what();
        reason.erase(0, reason.find("] ") + 2);
        if (reason.starts_with("parse error at"))
            reason.erase(0, reason.find(": ") + 2);
        problem_ = "malformed JSON at line " + std::to_string(line) + ", column " + std::to_string(column) +
                   " (byte " + std::to_string(position) + "): " + reason;
        return false;
    }

    std::string problem_;

private:
    bool push() {
        if (keys_.size() >= max_depth) {
            problem_ = "nested deeper than the " + std::to_string(max_depth) + " levels allowed";
            return false;
        }
        keys_.emplace_back();
        return true;
    }
    bool pop() {
        keys_.pop_back();
        return true;
    }

    std::string_view text_;
    std::vector<std::set<std::string>> keys_;
};

std::string describe(const Json& json) {
    if (json.is_object())
        return "an object";
    if (json.is_array())
        return "an array";
    std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    constexpr size_t max_shown = 80;
    if (text.size() > max_shown)
        text = text.substr(0, max_shown) + "...";
    return text;
}

} // namespace

Result<Json> parse_json(std::string_view text, const std::string& name) {
    if (text.size() > max_file_bytes)
        return Error(ErrorKind::invalid_argument,
                     name + " is larger than the " + std::to_string(max_file_bytes) + " bytes allowed");
    Checker checker(text);
    if (!Json::sax_parse(text, &checker))
        return Error(ErrorKind::invalid_argument, name + ": " + checker.problem_);
    return Json::parse(text, nullptr, false);
}

void Document::fail(ErrorKind kind, const std::string& path, const std::string& sentence) {
    if (error_)
        return;
    std::string message = name_;
    if (!path.empty())
        message += ": " + path;
    error_ = Error(kind, message + ": " + sentence);
}

void Document::note(const std::string& path, const std::string& sentence) {
    notes_.push_back(path.empty() ? sentence : path + ": " + sentence);
}

bool Value::present() const {
    return json_ != nullptr && !json_->is_null();
}

Value Value::operator[](const char* key) const {
    std::string path = path_.empty() ? key : path_ + "." + key;
    if (!present())
        return {*document_, nullptr, std::move(path)};
    if (!json_->is_object()) {
        fail_found("an object is expected");
        return {*document_, nullptr, std::move(path)};
    }
    auto member = json_->find(key);
    return {*document_, member == json_->end() ? nullptr : &*member, std::move(path)};
}

std::vector<Value> Value::elements() const {
    std::vector<Value> all;
    if (!present())
        return all;
    if (!json_->is_array()) {
        fail_found("an array is expected");
        return all;
    }
    if (json_->size() > max_elements) {
        fail("has " + std::to_string(json_->size()) + " elements; at most " + std::to_string(max_elements) +
             " are allowed");
        return all;
    }
    all.reserve(json_->size());
    for (size_t i = 0; i < json_->size(); ++i)
        all.emplace_back(*document_, &(*json_)[i], path_ + "[" + std::to_string(i) + "]");
    return all;
}

std::vector<std::pair<std::string, Value>> Value::members() const {
    std::vector<std::pair<std::string, Value>> all;
    if (!present())
        return all;
    if (!json_->is_object()) {
        fail_found("an object is expected");
        return all;
    }
    if (json_->size() > max_elements) {
        fail("has " + std::to_string(json_->size()) + " members; at most " + std::to_string(max_elements) +
             " are allowed");
        return all;
    }
    for (const auto& [key, member] : json_->items()) {
        Value value(*document_, &member, path_.empty() ? key : path_ + "." + key);
        all.emplace_back(value.check_text(key), value);
    }
    return all;
}

std::string Value::check_text(const std::string& text) const {
    // Everything ends up as a C string in a kernel: what is behind a NUL would be dropped silently.
    if (text.find('\0') == std::string::npos)
        return text;
    fail("contains a NUL byte");
    return {};
}

std::string Value::text() const {
    if (!present())
        return {};
    if (!json_->is_string()) {
        fail_found("a string is expected");
        return {};
    }
    return check_text(json_->get_ref<const std::string&>());
}

std::vector<std::string> Value::texts() const {
    std::vector<std::string> all;
    for (const Value& element : elements()) {
        if (!element.present())
            element.fail_found("a string is expected");
        all.push_back(element.text());
    }
    return all;
}

bool Value::boolean() const {
    if (!present())
        return false;
    if (!json_->is_boolean()) {
        fail_found("true or false is expected");
        return false;
    }
    return json_->get<bool>();
}

uint64_t Value::natural(uint64_t max, uint64_t absent) const {
    if (!present())
        return absent;
    if (json_->is_number_unsigned() && json_->get<uint64_t>() <= max)
        return json_->get<uint64_t>();
    fail_found("a whole number from 0 to " + std::to_string(max) + " is allowed");
    return absent;
}

int64_t Value::integer(int64_t min, int64_t max, int64_t absent) const {
    if (!present())
        return absent;
    bool fits = json_->is_number_integer() &&
                !(json_->is_number_unsigned() && json_->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX));
    if (fits && json_->get<int64_t>() >= min && json_->get<int64_t>() <= max)
        return json_->get<int64_t>();
    fail_found("a whole number from " + std::to_string(min) + " to " + std::to_string(max) + " is allowed");
    return absent;
}

void Value::fail_found(const std::string& expected) const {
    fail("found " + (json_ == nullptr ? std::string("nothing") : describe(*json_)) + "; " + expected);
}

} // namespace runvm::oci
