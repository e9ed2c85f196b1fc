// PoolManager's part that knows how many workers there are to be: forks, reaps, replaces, grows and
// shrinks.
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/clock.h"
#include "base/io.h"
#include "base/listen_address.h"
#include "base/process.h"
#include "manager/pool_manager.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kInterrupted{500};  // for the master's TERM to come after a SIGINT
constexpr milliseconds kProbation{1000};   // a replacement that lives this long is sound

const char* whyReplaced(Departure::Unfit unfit) {
    switch (unfit) {
        case Departure::Unfit::no:
            break;
        case Departure::Unfit::exhausted:
            return "a request ran out of memory (pm.recycle_after_fatal)";
        case Departure::Unfit::changed:
            return "a script changed its priority, limits or user for good";
        case Departure::Unfit::interrupted:
            return "a request was cut short (request_terminate_timeout)";
        case Departure::Unfit::abandoned:
            return "the client of a request left (request_abort_on_disconnect)";
    }
    return "";
}

bool hasCrashed(const Departure& departure) {
    return WIFSIGNALED(departure.status) &&
           (WTERMSIG(departure.status) == SIGSEGV || WTERMSIG(departure.status) == SIGBUS);
}

/// Died of something that is no good sign; one that was cut short in good order did not.
bool isLost(const Departure& departure) {
    return !departure.toldToLeave && departure.unfit == Departure::Unfit::no &&
           (WIFSIGNALED(departure.status) || WEXITSTATUS(departure.status) != 0);
}

/// Idle-killed and not to be replaced (spec lifecycle §5.2).
bool wentAsTold(const Departure& departure) {
    return departure.toldToLeave &&
           (WIFEXITED(departure.status) ||
            (WIFSIGNALED(departure.status) && WTERMSIG(departure.status) == SIGQUIT));
}

}  // namespace

std::optional<pid_t> PoolManager::forkOne(LogLevel level, Child::Duty duty) {
    writeCommands();
    idleness_.interrupt();
    parts_.log->debug("blocking signals before child birth");
    const auto pid = children_.fork(duty);
    if (!pid) {
        parts_.log->error(pid.error().text());
        return std::nullopt;
    }
    parts_.log->debug("unblocking signals, child born");
    parts_.log->write(level, fmt::format("{}child {} started", poolPrefix(), *pid));
    return *pid;
}

// As many as there is room for; the master is asked for the rest.
int PoolManager::forkMany(int count) {
    const int running = children_.count();
    const int missing = room_.toAsk(count, running);
    if (missing > 0 &&
        sendControl(*parts_.channel, {.type = MessageType::wantRoom,
                                      .value = static_cast<std::uint32_t>(missing)})) {
        room_.asked(missing);
    }
    const int allowed = room_.mayFork(count, running);
    int forked = 0;
    while (forked < allowed && forkOne(LogLevel::debug)) {
        ++forked;
    }
    return forked;
}

// Those that are to be served before the end get the workers they would have got otherwise.
void PoolManager::serveQueue() {
    const bool fromSocket = lastOrders_.goOn(monotonicNs());
    if (phase_ != Phase::draining || (passesOn() && !fromSocket)) {
        return;
    }
    PoolLoad load = observe();
    if (!fromSocket) {
        load.pending = static_cast<int>(parking_.readyCount());
    }
    const int wanted =
        std::min(load.pending - load.idle - load.starting, pool_.maxChildren - load.running);
    int fork = room_.mayFork(std::max(wanted, 0), load.running);
    if (wanted > 0 && load.running == 0) {
        fork = std::max(fork, 1);  // the master gives no more room now
    }
    while (fork > 0 && forkOne(LogLevel::debug)) {
        --fork;
    }
}

void PoolManager::takeRoom(std::uint32_t workers) {
    room_.granted(workers);
    if (isServing()) {
        if (missing_ == 0) {
            forkMany(shortfall(pool_, observe()));
        }
        returnRoom();
    }
}

void PoolManager::returnRoom() {
    if (!room_.limited() || !isServing()) {
        return;
    }
    const PoolLoad load = observe();
    const int surplus = room_.surplus(load.running, missing_ + shortfall(pool_, load));
    if (surplus > 0 &&
        sendControl(*parts_.channel, {.type = MessageType::freeRoom,
                                      .value = static_cast<std::uint32_t>(surplus)})) {
        room_.returned(surplus);
    }
}

