// request_terminate_timeout: finds requests that run too long and ends their workers (spec
// lifecycle §5.7). Manager process; called by its heartbeat timer.
#pragma once

#include <chrono>

#include "config/settings.h"
#include "log/error_log.h"
#include "manager/children.h"

namespace muster::manager {

/// Period of the heartbeat, or nothing when the pool has no timeout.
[[nodiscard]] std::optional<std::chrono::milliseconds> heartbeatPeriod(
    const config::PoolSettings& pool);

/// One heartbeat: SIGTERM and a WARNING for every request over the limit, on every beat until its
/// worker is gone; SIGKILL when the worker has survived the TERM for a second.
void endOverdueRequests(Children& children, const scoreboard::Segment& segment,
                        const config::PoolSettings& pool, log::ErrorLog& log);

}  // namespace muster::manager
