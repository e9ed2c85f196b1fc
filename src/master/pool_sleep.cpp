// PoolSet's part that lets pools be without a manager until a connection comes (pm.manager = lazy),
// and decides whose manager starts next.
#include <sys/wait.h>

#include <algorithm>

#include "base/clock.h"
#include "master/pool_set.h"

namespace muster::master {

using std::chrono::milliseconds;

namespace {

constexpr int kMostLaunches = 32;                          ///< slow ones included
constexpr std::uint64_t kSlowLaunchNs = 2 * kNsPerSecond;  ///< … which hold up nobody after this
constexpr milliseconds kNextLook{100};                     ///< for launches that became slow
constexpr std::uint64_t kShortestRestNs = kNsPerSecond / 2;  ///< no manager leaves as early as this

}  // namespace

bool PoolSet::isLazy(const Pool& pool) {
    return pool.plan && config::isLazy(pool.plan->inputs.pool);
}

// Level-triggered: who is in the kernel's queue already wakes the pool at once.
void PoolSet::sleep(Pool& pool) {
    account_.forget(pool.name);
    shareRoom();
    pool.waking = false;
    Sleep& sleep = pool.asleep.emplace();
    const auto onConnection = [this, &pool] { wake(pool); };
    sleep.connections = loop_->whenReadable(pool.plan->listener, onConnection);
    if (pool.plan->statusListener >= 0) {
        sleep.statusConnections = loop_->whenReadable(pool.plan->statusListener, onConnection);
    }
}

// The connection stays in the kernel's queue; nobody looks at the socket until a worker does.
void PoolSet::wake(Pool& pool) {
    pool.asleep.reset();
    pool.waking = true;
    waking_.push_back(pool.name);
    launchNext();
}

/// It left by itself because it had nothing to do, and not as if to be started again and again.
bool PoolSet::wentToSleep(const Pool& pool, int status, std::uint64_t lived) {
    return isLazy(pool) && WIFEXITED(status) &&
           WEXITSTATUS(status) == static_cast<int>(manager::ManagerExit::idle) &&
           lived >= kShortestRestNs;
}

// --- Whose turn it is -----------------------------------------------------------------------

/// A few at a time. A runtime that takes long, or hangs, is no reason for others to wait.
bool PoolSet::mayLaunch() const {
    const std::uint64_t now = monotonicNs();
    int all = 0;
    int young = 0;
    for (const Pool& pool : pools_) {
        if (pool.incoming) {
            ++all;
            young += now - pool.incoming->generation->launchedNs() < kSlowLaunchNs ? 1 : 0;
        }
    }
    return young < static_cast<int>(kParallelLaunches) && all < kMostLaunches;
}

PoolSet::Pool* PoolSet::nextToWake() {
    while (!waking_.empty()) {
        Pool* pool = find(waking_.front());
        waking_.pop_front();
        if (pool != nullptr && std::exchange(pool->waking, false) && pool->plan && !pool->current &&
            !pool->incoming) {
            return pool;
        }
    }
    return nullptr;
}

PoolSet::Pool* PoolSet::nextToRenew() {
    for (auto name = renewing_.begin(); name != renewing_.end();) {
        Pool* pool = find(*name);
        const bool waits = pool != nullptr && pool->next;
        if (waits && pool->incoming) {
            ++name;  // … for its own start that began before the renewal
            continue;
        }
        name = renewing_.erase(name);
        if (waits) {
            return pool;
        }
    }
    return nullptr;
}

void PoolSet::launchNext() {
    launchWatch_.cancel();
    while (!stopping_ && (!waking_.empty() || !renewing_.empty())) {
        if (!mayLaunch()) {
            launchWatch_ = loop_->after(kNextLook, [this] { launchNext(); });
            return;
        }
        if (Pool* pool = nextToWake()) {  // clients wait for these
            reopenAccount(*pool->plan);
            launch(*pool, *pool->plan);
        } else if (Pool* renewed = nextToRenew()) {
            if (!account_.isOpen(renewed->name)) {
                reopenAccount(*renewed->next);
            }
            PoolPlan plan = std::move(*renewed->next);
            renewed->next.reset();
            launch(*renewed, std::move(plan));
        } else {
            return;
        }
    }
}

void PoolSet::forgetLaunches() {
    launchWatch_.cancel();
    waking_.clear();
    renewing_.clear();
    for (Pool& pool : pools_) {
        pool.asleep.reset();
        pool.waking = false;
        pool.next.reset();
        pool.restart.cancel();
    }
}

}  // namespace muster::master
