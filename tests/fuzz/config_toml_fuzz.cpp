// libs: runvm_config
// Any bytes as config.toml: an error that begins with file and line, or values that the table of keys allows.
#include "config/keys.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace runvm;
    std::string text(reinterpret_cast<const char*>(data), size);
    auto config = config::parse(text, "config.toml");
    if (!config) {
        const std::string& message = config.error().message();
        bool names_the_place = message.starts_with("config.toml:") && message.find(": ") != std::string::npos;
        if (config.error().kind() != ErrorKind::invalid_argument || !names_the_place)
            std::abort();
        if (message.find('\n') != std::string::npos)
            std::abort();
        return 0;
    }
    for (const config::Key& key : config::keys()) {
        size_t dot = key.name.find('.');
        std::string line = "[" + key.name.substr(0, dot) + "]\n" + key.name.substr(dot + 1) + " = " +
                           config::value_text(key, *config);
        auto again = config::parse(line, "config.toml");
        if (!again || config::value_text(key, *again) != config::value_text(key, *config))
            std::abort();
    }
    return 0;
}
