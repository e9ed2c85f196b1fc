// The global rlimit_files, rlimit_core and process.priority: the master's own, which everything it
// starts inherits (spec config §10).
#pragma once

#include "base/result.h"
#include "config/settings.h"
#include "log/error_log.h"

namespace muster::master {

/// Both limits. A failure ends a start and refuses a reload.
Result<void> applyGlobalLimits(const config::GlobalSettings& global);

/// As root; otherwise a notice that it is ignored. Unset leaves alone what is in force.
Result<void> applyGlobalPriority(const config::GlobalSettings& global, bool runsAsRoot,
                                 log::ErrorLog& log);

}  // namespace muster::master
