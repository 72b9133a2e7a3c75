#include "runtime/creation.h"
#include "runtime/fault_point.h"
#include "runtime/foreground.h"

namespace runvm::runtime {

Result<void> create(Context& context, const CreateOptions& options) {
    Creation creation(context, options, false);
    return creation.create();
}

Result<int> run(Context& context, const RunOptions& options) {
    Creation creation(context, options, !options.detach);
    RUNVM_TRY(creation.create());
    auto started = creation.start();
    if (started && options.detach)
        return 0;
    Result<int> code =
        started ? stay_in_foreground(creation.shim(), creation.terminal()) : Result<int>(started.error());
    // As runc: a container that could not be started is removed, whatever --keep says.
    if (!started || !options.keep)
        RUNVM_TRY(remove(context, options.id, true));
    return code;
}

} // namespace runvm::runtime
