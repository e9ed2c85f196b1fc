// Jitter, and a quarter more.
#include "manager/recycling.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "worker/recycling.h"

namespace muster::manager {

Share drawShare(const config::PoolSettings& pool, std::mt19937& random) {
    Share share;
    if (pool.maxRequests > 0) {
        std::uniform_int_distribution<int> jitter(0, std::max(pool.maxRequestsJitter, 0));
        const std::int64_t requests = std::int64_t{pool.maxRequests} + jitter(random);
        share.requests =
            static_cast<int>(std::min<std::int64_t>(requests, std::numeric_limits<int>::max()));
    }
    if (pool.maxLifetime > 0) {
        const std::uint64_t whole = secondsToNs(pool.maxLifetime);
        std::uniform_int_distribution<std::uint64_t> sooner(0, whole / 10);
        share.lifetimeNs = whole - sooner(random);
    }
    return share;
}

std::uint32_t standbySlots(const config::PoolSettings& pool) {
    if (!worker::recycles(pool)) {
        return 0;
    }
    return static_cast<std::uint32_t>(std::max(1, pool.maxChildren / 4));
}

}  // namespace muster::manager
