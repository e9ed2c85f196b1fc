// request_terminate_timeout and request_slowlog_timeout: finds requests that run too long (spec
// lifecycle §5.7). Manager process; called by its heartbeat timer.
#pragma once

#include <chrono>

#include "config/settings.h"
#include "log/error_log.h"
#include "manager/children.h"
#include "manager/slow_log.h"

namespace muster::manager {

/// Period of the heartbeat, or nothing when the pool has no timeout.
[[nodiscard]] std::optional<std::chrono::milliseconds> heartbeatPeriod(
    const config::PoolSettings& pool);

/// One heartbeat. A request over the slow log's limit is told, counted and
/// traced, once. One over the other
/// limit gets a WARNING and its worker SIGTERM, on every beat until the worker is gone; SIGKILL
/// when it has survived the TERM for a second.
void judgeRequests(Children& children, const scoreboard::Segment& segment,
                   scoreboard::PoolWriter& pen, const config::PoolSettings& pool,
                   log::ErrorLog& log, SlowLog& slowLog);

}  // namespace muster::manager
