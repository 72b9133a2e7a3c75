#pragma once

#include "os/fd.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

namespace runvm {

struct Pipe {
    Pipe() {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        reader = os::Fd(ends[0]);
        writer = os::Fd(ends[1]);
    }
    os::Fd reader;
    os::Fd writer;
};

} // namespace runvm
