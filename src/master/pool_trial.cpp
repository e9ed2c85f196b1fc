// PoolSet's part that watches new generations for a while (reload_canary) and takes bad ones back.
#include <fmt/format.h>

#include "base/clock.h"
#include "master/pool_set.h"

namespace muster::master {

using manager::DrainMode;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLook{200};

Canary::Count countOf(const scoreboard::Totals& totals) {
    return {totals.requests, totals.failed};
}

}  // namespace

// The old generation's manager stays with the runtime as it had loaded it, without workers: going
// back needs no file that may have changed meanwhile.
void PoolSet::beginTrial(Pool& pool, Incarnation before) {
    const Canary canary(countOf(before.generation->ownTotals()));
    Trial& trial = pool.trial.emplace(Trial{.before = std::move(before), .canary = canary});
    trial.before.generation->drain(DrainMode::aside, drainDeadline_);
    trial.sinceNs = monotonicNs();
    trial.look = loop_->every(kLook, [this, &pool] { judgeTrial(pool); });
    trial.end = loop_->after(canary_, [this, &pool] {
        judgeTrial(pool);
        if (pool.trial && !stopping_) {
            endTrial(pool);
        }
    });
}

void PoolSet::judgeTrial(Pool& pool) {
    if (!pool.trial || !pool.current || stopping_) {
        return;
    }
    if (const auto bad =
            pool.trial->canary.verdict(countOf(pool.current->generation->ownTotals()))) {
        takeBack(pool, *bad);
    }
}

/// Good: the old generation may go.
void PoolSet::endTrial(Pool& pool) {
    Incarnation before = std::move(pool.trial->before);
    pool.trial.reset();
    log_->notice(fmt::format("[pool {}] the new generation has stood its first {} seconds",
                             pool.name, canary_.count() / 1000));
    leave(pool, std::move(before), DrainMode::replaced);
    pool.renewing = false;
    ++report_.ready;
    settleIfDone();
}

/// Bad: the old generation starts again, and takes over as a new one does.
void PoolSet::takeBack(Pool& pool, const std::string& why) {
    const std::uint64_t after = monotonicNs() - pool.trial->sinceNs;
    Incarnation before = std::move(pool.trial->before);
    pool.trial.reset();
    const std::string reason =
        fmt::format("taken back after {}.{:03} seconds: {}", after / kNsPerSecond,
                    after % kNsPerSecond / kNsPerMs, why);
    log_->error(fmt::format("[pool {}] the new generation is {}; the old one serves again",
                            pool.name, reason));
    ++report_.failed;
    report_.failures[pool.name] = reason;
    pool.goesBack = true;
    pool.plan = before.plan;
    reopenAccount(before.plan);
    pool.incoming = std::move(before);
    awaitReady(pool);
    pool.incoming->generation->start(
        pool.current ? pool.current->generation->handOnOwn() : pool.lostTotals,
        account_.held(pool.name, ProcessAccount::Side::incoming));
}

/// The manager to go back to is dead: the new generation has to do.
void PoolSet::standbyDied(Pool& pool, const std::string& exit) {
    if (stopping_) {
        pool.trial.reset();
        return;
    }
    log_->warning(
        fmt::format("[pool {}] manager {} of the generation before exited {}: there is "
                    "no way back from the new one",
                    pool.name, pool.trial->before.generation->pid(), exit));
    if (pool.current) {
        pool.current->generation->addTotals(pool.trial->before.generation->handOnRest());
    }
    pool.trial.reset();
    pool.renewing = false;
    ++report_.ready;
    settleIfDone();
}

}  // namespace muster::master
