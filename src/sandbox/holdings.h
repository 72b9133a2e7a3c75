#pragma once
// What a caller of the sandbox holds as long as its connection lasts.

#include "core/result.h"
#include "sandbox/sandbox.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace runvm::sandbox {

/// The processes that a connection is the shim of. They are let go when the connection is lost, not when the
/// last reference to a capability goes: a call that is never answered (a pending wait) keeps its object.
class Attachments {
public:
    explicit Attachments(Sandbox& sandbox) : sandbox_(sandbox) {}
    Attachments(const Attachments&) = delete;
    Attachments& operator=(const Attachments&) = delete;
    ~Attachments() { detach_all(); }

    void attach(const ProcessPtr& process) {
        if (over_)
            return;
        sandbox_.attach(*process);
        processes_.push_back(process);
    }
    void detach_all() {
        over_ = true;
        for (const ProcessPtr& process : std::exchange(processes_, {}))
            sandbox_.detach(process);
    }

private:
    Sandbox& sandbox_;
    std::vector<ProcessPtr> processes_;
    bool over_ = false;
};

/// The containers that a connection has joined the sandbox with and has not committed yet.
class Joins {
public:
    explicit Joins(Sandbox& sandbox) : sandbox_(sandbox) {}
    Joins(const Joins&) = delete;
    Joins& operator=(const Joins&) = delete;
    ~Joins() { abandon(); }

    Result<void> join(const std::string& id) {
        if (over_)
            return Error(ErrorKind::unavailable, "the connection is lost");
        RUNVM_TRY(sandbox_.join(id));
        ids_.insert(id);
        return {};
    }
    /// From here on somebody else may join with a container of this name.
    Result<void> commit(const std::string& id) {
        RUNVM_TRY(sandbox_.commit(id));
        ids_.erase(id);
        return {};
    }
    void abandon() {
        over_ = true;
        for (const std::string& id : std::exchange(ids_, {}))
            sandbox_.joiner_left(id);
    }

private:
    Sandbox& sandbox_;
    std::set<std::string> ids_;
    bool over_ = false;
};

/// What belongs to a connection, and ends with it.
struct Holdings {
    explicit Holdings(Sandbox& sandbox) : attachments(sandbox), joins(sandbox) {}
    Attachments attachments;
    Joins joins;
};

} // namespace runvm::sandbox
