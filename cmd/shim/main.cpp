// runvm-shim: see shim/options.h for its two roles and their arguments, which runvm itself writes.

#include "shim/init.h"
#include "shim/run.h"

#include <kj/exception.h>

#include <cstdio>

namespace {

int run(const std::string& role, const std::vector<std::string>& arguments) {
    using namespace runvm;
    if (role == "init") {
        auto options = shim::parse_init_options(arguments);
        if (options)
            return shim::run_init(*options);
        std::fprintf(stderr, "%s\n", options.error().to_string().c_str());
    } else if (role == "run") {
        auto options = shim::parse_run_options(arguments);
        if (options)
            return shim::run_shim(*options);
        std::fprintf(stderr, "%s\n", options.error().to_string().c_str());
    } else {
        std::fputs("runvm-shim is started by runvm, not by hand\n", stderr);
    }
    return 1;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc > 1 ? argv[1] : "", {argv + (argc > 1 ? 2 : 1), argv + argc});
    } catch (const kj::Exception& exception) {
        std::fprintf(stderr, "runvm-shim: %s\n", exception.getDescription().cStr());
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "runvm-shim: %s\n", exception.what());
    }
    return 1;
}