void PoolManager::reap() {
    while (const auto death = reapChild(Reap::deadOrStopped)) {
        if (WIFSTOPPED(death->status)) {
            parts_.log->notice(fmt::format("child {} stopped for tracing", death->pid));
            continue;
        }
        const auto departure = children_.bury(death->pid, death->status);
        if (!departure) {
            parts_.log->warning(
                fmt::format("unknown child ({}) exited {} - potentially a bug or "
                            "pre exec child (e.g. s6-notifyoncheck)",
                            death->pid, describeExit(death->status)));
            continue;
        }
        logDeparture(*departure);
        if (hasCrashed(*departure)) {
            [[maybe_unused]] const auto sent = sendControl(
                *parts_.channel, {.type = MessageType::crashed});  // a lost master shows as closed
        }
        if (isServing() && isLost(*departure) && !wasInterrupted(*departure)) {
            [[maybe_unused]] const auto sent =
                sendControl(*parts_.channel, {.type = MessageType::lost});
        }
        if (phase_ == Phase::starting && WIFEXITED(departure->status) &&
            WEXITSTATUS(departure->status) != 0) {
            failToStart(fmt::format("worker {} ended {} before it could serve", departure->pid,
                                    describeExit(departure->status)));
        } else {
            replace(*departure);
            // One that died before it did anything would do so again and again.
            if (departure->served) {
                serveQueue();
            }
        }
    }
    settleRecycling();
    returnRoom();
    sayQuiet();
    endSocketsOfTheDead();
    finishIfEmpty();
    leaveIfIdle();
}

void PoolManager::logDeparture(const Departure& departure) {
    const bool byQuit = WIFSIGNALED(departure.status) && WTERMSIG(departure.status) == SIGQUIT;
    const bool clean = WIFEXITED(departure.status) && WEXITSTATUS(departure.status) == 0;
    LogLevel level = clean || byQuit ? LogLevel::notice : LogLevel::warning;
    const auto seconds = departure.lifetimeNs / kNsPerSecond;
    const auto micros = departure.lifetimeNs % kNsPerSecond / 1000;
    if (wentAsTold(departure)) {
        parts_.log->debug(fmt::format(
            "{}child {} has been killed by the process management after {}.{:06} seconds from "
            "start",
            poolPrefix(), departure.pid, seconds, micros));
        return;
    }
    if (departure.unfit != Departure::Unfit::no) {
        parts_.log->notice(fmt::format("{}child {} is replaced because {}", poolPrefix(),
                                       departure.pid, whyReplaced(departure.unfit)));
    }
    if ((phase_ != Phase::serving && phase_ != Phase::starting) || wasInterrupted(departure)) {
        level = LogLevel::debug;
    }
    parts_.log->write(
        level, fmt::format("{}child {} exited {} after {}.{:06} seconds from start", poolPrefix(),
                           departure.pid, describeExit(departure.status), seconds, micros));
}

void PoolManager::replace(const Departure& departure) {
    if (phase_ != Phase::serving && phase_ != Phase::starting) {
        return;
    }
    if (wentAsTold(departure) || succeed(departure)) {
        return;
    }
    if (departure.recycled != Recycled::no && departure.status == 0) {
        forkOne(LogLevel::notice);
        return;
    }
    if (wasInterrupted(departure)) {
        ++missing_;
        if (!respawnWatch_) {
            holdBack(kInterrupted);
        }
        return;
    }
    const auto delay = respawn_.afterDeath(departure.lifetimeNs, departure.served);
    if (delay.count() == 0 && missing_ == 0) {
        forkOne(LogLevel::notice);
        return;
    }
    ++missing_;
    respawnDelay_ = delay;
    if (respawnWatch_) {
        return;  // one attempt at a time while workers die young
    }
    parts_.log->warning(fmt::format(
        "{}{} workers in a row died before they served a request, the next starts in {}.{:03} "
        "seconds",
        poolPrefix(), respawn_.youngDeaths(), delay.count() / 1000, delay.count() % 1000));
    holdBack(delay);
}

void PoolManager::holdBack(milliseconds delay) {
    respawnAtNs_ = monotonicNs() + static_cast<std::uint64_t>(delay.count()) * kNsPerMs;
    respawnWatch_ = parts_.loop->after(delay, [this] { tryReplacement(); });
    tellRespawn();
}

// For the status page, while it is so.
void PoolManager::tellRespawn() {
    const bool waits = isServing() && respawnWatch_ && missing_ > 0 && respawn_.youngDeaths() > 1;
    pen_.setRespawn(waits ? static_cast<std::uint64_t>(respawn_.youngDeaths()) : 0,
                    waits ? respawnAtNs_ : 0);
}

// Ctrl-C in the foreground: the stop that follows must not look like a series of deaths.
bool PoolManager::wasInterrupted(const Departure& departure) const {
    return WIFSIGNALED(departure.status) && WTERMSIG(departure.status) == SIGINT &&
           interruptedNs_ != 0 && monotonicNs() - interruptedNs_ < kNsPerSecond;
}

