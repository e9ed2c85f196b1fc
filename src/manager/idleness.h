// When a lazy manager may leave: after pm.manager_idle_timeout without anything to do.
//
// Manager process; pure arithmetic on the times it is given.
#pragma once

#include <cstdint>

#include "config/settings.h"

namespace muster::manager {

class Idleness {
  public:
    explicit Idleness(const config::PoolSettings& pool);

    /// The manager serves from now on.
    void begin(std::uint64_t nowNs) { beganNs_ = quietSinceNs_ = nowNs; }
    /// There is, or just was, something to do.
    void interrupt() { quietSinceNs_ = 0; }
    /// Whether it may go, when `isBusy` says whether there is anything to do now. A timeout of 0
    /// still leaves it a second, so that connections that come and go cost at most one start each.
    [[nodiscard]] bool mayLeave(bool isBusy, std::uint64_t nowNs);

  private:
    bool lazy_;
    std::uint64_t patienceNs_;
    std::uint64_t beganNs_ = 0;
    std::uint64_t quietSinceNs_ = 0;  ///< 0: not quiet when last looked at
};

}  // namespace muster::manager
