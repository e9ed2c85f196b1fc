// The manager's event loop: what wakes it and what it does then.
#include "manager/pool_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/limits.h"
#include "base/listen_address.h"
#include "base/process.h"
#include "manager/request_timeouts.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kTick{1000};
constexpr milliseconds kStartCheck{2};     // between looks at the first workers
constexpr milliseconds kDrainCheck{50};    // between looks for workers gone idle while draining
constexpr milliseconds kHandOverCheck{5};  // between looks for workers while connections wait
constexpr milliseconds kPassOnCheck{5};    // between attempts when the heir's channel is full
constexpr milliseconds kProbation{1000};   // a replacement that lives this long is sound
constexpr milliseconds kEscalation{1000};  // from TERM to KILL (spec lifecycle §4.2)

ParkingLimits parkingLimits(const config::PoolSettings& pool) {
    const auto others = 64 + 4 * static_cast<std::size_t>(pool.maxChildren);
    ParkingLimits limits = ParkingLimits::within(openFileLimits().soft, others);
    limits.wholeHeadNs = worker::wholeHeadNs(pool);
    return limits;
}

}  // namespace

PoolManager::PoolManager(const Parts& parts)
    : parts_(parts),
      pool_(parts.inputs->pool),
      pen_(*parts.workers->segment),
      parking_(*parts.loop, parkingLimits(pool_), parts.handOvers, [this] { handOut(); }),
      children_(*parts.workers, pen_, *parts.loop, [this](worker::ParkedConnection parked) {
          parking_.park(std::move(parked));
          settleParked();
      }) {}

ManagerExit PoolManager::run() {
    EventLoop& loop = *parts_.loop;
    signalWatch_ = loop.whenReadable(parts_.signals->fd(), [this] { onSignals(); });
    channelWatch_ = loop.whenReadable(parts_.channel->fd(), [this] { onChannel(); });
    wakeWatch_ = loop.whenReadable(parts_.workers->wakeFd, [this] { onWake(); });
    if (!sendControl(*parts_.channel, {.type = MessageType::loaded})) {
        return ManagerExit::cannotStart;  // the master is gone already
    }
    loop.run();
    return exit_;
}

std::string PoolManager::poolPrefix() const {
    return "[pool " + pool_.name + "] ";
}

// --- What wakes the manager -----------------------------------------------------------------

void PoolManager::onSignals() {
    bool childDied = false;
    while (const int signal = parts_.signals->next()) {
        switch (signal) {
            case SIGCHLD:
                childDied = true;
                break;
            case SIGTERM:
                terminate();
                break;
            case SIGQUIT:
                drain(DrainMode::stop, milliseconds(parts_.inputs->stopTimeoutMs));
                break;
            default:
                break;  // INT reaches a whole terminal's group; USR1, USR2: the master's to hear
        }
    }
    if (childDied) {
        reap();
    }
}

void PoolManager::onChannel() {
    ReceivedMessage received;
    for (;;) {
        const auto outcome = parts_.channel->receive(received);
        if (!outcome || *outcome == MessageChannel::Outcome::closed) {
            // The master is gone: finish what was accepted and go (design §2).
            channelWatch_.cancel();
            drain(DrainMode::stop, milliseconds(parts_.inputs->stopTimeoutMs));
            return;
        }
        if (*outcome == MessageChannel::Outcome::nothing) {
            return;
        }
        if (const auto message = parseControl(received)) {
            onMessage(*message, received);
        }
    }
}

void PoolManager::onMessage(const ControlMessage& message, ReceivedMessage& received) {
    switch (message.type) {
        case MessageType::start:
            start(message.totals);
            break;
        case MessageType::drain:
            drain(static_cast<DrainMode>(message.value), milliseconds(message.deadlineMs));
            break;
        case MessageType::logs:
            reopenLogs(received);
            break;
        case MessageType::addTotals:
            pen_.addRetired(message.totals);
            break;
        case MessageType::adopt:
            if (!received.descriptors.empty()) {
                adoptFrom(std::move(received.descriptors[0]));
            }
            break;
        case MessageType::heir:
            if (!received.descriptors.empty()) {
                heir_ = MessageChannel(std::move(received.descriptors[0]));
                settleParked();
            }
            break;
        case MessageType::loaded:
        case MessageType::ready:
        case MessageType::failed:
            break;  // ours to send
    }
}

void PoolManager::onWake() {
    eventfd_t count = 0;
    ::eventfd_read(parts_.workers->wakeFd, &count);
    if (isServing()) {
        look();
    }
}

void PoolManager::onListenerReadable() {
    if (isServing()) {
        look();
    }
}

