#include "oci/devices.h"

#include <sys/stat.h>
#include <unistd.h>

namespace runvm::oci {

namespace {

struct DeviceNumbers {
    char type;
    int64_t major;
    int64_t first_minor;
    int64_t last_minor;
};

// Documentation/admin-guide/devices.txt of the kernel.
constexpr DeviceNumbers guest_devices[] = {
    {'c', 1, 3, 3},           // null
    {'c', 1, 5, 5},           // zero
    {'c', 1, 7, 9},           // full, random, urandom
    {'c', 1, 11, 11},         // kmsg
    {'c', 5, 0, 0},           // tty
    {'c', 5, 1, 2},           // console, ptmx
    {'c', 10, 200, 200},      // net/tun
    {'c', 10, 229, 229},      // fuse
    {'c', 10, 237, 237},      // loop-control
    {'b', 7, 0, INT64_MAX},   // loop; see is_host_disk
    {'c', 136, 0, INT64_MAX}, // pts
};

constexpr int64_t max_major = (1 << 12) - 1; // of the kernel's dev_t
constexpr int64_t max_minor = (1 << 20) - 1;

void read_device(const Value& device, protocol::Device::Builder built) {
    constexpr uint64_t max_mode = UINT32_MAX;
    constexpr uint64_t default_mode = 0666;
    constexpr uint64_t max_id = UINT32_MAX - 1;

    std::string path = device["path"].text();
    if (path.empty() || path[0] != '/')
        device["path"].fail_found("an absolute path is expected");
    std::string type = device["type"].text();
    if (type != "c" && type != "u" && type != "b" && type != "p")
        device["type"].fail_found("allowed are c, u, b, p");
    built.setPath(path.c_str());
    built.setType(static_cast<uint8_t>(type == "u" ? 'c' : type.empty() ? 0 : type[0]));
    if (type != "p") {
        built.setMajor(device["major"].integer(0, max_major));
        built.setMinor(device["minor"].integer(0, max_minor));
    }
    // Docker and containerd send the file's type bits as well.
    built.setMode(static_cast<uint32_t>(device["fileMode"].natural(max_mode, default_mode)) &
                  ~uint32_t{S_IFMT});
    built.setUid(static_cast<uint32_t>(device["uid"].natural(max_id)));
    built.setGid(static_cast<uint32_t>(device["gid"].natural(max_id)));
}

/// What the last rule for the disk says about writing.
bool may_write(capnp::List<protocol::DeviceRule>::Reader rules, int64_t major, int64_t minor) {
    bool allowed = false;
    for (auto rule : rules) {
        bool is_of_disk = rule.getType() == 'a' ||
                          (rule.getType() == 'b' && (rule.getMajor() < 0 || rule.getMajor() == major) &&
                           (rule.getMinor() < 0 || rule.getMinor() == minor));
        std::string_view access(rule.getAccess().cStr(), rule.getAccess().size());
        if (is_of_disk && access.find('w') != std::string_view::npos)
            allowed = rule.getAllow();
    }
    return allowed;
}

} // namespace

bool is_guest_device(char type, int64_t major, int64_t minor) {
    if (type == 'p')
        return true;
    for (const DeviceNumbers& known : guest_devices)
        if (known.type == type && known.major == major && minor >= known.first_minor &&
            minor <= known.last_minor)
            return true;
    std::string registered = std::string("/sys/dev/") + (type == 'b' ? "block/" : "char/") +
                             std::to_string(major) + ":" + std::to_string(minor);
    return ::access(registered.c_str(), F_OK) != 0;
}

bool is_host_disk(int64_t major, int64_t minor) {
    constexpr int64_t loop_major = 7;
    std::string registered = "/sys/dev/block/" + std::to_string(major) + ":" + std::to_string(minor);
    if (major == loop_major)
        registered += "/loop/backing_file";
    return ::access(registered.c_str(), F_OK) == 0;
}

void read_devices(const Value& devices, bool allow_all, protocol::Container::Builder container) {
    std::vector<Value> kept;
    for (const Value& device : devices.elements()) {
        std::string type = device["type"].text();
        char letter = type == "u" ? 'c' : type.empty() ? '\0' : type[0];
        bool is_node = letter == 'c' || letter == 'b';
        int64_t major = is_node ? device["major"].integer(0, INT64_MAX) : 0;
        int64_t minor = is_node ? device["minor"].integer(0, INT64_MAX) : 0;
        bool is_plugged = letter == 'b' && !allow_all && is_host_disk(major, minor);
        if (!is_node || is_plugged || is_guest_device(letter, major, minor)) {
            kept.push_back(device);
        } else if (allow_all) {
            device.note(device["path"].text() + " is a device of the host and is left out");
        } else {
            device.fail(ErrorKind::unsupported,
                        device["path"].text() +
                            " is a device of the host, which a container in a VM cannot reach; remove it");
        }
    }
    auto list = container.initDevices(static_cast<unsigned>(kept.size()));
    auto rules = container.getResources().getDeviceRules().asReader();
    for (unsigned i = 0; i < kept.size(); ++i) {
        read_device(kept[i], list[i]);
        if (allow_all || list[i].getType() != 'b' || !is_host_disk(list[i].getMajor(), list[i].getMinor()))
            continue;
        list[i].setIsHostDisk(true);
        list[i].setReadonly(!may_write(rules, list[i].getMajor(), list[i].getMinor()));
    }
}

} // namespace runvm::oci
