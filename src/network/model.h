#pragma once

#include <string_view>

namespace runvm::network {

/// How the links of a container's network namespace reach the guest (network.model).
enum class Model {
    tc,      ///< coupling.h
    macvtap, ///< macvtap.h
    none,    ///< they do not: the guest has lo alone, whatever the namespace has
};

/// `name` is one that the configuration allows.
inline Model model_of(std::string_view name) {
    return name == "none" ? Model::none : name == "macvtap" ? Model::macvtap : Model::tc;
}

} // namespace runvm::network
