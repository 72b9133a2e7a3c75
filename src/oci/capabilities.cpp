#include "oci/capabilities.h"

#include <sys/capability.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace runvm::oci {

const std::vector<std::string>& known_capabilities() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (cap_value_t number = 0; number <= CAP_LAST_CAP; ++number) {
            std::unique_ptr<char, int (*)(void*)> name(cap_to_name(number), cap_free);
            // A libcap older than the kernel headers returns the number.
            if (!name || std::isdigit(static_cast<unsigned char>(*name)) != 0)
                break;
            std::string upper = name.get();
            std::transform(upper.begin(), upper.end(), upper.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
            all.push_back(upper);
        }
        return all;
    }();
    return names;
}

std::optional<unsigned> capability_number(const std::string& name) {
    const auto& names = known_capabilities();
    auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
        return std::nullopt;
    return static_cast<unsigned>(found - names.begin());
}

} // namespace runvm::oci
