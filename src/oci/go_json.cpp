#include "oci/go_json.h"

#include <nlohmann/json.hpp>

namespace runvm::oci {

std::string go_json(const nlohmann::ordered_json& json, int indent) {
    std::string plain =
        json.dump(indent == 0 ? -1 : indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    std::string text;
    text.reserve(plain.size());
    for (char c : plain) { // outside strings JSON has none of these
        switch (c) {
        case '<':
            text += "\\u003c";
            break;
        case '>':
            text += "\\u003e";
            break;
        case '&':
            text += "\\u0026";
            break;
        default:
            text += c;
            break;
        }
    }
    return text;
}

} // namespace runvm::oci
