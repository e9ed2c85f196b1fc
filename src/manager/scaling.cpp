// The arithmetic of static, dynamic and ondemand.
#include "manager/scaling.h"

#include <algorithm>
#include <utility>

namespace muster::manager {
namespace {

using config::PoolSettings;
using config::ProcessManager;

void reachLimit(ScalingState& state, ScalingDecision& decision) {
    decision.countLimit = !state.limitReached;
    state.limitReached = true;
}

ScalingDecision tickDynamic(const PoolSettings& pool, const PoolLoad& load, ScalingState& state) {
    ScalingDecision decision;
    const int spare = load.idle + load.starting;
    // Spares are made up for at once (decideDemand), so the tick rarely sees a shortage itself.
    const bool wasShort = std::exchange(state.grew, false) || spare < pool.minSpareServers;
    if (spare > pool.maxSpareServers) {
        decision.killIdle = load.idle > 0;
        state.spawnRate = 1;
        return decision;
    }
    if (!wasShort) {
        state.spawnRate = 1;
        return decision;
    }
    if (load.running >= pool.maxChildren) {
        if (spare < pool.minSpareServers) {
            reachLimit(state, decision);
        }
        state.spawnRate = 1;
        return decision;
    }
    if (state.spawnRate >= 8) {
        decision.warnBusy = true;
        decision.busyRate = state.spawnRate;
    }
    decision.fork = std::max(0, std::min({state.spawnRate, pool.minSpareServers - spare,
                                          pool.maxChildren - load.running}));
    state.limitReached = false;
    if (state.spawnRate < pool.maxSpawnRate) {
        state.spawnRate *= 2;
    }
    return decision;
}

}  // namespace

ScalingDecision decideTick(const PoolSettings& pool, const PoolLoad& load, ScalingState& state) {
    switch (pool.pm) {
        case ProcessManager::dynamic:
            return tickDynamic(pool, load, state);
        case ProcessManager::ondemand: {
            // A connection may have arrived between two looks: the queue decides, not the event.
            ScalingDecision decision = decideDemand(pool, load, state);
            decision.killIdle = decision.fork == 0 && load.pending == 0 && load.idle > 0;
            return decision;
        }
        case ProcessManager::fixed: {
            // Only what could not be forked in its time is missing.
            ScalingDecision decision;
            decision.fork = shortfall(pool, load);
            return decision;
        }
        case ProcessManager::unset:
            break;
    }
    return {};
}

ScalingDecision decideDemand(const PoolSettings& pool, const PoolLoad& load, ScalingState& state) {
    ScalingDecision decision;
    if (pool.pm != ProcessManager::dynamic && pool.pm != ProcessManager::ondemand) {
        return decision;
    }
    const int available = load.idle + load.starting;
    int wanted = load.pending - available;
    if (pool.pm == ProcessManager::dynamic && load.idle == 0) {
        wanted = std::max(wanted, pool.minSpareServers - available);
    }
    if (wanted <= 0) {
        return decision;
    }
    if (load.running >= pool.maxChildren) {
        // A dynamic pool says so at the tick, when it has been short for longer than an instant.
        if (pool.pm == ProcessManager::ondemand) {
            reachLimit(state, decision);
        }
        return decision;
    }
    decision.fork = std::min({wanted, pool.maxChildren - load.running, pool.maxSpawnRate});
    state.limitReached = false;
    state.grew = true;
    return decision;
}

int shortfall(const PoolSettings& pool, const PoolLoad& load) {
    const int left = std::max(0, pool.maxChildren - load.running);
    const int available = load.idle + load.starting;
    switch (pool.pm) {
        case ProcessManager::fixed:
            return left;
        case ProcessManager::dynamic:
            return std::clamp(std::max(load.pending, pool.minSpareServers) - available, 0, left);
        case ProcessManager::ondemand:
            return std::clamp(load.pending - available, 0, left);
        case ProcessManager::unset:
            break;
    }
    return 0;
}

int initialWorkers(const PoolSettings& pool) {
    switch (pool.pm) {
        case ProcessManager::fixed:
            return pool.maxChildren;
        case ProcessManager::dynamic:
            return pool.startServers;
        case ProcessManager::ondemand:
        case ProcessManager::unset:
            break;
    }
    return 0;
}

}  // namespace muster::manager
