#include "os/unix_socket.h"

#include "../support/temporary_folder.h"
#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

namespace runvm::os {
namespace {

class UnixSocketTest : public ::testing::Test {
protected:
    /// A path of exactly `size` bytes in a folder that exists.
    std::string path_of_size(size_t size) {
        std::string folder = folder_.path();
        while (folder.size() + 50 < size)
            folder += "/" + std::string(std::min<size_t>(40, size - folder.size() - 10), 'd');
        EXPECT_TRUE(make_folders(folder, 0700).ok());
        std::string path = folder + "/" + std::string(size - folder.size() - 1, 's');
        EXPECT_EQ(path.size(), size);
        return path;
    }

    test::TemporaryFolder folder_;
};

/// Takes one message off the socket; the descriptor that came with it.
Fd receive_fd(int socket, std::string& text) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    std::array<char, 100> data{};
    iovec part{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    text.assign(data.data(), size > 0 ? static_cast<size_t>(size) : 0);
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS)
        return {};
    int fd;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return Fd(fd);
}

TEST_F(UnixSocketTest, ConnectsByPathsOfAnyLength) {
    // 107 is the longest that fits in sockaddr_un with its NUL.
    for (size_t size :
         {folder_.path().size() + 2, size_t{106}, size_t{107}, size_t{108}, size_t{109}, size_t{600}}) {
        std::string path = path_of_size(size);
        auto listener = listen_unix(path);
        ASSERT_TRUE(listener.ok()) << size << ": " << listener.error().to_string();
        struct stat info {};
        ASSERT_EQ(::stat(path.c_str(), &info), 0) << size;
        EXPECT_TRUE(S_ISSOCK(info.st_mode));
        EXPECT_EQ(info.st_mode & 07777U, 0600U);
        auto client = connect_unix(path);
        ASSERT_TRUE(client.ok()) << size << ": " << client.error().to_string();
        Fd server(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
        ASSERT_TRUE(write_all(client->get(), "hello", "socket").ok());
        client->reset();
        EXPECT_EQ(read_fd(server.get(), "socket").value(), "hello");
    }
}

TEST_F(UnixSocketTest, DescriptorsAreCloseOnExec) {
    auto listener = listen_unix(folder_.path() + "/s");
    auto client = connect_unix(folder_.path() + "/s");
    EXPECT_TRUE((::fcntl(listener->get(), F_GETFD) & FD_CLOEXEC) != 0);
    EXPECT_TRUE((::fcntl(client->get(), F_GETFD) & FD_CLOEXEC) != 0);
    EXPECT_TRUE((::fcntl(client->get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_F(UnixSocketTest, ErrorsNameThePath) {
    std::string path = folder_.path() + "/s";
    EXPECT_EQ(connect_unix(path).error().errno_value(), ENOENT);
    EXPECT_THAT(connect_unix(path).error().to_string(), ::testing::HasSubstr(path));
    { auto listener = listen_unix(path).value(); }
    EXPECT_EQ(connect_unix(path).error().errno_value(), ECONNREFUSED) << "nobody listens any more";
    EXPECT_EQ(listen_unix(path).error().errno_value(), EADDRINUSE);
    EXPECT_EQ(listen_unix(folder_.path() + "/no/s").error().errno_value(), ENOENT);
    EXPECT_EQ(listen_unix(folder_.path() + "/" + std::string(150, 'x')).error().kind(),
              ErrorKind::invalid_argument);
}

TEST_F(UnixSocketTest, DoesNotWaitForEverForAFullQueue) {
    std::string path = folder_.path() + "/s";
    auto listener = listen_unix(path);
    ASSERT_EQ(::listen(listener->get(), 0), 0); // one waits, the next has to
    auto first = connect_unix(path, 50);
    EXPECT_TRUE(first.ok()) << "nobody needs to accept";
    Result<Fd> second = connect_unix(path, 50);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().kind(), ErrorKind::timeout);
    timeval timeout{.tv_sec = 1, .tv_usec = 1};
    socklen_t size = sizeof timeout;
    ASSERT_EQ(::getsockopt(first->get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, &size), 0);
    EXPECT_EQ(timeout.tv_sec + timeout.tv_usec, 0) << "the limit is for the connection alone";
}

TEST_F(UnixSocketTest, SendsADescriptorWithItsText) {
    std::string path = folder_.path() + "/s";
    auto listener = listen_unix(path);
    auto client = connect_unix(path);
    // As a console socket's caller may do: the message is there although nobody has accepted yet.
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    Fd reader(ends[0]);
    Fd writer(ends[1]);
    ASSERT_TRUE(send_fd(client->get(), writer.get(), "/dev/pts/ptmx").ok());
    client->reset();
    writer.reset();

    Fd server(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string text;
    Fd received = receive_fd(server.get(), text);
    EXPECT_EQ(text, "/dev/pts/ptmx");
    ASSERT_TRUE(received);
    ASSERT_TRUE(write_all(received.get(), "through", "pipe").ok());
    received.reset();
    EXPECT_EQ(read_fd(reader.get(), "pipe").value(), "through");
}

TEST_F(UnixSocketTest, SendingToNobodyIsAnErrorAndNoSignal) {
    std::string path = folder_.path() + "/s";
    auto listener = listen_unix(path);
    auto client = connect_unix(path);
    listener->reset();
    EXPECT_EQ(send_fd(client->get(), client->get(), "x").error().errno_value(), EPIPE);
}

} // namespace
} // namespace runvm::os
