#pragma once
// A store in a folder of the test's own.

#include "../support/mount_namespace.h"
#include "../support/temporary_folder.h"
#include "os/file.h"
#include "sample_container.h"
#include "state/store.h"

#include <gtest/gtest.h>

#include <sys/mount.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace runvm::state {

class StoreFixture {
protected:
    explicit StoreFixture(std::unique_ptr<Store> (*open)(const std::string& root)) : store_(open(root())) {}

    std::string root() const { return folder_.path() + "/root"; }
    std::string path(const std::string& name) const { return root() + "/" + name; }
    void put(const Container& container) {
        auto lock = store_->reserve(container.id);
        ASSERT_TRUE(lock.ok()) << lock.error().to_string();
        auto saved = store_->save(container);
        ASSERT_TRUE(saved.ok()) << saved.error().to_string();
    }
    /// Replaces a file of the store by other bytes.
    void overwrite(const std::string& name, const std::string& data) {
        ASSERT_TRUE(os::write_file_atomically(path(name), data, 0600, false).ok());
    }
    /// Runs `body` with the root on a tmpfs, as /run is.
    void on_tmpfs(const std::string& options, const std::function<void()>& body) {
        test::in_own_mount_namespace([&] {
            std::filesystem::create_directories(root());
            ASSERT_EQ(::mount("tmpfs", root().c_str(), "tmpfs", 0, options.c_str()), 0);
            body();
        });
    }

    test::TemporaryFolder folder_;
    std::unique_ptr<Store> store_;
};

} // namespace runvm::state
