// libs: runvm_oci
// Any bytes as the resources of an update: an error that names them, or files of the guest's cgroup, and a
// config.json that can be read again.
#include "oci/update.h"

#include <capnp/message.h>

#include <cstdlib>
#include <string>

using namespace runvm;

static void check_planned(const std::string& config, const std::string& text) {
    capnp::MallocMessageBuilder message;
    auto resources = message.initRoot<protocol::Resources>();
    auto update = oci::plan_update(config, text, "r.json", resources);
    if (!update) {
        if (update.error().to_string().find("r.json") == std::string::npos)
            std::abort();
        return;
    }
    for (auto file : resources.getFiles()) {
        std::string name = file.getName().cStr();
        if (name.empty() || name.find('/') != std::string::npos || name[0] == '.')
            std::abort();
    }
    if (resources.getDeviceRules().size() != 0)
        std::abort();
    capnp::MallocMessageBuilder again;
    if (!oci::plan_update(update->config, "{}", "r.json", again.initRoot<protocol::Resources>()))
        std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string text(reinterpret_cast<const char*>(data), size);
    check_planned("{}", text);
    check_planned(R"({"linux": {"resources": {"memory": {"limit": 100000}, "cpu": {"period": 10}}}})", text);
    (void)oci::resources_of_flags([&](const char*) { return text; });
    return 0;
}
