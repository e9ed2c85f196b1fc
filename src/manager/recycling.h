// Which workers are replaced by plan, and how many more processes that may take: pure policy, no
// clock, no process.
#pragma once

#include <cstdint>
#include <random>

#include "config/settings.h"

namespace muster::manager {

/// What one worker may do in its life.
struct Share {
    int requests = 0;              ///< 0: unlimited
    std::uint64_t lifetimeNs = 0;  ///< 0: unlimited
};

/// With the pool's jitter, so that workers that began together do not all leave together.
[[nodiscard]] Share drawShare(const config::PoolSettings& pool, std::mt19937& random);

/// How many workers may stand by at a time, beside pm.max_children: none in pools that replace
/// nobody by plan. They serve nobody before another one has left.
[[nodiscard]] std::uint32_t standbySlots(const config::PoolSettings& pool);

}  // namespace muster::manager
