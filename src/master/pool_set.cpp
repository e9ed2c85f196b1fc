// Generations come and go: a renewal from its plans to its report.
#include "master/pool_set.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"

namespace muster::master {

using manager::DrainMode;
using manager::MessageType;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMaxLeaving = 3;
constexpr milliseconds kQuietDeadline{2'000};    // until nothing of the old one accepts
constexpr milliseconds kGraceAfterDrain{5'000};  // for the manager's own TERM and KILL

}  // namespace

PoolSet::PoolSet(EventLoop& loop, log::ErrorLog& log, LogFiles& files, Events events)
    : loop_(&loop), log_(&log), files_(&files), events_(std::move(events)), traces_(loop) {}

PoolSet::Pool* PoolSet::find(const std::string& name) {
    return const_cast<Pool*>(std::as_const(*this).find(name));
}

// --- Renewal --------------------------------------------------------------------------------

void PoolSet::renew(Renewal renewal, const Limits& limits, OnSettled settled) {
    settled_ = std::move(settled);
    report_ = {};
    drainDeadline_ = limits.drainDeadline;
    start_ = limits.start;
    canary_ = limits.canary;
    for (const std::string& name : renewal.resumed) {
        if (Pool* pool = find(name)) {
            pool->paused = false;
        }
    }
    markUnwanted(renewal);
    openAccounts(renewal.plans, limits.processMax);
    for (PoolPlan& plan : renewal.plans) {
        Pool* pool = find(plan.inputs.pool.name);
        if (pool == nullptr) {
            pool = &pools_.emplace_back();
            pool->name = plan.inputs.pool.name;
            pool->startedWallNs = wallNs();
        }
        queueRenewal(*pool, std::move(plan));
    }
    for (const std::string& name : renewal.paused) {
        if (Pool* pool = find(name)) {
            pause(*pool);
        }
    }
    launchNext();
    settleIfDone();
}

void PoolSet::queueRenewal(Pool& pool, PoolPlan plan) {
    pool.restart.cancel();
    pool.asleep.reset();
    pool.waking = false;
    if (!pool.current) {
        pool.plan = plan;
    }
    if (pool.paused) {
        return;
    }
    if (!pool.current && !pool.incoming && isLazy(pool)) {
        sleep(pool);
        ++report_.ready;
        return;
    }
    pool.renewing = true;
    pool.next = std::move(plan);
    renewing_.push_back(pool.name);
}

void PoolSet::markUnwanted(const Renewal& renewal) {
    for (Pool& pool : pools_) {
        const bool wanted =
            renewal.kept.contains(pool.name) ||
            std::any_of(renewal.plans.begin(), renewal.plans.end(),
                        [&](const PoolPlan& plan) { return plan.inputs.pool.name == pool.name; });
        if (!wanted) {
            pool.plan.reset();
            pool.restart.cancel();
            pool.asleep.reset();
            pool.waking = false;
        }
    }
}

// Its socket stays open: who comes meanwhile waits in the kernel's queue.
void PoolSet::pause(Pool& pool) {
    pool.paused = true;
    pool.restart.cancel();
    pool.asleep.reset();
    pool.waking = false;
    pool.renewing = true;
    if (pool.incoming) {  // after a crash
        pool.incoming->generation->kill();
    }
    if (pool.current) {
        pool.carried = pool.current->generation->handOn();
        Incarnation gone = std::move(*pool.current);
        pool.current.reset();
        leave(pool, std::move(gone), DrainMode::stop);
    }
    account_.forget(pool.name);
    pausedIfGone(pool);
}

void PoolSet::pausedIfGone(Pool& pool) {
    if (pool.paused && pool.renewing && pool.leaving.empty() && !pool.incoming) {
        pool.renewing = false;
        ++report_.ready;
        settleIfDone();
    }
}

milliseconds PoolSet::longestStart(std::size_t pools, milliseconds start) {
    const std::size_t rounds = pools / kParallelLaunches + 1;
    return start * static_cast<milliseconds::rep>(rounds);
}

bool PoolSet::hasRoomForRenewal() const {
    return std::all_of(pools_.begin(), pools_.end(),
                       [](const Pool& pool) { return pool.leaving.size() < kMaxLeaving; });
}

void PoolSet::launch(Pool& pool, PoolPlan plan) {
    Generation::Descriptors descriptors;
    descriptors.errorLog = files_->target();
    descriptors.listener = plan.listener;
    descriptors.statusListener = plan.statusListener;
    descriptors.accessLog = plan.accessLog ? plan.accessLog->get() : -1;
    descriptors.slowLog = plan.slowLog ? plan.slowLog->get() : -1;
    plan.inputs.masterPid = ::getpid();
    plan.inputs.syslog = files_->syslog();
    auto generation = Generation::launch(
        plan.inputs, descriptors, pool.startedWallNs, *loop_,
        [this, &pool](Generation& which, const manager::ControlMessage& message) {
            onMessage(pool, which, message);
        });
    if (!generation) {
        incomingFailed(pool, generation.error().text());
        return;
    }
    Incarnation& incoming = pool.incoming.emplace();
    incoming.plan = std::move(plan);
    incoming.generation = std::move(*generation);
    awaitReady(pool);
}

void PoolSet::awaitReady(Pool& pool) {
    pool.incoming->deadline = loop_->after(start_, [this, &pool] {
        log_->error(fmt::format("[pool {}] the manager was not ready after {} seconds", pool.name,
                                start_.count() / 1000));
        pool.incoming->late = true;
        pool.incoming->generation->kill();
    });
}

void PoolSet::onMessage(Pool& pool, Generation& generation,
                        const manager::ControlMessage& message) {
    const auto is = [&](const std::optional<Incarnation>& incarnation) {
        return incarnation && incarnation->generation.get() == &generation;
    };
    if (message.type == MessageType::traced) {
        traces_.answered(generation, message);
        return;
    }
    if (stopping_) {
        if (is(pool.incoming) && pool.endsServing) {
            serveLast(pool, message);
        }
        return;
    }
    if (message.type == MessageType::quiet) {
        heardQuiet(pool, generation);
        return;
    }
    if (is(pool.current)) {
        onNews(pool, ProcessAccount::Side::current, message);
    } else if (is(pool.incoming) && message.type == MessageType::loaded) {
        generation.start(pool.current ? pool.current->generation->handOn() : pool.carried,
                         account_.held(pool.name, ProcessAccount::Side::incoming));
    } else if (is(pool.incoming) && message.type == MessageType::ready) {
        switchOver(pool);
    } else if (is(pool.incoming)) {
        onNews(pool, ProcessAccount::Side::incoming, message);
    }  // failed: the reason is kept; the manager's death follows and counts
}

void PoolSet::switchOver(Pool& pool) {
    std::optional<Incarnation> old = std::move(pool.current);
    pool.current = std::move(pool.incoming);
    pool.incoming.reset();
    pool.current->deadline.cancel();
    pool.plan = pool.current->plan;
    pool.nextTryNs = 0;
    log_->debug(
        fmt::format("[pool {}] manager {} is ready", pool.name, pool.current->generation->pid()));
    for (Incarnation& leaving : pool.leaving) {
        bequeath(pool, leaving);
    }
    const bool renewed = pool.renewing && !pool.next;
    const bool wentBack = std::exchange(pool.goesBack, false);
    const DrainMode mode = old ? lastModeOf(*old) : DrainMode::replaced;
    // Whoever is set aside accepts nothing: there is no trial for a pool that leaves its socket.
    const bool onTrial = old && old->generation->speaksOurs() && renewed && !wentBack &&
                         canary_.count() > 0 && mode == DrainMode::replaced;
    if (old) {
        pool.current->generation->addTotals(old->generation->handOnRest());
        bequeath(pool, *old);
        if (onTrial) {
            beginTrial(pool, std::move(*old));
        } else {
            leave(pool, std::move(*old), mode);
            if (mode == DrainMode::replaced) {
                awaitQuiet(pool, pool.leaving.back());
            }
        }
    }
    account_.replace(pool.name);
    shareRoom();
    if (!onTrial) {
        pool.renewing = pool.renewing && !renewed;
        report_.ready += renewed && !wentBack ? 1 : 0;
    }
    launchNext();
    settleIfDone();
    if (!renewed) {
        events_.onReady();
    }
}

/// Whoever got the socket of a pool that goes: it may have changed its name only.
PoolSet::Pool* PoolSet::onSocketOf(const Incarnation& gone) {
    const auto heir = std::find_if(pools_.begin(), pools_.end(), [&](const Pool& pool) {
        return pool.plan && pool.current && pool.current->plan.listener == gone.plan.listener;
    });
    return heir == pools_.end() ? nullptr : &*heir;
}

/// Who waits in a socket that nobody serves from now on is served by the last one that did.
DrainMode PoolSet::lastModeOf(const Incarnation& gone) const {
    const int listener = gone.plan.listener;
    const auto wants = [listener](const std::optional<PoolPlan>& plan) {
        return plan && plan->listener == listener;
    };
    const auto serves = [listener](const std::optional<Incarnation>& incarnation) {
        return incarnation && incarnation->plan.listener == listener;
    };
    const bool used = std::any_of(pools_.begin(), pools_.end(), [&](const Pool& pool) {
        return serves(pool.current) || serves(pool.incoming) || wants(pool.next) ||
               (!pool.current && wants(pool.plan));
    });
    if (used) {
        return DrainMode::replaced;
    }
    return gone.plan.inputs.ownsSockets ? DrainMode::lastOrders : DrainMode::stop;
}

// Earlier generations may be waiting for long requests yet: their heir is always the current one.
void PoolSet::bequeath(Pool& pool, Incarnation& from) {
    const auto told = from.generation->bequeathTo(*pool.current->generation);
    if (!told && told.error().code.value() != EPIPE && told.error().code.value() != ECONNRESET) {
        log_->warning(
            fmt::format("[pool {}] idle connections of manager {} cannot go to its successor: {}",
                        pool.name, from.generation->pid(), told.error().text()));
    }
}

void PoolSet::leave(Pool& pool, Incarnation incarnation, DrainMode mode) {
    Incarnation& leaving = pool.leaving.emplace_back(std::move(incarnation));
    leaving.generation->drain(mode, drainDeadline_);
    const milliseconds patience = drainDeadline_ + kGraceAfterDrain;
    killAt(*loop_, leaving,
           monotonicNs() + static_cast<std::uint64_t>(patience.count()) * kNsPerMs);
}

void PoolSet::killAt(EventLoop& loop, Incarnation& leaving, std::uint64_t deadlineNs) {
    const std::uint64_t now = monotonicNs();
    const std::uint64_t left = deadlineNs > now ? (deadlineNs - now) / kNsPerMs : 0;
    Generation* generation = leaving.generation.get();
    leaving.deadlineNs = deadlineNs;
    leaving.deadline = loop.after(milliseconds(left), [generation] { generation->kill(); });
}

// Who waits for a renewal may count on the new generation when it is over.
void PoolSet::awaitQuiet(Pool& pool, Incarnation& leaving) {
    Generation* generation = leaving.generation.get();
    if (!generation->speaksOurs()) {
        return;  // it will not say
    }
    leaving.quiet = loop_->after(kQuietDeadline, [this, &pool, generation] {
        log_->warning(
            fmt::format("[pool {}] manager {} has not said within {} seconds that its "
                        "workers accept no more",
                        pool.name, generation->pid(), kQuietDeadline.count() / 1000));
        heardQuiet(pool, *generation);
    });
}

void PoolSet::heardQuiet(Pool& pool, const Generation& generation) {
    for (Incarnation& leaving : pool.leaving) {
        if (leaving.generation.get() == &generation) {
            leaving.quiet.cancel();
        }
    }
    settleIfDone();
}

void PoolSet::incomingFailed(Pool& pool, const std::string& why) {
    if (pool.incoming && !pool.current) {
        // Its workers may have served before it said that it was ready; or it never heard from
        // where to count on.
        const scoreboard::Totals counted = pool.incoming->generation->totals();
        if (counted.requests > pool.carried.requests) {
            pool.carried = counted;
        }
    }
    pool.incoming.reset();
    pool.goesBack = false;
    if (stopping_) {
        return;
    }
    if (pool.paused) {
        pausedIfGone(pool);
        return;
    }
    account_.withdraw(pool.name);
    shareRoom();
    log_->error(fmt::format("[pool {}] the new manager did not start: {}{}", pool.name, why,
                            pool.current ? "; the old one goes on serving" : ""));
    if (pool.renewing && !pool.next) {
        pool.renewing = false;
        ++report_.failed;
        report_.failures[pool.name] = why;
    }
    if (!pool.current && pool.plan && !pool.next) {
        scheduleRestart(pool, why);
    }
    launchNext();
    settleIfDone();
}

void PoolSet::settleIfDone() {
    const auto isUnsettled = [](const Pool& pool) {
        return pool.renewing ||
               std::any_of(pool.leaving.begin(), pool.leaving.end(),
                           [](const Incarnation& leaving) { return !!leaving.quiet; });
    };
    if (!settled_ || std::any_of(pools_.begin(), pools_.end(), isUnsettled)) {
        return;
    }
    for (Pool& pool : pools_) {
        if (!pool.plan && pool.current) {
            Incarnation gone = std::move(*pool.current);
            pool.current.reset();
            Pool* heir = onSocketOf(gone);
            if (heir != nullptr) {
                bequeath(*heir, gone);
            }
            const DrainMode mode = lastModeOf(gone);
            leave(pool, std::move(gone), mode);
        }
        if (!pool.plan) {
            account_.forget(pool.name);
        }
    }
    // A pool that is to go may have lost its manager meanwhile: nothing of it is left to wait for.
    pools_.remove_if([](const Pool& pool) { return pool.isOver(); });
    shareRoom();
    const OnSettled settled = std::move(settled_);
    settled_ = nullptr;
    settled(report_);
}

}  // namespace muster::master