void PoolManager::onTick() {
    children_.tickOutputs(monotonicNs());
    if (!isServing()) {
        return;
    }
    const PoolLoad load = observe();
    logLoad(load);
    carryOut(decideTick(pool_, load, scaling_), load);
    writeCommands();
    // Workers keep the hint in step; killed ones cannot. A wrong correction lasts one tick.
    parts_.workers->segment->header().hints.idle.store(load.idle, std::memory_order_relaxed);
}

void PoolManager::logLoad(const PoolLoad& load) {
    if (parts_.log->level() > LogLevel::debug || pool_.pm == config::ProcessManager::fixed) {
        return;
    }
    std::string text = fmt::format("{}currently {} active children, {} spare children",
                                   poolPrefix(), load.running - load.idle, load.idle);
    if (pool_.pm == config::ProcessManager::dynamic) {
        text += fmt::format(", {} running children. Spawning rate {}", load.running,
                            scaling_.spawnRate);
    }
    parts_.log->debug(text);
}

// --- Phases ---------------------------------------------------------------------------------

void PoolManager::start(const scoreboard::Totals& carried) {
    if (phase_ != Phase::loaded) {
        return;
    }
    pen_.addRetired(carried);
    phase_ = Phase::starting;
    writeCommands();
    for (int i = initialWorkers(pool_); i > 0 && phase_ == Phase::starting; --i) {
        if (!forkOne(LogLevel::debug)) {
            return failToStart("the first workers could not be forked");
        }
    }
    checkStarted();
}

void PoolManager::checkStarted() {
    if (phase_ != Phase::starting) {
        return;
    }
    const PoolLoad load = children_.load();
    if (load.starting > 0) {
        startWatch_ = parts_.loop->after(kStartCheck, [this] { checkStarted(); });
        return;
    }
    phase_ = Phase::serving;
    EventLoop& loop = *parts_.loop;
    tickWatch_ = loop.every(kTick, [this] { onTick(); });
    if (pool_.pm == config::ProcessManager::ondemand) {
        listenWatch_ = loop.whenReadable(
            parts_.workers->listenFd, [this] { onListenerReadable(); }, EventLoop::Trigger::edge);
    }
    if (const auto period = heartbeatPeriod(pool_)) {
        parts_.log->debug(
            fmt::format("heartbeat have been set up with a timeout of {}ms", period->count()));
        heartbeatWatch_ = loop.every(*period, [this] {
            endOverdueRequests(children_, *parts_.workers->segment, pool_, *parts_.log);
        });
    }
    look();  // who waited for this start must not wait for the first tick
    [[maybe_unused]] const auto sent = sendControl(
        *parts_.channel, {.type = MessageType::ready});  // a lost master shows as closed
}

void PoolManager::failToStart(const std::string& why) {
    exit_ = ManagerExit::cannotStart;
    ControlMessage message{.type = MessageType::failed};
    message.setText(why);
    [[maybe_unused]] const auto sent = sendControl(*parts_.channel, message);
    terminate();
}

void PoolManager::drain(DrainMode mode, milliseconds deadline) {
    if (phase_ == Phase::terminating || (phase_ == Phase::draining && mode == drainMode_)) {
        return;
    }
    phase_ = Phase::draining;
    drainMode_ = mode;
    listenWatch_.cancel();
    respawnWatch_.cancel();
    startWatch_.cancel();
    writeCommands();
    deadlineWatch_ = parts_.loop->after(deadline, [this] {
        parts_.log->debug(poolPrefix() + "the drain deadline is over, ending the last workers");
        parking_.clear();
        children_.signalAll(SIGTERM);
        killWatch_ = parts_.loop->every(kEscalation, [this] { children_.signalAll(SIGKILL); });
        finishIfEmpty();
    });
    passOnWatch_.cancel();
    settleParked();
    watchDrain();
    finishIfEmpty();
}

void PoolManager::watchDrain() {
    // Busy workers look at the flag themselves; the repeated look is for one that was between
    // its own look and accept(2).
    children_.signalIdle();
    drainWatch_ = parts_.loop->after(kDrainCheck, [this] { watchDrain(); });
}

void PoolManager::terminate() {
    if (phase_ == Phase::terminating) {
        return;
    }
    phase_ = Phase::terminating;
    listenWatch_.cancel();
    respawnWatch_.cancel();
    startWatch_.cancel();
    drainWatch_.cancel();
    deadlineWatch_.cancel();
    passOnWatch_.cancel();
    parking_.clear();
    children_.signalAll(SIGTERM);
    killWatch_ = parts_.loop->every(kEscalation, [this] { children_.signalAll(SIGKILL); });
    finishIfEmpty();
}