void PoolManager::tryReplacement() {
    respawnWatch_.cancel();
    const bool survived = attemptedPid_ != 0 && children_.has(attemptedPid_);
    if (survived) {
        respawn_.reset();
        attemptedPid_ = 0;
        for (; missing_ > 0 && children_.count() < pool_.maxChildren; --missing_) {
            forkOne(LogLevel::notice);
        }
        missing_ = 0;
        return;
    }
    --missing_;
    attemptedPid_ = forkOne(LogLevel::notice).value_or(0);
    if (missing_ > 0) {
        // The attempt gets a while to prove itself before the others follow.
        holdBack(std::max(respawnDelay_, kProbation));
    }
    tellRespawn();
}

PoolLoad PoolManager::observe() {
    PoolLoad load = children_.load();
    overload_.refresh();
    if (const auto queue = listenQueue(parts_.workers->listenFd)) {
        load.pending = static_cast<int>(std::min(queue->pending, 1'000'000U));
        // Whoever waits for a worker waits there, wherever the manager keeps him meanwhile.
        const auto inLine = static_cast<std::uint32_t>(overload_.depth());
        pen_.setListenQueue(queue->pending + inLine, queue->limit);
    } else if (isReadable(parts_.workers->listenFd)) {
        load.pending = load.starting + 1;  // the kernel does not tell how many
    }
    load.pending += static_cast<int>(waitingCount());
    pen_.noteActive(static_cast<std::uint32_t>(load.running - load.idle - load.starting));
    return load;
}

void PoolManager::look() {
    const PoolLoad load = observe();
    carryOut(decideDemand(pool_, load, scaling_, monotonicNs()), load);
    watchDoor();
    writeCommands();
}

void PoolManager::carryOut(const ScalingDecision& decision, const PoolLoad& load) {
    const bool isOndemand = pool_.pm == config::ProcessManager::ondemand;
    if (decision.countLimit) {
        pen_.countMaxChildrenReached();
        parts_.log->warning(
            fmt::format("{}server reached {}max_children setting ({}), consider "
                        "raising it",
                        poolPrefix(), isOndemand ? "" : "pm.", pool_.maxChildren));
    }
    if (decision.warnBusy) {
        parts_.log->warning(fmt::format(
            "{}seems busy (you may need to increase pm.start_servers, or pm.min/max_spare_servers)"
            ", spawning {} children, there are {} idle, and {} total children",
            poolPrefix(), decision.busyRate, load.idle, load.running));
    }
    if (decision.fork > 0 && missing_ == 0) {
        logGrowth(forkMany(decision.fork));
    }
    if (decision.lookAgainNs > 0) {
        growWatch_ = parts_.loop->after(
            milliseconds((decision.lookAgainNs + kNsPerMs - 1) / kNsPerMs), [this] {
                if (isServing()) {
                    look();
                }
            });
    }
    while (decision.killIdle &&
           children_.retireLongestIdle(monotonicNs(), isOndemand
                                                          ? std::optional(pool_.processIdleTimeout)
                                                          : std::nullopt) &&
           isOndemand) {
    }
}

void PoolManager::logGrowth(int forked) {
    if (pool_.pm == config::ProcessManager::ondemand) {
        for (int i = 0; i < forked; ++i) {
            parts_.log->debug(poolPrefix() +
                              "got accept without idle child available .... I forked");
        }
    } else if (pool_.pm == config::ProcessManager::dynamic && forked > 0) {
        parts_.log->debug(
            fmt::format("{}{} child(ren) have been created dynamically", poolPrefix(), forked));
    }
}

std::uint32_t PoolManager::drainingCommand() const {
    switch (phase_) {
        case Phase::draining:
            return static_cast<std::uint32_t>(drainMode_);
        case Phase::terminating:  // one that does not hear TERM shall not begin another request
            return worker::kDrainStopping;
        default:
            return worker::kNotDraining;
    }
}

void PoolManager::writeCommands() {
    auto& commands = parts_.workers->segment->header().commands;
    std::int32_t wakeAt = 0;
    if (overload_.isOn() && pool_.pm != config::ProcessManager::ondemand) {
        wakeAt = listenWatch_ ? scoreboard::kNeverWake : 0;
    } else if (pool_.pm == config::ProcessManager::fixed) {
        wakeAt = scoreboard::kNoHints;
    } else if (children_.count() >= pool_.maxChildren) {
        wakeAt = scoreboard::kNeverWake;
    }
    commands.wakeAtIdle.store(wakeAt, std::memory_order_relaxed);
    // Ours to say, but a worker may have scribbled here: said again on every look.
    commands.draining.store(drainingCommand(), std::memory_order_seq_cst);
    commands.lineUp.store(overload_.isLinedUp() ? 1 : 0, std::memory_order_seq_cst);
    commands.handOvers.store(static_cast<std::uint32_t>(waitingCount()), std::memory_order_seq_cst);
}

}  // namespace muster::manager
