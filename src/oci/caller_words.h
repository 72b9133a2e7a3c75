#pragma once
// What an error is called towards callers. Engines match words of runc's messages (each is cited at its table
// in caller_words.cpp): this is the one place where they are chosen, and where words are kept away that would
// mean something else to them.

#include "core/result.h"

#include <string>
#include <string_view>

namespace runvm::oci {

/// The whole error for a caller: what the command prints on stderr and writes to --log.
///
/// - command_not_found, command_not_executable: runc's words for what execve said, in Go's spelling
/// ("permission
///   denied"); one of those that Docker and Podman turn into exit codes 127 and 126 is always among them.
/// - not_found, wrong_state, process_finished: the words that containerd and CRI-O look for.
/// - All other kinds: none of these words, whatever a system call or a path said. Docker would tell its user
/// that
///   the command was not found, where it is the guest's kernel that is missing.
std::string for_caller(const Error& error);

/// The exit status of a command that failed: 255 for exec, else 1, as runc.
int exit_code(const Error& error, std::string_view command);

} // namespace runvm::oci
