// PoolSet's part that ends everything: gracefully with those who wait in the sockets, or now.
#include <algorithm>

#include "base/clock.h"
#include "base/listen_address.h"
#include "master/pool_set.h"

namespace muster::master {

using manager::DrainMode;
using manager::MessageType;
using std::chrono::milliseconds;

void PoolSet::drainAll(milliseconds deadline,
                       const std::function<bool(const std::string& address)>& ours) {
    stopping_ = true;
    drainDeadline_ = deadline;
    stopDeadlineNs_ = monotonicNs() + static_cast<std::uint64_t>(deadline.count()) * kNsPerMs;
    forgetLaunches();
    settled_ = nullptr;
    for (Pool& pool : pools_) {
        const PoolPlan* plan = pool.current    ? &pool.current->plan
                               : pool.incoming ? &pool.incoming->plan
                               : pool.plan     ? &*pool.plan
                                               : nullptr;
        if (plan != nullptr) {
            drain(pool, ours(plan->inputs.pool.listen));
        }
        if (pool.trial) {
            Incarnation before = std::move(pool.trial->before);
            pool.trial.reset();
            leave(pool, std::move(before), DrainMode::stop);
        }
    }
}

void PoolSet::drain(Pool& pool, bool ours) {
    const DrainMode mode = ours ? DrainMode::lastOrders : DrainMode::stop;
    const bool served = pool.current.has_value();
    if (pool.incoming && pool.incoming->generation->state() == Generation::State::starting) {
        // It has not said yet that it is ready, and may have begun requests all the same.
        Incarnation starting = std::move(*pool.incoming);
        pool.incoming.reset();
        leave(pool, std::move(starting), mode);
        if (!served) {
            return;
        }
    }
    if (served) {
        Incarnation current = std::move(*pool.current);
        pool.current.reset();
        leave(pool, std::move(current), mode);
    } else if (ours && !pool.paused) {
        const int listener = pool.incoming ? pool.incoming->plan.listener : pool.plan->listener;
        const auto queue = listenQueue(listener);
        pool.endsServing = queue && queue->pending > 0;
    }
    if (pool.endsServing && !pool.incoming) {
        reopenAccount(*pool.plan);
        launch(pool, *pool.plan);
    }
    if (pool.incoming && !pool.endsServing) {
        pool.incoming->generation->terminate();
    } else if (pool.incoming) {
        pool.incoming->deadline =
            loop_->after(drainDeadline_, [&pool] { pool.incoming->generation->kill(); });
    }
}

// No manager was there yet, and somebody waits.
void PoolSet::serveLast(Pool& pool, const manager::ControlMessage& message) {
    Generation& last = *pool.incoming->generation;
    if (message.type == MessageType::loaded) {
        last.start(pool.carried, account_.held(pool.name, ProcessAccount::Side::incoming));
    } else if (message.type == MessageType::ready) {
        Incarnation serving = std::move(*pool.incoming);
        pool.incoming.reset();
        const std::uint64_t now = monotonicNs();
        drainDeadline_ =
            milliseconds(stopDeadlineNs_ > now ? (stopDeadlineNs_ - now) / kNsPerMs : 0);
        leave(pool, std::move(serving), DrainMode::lastOrders);
    }
}

void PoolSet::terminateAll() {
    stopping_ = true;
    forgetLaunches();
    settled_ = nullptr;
    for (Pool& pool : pools_) {
        pool.endsServing = false;
    }
    forEachGeneration([](Incarnation& incarnation) { incarnation.generation->terminate(); });
}

void PoolSet::killAll() {
    forEachGeneration([](Incarnation& incarnation) { incarnation.generation->endNow(); });
}

void PoolSet::killOverdue() {
    forEachGeneration([](Incarnation& incarnation) {
        if (incarnation.generation->isOverdue()) {
            incarnation.generation->kill();
        }
    });
}

bool PoolSet::empty() const {
    return std::all_of(pools_.begin(), pools_.end(), [](const Pool& pool) {
        return !pool.current && !pool.incoming && !pool.trial && pool.leaving.empty();
    });
}

}  // namespace muster::master
