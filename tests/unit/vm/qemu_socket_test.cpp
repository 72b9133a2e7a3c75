#include "vm/qemu_socket.h"

#include "temporary_folder.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace runvm::vm {
namespace {

TEST(QemuSocket, IsForItsUidAndTakesAConnection) {
    TemporaryFolder folder;
    std::string path = folder / "s";
    auto socket = listen_for_qemu(path, ::geteuid(), ::getegid());
    ASSERT_TRUE(socket.ok()) << socket.error().to_string();
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    EXPECT_EQ(info.st_uid, ::geteuid());

    os::Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

TEST(QemuSocket, RefusesAPathThatIsTooLong) {
    auto socket = listen_for_qemu("/tmp/" + std::string(120, 'x'), 0, 0);
    ASSERT_FALSE(socket.ok());
    EXPECT_EQ(socket.error().kind(), ErrorKind::invalid_argument);
}

TEST(QemuSocket, DoesNotTakeAnothersPath) {
    TemporaryFolder folder;
    std::string path = folder / "s";
    auto first = listen_for_qemu(path, ::geteuid(), ::getegid());
    ASSERT_TRUE(first.ok());
    EXPECT_FALSE(listen_for_qemu(path, ::geteuid(), ::getegid()).ok());
    EXPECT_EQ(::access(path.c_str(), F_OK), 0);
}

} // namespace
} // namespace runvm::vm
