// PoolManager's part that replaces workers by plan (pm.max_requests, pm.max_lifetime,
// pm.max_memory): the next one stands ready before the old one leaves.
//
// A successor serves nobody until the old worker has said that it accepts no more, so there are
// never more than pm.max_children that serve. Who serves its last request says so itself; who is
// too old or too large is told to leave once its successor is ready.
#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "manager/pool_manager.h"
#include "manager/recycling.h"
#include "scoreboard/layout.h"

namespace muster::manager {

namespace {

constexpr std::uint64_t kLeastPauseNs = kNsPerSecond;  // after a successor that did not live

}  // namespace

void PoolManager::heardRetirement(Child& child, const worker::Retirement& what) {
    using Step = worker::Retirement::Step;
    if (!isServing() || child.duty != Child::Duty::serves) {
        return;
    }
    if (what.step == Step::left) {
        // Without a successor it counts until it is gone, and is replaced then.
        if (children_.promote(child.successor)) {
            child.duty = Child::Duty::hasLeft;
        }
    } else if (child.recycled == Recycled::no && !child.toldToLeave) {
        child.recycled = what.step == Step::served ? Recycled::served : Recycled::grown;
        if (child.recycled == Recycled::grown) {
            parts_.log->notice(
                fmt::format("{}child {} is replaced because it has {} KiB of memory for itself "
                            "(pm.max_memory)",
                            poolPrefix(), child.pid, what.bytes / 1024));
        }
    }
    settleRecycling();
}

void PoolManager::recycleTheOld(std::uint64_t nowNs) {
    for (Child& child : children_.all()) {
        if (child.replaceAtNs != 0 && nowNs >= child.replaceAtNs &&
            child.duty == Child::Duty::serves && child.recycled == Recycled::no &&
            !child.toldToLeave) {
            child.recycled = Recycled::old;
            parts_.log->notice(
                fmt::format("{}child {} is replaced because it is {} seconds old (pm.max_lifetime)",
                            poolPrefix(), child.pid, (nowNs - child.startedNs) / kNsPerSecond));
        }
    }
}

// Called whenever somebody has to be replaced, a successor is ready, or a slot has become free.
void PoolManager::settleRecycling() {
    if (!isServing()) {
        return;
    }
    for (Child& child : children_.all()) {
        if (child.recycled == Recycled::no || child.duty != Child::Duty::serves ||
            child.toldToLeave) {
            continue;
        }
        const bool leavesByItself = child.recycled == Recycled::served;
        if (child.successor == 0 && mayStandBy()) {
            child.successor = forkOne(LogLevel::notice, Child::Duty::standsBy).value_or(0);
            if (child.successor == 0) {
                noSuccessorBeforeNs_ = monotonicNs() + kLeastPauseNs;
            }
        } else if (child.successor == 0 && !leavesByItself && isIdle(child)) {
            child.successor = borrowSuccessor();
        }
        if (!leavesByItself && !child.toldOfSuccessor && children_.isReady(child.successor)) {
            children_.askToLeave(child);
        }
    }
}

bool PoolManager::isIdle(const Child& child) const {
    return children_.stageOf(child) == scoreboard::Stage::idle;
}

// Whoever is busy may be so for hours: its successor takes the place of one that can go now. 0:
// nobody has one to spare.
pid_t PoolManager::borrowSuccessor() {
    for (Child& child : children_.all()) {
        const bool soonGone = child.toldOfSuccessor && isIdle(child);
        if (child.duty == Child::Duty::serves && children_.isReady(child.successor) && !soonGone) {
            return std::exchange(child.successor, 0);
        }
    }
    return 0;
}

bool PoolManager::mayStandBy() const {
    const auto offDuty = static_cast<std::uint32_t>(children_.offDuty());
    return offDuty < standbySlots(pool_) && monotonicNs() >= noSuccessorBeforeNs_;
}

// True when the place of the dead worker is taken, or was none.
bool PoolManager::succeed(const Departure& departure) {
    if (departure.duty == Child::Duty::standsBy) {
        const auto delay = respawn_.afterDeath(departure.lifetimeNs, false);
        noSuccessorBeforeNs_ =
            monotonicNs() +
            std::max(kLeastPauseNs, static_cast<std::uint64_t>(delay.count()) * kNsPerMs);
        for (Child& child : children_.all()) {
            if (child.successor == departure.pid) {
                child.successor = 0;
            }
        }
        return true;
    }
    return departure.duty == Child::Duty::hasLeft || children_.promote(departure.successor);
}

}  // namespace muster::manager
