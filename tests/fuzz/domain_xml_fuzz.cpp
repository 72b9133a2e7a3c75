// libs: runvm_vm PkgConfig::LIBXML
// No value from outside can add an element or an attribute to the domain XML: whatever the strings are, what
// libxml2 (libvirt's parser) makes of it has the structure of the same machine with harmless ones.

#include "vm/machine.h"

#include <fuzzer/FuzzedDataProvider.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

namespace {

using runvm::vm::MachineSpec;

/// Names of elements and attributes, nested.
std::string structure(const xmlNode* node) {
    std::string text;
    for (; node != nullptr; node = node->next) {
        if (node->type == XML_TEXT_NODE)
            continue;
        // Any other kind (comment, CDATA, processing instruction, entity) shows as its number.
        if (node->type != XML_ELEMENT_NODE) {
            text += "!" + std::to_string(node->type);
            continue;
        }
        text += std::string("<") + reinterpret_cast<const char*>(node->name);
        for (const xmlAttr* attribute = node->properties; attribute != nullptr; attribute = attribute->next)
            text += std::string(" ") + reinterpret_cast<const char*>(attribute->name);
        text += ">" + structure(node->children) + "</>";
    }
    return text;
}

struct Parsed {
    bool ok = false;
    std::string structure;
};

Parsed parse(const std::string& xml) {
    constexpr int quiet = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    std::unique_ptr<xmlDoc, void (*)(xmlDoc*)> document(
        xmlReadMemory(xml.data(), static_cast<int>(xml.size()), "domain.xml", nullptr, quiet), xmlFreeDoc);
    if (!document)
        return {};
    return {true, structure(xmlDocGetRootElement(document.get()))};
}

/// An empty path leaves a device out: that is the caller's decision, not the value's.
std::string harmless(const std::string& value) {
    return value.empty() ? "" : "x";
}

MachineSpec harmless_twin(const MachineSpec& spec) {
    MachineSpec twin = spec;
    for (std::string* value :
         {&twin.name, &twin.uuid, &twin.machine, &twin.emulator_path, &twin.kernel_path, &twin.image_path,
          &twin.kernel_command_line, &twin.console_socket_path, &twin.control_socket_path,
          &twin.streams_socket_path, &twin.virtiofs_socket_path})
        *value = harmless(*value);
    if (spec.accelerator != "kvm")
        twin.accelerator = "tcg";
    return twin;
}

MachineSpec make_spec(FuzzedDataProvider& data) {
    MachineSpec spec;
    spec.vcpus = data.ConsumeIntegral<uint32_t>();
    spec.memory_mib = data.ConsumeIntegral<uint64_t>();
    spec.vsock_cid = data.ConsumeIntegral<uint32_t>();
    spec.accelerator = data.ConsumeBool() ? "kvm" : data.ConsumeRandomLengthString();
    for (std::string* value :
         {&spec.name, &spec.uuid, &spec.machine, &spec.emulator_path, &spec.kernel_path, &spec.image_path,
          &spec.kernel_command_line, &spec.console_socket_path, &spec.control_socket_path,
          &spec.streams_socket_path, &spec.virtiofs_socket_path})
        *value = data.ConsumeRandomLengthString();
    return spec;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    FuzzedDataProvider data(bytes, size);
    MachineSpec spec = make_spec(data);
    std::string xml = runvm::vm::domain_xml(spec);
    Parsed found = parse(xml);
    Parsed expected = parse(runvm::vm::domain_xml(harmless_twin(spec)));
    if (!expected.ok || !found.ok || found.structure != expected.structure) {
        std::cerr << "the structure was changed:\n" << xml << "\n";
        std::abort();
    }
    return 0;
}
