#include "vm/machine.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace runvm::vm {
namespace {

/// Length of the valid UTF-8 sequence that `text` begins with, as XML 1.0 allows it (its production Char); 0
/// if there is none.
size_t xml_character_length(std::string_view text) {
    auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned char first = byte(0);
    if (first < 0x80)
        return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;

    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    uint32_t code = first & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80)
            return 0;
        code = code << 6U | (byte(i) & 0x3fU);
    }
    constexpr std::array<uint32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    bool noncharacter = code == 0xfffe || code == 0xffff;
    return code < smallest[length] || code > 0x10ffff || surrogate || noncharacter ? 0 : length;
}

/// For an attribute in single or double quotes and for text alike. What XML cannot carry at all becomes
/// U+FFFD.
std::string escape(std::string_view text) {
    std::string escaped;
    while (!text.empty()) {
        size_t length = xml_character_length(text);
        if (length != 1) {
            escaped += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length);
            text.remove_prefix(length == 0 ? 1 : length);
            continue;
        }
        switch (text[0]) {
        case '<':
            escaped += "&lt;";
            break;
        case '>':
            escaped += "&gt;";
            break;
        case '&':
            escaped += "&amp;";
            break;
        case '\'':
            escaped += "&apos;";
            break;
        case '"':
            escaped += "&quot;";
            break;
        // As references, or the parser would make blanks of them in attributes.
        case '\t':
            escaped += "&#9;";
            break;
        case '\n':
            escaped += "&#10;";
            break;
        case '\r':
            escaped += "&#13;";
            break;
        default:
            escaped += text[0];
        }
        text.remove_prefix(1);
    }
    return escaped;
}

/// Slots of the root bus. Every device that is there from the start has its address here, so that the guest
/// sees the same machine each time.
enum RootBusSlot { serial_slot = 1, random_slot, virtiofs_slot, vsock_slot, growth_slot, hotplug_slot };

std::string pci_address(unsigned slot, unsigned bus = 0) {
    return "<address type='pci' domain='0x0000' bus='" + std::to_string(bus) + "' slot='" +
           std::to_string(slot) + "' function='0'/>";
}

/// What is plugged in later goes behind one bridge of conventional PCI, which has hotplug_slots: a guest
/// looks at that in a fraction of the time that it takes for eight root ports (docs/performance.md). libvirt
/// gives transitional devices a slot there, and wants the bridge itself in a root port.
std::string hotplug_bridge() {
    auto controller = [](unsigned index, const char* model, const std::string& address) {
        return "    <controller type='pci' index='" + std::to_string(index) + "' model='" + model + "'>" +
               address + "</controller>\n";
    };
    return controller(1, "pcie-root-port", pci_address(hotplug_slot)) +
           controller(2, "pcie-to-pci-bridge", pci_address(0, 1));
}

std::string unix_source(const std::string& path) {
    return "<source mode='connect' path='" + escape(path) + "'/>";
}

/// The cpu, and one NUMA cell: without it a machine that was reconnected to has lost its shared memory in
/// libvirt's eyes, and virtiofs is refused ("'virtiofs' requires shared memory").
std::string cpu(const MachineSpec& spec) {
    uint32_t vcpus = std::max(spec.vcpus, spec.max_vcpus);
    std::string last_cpu = vcpus > 1 ? "0-" + std::to_string(vcpus - 1) : "0";
    std::string cell = "<numa><cell id='0' cpus='" + last_cpu + "' memory='" +
                       std::to_string(spec.memory_mib) + "' unit='MiB' memAccess='shared'/></numa>";
    if (spec.accelerator == "kvm")
        return "  <cpu mode='host-passthrough' migratable='on'>\n    " + cell + "\n  </cpu>\n";
    // With erms and fsrm the kernel clears and copies memory by `rep movsb`, which TCG does byte by byte:
    // clearing 300 MiB takes 0.5 s instead of 0.1, copying them 0.5 instead of 0.2 (QEMU 7.2).
    return "  <cpu mode='maximum'>\n    " + cell +
           "\n    <feature policy='disable' name='erms'/>\n"
           "    <feature policy='disable' name='fsrm'/>\n  </cpu>\n";
}

