// The status page for Prometheus: OpenMetrics 1.0 with php-fpm's names and order.
//
// Pure.
#pragma once

#include <cstdint>
#include <string>

#include "scoreboard/snapshot.h"

namespace muster::scoreboard {

/// What a pool's numbers are to be compared with, as configured; 0: no limit.
struct PoolLimits {
    std::uint64_t maxRequests = 0;
    std::uint64_t terminateTimeout = 0;  ///< seconds, as the next one
    std::uint64_t slowlogTimeout = 0;
};

/// `processManager`: its name.
[[nodiscard]] std::string renderOpenMetrics(const PoolSnapshot& pool, const char* processManager,
                                            const PoolLimits& limits);

}  // namespace muster::scoreboard
