// libs: runvm_hooks runvm_oci runvm_channel
// What a hook writes and how it ends, on the host or in the guest: its error is of bounded size, has none of
// the words that callers take for something else, and stays one line of a log that can be read.

#include "../unit/support/matched_words.h"
#include "channel/rpc_error.h"
#include "core/utf8.h"
#include "hooks/failure.h"
#include "oci/caller_words.h"
#include "oci/log.h"
#include "support.h"

#include <capnp/message.h>
#include <nlohmann/json.hpp>

#include <strings.h>

namespace {

using namespace runvm;
using runvm::fuzz::require;
using runvm::test::matched_words;

constexpr size_t most_around_output = 200; // the sentence's own words
constexpr size_t most_bytes = 2 * hooks::KeptOutput::max_bytes + most_around_output;
// Those that stand for another's may be longer.
constexpr size_t most_reworded_bytes = 2 * most_bytes;

bool contains(std::string_view text, std::string_view words) {
    for (size_t at = 0; at + words.size() <= text.size(); ++at)
        if (::strncasecmp(text.data() + at, words.data(), words.size()) == 0)
            return true;
    return false;
}

bool is_one_line(std::string_view text) {
    return text.find('\n') == text.size() - 1;
}

hooks::KeptOutput any_output(FuzzedDataProvider& choices) {
    hooks::KeptOutput kept;
    for (int pieces = choices.ConsumeIntegralInRange(0, 4); pieces > 0; --pieces) {
        std::string piece =
            choices.ConsumeBool()
                ? matched_words[choices.ConsumeIntegralInRange<size_t>(0, matched_words.size() - 1)]
                : choices.ConsumeRandomLengthString(200);
        for (int times = choices.ConsumeBool() ? choices.ConsumeIntegralInRange(0, 5000) : 1; times > 0;
             --times)
            kept.append(piece);
    }
    return kept;
}

void check_for_caller(const Error& error) {
    std::string text = oci::for_caller(error);
    require(text.size() <= most_reworded_bytes, "what a caller gets is of bounded size");
    for (const char* words : matched_words)
        require(!contains(text, words), "a hook's words are not taken for the command's");

    std::string json = oci::log_line_json("error", text, "2026-01-01T00:00:00Z");
    require(is_one_line(json), "a JSON log has a line an error");
    auto read = nlohmann::json::parse(json, nullptr, false); // it refuses what is no UTF-8, too
    require(!read.is_discarded() && read.at("msg").is_string(), "a JSON log can be read");
    std::string logfmt = oci::log_line_text("error", text, "2026-01-01T00:00:00Z");
    require(is_one_line(logfmt), "a text log has a line an error");
}

/// startContainer hooks run in the guest: their errors come through the protocol.
Error sent_by_guest(const Error& error) {
    capnp::MallocMessageBuilder message;
    auto sent = message.initRoot<protocol::Error>();
    channel::write_error(error, sent);
    Error received = channel::read_error(sent.asReader());
    require(received.kind() == error.kind(), "an error's kind stays");
    for (char c : received.to_string())
        require(c == '\n' || (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f), "a guest's error is printable");
    return received;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider choices(data, size);
    os::ExitStatus status;
    if (choices.ConsumeBool())
        status.code = choices.ConsumeIntegralInRange(1, 255);
    else
        status.signal = choices.ConsumeIntegralInRange(1, 64);
    hooks::KeptOutput out = any_output(choices);
    hooks::KeptOutput err = any_output(choices);
    Error error = hooks::failure(status, out, err);
    require(error.to_string().size() <= most_bytes, "a hook's error is of bounded size");
    error.add_context("error running startContainer hook #0");
    check_for_caller(error);
    check_for_caller(sent_by_guest(error));
    return 0;
}
