#include "state/store.h"

namespace runvm::state {

Result<std::vector<Store::Loaded>> Store::load_all() {
    RUNVM_ASSIGN(std::vector<std::string> ids, list());
    std::vector<Loaded> all;
    for (const std::string& id : ids) {
        auto container = load(id);
        if (container || container.error().kind() != ErrorKind::not_found)
            all.push_back({id, std::move(container)});
    }
    return all;
}

} // namespace runvm::state
