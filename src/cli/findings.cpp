#include "cli/findings.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace runvm::cli {

namespace {

const char* to_string(Finding::Status status) {
    switch (status) {
    case Finding::Status::ok:
        return "ok";
    case Finding::Status::warn:
        return "warn";
    case Finding::Status::fail:
        return "fail";
    }
    return "fail";
}

} // namespace

int exit_status(const std::vector<Finding>& findings) {
    return std::ranges::any_of(findings, [](const Finding& f) { return f.status == Finding::Status::fail; })
               ? 1
               : 0;
}

std::string to_text(const std::vector<Finding>& findings) {
    size_t width = 0;
    for (const Finding& finding : findings)
        width = std::max(width, finding.name.size());
    std::string out;
    for (const Finding& finding : findings) {
        std::string status = to_string(finding.status);
        status.resize(6, ' ');
        out +=
            status + finding.name + std::string(width - finding.name.size() + 2, ' ') + finding.detail + "\n";
        if (!finding.next_step.empty())
            out += std::string(width + 8, ' ') + "-> " + finding.next_step + "\n";
    }
    return out;
}

std::string to_json(const std::vector<Finding>& findings) {
    nlohmann::ordered_json array = nlohmann::ordered_json::array();
    for (const Finding& finding : findings) {
        array.push_back({{"name", finding.name},
                         {"status", to_string(finding.status)},
                         {"detail", finding.detail},
                         {"next_step", finding.next_step}});
    }
    // A path with bytes that are not UTF-8 must not end in an exception.
    return array.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

} // namespace runvm::cli