void PoolManager::finishIfEmpty() {
    if ((phase_ != Phase::draining && phase_ != Phase::terminating) || !children_.empty()) {
        return;
    }
    if (parking_.empty()) {
        parts_.loop->stop();
    } else if (!passesOn() && parking_.readyCount() > 0 && !forkOne(LogLevel::debug)) {
        parking_.clear();
        parts_.loop->stop();
    }
}

// --- Workers --------------------------------------------------------------------------------

std::optional<pid_t> PoolManager::forkOne(LogLevel level) {
    writeCommands();
    const auto pid = children_.fork();
    if (!pid) {
        parts_.log->error(poolPrefix() + pid.error().text());
        return std::nullopt;
    }
    parts_.log->write(level, fmt::format("{}child {} started", poolPrefix(), *pid));
    return *pid;
}

void PoolManager::forkMany(int count) {
    while (count-- > 0 && forkOne(LogLevel::debug)) {
    }
}

void PoolManager::reap() {
    while (const auto death = reapChild()) {
        const auto departure = children_.bury(death->pid, death->status);
        if (!departure) {
            parts_.log->warning(fmt::format("unknown child ({}) exited {}", death->pid,
                                            describeExit(death->status)));
            continue;
        }
        logDeparture(*departure);
        if (phase_ == Phase::starting && WIFEXITED(departure->status) &&
            WEXITSTATUS(departure->status) != 0) {
            failToStart(fmt::format("worker {} ended {} before it could serve", departure->pid,
                                    describeExit(departure->status)));
        } else {
            replace(*departure);
        }
    }
    finishIfEmpty();
}

