#include "command.h"

#include "config/annotations.h"
#include "oci/features.h"

namespace runvm::commands {

Result<int> features(const Call&) {
    return print(oci::features_json(config::annotation_prefix));
}

} // namespace runvm::commands
