// The global rlimit_files, rlimit_core and process.priority: the master's own, which everything it
// starts inherits (spec config §10).
#pragma once

#include <cstddef>

#include "base/result.h"
#include "config/settings.h"
#include "log/error_log.h"

namespace muster::master {

/// Both limits. A failure ends a start and refuses a reload.
Result<void> applyGlobalLimits(const config::GlobalSettings& global);

/// Lets the master hold the sockets and logs of so many pools, and of as many that are to take
/// their place, where the limit that may be changed is lower. Its children have the old limit.
void makeRoomForPools(std::size_t pools);

/// As root; otherwise a notice that it is ignored. Unset leaves alone what is in force.
Result<void> applyGlobalPriority(const config::GlobalSettings& global, bool runsAsRoot,
                                 log::ErrorLog& log);

}  // namespace muster::master
