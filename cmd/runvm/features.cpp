#include "command.h"

#include "oci/features.h"

namespace runvm::commands {

Result<int> features(const Call&) {
    return print(oci::features_json());
}

} // namespace runvm::commands
