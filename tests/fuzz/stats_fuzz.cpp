// libs: runvm_oci
// A guest's cgroup files and processes: a line of JSON, or a table of whole lines, whatever they hold.
#include "oci/process_table.h"
#include "oci/stats.h"
#include "protocol/agent.capnp.h"

#include <capnp/message.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>

using namespace runvm;

static void check_stats(const std::string& text) {
    std::map<std::string, std::string> files;
    for (const std::string& name : oci::stats_files())
        files[name] = text;
    std::string line = oci::stats_event("c1", files);
    auto json = nlohmann::json::parse(line, nullptr, false);
    bool is_one_line = std::count(line.begin(), line.end(), '\n') == 1 && line.back() == '\n';
    if (!is_one_line || json.is_discarded() || json["type"] != "stats")
        std::abort();
}

static void check_table(const std::string& text) {
    capnp::MallocMessageBuilder message;
    auto list = message.initRoot<protocol::Agent::ProcessesResults>().initProcesses(1);
    list[0].setName(text);
    list[0].setCommandLine(text);
    list[0].setState(text.empty() ? 0 : static_cast<uint8_t>(text[0]));
    list[0].setTerminal(static_cast<uint32_t>(std::hash<std::string>()(text)));
    list[0].setAgeMs(std::hash<std::string>()(text));
    for (const char* option : {"-ef", "aux", "-ocomm,stat,etime"}) {
        auto table = oci::process_table({list.asReader(), text.size(), 1}, {option});
        if (!table || std::count(table->begin(), table->end(), '\n') != 2)
            std::abort();
        if (std::any_of(table->begin(), table->end(), [](char c) { return c != '\n' && c >= 0 && c < 0x20; }))
            std::abort();
    }
    (void)oci::process_table({list.asReader(), 0, 0}, {"-o", text});
    (void)oci::process_table({list.asReader(), 0, 0}, {text});
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string text(reinterpret_cast<const char*>(data), size);
    check_stats(text);
    check_table(text.substr(0, text.find('\0')));
    return 0;
}