std::string channel(const std::string& path, const char* name, unsigned port) {
    if (path.empty())
        return {};
    return "    <channel type='unix'>\n      " + unix_source(path) + "\n      <target type='virtio' name='" +
           name + "'/>\n      <address type='virtio-serial' controller='0' bus='0' port='" +
           std::to_string(port) + "'/>\n    </channel>\n";
}

uint64_t growth_mib_of(const MachineSpec& spec) {
    return largest_growth_mib(spec.memory_mib, spec.max_memory_mib);
}

std::string devices(const MachineSpec& spec) {
    std::string xml = "  <devices>\n    <emulator>" + escape(spec.emulator_path) + "</emulator>\n";
    xml += "    <controller type='pci' index='0' model='pcie-root'/>\n" + hotplug_bridge();
    // What libvirt would add by itself.
    xml += "    <controller type='usb' model='none'/>\n    <memballoon model='none'/>\n";
    xml += "    <serial type='unix'>\n      " + unix_source(spec.console_socket_path) +
           "\n      <target type='isa-serial' port='0'/>\n    </serial>\n";
    if (!spec.control_socket_path.empty() || !spec.streams_socket_path.empty())
        xml += "    <controller type='virtio-serial' index='0' model='virtio-non-transitional' ports='3'>" +
               pci_address(serial_slot) + "</controller>\n";
    xml += channel(spec.control_socket_path, "org.runvm.control.0", 1);
    xml += channel(spec.streams_socket_path, "org.runvm.streams.0", 2);
    xml += "    <rng model='virtio-non-transitional'><backend model='builtin'/>" + pci_address(random_slot) +
           "</rng>\n";
    if (!spec.virtiofs_socket_path.empty())
        xml += "    <filesystem type='mount'>\n      <driver type='virtiofs' queue='512'/>\n      <source "
               "socket='" +
               escape(spec.virtiofs_socket_path) + "'/>\n      <target dir='runvm'/>\n      " +
               pci_address(virtiofs_slot) + "\n    </filesystem>\n";
    if (spec.vsock_cid != 0)
        xml += "    <vsock model='virtio-non-transitional'><cid auto='no' address='" +
               std::to_string(spec.vsock_cid) + "'/>" + pci_address(vsock_slot) + "</vsock>\n";
    if (growth_mib_of(spec) > 0)
        xml += growth_device_xml(spec, 0);
    return xml + "  </devices>\n";
}

// Where cpus are emulated all are there from the start, and the kernel uses some (`maxcpus`): from 6.12 on it
// takes what firmware calls disabled for absent, unless it knows the hypervisor, which TCG is not to it
// (acpi_is_processor_usable in arch/x86/kernel/acpi/boot.c). A cpu that the kernel does not use sleeps.
std::string vcpus(const MachineSpec& spec) {
    bool plugged_later = spec.accelerator == "kvm" && spec.max_vcpus > spec.vcpus;
    std::string current = plugged_later ? " current='" + std::to_string(spec.vcpus) + "'" : "";
    return "  <vcpu placement='static'" + current + ">" +
           std::to_string(std::max(spec.vcpus, spec.max_vcpus)) + "</vcpu>\n";
}

// The device takes no slot, but libvirt wants at least one named.
std::string max_memory(const MachineSpec& spec) {
    if (growth_mib_of(spec) == 0)
        return {};
    return "  <maxMemory slots='1' unit='MiB'>" + std::to_string(spec.memory_mib + growth_mib_of(spec)) +
           "</maxMemory>\n";
}

} // namespace

uint64_t largest_growth_mib(uint64_t memory_mib, uint64_t max_memory_mib) {
    // A memory block of the guest's Linux, of which it takes none in part (probe_memory_block_size in its
    // arch/x86/mm/init_64.c).
    constexpr uint64_t large_machine_mib = 64U << 10U;
    uint64_t block_mib = memory_mib < large_machine_mib ? 128 : 2048;
    return max_memory_mib <= memory_mib ? 0 : (max_memory_mib - memory_mib) / block_mib * block_mib;
}

