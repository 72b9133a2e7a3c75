#pragma once
// A JSON file that is being read: values with their paths ("process.args[0]"), and the first thing that was
// wrong.
//
// Reading goes on after a mistake, with zero values, and the first mistake is what `take_error` returns: so
// that a function which reads twenty fields is twenty lines. Whoever reads checks `failed` before it acts on
// the values.

#include "core/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runvm::oci {

using Json = nlohmann::json;

inline constexpr uint64_t max_file_bytes = 16U << 20U;
inline constexpr size_t max_depth = 64;
inline constexpr size_t max_elements = 65536; ///< of one array or object

/// Parses one JSON text. Bounded in size and depth; a key that comes twice in an object is refused, because
/// all readers of JSON disagree about it. An error names the file, and line, column and byte where it is
/// malformed.
Result<Json> parse_json(std::string_view text, const std::string& name);

class Document {
public:
    /// `name` is what errors call the file; what is accepted without effect is added to `notes`.
    Document(std::string name, std::vector<std::string>& notes) : name_(std::move(name)), notes_(notes) {}

    /// Keeps the first mistake: "NAME: PATH: SENTENCE".
    void fail(ErrorKind kind, const std::string& path, const std::string& sentence);
    bool failed() const { return error_.has_value(); }
    Error take_error() { return *std::move(error_); }
    void note(const std::string& path, const std::string& sentence);

private:
    std::string name_;
    std::vector<std::string>& notes_;
    std::optional<Error> error_;
};

/// One place in a document; cheap to copy. JSON's null counts as absent, as in Go's decoder, which runc uses.
class Value {
public:
    Value(Document& document, const Json* json, std::string path)
        : document_(&document), json_(json), path_(std::move(path)) {}

    const std::string& path() const { return path_; }
    const Json* json() const { return json_; }
    Document& document() const { return *document_; }
    bool present() const;

    /// The member of an object; absent if there is none.
    Value operator[](const char* key) const;
    /// The elements of an array, the members of an object; none if absent.
    std::vector<Value> elements() const;
    std::vector<std::pair<std::string, Value>> members() const;

    /// A string without NUL; empty if absent.
    std::string text() const;
    std::vector<std::string> texts() const;
    bool boolean() const;
    /// A whole number in the range given; `absent` if there is none.
    uint64_t natural(uint64_t max, uint64_t absent = 0) const;
    int64_t integer(int64_t min, int64_t max, int64_t absent = 0) const;

    void fail(const std::string& sentence) const { fail(ErrorKind::invalid_argument, sentence); }
    void fail(ErrorKind kind, const std::string& sentence) const { document_->fail(kind, path_, sentence); }
    void note(const std::string& sentence) const { document_->note(path_, sentence); }
    /// Fails with "found X; EXPECTED".
    void fail_found(const std::string& expected) const;

private:
    std::string check_text(const std::string& text) const;

    Document* document_;
    const Json* json_;
    std::string path_;
};

/// "a, b, c" for a sentence that lists what is allowed; any range of things with a `name`.
template <class Table>
std::string names_of(const Table& table) {
    std::string names;
    for (const auto& entry : table) {
        if (!names.empty())
            names += ", ";
        names += entry.name;
    }
    return names;
}

/// The entry of a table whose `name` is this; nullptr if there is none.
template <class Table>
auto find_name(const Table& table, std::string_view name) -> decltype(&*std::begin(table)) {
    for (const auto& entry : table)
        if (name == entry.name)
            return &entry;
    return nullptr;
}

} // namespace runvm::oci
