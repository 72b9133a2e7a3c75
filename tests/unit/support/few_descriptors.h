#pragma once

#include "os/fd.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace runvm::test {

/// While it lives the process may have only `count` descriptors more.
class FewDescriptors {
public:
    explicit FewDescriptors(rlim_t count) {
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
        auto lowest_free = static_cast<rlim_t>(os::Fd(::dup(STDERR_FILENO)).get());
        rlimit few_free{lowest_free + count, before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few_free), 0);
    }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;
    ~FewDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

private:
    rlimit before_{};
};

} // namespace runvm::test
