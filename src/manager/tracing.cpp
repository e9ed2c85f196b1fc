// One reading of a worker's memory, given to the runtime.
#include "manager/tracing.h"

#include "base/process_memory.h"

namespace muster::manager {

bool mustBeTraceable(const config::PoolSettings& pool) {
    return config::hasSlowLog(pool);
}

Result<Backtrace> traceWorker(const Child& child, Runtime& runtime, std::size_t depth) {
    ProcessMemory memory(child.pid, child.memory.get());
    Backtrace stack = runtime.backtrace(memory, depth);
    if (memory.refusal() != 0) {
        errno = memory.refusal();
        return errnoError("failed to read the memory of child " + std::to_string(child.pid));
    }
    return stack;
}

}  // namespace muster::manager
