#pragma once
// The machine as a value, and its libvirt domain XML as a pure function of it (golden files in
// tests/unit/vm).

#include "core/result.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace runvm::vm {

/// How many NICs and disks a machine can have at a time.
constexpr unsigned hotplug_slots = 31;

struct MachineSpec {
    std::string name;        ///< the domain's name: [A-Za-z0-9_.-], at most 64
    std::string uuid;        ///< canonical form
    std::string accelerator; ///< "kvm" or "tcg"
    std::string machine = "q35";
    std::string emulator_path;
    std::string kernel_path;
    std::string image_path;
    std::string kernel_command_line; ///< whole
    uint32_t vcpus = 1;              ///< at boot
    uint32_t max_vcpus = 1;          ///< what it can grow to; less than `vcpus` says nothing
    uint64_t memory_mib = 2048;
    uint64_t max_memory_mib = 0;
    std::string console_socket_path;  ///< QEMU connects to it: we listen
    std::string control_socket_path;  ///< virtio-serial port org.runvm.control.0; we listen, empty with vsock
    std::string streams_socket_path;  ///< virtio-serial port org.runvm.streams.0
    uint32_t vsock_cid = 0;           ///< 0: no vsock device
    std::string virtiofs_socket_path; ///< tag "runvm"; empty: none
    std::string selinux_label;        ///< of an embedded driver's QEMU; empty: the caller's
    uid_t qemu_uid = 0; ///< with its gid what libvirtd shall run QEMU as; 0: libvirt has been told otherwise
};

/// A network card that is plugged into a running machine.
struct Nic {
    std::string tap;           ///< its name on the host
    std::string mac;           ///< "02:00:00:00:00:01": how the guest finds it, until it sets another one
    bool tap_is_there = false; ///< and stays when the NIC goes; otherwise it is made with it
};

std::string nic_xml(const Nic& nic);

/// What virtio-mem gives and takes at once: the least that Linux handles (pages of its largest order).
constexpr uint64_t growth_block_mib = 4;
/// By how much a machine that boots with `memory_mib` can grow to be of at most `max_memory_mib`.
uint64_t largest_growth_mib(uint64_t memory_mib, uint64_t max_memory_mib);

/// Any value is escaped: none can add an element or an attribute.
std::string domain_xml(const MachineSpec& spec);

/// The virtio-mem device of a machine that can grow, which gives the guest `requested_mib` on top of what it
/// booted with. `address`: of it in a live machine (growth_address).
std::string growth_device_xml(const MachineSpec& spec, uint64_t requested_mib,
                              const std::string& address = "");

/// Where libvirt says that the device is, in its description of a live machine: from 10 on it refuses a
/// change that does not name the same (Debian 13); "" if it says nothing, as older ones.
std::string growth_address(std::string_view live_xml);

} // namespace runvm::vm
