// Golden files: golden/*.xml. RUNVM_UPDATE_GOLDEN=1 writes them anew; then read the difference.

#include "os/file.h"
#include "vm/disk.h"
#include "vm/machine.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace runvm::vm {
namespace {

MachineSpec emulated() {
    MachineSpec spec;
    spec.name = "runvm-0123456789abcdef";
    spec.uuid = "c2b0a5e4-7d2f-4f5b-9d0e-3f6f0c8f2a11";
    spec.accelerator = "tcg";
    spec.emulator_path = "/usr/bin/qemu-system-x86_64";
    spec.kernel_path = "/boot/vmlinux";
    spec.image_path = "/boot/initrd.img";
    spec.kernel_command_line = "console=ttyS0 quiet panic=-1";
    spec.console_socket_path = "/sandbox/console.sock";
    spec.control_socket_path = "/sandbox/control.sock";
    spec.streams_socket_path = "/sandbox/streams.sock";
    spec.virtiofs_socket_path = "/sandbox/virtiofsd.sock";
    return spec;
}

void expect_golden_text(const std::string& xml, const std::string& name) {
    std::string path = std::string(RUNVM_SOURCE_DIR) + "/tests/unit/vm/golden/" + name + ".xml";
    if (std::getenv("RUNVM_UPDATE_GOLDEN") != nullptr) {
        ASSERT_TRUE(os::write_file_atomically(path, xml, 0644, false).ok());
        return;
    }
    auto golden = os::read_file(path);
    ASSERT_TRUE(golden.ok()) << golden.error().to_string();
    EXPECT_EQ(*golden, xml);
}

void expect_golden(const MachineSpec& spec, const std::string& name) {
    expect_golden_text(domain_xml(spec), name);
}

size_t count(const std::string& text, const std::string& part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        ++found;
    return found;
}

TEST(DomainXml, Disk) {
    expect_golden_text(disk_xml({"runvm-1", "/dev/disk-runvm-1", 1, false}), "disk");
    expect_golden_text(disk_xml({"runvm-2", "/dev/disk-runvm-2", 28, true}), "disk-readonly");
}

TEST(DomainXml, Nic) {
    expect_golden_text(nic_xml({"rvtap7", "02:72:00:00:00:07"}), "nic");
    expect_golden_text(nic_xml({"rvtap7", "02:72:00:00:00:07", true}), "nic-of-a-macvtap");
    EXPECT_EQ(nic_xml({"a'/><b c='", ""}).find("<b"), std::string::npos);
}

TEST(DomainXml, EmulatedMachine) {
    expect_golden(emulated(), "tcg");
}

TEST(DomainXml, VirtualMachineWithVsock) {
    MachineSpec spec = emulated();
    spec.accelerator = "kvm";
    spec.vcpus = 4;
    spec.memory_mib = 512;
    spec.vsock_cid = 4711;
    spec.control_socket_path.clear();
    spec.streams_socket_path.clear();
    expect_golden(spec, "kvm-vsock");
}

TEST(DomainXml, WithoutSharedFilesystem) {
    MachineSpec spec = emulated();
    spec.virtiofs_socket_path.clear();
    expect_golden(spec, "no-virtiofs");
}

TEST(DomainXml, MachineThatCanGrow) {
    MachineSpec spec = emulated();
    spec.max_vcpus = 4;
    spec.memory_mib = 512;
    spec.max_memory_mib = 2049;
    expect_golden(spec, "growing"); // all cpus are there
    spec.accelerator = "kvm";
    EXPECT_EQ(count(domain_xml(spec), "<vcpu placement='static' current='1'>4</vcpu>"), 1U);
    spec.max_memory_mib = 639;
    EXPECT_EQ(count(domain_xml(spec), "maxMemory"), 0U);
}

TEST(DomainXml, MachineOfLibvirtd) {
    MachineSpec spec = emulated();
    spec.qemu_uid = 2100000007;
    expect_golden(spec, "libvirtd");
}

TEST(DomainXml, GrowthIsOfWholeBlocks) {
    EXPECT_EQ(largest_growth_mib(512, 512 + 128), 128U);
    EXPECT_EQ(largest_growth_mib(512, 512 + 255), 128U);
    EXPECT_EQ(largest_growth_mib(512, 512 + 127), 0U);
    EXPECT_EQ(largest_growth_mib(512, 0), 0U);
    EXPECT_EQ(largest_growth_mib(65536, 65536 + 4095), 2048U);
}

TEST(DomainXml, GrowthKeepsItsAddress) {
    MachineSpec spec = emulated();
    spec.memory_mib = 512;
    spec.max_memory_mib = 2048;
    EXPECT_EQ(count(growth_device_xml(spec, 128), "base="), 0U);
    std::string device = growth_device_xml(spec, 128, "0x140000000");
    EXPECT_EQ(count(device, "<address base='0x140000000'/></target>"), 1U);
    std::string other = "<memory model='dimm'><target><address base='0x1'/></target></memory>";
    EXPECT_EQ(growth_address("<domain>" + other + device + other + "</domain>"), "0x140000000");
    EXPECT_EQ(growth_address("<domain>" + growth_device_xml(spec, 128) + other + "</domain>"), "");
    EXPECT_EQ(growth_address("<domain>" + other + "</domain>"), "");
    EXPECT_EQ(growth_address(""), "");
}

TEST(DomainXml, EscapesMarkup) {
    MachineSpec spec = emulated();
    spec.console_socket_path = R"(/a'/><disk type="file">&lt;)";
    spec.kernel_command_line = "a]]></cmdline><devices/>&#60;";
    std::string xml = domain_xml(spec);
    EXPECT_NE(xml.find("path='/a&apos;/&gt;&lt;disk type=&quot;file&quot;&gt;&amp;lt;'"), std::string::npos)
        << xml;
    EXPECT_NE(xml.find("<cmdline>a]]&gt;&lt;/cmdline&gt;&lt;devices/&gt;&amp;#60;</cmdline>"),
              std::string::npos)
        << xml;
    EXPECT_EQ(count(xml, "<disk"), 0U);
    EXPECT_EQ(count(xml, "<devices"), 1U);
}

TEST(DomainXml, KeepsBlanksInAttributes) {
    MachineSpec spec = emulated();
    spec.console_socket_path = "/a\tb\nc\rd";
    EXPECT_NE(domain_xml(spec).find("path='/a&#9;b&#10;c&#13;d'"), std::string::npos);
}

TEST(DomainXml, ReplacesWhatXmlCannotCarry) {
    MachineSpec spec = emulated();
    auto name_of = [&](const std::string& name) {
        spec.name = name;
        std::string xml = domain_xml(spec);
        size_t begin = xml.find("<name>") + 6;
        return xml.substr(begin, xml.find("</name>") - begin);
    };
    const std::string replacement = "\xef\xbf\xbd";
    EXPECT_EQ(name_of(std::string("a\0b", 3)), "a" + replacement + "b");
    EXPECT_EQ(name_of("\x01\x1b"), replacement + replacement);
    EXPECT_EQ(name_of("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7"),
              "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7");
    EXPECT_EQ(name_of("\xc3"), replacement);                                     // broken off
    EXPECT_EQ(name_of("\xc0\xbc"), replacement + replacement);                   // '<' in two bytes
    EXPECT_EQ(name_of("\xe0\x80\xbc"), replacement + replacement + replacement); // and in three
    EXPECT_EQ(name_of("\xed\xa0\x80"), replacement + replacement + replacement); // a surrogate
    EXPECT_EQ(name_of("\xef\xbf\xbf"), replacement + replacement + replacement); // U+FFFF
    EXPECT_EQ(name_of("\xf4\x90\x80\x80"), replacement + replacement + replacement + replacement);
}

} // namespace
} // namespace runvm::vm
