#pragma once
// Every field of the runtime specification (1.3: config.md, config-linux.md) and what runvm does with it: the
// one table that the parser refuses from, and that docs/spec-coverage.md is generated from.

#include "oci/document.h"

#include <span>
#include <string>
#include <string_view>

namespace runvm::oci {

/// The version of the runtime specification that is implemented.
inline constexpr const char* spec_version = "1.3.0";

enum class Handling {
    honoured,
    refused,   ///< an error, unless the value is empty (null, false, 0, "", [] or {})
    no_effect, ///< accepted and noted in the debug log
};

struct Field {
    const char* path; ///< "mounts[].type"; "annotations.*": any key
    Handling handling;
    const char* reason; ///< of a refusal or of no effect; of an honoured field what is special, or ""
};

std::span<const Field> fields();
/// False for a path that the table does not have.
bool is_honoured(const std::string& path);

/// Refuses what the table refuses and notes what it knows to have no effect, in the whole tree below `value`,
/// which is the field `path` ("" for a config.json, "process" for a process file). A key that the table does
/// not have is noted, as the specification wants unknown keys to be ignored; one that differs only in its
/// case is an error, because runc would honour it.
void check_fields(const Value& value, std::string_view path);

/// docs/spec-coverage.md.
std::string spec_coverage_markdown();

} // namespace runvm::oci
