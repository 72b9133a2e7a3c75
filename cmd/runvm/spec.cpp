#include "command.h"

#include "oci/spec_json.h"
#include "os/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace runvm::commands {

Result<int> spec(const Call& call) {
    const cli::Values& flags = call.line.flags;
    const std::string bundle = flags.text("bundle");
    const std::string path = bundle.empty() ? "config.json" : bundle + "/config.json";

    os::Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file && errno == EEXIST)
        return Error(ErrorKind::already_exists, "File " + path + " exists. Remove it first");
    if (!file)
        return system_error("create " + path);
    const std::string text =
        flags.boolean("rootless") ? oci::rootless_spec(geteuid(), getegid()) : oci::default_spec();
    auto written = os::write_all(file.get(), text, path);
    if (!written) {
        unlink(path.c_str());
        return std::move(written).error();
    }
    return 0;
}

} // namespace runvm::commands
