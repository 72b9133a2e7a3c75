#pragma once
// What is said of a hook that failed.

#include "core/result.h"
#include "os/process.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace runvm::hooks {

/// The beginning of what a hook writes to one of its descriptors.
class KeptOutput {
public:
    static constexpr size_t max_bytes = 16384;

    void append(std::string_view piece) { text_ += piece.substr(0, max_bytes - text_.size()); }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

/// "exit status 1, stdout: ..., stderr: ...": runc's words.
Error failure(const os::ExitStatus& status, const KeptOutput& out, const KeptOutput& err);

} // namespace runvm::hooks
