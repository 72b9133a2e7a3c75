#include "version.h"
#include "command.h"
#include "oci/fields.h"

namespace runvm::commands {

std::string version_details() {
    return std::string(RUNVM_VERSION "\ncommit: " RUNVM_COMMIT "\nspec: ") + oci::spec_version;
}

} // namespace runvm::commands