std::string growth_address(std::string_view live_xml) {
    constexpr std::string_view device = "<memory model='virtio-mem'";
    constexpr std::string_view address = "<address base='";
    std::string_view rest = live_xml.substr(std::min(live_xml.find(device), live_xml.size()));
    rest = rest.substr(0, rest.find("</memory>"));
    size_t begin = rest.find(address);
    if (begin == std::string_view::npos)
        return {};
    rest.remove_prefix(begin + address.size());
    return std::string(rest.substr(0, rest.find('\'')));
}

std::string growth_device_xml(const MachineSpec& spec, uint64_t requested_mib, const std::string& address) {
    auto mib = [](const char* element, uint64_t size) {
        return std::string("<") + element + " unit='MiB'>" + std::to_string(size) + "</" + element + ">";
    };
    return "    <memory model='virtio-mem'>\n      <target>" + mib("size", growth_mib_of(spec)) +
           "<node>0</node>" + mib("block", growth_block_mib) + mib("requested", requested_mib) +
           (address.empty() ? "" : "<address base='" + escape(address) + "'/>") +
           "</target>\n      <alias name='ua-growth'/>\n      " + pci_address(growth_slot) +
           "\n    </memory>\n";
}

// A NIC that can tell of its carrier is one that begins without: Linux looks again after a second, and until
// then shows the link as down. That of ours is never lost. libvirt has no element for it.
constexpr const char* nic_defaults = "  <qemu:commandline>\n    <qemu:arg value='-global'/>\n"
                                     "    <qemu:arg value='virtio-net-device.status=off'/>\n"
                                     "  </qemu:commandline>\n";

std::string nic_xml(const Nic& nic) {
    return "<interface type='ethernet'>\n  <mac address='" + escape(nic.mac) + "'/>\n  <target dev='" +
           escape(nic.tap) + (nic.tap_is_there ? "' managed='no" : "") +
           "'/>\n  <model type='virtio-transitional'/>\n"
           "  <rom enabled='no'/>\n  <alias name='ua-" +
           escape(nic.tap) + "'/>\n</interface>\n";
}

std::string domain_xml(const MachineSpec& spec) {
    std::string type = spec.accelerator == "kvm" ? "kvm" : "qemu";
    std::string xml =
        "<domain type='" + type + "' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n";
    xml += "  <name>" + escape(spec.name) + "</name>\n  <uuid>" + escape(spec.uuid) + "</uuid>\n";
    xml += max_memory(spec) + "  <memory unit='MiB'>" + std::to_string(spec.memory_mib) + "</memory>\n";
    xml += "  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>\n";
    xml += vcpus(spec);
    xml += "  <os>\n    <type arch='x86_64' machine='" + escape(spec.machine) + "'>hvm</type>\n";
    xml += "    <kernel>" + escape(spec.kernel_path) + "</kernel>\n    <initrd>" + escape(spec.image_path) +
           "</initrd>\n    <cmdline>" + escape(spec.kernel_command_line) + "</cmdline>\n  </os>\n";
    // TCG's translated code would otherwise grow to 1 GiB of the host's memory, at the guest's discretion.
    std::string translation = type == "qemu" ? "<tcg><tb-cache unit='MiB'>256</tb-cache></tcg>" : "";
    xml += "  <features><acpi/><apic/><vmport state='off'/>" + translation + "</features>\n";
    xml += cpu(spec);
    xml += "  <clock offset='utc'><timer name='hpet' present='no'/></clock>\n";
    // A guest that panics reboots (panic=-1); whichever way it ends, the sandbox has ended.
    xml += "  <on_poweroff>destroy</on_poweroff>\n  <on_reboot>destroy</on_reboot>\n  "
           "<on_crash>destroy</on_crash>\n";
    if (spec.qemu_uid != 0)
        xml += "  <seclabel type='static' model='dac' relabel='no'><label>+" + std::to_string(spec.qemu_uid) +
               ":+" + std::to_string(spec.qemu_uid) + "</label></seclabel>\n";
    return xml + devices(spec) + nic_defaults + "</domain>\n";
}

} // namespace runvm::vm
