// libs: runvm_config
// Any text as the value of an annotation: an error that names it, or a value that the file could have.
#include "config/annotations.h"
#include "config/keys.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace runvm;

static void check_key(const config::Key& key, const std::string& text) {
    config::Config config;
    config.annotations.allowed = {key.name};
    auto made = config::with_annotations(config, {{config::annotation_prefix + key.name, text}});
    if (!made) {
        if (made.error().to_string().find(key.name) == std::string::npos)
            std::abort();
        return;
    }
    for (const config::Key& other : config::keys())
        if (other.name != key.name && config::value_text(other, *made) != config::value_text(other, config))
            std::abort();
    auto again = config::parse(key.name + " = " + config::value_text(key, *made), "config.toml");
    if (!again || config::value_text(key, *again) != config::value_text(key, *made))
        std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string text(reinterpret_cast<const char*>(data), size);
    for (const config::Key& key : config::keys())
        if (config::may_be_annotated(key.name))
            check_key(key, text);
    return 0;
}
