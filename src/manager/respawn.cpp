// The row of young deaths and its delays: 0, 0.1 s, 0.2 s, 0.4 s … 10 s.
#include "manager/respawn.h"

#include <algorithm>

#include "base/clock.h"

namespace muster::manager {

std::chrono::milliseconds RespawnDelay::afterDeath(std::uint64_t lifetimeNs, bool served) {
    const bool young = !served && lifetimeNs < kNsPerSecond;
    if (!young) {
        youngDeaths_ = 0;
        return std::chrono::milliseconds(0);
    }
    ++youngDeaths_;
    if (youngDeaths_ == 1) {
        return std::chrono::milliseconds(0);
    }
    const int doublings = std::min(youngDeaths_ - 2, 10);
    return std::min(std::chrono::milliseconds(100 << doublings), kLongest);
}

}  // namespace muster::manager
