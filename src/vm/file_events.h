#pragma once
// What happens on the host to files that the guest watches: fanotify, which says whose doing it was. What the
// guest itself does comes through virtiofsd, and its kernel knows of it already.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace runvm::vm {

struct FileEvent {
    uint32_t watch = 0;
    uint32_t mask = 0; ///< one IN_* bit of inotify(7), perhaps with IN_ISDIR
    std::string name;  ///< of the entry of a watched folder; empty: the watched file itself

    bool operator==(const FileEvent&) const = default;
};

class FileEvents {
public:
    /// Paths are below `folder`. What `own_process` does is passed over.
    static Result<FileEvents> open(const std::string& folder, pid_t own_process);

    /// The path is the guest's word: it does not lead out of `folder`, nor through symlinks.
    Result<void> watch(uint32_t id, const std::string& path);
    void unwatch(uint32_t id);
    /// All whose paths begin with `folder` and a slash.
    void unwatch_below(const std::string& folder);

    /// Readable when there may be events.
    int fd() const { return group_.get(); }
    /// What there is, up to some hundreds; nothing when there is no more.
    std::vector<FileEvent> read();

private:
    /// The file system and the file's handle in it, as bytes.
    using Key = std::string;
    struct Watch {
        std::string path;
        Key key;
    };

    FileEvents(os::Fd group, os::Fd folder, pid_t own_process)
        : group_(std::move(group)), folder_(std::move(folder)), own_process_(own_process) {}
    Result<os::Fd> open_below(const std::string& path) const;
    void append(std::vector<FileEvent>& events, const char* record, size_t bytes, uint64_t mask) const;
    void append_to_watches(std::vector<FileEvent>& events, const Key& key, uint64_t mask,
                           const std::string& name) const;

    os::Fd group_;
    os::Fd folder_;
    pid_t own_process_;
    std::map<uint32_t, Watch> watches_;
    std::map<Key, std::set<uint32_t>> ids_;
    size_t orphans_ = 0; ///< marks of files that are not found any more
};

} // namespace runvm::vm
