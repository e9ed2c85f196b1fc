// PoolSet's part that hears how managers ended: what that was, and what takes their place when.
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/clock.h"
#include "base/process.h"
#include "master/pool_set.h"

namespace muster::master {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kFirstRestartDelay{500};
constexpr int kMaxRestartDoublings = 6;  // 32 s

}  // namespace

bool PoolSet::onDeath(pid_t pid, int status) {
    const auto is = [pid](const Incarnation& incarnation) {
        return incarnation.generation->pid() == pid;
    };
    traces_.gone(pid);
    for (auto pool = pools_.begin(); pool != pools_.end(); ++pool) {
        if (pool->current && is(*pool->current)) {
            currentDied(*pool, status);
            return true;
        }
        if (pool->incoming && is(*pool->incoming)) {
            incomingFailed(*pool, whyItFailed(*pool->incoming, status));
            return true;
        }
        if (pool->trial && is(pool->trial->before)) {
            standbyDied(*pool, describeExit(status));
            return true;
        }
        const auto leaving = std::find_if(pool->leaving.begin(), pool->leaving.end(), is);
        if (leaving != pool->leaving.end()) {
            leavingDied(*pool, *leaving);
            pool->leaving.erase(leaving);
            if (pool->isOver()) {
                pools_.erase(pool);
            } else {
                pausedIfGone(*pool);
                settleIfDone();
            }
            return true;
        }
    }
    return false;
}

void PoolSet::leavingDied(Pool& pool, Incarnation& gone) {
    const scoreboard::Totals rest = gone.generation->handOnRest();
    if (pool.current) {
        pool.current->generation->addTotals(rest);
        return;
    }
    scoreboard::addTotals(pool.carried, rest);
    if (pool.incoming && pool.incoming->generation->state() == Generation::State::starting) {
        pool.incoming->generation->addTotals(rest);  // it has counted on from before this
    }
}

std::string PoolSet::whyItFailed(const Incarnation& incoming, int status) const {
    if (incoming.late) {
        return fmt::format("it was not ready after {} seconds", start_.count() / 1000);
    }
    const std::string& reported = incoming.generation->lastWords();
    return reported.empty() ? "it exited " + describeExit(status) : reported;
}

void PoolSet::currentDied(Pool& pool, int status) {
    Generation& generation = *pool.current->generation;
    const std::uint64_t lived = monotonicNs() - generation.launchedNs();
    pool.carried = generation.totals();
    pool.lostTotals = generation.ownTotals();
    const pid_t pid = generation.pid();
    pool.current.reset();
    if (stopping_) {
        return;
    }
    const bool slept = wentToSleep(pool, status, lived);
    const std::string exit =
        fmt::format("manager {} exited {} after {}.{:06} seconds from start", pid,
                    describeExit(status), lived / kNsPerSecond, lived % kNsPerSecond / 1000);
    log_->write(slept ? LogLevel::debug : LogLevel::warning,
                fmt::format("[pool {}] {}", pool.name, exit));
    account_.suspend(pool.name);
    if (pool.trial && slept) {
        endTrial(pool);  // without work, and so without a fault
    } else if (pool.trial) {
        takeBack(pool, fmt::format("its manager exited {}", describeExit(status)));
        return;
    }
    // A renewal that goes on brings this pool its new manager anyway.
    if (!pool.incoming && pool.plan && !pool.renewing) {
        if (slept) {
            pool.failures = 0;
            return sleep(pool);
        }
        if (lived > 10 * kNsPerSecond) {
            pool.failures = 0;
        }
        scheduleRestart(pool, exit);
    }
}

void PoolSet::scheduleRestart(Pool& pool, const std::string& why) {
    milliseconds delay{0};
    if (pool.failures > 0) {
        delay = kFirstRestartDelay * (1 << std::min(pool.failures - 1, kMaxRestartDoublings));
        log_->warning(fmt::format("[pool {}] the next start of its manager is in {}.{:03} seconds",
                                  pool.name, delay.count() / 1000, delay.count() % 1000));
    }
    ++pool.failures;
    pool.lastFailure = why;
    pool.nextTryNs = monotonicNs() + static_cast<std::uint64_t>(delay.count()) * kNsPerMs;
    pool.restart = loop_->after(delay, [this, &pool] {
        pool.restart.cancel();
        pool.nextTryNs = 0;
        if (pool.incoming || pool.current || !pool.plan || stopping_) {
            return;
        }
        isLazy(pool) ? sleep(pool) : wake(pool);
    });
}

}  // namespace muster::master
