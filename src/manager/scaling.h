// How many workers a pool should have: pure policy, no clock, no process (spec lifecycle §5.4–5.5).
//
// decideTick runs once a second, decideDemand whenever a connection or a worker says that nobody
// is idle; both only look at counts and answer what to do. A pool grows at once and shrinks slowly:
// only what nobody has needed for whole ticks goes, so a load that swings around a limit neither
// forks nor ends anybody.
#pragma once

#include <cstdint>
#include <limits>

#include "config/settings.h"

namespace muster::manager {

struct PoolLoad {
    int running = 0;   ///< living workers, also those told to leave: they count to the limit
    int idle = 0;      ///< of these: accepting and meant to stay
    int starting = 0;  ///< of these: forked, not yet accepting
    int pending = 0;   ///< connections waiting for a worker: in the listen queue, handed over
    /// Fewest idle workers at any time since the last tick; what workers claim.
    int leastIdle = std::numeric_limits<int>::max();
};

/// pm.max_spawn_rate: so many forks at once, and then so many a second.
class SpawnBudget {
  public:
    [[nodiscard]] int left(int rate, std::uint64_t nowNs) const;
    void spend(int forks, int rate, std::uint64_t nowNs);
    /// Until there is one more.
    [[nodiscard]] static std::uint64_t pauseNs(int rate);

  private:
    std::uint64_t paidUntilNs_ = 0;
};

struct ScalingState {
    int spawnRate = 1;          ///< doubles while a dynamic pool stays short of spares
    bool limitReached = false;  ///< max_children was hit and nothing was forked since
    bool grew = false;          ///< on demand since the last tick: that tick was one of shortage
    int surplusTicks = 0;       ///< in a row, in which more than max_spare were never needed
    SpawnBudget budget;
};

struct ScalingDecision {
    int fork = 0;
    std::uint64_t lookAgainNs = 0;  ///< more are wanted, but not before then; 0: no more
    bool killIdle = false;    ///< idle workers: dynamic one, ondemand all that are idle too long
    bool countLimit = false;  ///< max_children reached: a new episode begins
    bool warnBusy = false;    ///< "seems busy": the rate printed is busyRate
    int busyRate = 0;
};

[[nodiscard]] ScalingDecision decideTick(const config::PoolSettings& pool, const PoolLoad& load,
                                         ScalingState& state, std::uint64_t nowNs);

[[nodiscard]] ScalingDecision decideDemand(const config::PoolSettings& pool, const PoolLoad& load,
                                           ScalingState& state, std::uint64_t nowNs);

/// How many more workers the pool could do with now, apart from how fast it may grow.
[[nodiscard]] int shortfall(const config::PoolSettings& pool, const PoolLoad& load);

/// Workers a pool begins with.
[[nodiscard]] int initialWorkers(const config::PoolSettings& pool);

}  // namespace muster::manager
