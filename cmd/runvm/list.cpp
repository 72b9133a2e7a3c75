#include "command.h"

#include "oci/state_json.h"

#include <cstdio>

namespace runvm::commands {

namespace {

/// Those that can be read; what is wrong with the others goes to stderr, as runc does it.
Result<std::vector<state::Container>> load_all(state::Store& store) {
    RUNVM_ASSIGN(std::vector<state::Store::Loaded> all, store.load_all());
    std::vector<state::Container> containers;
    for (auto& [id, container] : all) {
        if (container)
            containers.push_back(*std::move(container));
        else
            std::fprintf(stderr, "load container %s: %s\n", id.c_str(),
                         container.error().to_string().c_str());
    }
    return containers;
}

} // namespace

Result<int> list(const Call& call) {
    const cli::Values& flags = call.line.flags;
    RUNVM_ASSIGN(const runtime::Context context, make_context(call));
    if (flags.boolean("quiet")) {
        RUNVM_ASSIGN(const std::vector<std::string> ids, context.store->list());
        std::string text;
        for (const std::string& id : ids)
            text += id + "\n";
        return print(text);
    }
    RUNVM_ASSIGN(const std::vector<state::Container> containers, load_all(*context.store));
    const std::string format = flags.text("format");
    if (format == "table")
        return print(oci::list_table(containers));
    if (format == "json")
        return print(oci::list_json(containers));
    return Error(ErrorKind::invalid_argument, "invalid format option");
}

} // namespace runvm::commands
