// How many workers a pool should have: pure policy, no clock, no process (spec lifecycle §5.4–5.5).
//
// decideTick runs once a second, decideDemand whenever a connection or a worker says that nobody
// is idle; both only look at counts and answer what to do.
#pragma once

#include "config/settings.h"

namespace muster::manager {

struct PoolLoad {
    int running = 0;   ///< living workers, also those told to leave: they count to the limit
    int idle = 0;      ///< of these: accepting and meant to stay
    int starting = 0;  ///< of these: forked, not yet accepting
    int pending = 0;   ///< connections waiting for a worker: in the listen queue, handed over
};

struct ScalingState {
    int spawnRate = 1;          ///< doubles while a dynamic pool stays short of spares
    bool limitReached = false;  ///< max_children was hit and nothing was forked since
    bool grew = false;          ///< on demand since the last tick: that tick was one of shortage
};

struct ScalingDecision {
    int fork = 0;
    bool killIdle = false;    ///< one idle worker, the oldest
    bool countLimit = false;  ///< max_children reached: a new episode begins
    bool warnBusy = false;    ///< "seems busy": the rate printed is busyRate
    int busyRate = 0;
};

[[nodiscard]] ScalingDecision decideTick(const config::PoolSettings& pool, const PoolLoad& load,
                                         ScalingState& state);

[[nodiscard]] ScalingDecision decideDemand(const config::PoolSettings& pool, const PoolLoad& load,
                                           ScalingState& state);

/// How many more workers the pool could do with now, apart from how fast it may grow.
[[nodiscard]] int shortfall(const config::PoolSettings& pool, const PoolLoad& load);

/// Workers a pool begins with.
[[nodiscard]] int initialWorkers(const config::PoolSettings& pool);

}  // namespace muster::manager
