#pragma once
// A folder that is gone after the test.

#include "os/file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace runvm::vm {

class TemporaryFolder {
public:
    TemporaryFolder() {
        if (::mkdtemp(path_.data()) == nullptr)
            ADD_FAILURE() << "mkdtemp failed";
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { EXPECT_TRUE(os::remove_tree(path_).ok()); }
    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_ = "/tmp/runvm-unit-vm-XXXXXX";
};

} // namespace runvm::vm
