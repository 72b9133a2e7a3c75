#pragma once
// The stores that the contract of state/store.h is tested with.

#include "state/leveldb/store.h"
#include "state/store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

namespace runvm::state {

struct StoreKind {
    const char* name;
    std::unique_ptr<Store> (*open)(const std::string& root);
    int many;                ///< containers that the test of many makes in a reasonable time
    const char* lock_folder; ///< below the root: where each container has a file or folder that is its lock

    std::string lock_path(const std::string& root, const std::string& id) const {
        return root + lock_folder + "/" + id;
    }
    /// How many containers have left something.
    size_t traces(const std::string& root) const {
        namespace fs = std::filesystem;
        std::string folder = root + lock_folder;
        if (!fs::exists(folder))
            return 0;
        return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
    }
};

inline const StoreKind store_kinds[] = {{"filesystem", open_filesystem_store, 1000, ""},
                                        {"leveldb", open_leveldb_store, 200, "/@locks"}};

inline std::string store_kind_name(const testing::TestParamInfo<StoreKind>& info) {
    return info.param.name;
}

} // namespace runvm::state
