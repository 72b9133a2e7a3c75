#pragma once
// The guest's console, whose last lines the host shows with errors.

#include <string>

namespace runvm::agent {

/// Sends descriptors 0, 1 and 2 to /dev/console. Without one, lines are lost.
void open_console();

/// One line. Never blocks: what the console does not take is lost.
void log_line(const std::string& text);

} // namespace runvm::agent
