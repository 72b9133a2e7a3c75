#include "state/move.h"

namespace runvm::state {

namespace {

struct Claim {
    Lock lock;
    /// A move was interrupted when it had copied the container. What is there counts: commands may have used
    /// it since.
    bool is_copied = false;
};

Result<Claim> claim(Store& to, const Container& container) {
    auto reserved = to.reserve(container.id);
    if (reserved)
        return Claim{*std::move(reserved), false};
    if (reserved.error().kind() != ErrorKind::already_exists)
        return std::move(reserved).error();
    RUNVM_ASSIGN(Lock lock, to.lock(container.id));
    RUNVM_ASSIGN(Container there, to.load(container.id));
    bool is_copy = there.created_ns == container.created_ns;
    bool is_reserved_only = there.status == Status::creating && !is_alive(there.creator);
    if (!is_copy && !is_reserved_only)
        return std::move(reserved).error();
    return Claim{std::move(lock), is_copy};
}

Result<void> move_one(Store& from, Store& to, const std::string& id, int limit_ms) {
    RUNVM_ASSIGN(Lock lock, from.lock(id, limit_ms));
    RUNVM_ASSIGN(Container container, from.load(id));
    RUNVM_ASSIGN(Claim claimed, claim(to, container));
    if (!claimed.is_copied)
        if (auto saved = to.save(container); !saved) {
            (void)to.remove(id);
            return saved;
        }
    return from.remove(id);
}

} // namespace

Result<Moved> move_all(Store& from, Store& to, int limit_ms) {
    RUNVM_ASSIGN(std::vector<std::string> ids, from.list());
    Moved moved;
    for (const std::string& id : ids) {
        auto done = move_one(from, to, id, limit_ms);
        if (done)
            ++moved.containers;
        else if (done.error().kind() != ErrorKind::not_found) // deleted meanwhile
            moved.failures.push_back(std::move(done).error());
    }
    return moved;
}

} // namespace runvm::state