void PoolManager::logDeparture(const Departure& departure) {
    const bool byQuit = WIFSIGNALED(departure.status) && WTERMSIG(departure.status) == SIGQUIT;
    const bool clean = WIFEXITED(departure.status) && WEXITSTATUS(departure.status) == 0;
    LogLevel level = clean || byQuit ? LogLevel::notice : LogLevel::warning;
    const auto seconds = departure.lifetimeNs / kNsPerSecond;
    const auto micros = departure.lifetimeNs % kNsPerSecond / 1000;
    if (departure.toldToLeave && (clean || byQuit)) {
        parts_.log->debug(fmt::format(
            "{}child {} has been killed by the process management after {}.{:06} seconds from "
            "start",
            poolPrefix(), departure.pid, seconds, micros));
        return;
    }
    if (phase_ != Phase::serving && phase_ != Phase::starting) {
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
    const bool clean = WIFEXITED(departure.status) && WEXITSTATUS(departure.status) == 0;
    if (departure.toldToLeave &&
        (clean || (WIFSIGNALED(departure.status) && WTERMSIG(departure.status) == SIGQUIT))) {
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
    respawnWatch_ = parts_.loop->after(delay, [this] { tryReplacement(); });
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
        respawnWatch_ =
            parts_.loop->after(std::max(respawnDelay_, kProbation), [this] { tryReplacement(); });
    }
}

PoolLoad PoolManager::observe() {
    PoolLoad load = children_.load();
    if (const auto queue = listenQueue(parts_.workers->listenFd)) {
        load.pending = static_cast<int>(std::min(queue->pending, 1'000'000U));
        pen_.setListenQueue(queue->pending, queue->limit);
    }
    load.pending += static_cast<int>(parking_.readyCount());
    pen_.noteActive(static_cast<std::uint32_t>(load.running - load.idle - load.starting));
    return load;
}

void PoolManager::look() {
    const PoolLoad load = observe();
    carryOut(decideDemand(pool_, load, scaling_), load);
    writeCommands();
}

void PoolManager::carryOut(const ScalingDecision& decision, const PoolLoad& load) {
    if (decision.countLimit) {
        pen_.countMaxChildrenReached();
        const bool ondemand = pool_.pm == config::ProcessManager::ondemand;
        parts_.log->warning(
            fmt::format("{}server reached {}max_children setting ({}), consider "
                        "raising it",
                        poolPrefix(), ondemand ? "" : "pm.", pool_.maxChildren));
    }
    if (decision.warnBusy) {
        parts_.log->warning(fmt::format(
            "{}seems busy (you may need to increase pm.start_servers, or pm.min/max_spare_servers)"
            ", spawning {} children, there are {} idle, and {} total children",
            poolPrefix(), decision.busyRate, load.idle, load.running));
    }
    if (decision.fork > 0 && missing_ == 0) {
        forkMany(decision.fork);
        parts_.log->debug(fmt::format("{}{} child(ren) have been created dynamically", poolPrefix(),
                                      decision.fork));
    }
    if (decision.killIdle) {
        const auto idleFor = pool_.pm == config::ProcessManager::ondemand
                                 ? static_cast<std::uint64_t>(pool_.processIdleTimeout)
                                 : 0;
        children_.retireOldestIdle(monotonicNs(), idleFor * kNsPerSecond);
    }
}

void PoolManager::writeCommands() {
    auto& commands = parts_.workers->segment->header().commands;
    std::int32_t wakeAt = 0;
    if (pool_.pm == config::ProcessManager::fixed) {
        wakeAt = scoreboard::kNoHints;
    } else if (children_.count() >= pool_.maxChildren) {
        wakeAt = scoreboard::kNeverWake;
    }
    commands.wakeAtIdle.store(wakeAt, std::memory_order_relaxed);
    // Ours to say, but a worker may have scribbled here: said again on every look.
    commands.draining.store(phase_ == Phase::draining ? static_cast<std::uint32_t>(drainMode_) : 0,
                            std::memory_order_seq_cst);
    commands.handOvers.store(static_cast<std::uint32_t>(parking_.readyCount()),
                             std::memory_order_seq_cst);
}

// --- Parked connections ----------------------------------------------------------------------

// Called when something became ready, and again until workers have taken everything: a worker that
// was told may have become busy before it looked. Busy ones see the flag when they are done.
void PoolManager::handOut() {
    const bool more = !parking_.queueIsEmpty();
    parking_.fillQueue();
    const auto waiting = static_cast<int>(parking_.readyCount());
    parts_.workers->segment->header().commands.handOvers.store(static_cast<std::uint32_t>(waiting),
                                                               std::memory_order_seq_cst);
    if (waiting == 0) {
        handOverWatch_.cancel();
        finishIfEmpty();
        return;
    }
    if (!handOverWatch_) {
        handOverWatch_ = parts_.loop->every(kHandOverCheck, [this] { handOut(); });
    }
    const int told = children_.wakeFree(waiting, monotonicNs(), more);
    if (isServing() && told < waiting && pool_.pm != config::ProcessManager::fixed &&
        children_.count() < pool_.maxChildren) {
        look();
    } else if (children_.empty()) {
        finishIfEmpty();
    }
}

void PoolManager::adoptFrom(UniqueFd channel) {
    Predecessor& predecessor = predecessors_.emplace_back();
    predecessor.channel = MessageChannel(std::move(channel));
    const auto place = std::prev(predecessors_.end());
    place->watch = parts_.loop->whenReadable(place->channel.fd(), [this, place] {
        constexpr int kTurn = 64;
        ReceivedMessage message;
        for (int i = 0; i < kTurn; ++i) {
            const auto outcome = place->channel.receive(message);
            if (outcome && *outcome == MessageChannel::Outcome::nothing) {
                break;
            }
            if (outcome && *outcome == MessageChannel::Outcome::closed) {
                place->watch.cancel();
                predecessors_.erase(place);
                break;
            }
            if (auto parked = outcome ? worker::parkedIn(message) : std::nullopt) {
                parking_.park(std::move(*parked));
            }
        }
        settleParked();
    });
}

// What is parked while this generation ends: to the next one, or, without one, only requests that
// have begun are waited for.
void PoolManager::settleParked() {
    if (phase_ == Phase::terminating) {
        parking_.clear();
    } else if (phase_ == Phase::draining) {
        if (passesOn()) {
            passOn();
        } else {
            parking_.closeIdle();
            handOut();
        }
    }
}

bool PoolManager::passesOn() const {
    return heir_.fd() >= 0 && drainMode_ == DrainMode::replaced;
}

void PoolManager::passOn() {
    if (!parking_.handOn(heir_)) {
        heir_.close();
        passOnWatch_.cancel();
        settleParked();
        return;
    }
    if (parking_.empty()) {
        passOnWatch_.cancel();
        finishIfEmpty();
    } else if (!passOnWatch_) {
        passOnWatch_ = parts_.loop->every(kPassOnCheck, [this] { passOn(); });
    }
}

void PoolManager::reopenLogs(ReceivedMessage& received) {
    // The numbers stay, so that everything that knows them writes to the new files at once.
    if (received.descriptors.empty() ||
        ::dup3(received.descriptors[0].get(), kErrorLogFd, O_CLOEXEC) < 0) {
        parts_.log->error(poolPrefix() + "unable to re-opened error log file");
        return;
    }
    ::dup2(kErrorLogFd, STDERR_FILENO);
    if (parts_.workers->accessLogFd < 0 || received.descriptors.size() < 2) {
        return;
    }
    if (::dup3(received.descriptors[1].get(), parts_.workers->accessLogFd, O_CLOEXEC) < 0) {
        parts_.log->error(poolPrefix() + "unable to re-opened access log file");
        return;
    }
    children_.announceAccessLog(parts_.workers->accessLogFd);
}

}  // namespace muster::manager
