// Generations come and go.
#include "master/pool_set.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/process.h"

namespace muster::master {

using manager::DrainMode;
using manager::MessageType;
using std::chrono::milliseconds;

namespace {

constexpr int kParallelLaunches = 4;
constexpr std::size_t kMaxLeaving = 3;
constexpr milliseconds kReadyDeadline{120'000};  // a preload of thousands of files takes its time
constexpr milliseconds kGraceAfterDrain{5'000};  // for the manager's own TERM and KILL
constexpr milliseconds kFirstRestartDelay{500};
constexpr int kMaxRestartDoublings = 6;  // 32 s

}  // namespace

PoolSet::PoolSet(EventLoop& loop, log::ErrorLog& log, LogFiles& files, Events events)
    : loop_(&loop), log_(&log), files_(&files), events_(std::move(events)) {}

PoolSet::Pool* PoolSet::find(const std::string& name) {
    const auto found = std::find_if(pools_.begin(), pools_.end(),
                                    [&](const Pool& pool) { return pool.name == name; });
    return found == pools_.end() ? nullptr : &*found;
}

template <typename Visit>
void PoolSet::forEachGeneration(Visit&& visit) {
    for (Pool& pool : pools_) {
        if (pool.current) {
            visit(*pool.current);
        }
        if (pool.incoming) {
            visit(*pool.incoming);
        }
        for (Incarnation& incarnation : pool.leaving) {
            visit(incarnation);
        }
    }
}

// --- Renewal --------------------------------------------------------------------------------

void PoolSet::renew(std::vector<PoolPlan> plans, const Limits& limits, OnSettled settled) {
    settled_ = std::move(settled);
    report_ = {};
    drainDeadline_ = limits.drainDeadline;
    openAccounts(plans, limits.processMax);
    for (Pool& pool : pools_) {
        const bool wanted = std::any_of(plans.begin(), plans.end(), [&](const PoolPlan& plan) {
            return plan.inputs.pool.name == pool.name;
        });
        if (!wanted) {
            pool.plan.reset();
            pool.restart.cancel();
        }
    }
    for (PoolPlan& plan : plans) {
        Pool* pool = find(plan.inputs.pool.name);
        if (pool == nullptr) {
            pool = &pools_.emplace_back();
            pool->name = plan.inputs.pool.name;
            pool->startedWallNs = wallNs();
        }
        if (!pool->current) {
            pool->plan = plan;
        }
        pool->restart.cancel();
        pool->renewing = true;
        waiting_.push_back(std::move(plan));
    }
    launchNext();
    settleIfDone();
}

milliseconds PoolSet::longestRenewal(std::size_t pools) {
    const std::size_t rounds = pools / kParallelLaunches + 1;
    return kReadyDeadline * static_cast<milliseconds::rep>(rounds);
}

bool PoolSet::hasRoomForRenewal() const {
    return std::all_of(pools_.begin(), pools_.end(), [](const Pool& pool) {
        return pool.leaving.size() < kMaxLeaving && !pool.incoming;
    });
}

int PoolSet::launchesUnderWay() const {
    return static_cast<int>(std::count_if(pools_.begin(), pools_.end(),
                                          [](const Pool& pool) { return !!pool.incoming; }));
}

void PoolSet::launchNext() {
    while (!waiting_.empty() && launchesUnderWay() < kParallelLaunches) {
        PoolPlan plan = std::move(waiting_.front());
        waiting_.pop_front();
        if (Pool* pool = find(plan.inputs.pool.name)) {
            launch(*pool, std::move(plan));
        }
    }
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
    incoming.deadline = loop_->after(kReadyDeadline, [this, &pool] {
        log_->error(fmt::format("[pool {}] the manager was not ready after {} seconds", pool.name,
                                kReadyDeadline.count() / 1000));
        pool.incoming->generation->kill();
    });
}

void PoolSet::onMessage(Pool& pool, Generation& generation,
                        const manager::ControlMessage& message) {
    const auto is = [&](const std::optional<Incarnation>& incarnation) {
        return incarnation && incarnation->generation.get() == &generation;
    };
    if (stopping_) {
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
    log_->debug(
        fmt::format("[pool {}] manager {} is ready", pool.name, pool.current->generation->pid()));
    for (Incarnation& leaving : pool.leaving) {
        bequeath(pool, leaving);
    }
    if (old) {
        pool.current->generation->addTotals(old->generation->handOnRest());
        bequeath(pool, *old);
        leave(pool, std::move(*old), DrainMode::replaced);
    }
    account_.replace(pool.name);
    shareRoom();
    const bool renewed = std::exchange(pool.renewing, false);
    report_.ready += renewed ? 1 : 0;
    launchNext();
    settleIfDone();
    if (!renewed) {
        events_.onReady();
    }
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
    Generation* generation = leaving.generation.get();
    leaving.deadline =
        loop_->after(drainDeadline_ + kGraceAfterDrain, [generation] { generation->kill(); });
}

void PoolSet::incomingFailed(Pool& pool, const std::string& why) {
    pool.incoming.reset();
    if (stopping_) {
        return;
    }
    account_.withdraw(pool.name);
    shareRoom();
    log_->error(fmt::format("[pool {}] the new manager did not start: {}{}", pool.name, why,
                            pool.current ? "; the old one goes on serving" : ""));
    if (pool.renewing) {
        pool.renewing = false;
        ++report_.failed;
    }
    if (!pool.current && pool.plan) {
        scheduleRestart(pool);
    }
    launchNext();
    settleIfDone();
}

void PoolSet::settleIfDone() {
    if (!settled_ || !waiting_.empty() ||
        std::any_of(pools_.begin(), pools_.end(), [](const Pool& pool) { return pool.renewing; })) {
        return;
    }
    for (Pool& pool : pools_) {
        if (!pool.plan && pool.current) {
            Incarnation gone = std::move(*pool.current);
            pool.current.reset();
            leave(pool, std::move(gone), DrainMode::stop);
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

// --- Deaths ---------------------------------------------------------------------------------

bool PoolSet::onDeath(pid_t pid, int status) {
    const auto is = [pid](const Incarnation& incarnation) {
        return incarnation.generation->pid() == pid;
    };
    for (auto pool = pools_.begin(); pool != pools_.end(); ++pool) {
        if (pool->current && is(*pool->current)) {
            currentDied(*pool, status);
            return true;
        }
        if (pool->incoming && is(*pool->incoming)) {
            const std::string reported = pool->incoming->generation->failure();
            incomingFailed(*pool,
                           reported.empty() ? "it exited " + describeExit(status) : reported);
            return true;
        }
        const auto leaving = std::find_if(pool->leaving.begin(), pool->leaving.end(), is);
        if (leaving != pool->leaving.end()) {
            if (pool->current) {
                pool->current->generation->addTotals(leaving->generation->handOnRest());
            }
            pool->leaving.erase(leaving);
            if (pool->isOver()) {
                pools_.erase(pool);
            }
            return true;
        }
    }
    return false;
}

void PoolSet::currentDied(Pool& pool, int status) {
    Generation& generation = *pool.current->generation;
    const std::uint64_t lived = monotonicNs() - generation.launchedNs();
    pool.carried = generation.totals();
    const pid_t pid = generation.pid();
    pool.current.reset();
    if (stopping_) {
        return;
    }
    log_->warning(fmt::format("[pool {}] manager {} exited {} after {}.{:06} seconds from start",
                              pool.name, pid, describeExit(status), lived / kNsPerSecond,
                              lived % kNsPerSecond / 1000));
    account_.suspend(pool.name);
    // A renewal that goes on brings this pool its new manager anyway.
    if (!pool.incoming && pool.plan && !pool.renewing) {
        if (lived > 10 * kNsPerSecond) {
            pool.failures = 0;
        }
        scheduleRestart(pool);
    }
}

void PoolSet::scheduleRestart(Pool& pool) {
    milliseconds delay{0};
    if (pool.failures > 0) {
        delay = kFirstRestartDelay * (1 << std::min(pool.failures - 1, kMaxRestartDoublings));
        log_->warning(fmt::format("[pool {}] the next start of its manager is in {}.{:03} seconds",
                                  pool.name, delay.count() / 1000, delay.count() % 1000));
    }
    ++pool.failures;
    pool.restart = loop_->after(delay, [this, &pool] {
        pool.restart.cancel();
        if (!pool.incoming && !pool.current && pool.plan && !stopping_) {
            reopenAccount(*pool.plan);
            launch(pool, *pool.plan);
        }
    });
}

// --- Stopping -------------------------------------------------------------------------------

void PoolSet::drainAll(milliseconds deadline) {
    stopping_ = true;
    drainDeadline_ = deadline;
    waiting_.clear();
    settled_ = nullptr;
    for (Pool& pool : pools_) {
        pool.restart.cancel();
        if (pool.current) {
            Incarnation current = std::move(*pool.current);
            pool.current.reset();
            leave(pool, std::move(current), DrainMode::stop);
        }
        if (pool.incoming) {
            pool.incoming->generation->terminate();
        }
    }
}

void PoolSet::terminateAll() {
    stopping_ = true;
    waiting_.clear();
    settled_ = nullptr;
    for (Pool& pool : pools_) {
        pool.restart.cancel();
    }
    forEachGeneration([](Incarnation& incarnation) { incarnation.generation->terminate(); });
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
        return !pool.current && !pool.incoming && pool.leaving.empty();
    });
}

// --- Logs and sockets -----------------------------------------------------------------------

// Same number, so that a restart of this plan inherits the new file.
Result<void> PoolSet::reopen(UniqueFd& log, const std::string& failure, const std::string& path) {
    const auto file = files_->openLog(failure, path);
    if (!file) {
        return tl::make_unexpected(file.error());
    }
    return ::dup3(file->get(), log.get(), O_CLOEXEC) < 0 ? errnoError(failure) : Result<void>{};
}

void PoolSet::reopenLogs() {
    std::set<UniqueFd*> reopened;
    bool anyReopened = false;
    forEachGeneration([&](Incarnation& incarnation) {
        UniqueFd* accessLog = incarnation.plan.accessLog.get();
        const std::string& path = incarnation.plan.inputs.pool.accessLog;
        if (accessLog != nullptr && reopened.insert(accessLog).second) {
            auto done = reopen(*accessLog, "failed to open access log (" + path + ")", path);
            if (done) {
                log_->debug("open access log (" + path + ")");
                anyReopened = true;
            } else {
                log_->error(done.error().text());
                log_->error("unable to re-opened access log file");
            }
        }
        UniqueFd* slowLog = incarnation.plan.slowLog.get();
        if (slowLog != nullptr && reopened.insert(slowLog).second) {
            const std::string& slow = incarnation.plan.inputs.pool.slowlog;
            if (auto done = reopen(*slowLog, "unable to open slowlog (" + slow + ")", slow);
                !done) {
                log_->error(done.error().text());
            }
        }
        const auto sent = incarnation.generation->sendLogs(
            {.errorLog = files_->target(),
             .accessLog = accessLog != nullptr ? accessLog->get() : -1,
             .slowLog = slowLog != nullptr ? slowLog->get() : -1,
             .syslog = files_->syslog()});
        if (!sent) {
            // One that has just ended needs none; how it ended is said when it is reaped.
            const bool gone = sent.error().code == std::errc::broken_pipe;
            log_->write(gone ? LogLevel::debug : LogLevel::error,
                        fmt::format("[pool {}] manager {} could not be given its logs: {}",
                                    incarnation.plan.inputs.pool.name,
                                    incarnation.generation->pid(), sent.error().text()));
        }
    });
    if (anyReopened) {
        log_->notice("access log file re-opened");
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
