// What `musterctl status`, `workers` and `trace` show, as JSON. Master side; reads scoreboards.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "manager/live_trace.h"
#include "scoreboard/snapshot.h"

namespace muster::master {

class Operations;

[[nodiscard]] nlohmann::json statusOf(const Operations& operations);
[[nodiscard]] nlohmann::json traceOf(pid_t worker, const manager::LiveTrace& trace);
[[nodiscard]] nlohmann::json workersOf(const scoreboard::PoolSnapshot& pool);

}  // namespace muster::master
