// PoolSet's part that answers questions about the pools, or passes them on, and changes nothing.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "base/clock.h"
#include "base/listen_address.h"
#include "master/orphans.h"
#include "master/pool_set.h"

namespace muster::master {

const PoolSet::Pool* PoolSet::find(const std::string& name) const {
    const auto found = std::find_if(pools_.begin(), pools_.end(),
                                    [&](const Pool& pool) { return pool.name == name; });
    return found == pools_.end() ? nullptr : &*found;
}

std::vector<std::string> PoolSet::names() const {
    std::vector<std::string> all;
    for (const Pool& pool : pools_) {
        if (pool.plan) {
            all.push_back(pool.name);
        }
    }
    return all;
}

const PoolPlan* PoolSet::planOf(const std::string& name) const {
    const Pool* pool = find(name);
    return pool != nullptr && pool->plan ? &*pool->plan : nullptr;
}

std::optional<pid_t> PoolSet::managerOf(const std::string& name) const {
    const Pool* pool = find(name);
    return pool != nullptr && pool->current ? std::optional(pool->current->generation->pid())
                                            : std::nullopt;
}

bool PoolSet::isPaused(const std::string& name) const {
    const Pool* pool = find(name);
    return pool != nullptr && pool->paused;
}

bool PoolSet::isStarting() const {
    return std::any_of(pools_.begin(), pools_.end(),
                       [](const Pool& pool) { return !!pool.incoming; });
}

bool PoolSet::isAsleep(const std::string& name) const {
    const Pool* pool = find(name);
    return pool != nullptr && pool->asleep;
}

std::optional<scoreboard::PoolSnapshot> PoolSet::snapshotOf(const std::string& name) const {
    const Pool* pool = find(name);
    return pool != nullptr ? snapshotOf(*pool) : std::nullopt;
}

std::optional<scoreboard::PoolSnapshot> PoolSet::snapshotOf(const Pool& pool) {
    if (pool.current) {
        return pool.current->generation->observe();
    }
    return isLazy(pool) ? std::optional(restingSnapshot(pool)) : std::nullopt;
}

/// What a pool without a manager, and so without a scoreboard, would show.
scoreboard::PoolSnapshot PoolSet::restingSnapshot(const Pool& pool) {
    const config::PoolSettings& settings = pool.plan->inputs.pool;
    scoreboard::PoolSnapshot snapshot;
    snapshot.name = pool.name;
    snapshot.processManager = static_cast<std::uint32_t>(settings.pm);
    snapshot.startedWallNs = pool.startedWallNs;
    snapshot.takenNs = monotonicNs();
    snapshot.takenWallNs = wallNs();
    snapshot.totals = pool.carried;
    snapshot.maxChildren = static_cast<std::uint32_t>(settings.maxChildren);
    snapshot.consistent = true;
    if (const auto queue = listenQueue(pool.plan->listener)) {
        snapshot.listenPending = queue->pending;
        snapshot.listenLimit = queue->limit;
    }
    return snapshot;
}

const char* PoolSet::stateOf(const Pool& pool) {
    if (pool.paused) {
        return "paused";
    }
    if (pool.trial) {
        return "canary";
    }
    if (pool.current) {
        return pool.incoming ? "renewing" : "serving";
    }
    if (pool.asleep) {
        return "sleeping";
    }
    return pool.incoming || pool.waking ? "starting" : "failed";
}

std::vector<PoolSet::View> PoolSet::views() const {
    std::vector<View> all;
    for (const Pool& pool : pools_) {
        if (!pool.plan) {
            continue;
        }
        View& view = all.emplace_back();
        view.name = pool.name;
        view.state = stateOf(pool);
        view.plan = pool.current ? &pool.current->plan : &*pool.plan;
        view.failures = pool.failures;
        view.lastFailure = pool.lastFailure;
        if (pool.nextTryNs != 0) {
            const std::uint64_t now = monotonicNs();
            view.nextTry = std::chrono::milliseconds(
                (pool.nextTryNs - std::min(now, pool.nextTryNs)) / kNsPerMs);
        }
        if (pool.current) {
            view.manager = pool.current->generation->pid();
        }
        if (pool.trial) {
            const Generation& before = *pool.trial->before.generation;
            view.leaving.push_back({before.pid(), before.observe().active});
        }
        view.snapshot = snapshotOf(pool);
        if (view.snapshot && view.snapshot->youngDeaths > 0 &&
            std::string_view(view.state) == "serving") {
            view.state = "crashing";
        }
        for (const Incarnation& leaving : pool.leaving) {
            view.leaving.push_back(
                {leaving.generation->pid(), leaving.generation->observe().active});
        }
    }
    return all;
}

// Whose child it is the kernel tells: a pid in a scoreboard is a claim.
void PoolSet::trace(pid_t worker, const Traces::OnDone& done) {
    const pid_t manager = parentOf(worker);
    Generation* asked = nullptr;
    forEachGeneration([&](Incarnation& incarnation) {
        if (incarnation.generation->pid() == manager) {
            asked = incarnation.generation.get();
        }
    });
    if (asked != nullptr) {
        traces_.ask(*asked, worker, done);
    } else if (manager == ::getpid() || worker == ::getpid()) {
        done(plainError(
            fmt::format("process {} is no worker, or one whose manager is dead", worker)));
    } else {
        done(plainError(fmt::format("there is no worker {}", worker)));
    }
}

std::set<std::string> PoolSet::addresses() const {
    std::set<std::string> all;
    const auto add = [&all](const PoolPlan& plan) {
        all.insert(plan.inputs.pool.listen);
        if (plan.statusListener >= 0) {
            all.insert(plan.inputs.pool.statusListen);
        }
    };
    for (const Pool& pool : pools_) {
        if (pool.current) {
            add(pool.current->plan);
        } else if (pool.plan) {
            add(*pool.plan);
        }
        if (pool.incoming) {
            add(pool.incoming->plan);
        }
        if (pool.trial) {
            add(pool.trial->before.plan);
        }
    }
    return all;
}

Activity PoolSet::activity() const {
    Activity sum;
    const auto addProcesses = [&sum](const Incarnation& incarnation) {
        const auto seen = incarnation.generation->observe();
        sum.active += seen.active;
        sum.idle += seen.idle;
        return seen.totals;
    };
    const auto addTotals = [&sum](const scoreboard::Totals& totals) {
        sum.requests += totals.requests;
        sum.slowRequests += totals.slowRequests;
    };
    for (const Pool& pool : pools_) {
        addTotals(pool.current ? addProcesses(*pool.current) : pool.carried);
        if (pool.incoming) {
            addProcesses(*pool.incoming);  // it counts from where the current one stands
        }
        if (pool.trial) {
            addProcesses(pool.trial->before);
            addTotals(pool.trial->before.generation->rest());
        }
        for (const Incarnation& leaving : pool.leaving) {
            addProcesses(leaving);
            addTotals(leaving.generation->rest());
        }
    }
    return sum;
}

std::size_t PoolSet::sharedMemory() const {
    std::size_t bytes = 0;
    for (const Pool& pool : pools_) {
        bytes += pool.current ? pool.current->generation->sharedMemory() : 0;
    }
    return bytes;
}

}  // namespace muster::master
