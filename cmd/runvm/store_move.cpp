#include "command.h"

#include "state/leveldb/store.h"
#include "state/move.h"

namespace runvm::commands {

Result<int> store_move(const Call& call) {
    const std::string& wanted = call.line.arguments.front();
    if (wanted != "filesystem" && wanted != "leveldb")
        return Error(ErrorKind::invalid_argument,
                     "unknown store \"" + wanted + "\"; allowed are filesystem and leveldb");
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    auto folders = state::open_filesystem_store(context.root);
    auto database = state::open_leveldb_store(context.root);
    const bool to_database = wanted == "leveldb";
    RUNVM_ASSIGN(const state::Moved moved,
                 to_database ? state::move_all(*folders, *database) : state::move_all(*database, *folders));
    RUNVM_TRY(print("moved " + std::to_string(moved.containers) + " containers to " + wanted + "\n"));
    if (context.config.store.type != wanted)
        call.log.warning("the configuration says store.type = \"" + context.config.store.type +
                         "\": change it, or the containers will not be found");
    if (moved.failures.empty())
        return 0;
    for (const Error& failure : moved.failures)
        call.log.warning("not moved: " + failure.to_string());
    return Error(ErrorKind::wrong_state,
                 std::to_string(moved.failures.size()) + " containers were not moved");
}

} // namespace runvm::commands
