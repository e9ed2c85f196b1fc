// The arithmetic of static, dynamic and ondemand.
#include "manager/scaling.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace muster::manager {
namespace {

using config::PoolSettings;
using config::ProcessManager;

/// A manager that forks does nothing else: so many, then it looks around.
constexpr int kAtOnce = 32;
/// Ticks without need before the first spare one goes.
constexpr int kSurplusTicks = 2;

void reachLimit(ScalingState& state, ScalingDecision& decision) {
    decision.countLimit = !state.limitReached;
    state.limitReached = true;
}

/// As many of `wanted` as may be forked now.
void allow(ScalingDecision& decision, int wanted, const PoolSettings& pool, ScalingState& state,
           std::uint64_t nowNs) {
    if (pool.pm != ProcessManager::dynamic) {
        decision.fork = std::min(wanted, kAtOnce);
        decision.lookAgainNs = decision.fork < wanted ? kNsPerMs : 0;
        return;
    }
    const int rate = pool.maxSpawnRate;
    decision.fork = std::min({wanted, kAtOnce, state.budget.left(rate, nowNs)});
    state.budget.spend(decision.fork, rate, nowNs);
    if (decision.fork < wanted) {
        decision.lookAgainNs =
            state.budget.left(rate, nowNs) > 0 ? kNsPerMs : SpawnBudget::pauseNs(rate);
    }
}

bool isSurplus(const PoolSettings& pool, int spare, const PoolLoad& load, ScalingState& state) {
    if (std::min(spare, load.leastIdle) <= pool.maxSpareServers) {
        state.surplusTicks = 0;
        return false;
    }
    state.surplusTicks = std::min(state.surplusTicks + 1, kSurplusTicks);
    return state.surplusTicks >= kSurplusTicks && load.idle > 0;
}

ScalingDecision tickDynamic(const PoolSettings& pool, const PoolLoad& load, ScalingState& state,
                            std::uint64_t nowNs) {
    ScalingDecision decision;
    const int spare = load.idle + load.starting;
    // Spares are made up for at once (decideDemand), so the tick rarely sees a shortage itself.
    const bool wasShort = std::exchange(state.grew, false) || spare < pool.minSpareServers;
    decision.killIdle = isSurplus(pool, spare, load, state);
    if (spare > pool.maxSpareServers) {
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
    allow(decision,
          std::max(0, std::min({state.spawnRate, pool.minSpareServers - spare,
                                pool.maxChildren - load.running})),
          pool, state, nowNs);
    state.limitReached = false;
    if (state.spawnRate < pool.maxSpawnRate) {
        state.spawnRate *= 2;
    }
    return decision;
}

}  // namespace

int SpawnBudget::left(int rate, std::uint64_t nowNs) const {
    const std::uint64_t owed = paidUntilNs_ > nowNs ? paidUntilNs_ - nowNs : 0;
    return owed >= kNsPerSecond ? 0 : static_cast<int>((kNsPerSecond - owed) / pauseNs(rate));
}

void SpawnBudget::spend(int forks, int rate, std::uint64_t nowNs) {
    paidUntilNs_ =
        std::max(paidUntilNs_, nowNs) + static_cast<std::uint64_t>(forks) * pauseNs(rate);
}

std::uint64_t SpawnBudget::pauseNs(int rate) {
    constexpr int kMost = 1'000'000;  // a rate that no manager reaches
    return kNsPerSecond / static_cast<std::uint64_t>(std::clamp(rate, 1, kMost));
}

ScalingDecision decideTick(const PoolSettings& pool, const PoolLoad& load, ScalingState& state,
                           std::uint64_t nowNs) {
    switch (pool.pm) {
        case ProcessManager::dynamic:
            return tickDynamic(pool, load, state, nowNs);
        case ProcessManager::ondemand: {
            // A connection may have arrived between two looks: the queue decides, not the event.
            ScalingDecision decision = decideDemand(pool, load, state, nowNs);
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

ScalingDecision decideDemand(const PoolSettings& pool, const PoolLoad& load, ScalingState& state,
                             std::uint64_t nowNs) {
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
    allow(decision, std::min(wanted, pool.maxChildren - load.running), pool, state, nowNs);
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
