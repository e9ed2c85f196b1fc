// Measures how long there was nothing to do.
#include "manager/idleness.h"

#include "base/clock.h"

namespace muster::manager {
namespace {

constexpr std::uint64_t kLeastLifeNs = kNsPerSecond;

}  // namespace

Idleness::Idleness(const config::PoolSettings& pool)
    : lazy_(config::isLazy(pool)), patienceNs_(secondsToNs(pool.managerIdleTimeout)) {}

bool Idleness::mayLeave(bool isBusy, std::uint64_t nowNs) {
    if (!lazy_ || isBusy) {
        interrupt();
        return false;
    }
    if (quietSinceNs_ == 0) {
        quietSinceNs_ = nowNs;
    }
    return nowNs - quietSinceNs_ >= patienceNs_ && nowNs - beganNs_ >= kLeastLifeNs;
}

}  // namespace muster::manager
