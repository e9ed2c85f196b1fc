// What `musterctl status` and `workers` show, as JSON. Master side; reads scoreboards.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "scoreboard/snapshot.h"

namespace muster::master {

class Operations;

[[nodiscard]] nlohmann::json statusOf(const Operations& operations);
[[nodiscard]] nlohmann::json workersOf(const scoreboard::PoolSnapshot& pool);

}  // namespace muster::master
