#pragma once
// What the monitor writes into its log (<root>/@sandboxes/<hash>/monitor.log) of what happens to its sandbox.

#include "protocol/sandbox.capnp.h"

#include <optional>
#include <string>
#include <string_view>

namespace runvm::sandbox {

/// The event's line, with its end: "2026-11-22T00:40:00.123456789Z container c1: started". Nothing if `level`
/// (debug, info, warning or error) leaves it out: info has no processes of exec, since a health check would
/// fill the disk with them in time; warning and error have none at all.
std::optional<std::string> event_line(protocol::Event::Reader event, std::string_view level);

} // namespace runvm::sandbox
