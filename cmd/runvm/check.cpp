#include "command.h"
#include "probes.h"

namespace runvm::commands {

Result<int> check(const Call& call) {
    std::vector<cli::Finding> findings;
    const runtime::Layout layout = runtime::find_layout();
    config::Config config;
    auto loaded = load_config(call.line.globals, layout);
    if (loaded) {
        config = *std::move(loaded);
        findings.push_back({"config", cli::Finding::Status::ok, "read, or defaults", ""});
    } else {
        findings.push_back(
            {"config", cli::Finding::Status::fail, loaded.error().to_string(), "correct the file"});
    }
    findings.push_back(probes::user());
    findings.push_back(probes::accelerator(config));
    findings.push_back(probes::emulator(config));
    findings.push_back(probes::libvirt_driver());
    findings.push_back(probes::virtiofsd(config));
    findings.push_back(probes::vsock(config));
    findings.push_back(probes::programs(layout));
    findings.push_back(probes::kernel(config, layout));
    findings.push_back(probes::image(config, layout));
    findings.push_back(probes::namespaces());
    findings.push_back(probes::cgroup());
    findings.push_back(probes::memory(config));
    RUNVM_ASSIGN(const std::string root, state_root(call.line.globals, config));
    findings.push_back(probes::folder("state", root));
    findings.push_back(probes::folder("cache", config.paths.cache));

    const bool json = call.line.flags.boolean("json");
    RUNVM_TRY(print(json ? cli::to_json(findings) : cli::to_text(findings)));
    return cli::exit_status(findings);
}

} // namespace runvm::commands
