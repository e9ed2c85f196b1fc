// Whether a new generation is worse than the one it has replaced: pure policy (reload_canary).
//
// Compares shares of failed requests, not numbers: the old generation had its share, too. One
// worker may die, and a handful of requests may fail, of what has nothing to do with the reload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace muster::master {

class Canary {
  public:
    /// Requests of one generation, without those of earlier ones.
    struct Count {
        std::uint64_t requests = 0;
        std::uint64_t failed = 0;  ///< with a status of 500 or more
    };

    explicit Canary(Count before) : before_(before) {}

    /// A worker of the new generation died that should not have.
    void workerLost() { ++lost_; }

    /// What is wrong with the new generation, which has counted that; nothing so far.
    [[nodiscard]] std::optional<std::string> verdict(Count now) const;

    static constexpr int kLostWorkers = 2;
    static constexpr std::uint64_t kFailedRequests = 5;

  private:
    Count before_;
    int lost_ = 0;
};

}  // namespace muster::master
