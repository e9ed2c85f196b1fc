// Takes the backtrace of what a worker runs, without stopping or disturbing it.
//
// Manager process. A new worker gives its manager a descriptor of its own memory, for kernels that
// would not let the manager read it otherwise (base/process_memory.h). A trace is a few hundred
// reads at most: well below a millisecond for ordinary stacks.
#pragma once

#include <optional>

#include "base/message_channel.h"
#include "manager/children.h"

namespace muster::manager {

/// Whether the workers of a pool are made so that they can be traced whatever it takes.
[[nodiscard]] bool mustBeTraceable(const config::PoolSettings& pool);

/// The innermost `depth` calls. An error only when the kernel lets nobody read the worker; what is
/// wrong inside of it shows in the trace.
[[nodiscard]] Result<Backtrace> traceWorker(const Child& child, Runtime& runtime,
                                            std::size_t depth);

}  // namespace muster::manager
