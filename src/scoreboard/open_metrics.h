// The status page as OpenMetrics, metric by metric as php-fpm has them (spec status.md §6).
// Pure functions.
#pragma once

#include <string>

#include "scoreboard/snapshot.h"

namespace muster::scoreboard {

/// `processManager`: its name, "dynamic".
[[nodiscard]] std::string renderOpenMetrics(const PoolSnapshot& pool, const char* processManager);

}  // namespace muster::scoreboard
