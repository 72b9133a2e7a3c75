#pragma once

#include <capnp/blob.h>
#include <capnp/list.h>

#include <string>
#include <vector>

namespace runvm::oci {

/// `list` has as many elements as `texts`.
inline void fill_texts(capnp::List<capnp::Text>::Builder list, const std::vector<std::string>& texts) {
    for (unsigned i = 0; i < texts.size(); ++i)
        list.set(i, texts[i].c_str());
}

} // namespace runvm::oci
