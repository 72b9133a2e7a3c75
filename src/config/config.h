#pragma once
// config.toml: every key with its default. docs/configuration.md and etc/runvm/config.toml say the same; a
// test reads that file and compares.

#include "core/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::config {

struct Config {
    struct Hypervisor {
        std::string accelerator = "auto"; ///< auto, kvm, tcg
        std::string machine = "q35";
        std::string emulator;            ///< empty: qemu-system-x86_64 of PATH and the usual folders
        std::string kernel;              ///< empty: <share>/vmlinux
        std::string image;               ///< empty: <share>/initrd.img
        std::string kernel_command_line; ///< added to runvm's own
        uint32_t vcpus = 1;
        uint32_t max_vcpus = 0; ///< 0: as many as the host has, at most 32
        uint64_t memory_mib = 2048;
        uint64_t max_memory_mib = 0; ///< 0: as much as the host has
        uint64_t memory_step_mib = 128;
        uint32_t boot_timeout_ms = 60000;
        uint32_t agent_timeout_ms = 30000;
    } hypervisor;
    struct Libvirt {
        std::string uri = "qemu:///embed";
    } libvirt;
    struct Channel {
        std::string type = "serial"; ///< serial, vsock
    } channel;
    struct Network {
        std::string model = "tc"; ///< tc, macvtap, none
    } network;
    struct SharedFs {
        std::string daemon; ///< empty: virtiofsd of the well-known places
        std::vector<std::string> options;
    } shared_fs;
    struct Paths {
        std::string cache = "/var/cache/runvm";
        std::string run = "/run/runvm"; ///< machine-wide locks; also the default --root
    } paths;
    struct Store {
        std::string type = "filesystem";
    } store;
    struct Logging {
        std::string level = "info"; ///< debug, info, warning, error
    } logging;
    struct Annotations {
        std::vector<std::string> allowed; ///< keys that a bundle may set (annotations.h)
    } annotations;
};

/// QEMU is started by a libvirtd, outside of the sandbox's namespaces.
inline bool has_libvirtd(const Config& config) {
    return config.libvirt.uri != "qemu:///embed";
}

/// The file at `path`. An unknown key, a wrong type or a bad value is an error that names file, line, key,
/// what was found and what is allowed.
Result<Config> load(const std::string& path);
/// The same of a text; `name` is what errors call it.
Result<Config> parse(const std::string& text, const std::string& name);

/// Every key as "hypervisor.vcpus", for checks of documents.
std::vector<std::string> known_keys();

} // namespace runvm::config
