#include "network/resolver.h"

#include "core/take_until.h"
#include "network/coupling.h"
#include "os/file.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <string>

namespace runvm::network {

namespace {

constexpr uint16_t last_port = 65535;

std::string_view take_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    return take_until(line, ' ');
}

} // namespace

// A line: "  42: 0B00007F:A3C1 00000000:0000 07 ...", addresses as the cpu reads their four bytes
// (net/ipv4/udp.c, udp4_format_sock). A socket that has a peer only asks.
bool names_resolver(std::string_view table) {
    std::array<char, 10> wanted{};
    std::snprintf(wanted.data(), wanted.size(), "%08X:", htonl(resolver_address));
    while (!table.empty()) {
        std::string_view line = take_until(table, '\n');
        take_word(line);
        std::string_view local = take_word(line);
        std::string_view peer = take_word(line);
        if (local.starts_with(wanted.data()) && peer == "00000000:0000")
            return true;
    }
    return false;
}

Result<bool> has_resolver() {
    // Not /proc/net, which is of the process's first thread.
    RUNVM_ASSIGN(std::string table, os::read_file("/proc/thread-self/net/udp"));
    return names_resolver(table);
}

Result<void> use_own_ports() {
    return os::write_into("/proc/sys/net/ipv4/ip_local_port_range",
                          std::to_string(own_first_port) + " " + std::to_string(last_port));
}

Result<os::Fd> connect_to_resolver(bool over_tcp) {
    int type = over_tcp ? SOCK_STREAM : SOCK_DGRAM;
    os::Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket)
        return system_error("open a socket to the resolver");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(name_port);
    address.sin_addr.s_addr = htonl(resolver_address);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
        errno != EINPROGRESS)
        return system_error("connect to the resolver");
    return socket;
}

} // namespace runvm::network
