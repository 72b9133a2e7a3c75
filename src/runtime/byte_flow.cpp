#include "runtime/byte_flow.h"

#include <cerrno>

namespace runvm::runtime {

namespace {

bool try_later(int errno_value) {
    return errno_value == EINTR || errno_value == EAGAIN || errno_value == EWOULDBLOCK;
}

} // namespace

pollfd ByteFlow::wanted() const {
    if (begin_ < end_)
        return {to_.get(), POLLOUT, 0};
    return {from_.get(), POLLIN, 0};
}

bool ByteFlow::move() {
    bool going = begin_ < end_ ? write_some() : read_some();
    if (!going) {
        from_ = {};
        begin_ = end_ = 0;
    }
    return going;
}

bool ByteFlow::read_some() {
    ssize_t count = from_.read(buffer_.data(), buffer_.size());
    if (count < 0)
        return try_later(errno);
    if (count == 0)
        return false;
    begin_ = 0;
    end_ = static_cast<size_t>(count);
    return true;
}

bool ByteFlow::write_some() {
    ssize_t count = to_.write(buffer_.data() + begin_, end_ - begin_);
    if (count < 0)
        return try_later(errno);
    begin_ += static_cast<size_t>(count);
    return true;
}

} // namespace runvm::runtime
