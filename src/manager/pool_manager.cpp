// The manager's event loop: what wakes it and what it does then.
#include "manager/pool_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/limits.h"
#include "base/listen_socket.h"
#include "manager/live_trace.h"
#include "manager/recycling.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kTick{1000};
constexpr milliseconds kStartCheck{2};     // between looks at the first workers
constexpr milliseconds kDrainCheck{50};    // between looks for workers gone idle while draining
constexpr milliseconds kEscalation{1000};  // from TERM to KILL (spec lifecycle §4.2)

}  // namespace

std::size_t descriptorsFor(const config::PoolSettings& pool) {
    const std::size_t status = pool.statusListen.empty() ? 0 : StatusListener::kMaxConnections;
    const auto line = static_cast<std::size_t>(std::max(pool.queueLimit, 0));
    const std::size_t workers = static_cast<std::size_t>(pool.maxChildren) + standbySlots(pool);
    return 64 + 5 * workers + status + Lingering::kMaxConnections +
           (line == 0 ? 0 : line + Overload::kMaxAnswering);
}

PoolManager::PoolManager(const Parts& parts)
    : parts_(parts),
      pool_(parts.inputs->pool),
      pen_(*parts.workers->segment),
      parking_(*parts.loop, ParkingLimits::of(pool_, openFileLimits().soft, descriptorsFor(pool_)),
               {parts.handOvers.first, parts.handOvers.second,
                &parts.workers->segment->header().commands.lotFull},
               [this] { handOut(); }),
      lingering_(*parts.loop, [this] { finishIfEmpty(); }),
      lastOrders_(parts.workers->listenFd),
      refusals_(*parts.log, poolPrefix()),
      status_(statusParts()),
      children_(
          *parts.workers, pen_, *parts.loop,
          {.parked = [this](worker::ParkedConnection parked) { heardParked(std::move(parked)); },
           .refused =
               [this](const worker::RefusedPeer& refused) {
                   refusals_.note(refused, monotonicNs());
               },
           .retires = [this](Child& child,
                             const worker::Retirement& what) { heardRetirement(child, what); }}),
      overload_(overloadParts()),
      slowLog_(*parts.inputs, *parts.workers->runtime, *parts.log, parts.slowLogFd),
      timeouts_({.loop = parts.loop,
                 .children = &children_,
                 .segment = parts.workers->segment,
                 .pen = &pen_,
                 .pool = &pool_,
                 .log = parts.log,
                 .slowLog = &slowLog_}),
      room_(parts.inputs->sharesProcessMax),
      idleness_(pool_) {}

ManagerExit PoolManager::run() {
    EventLoop& loop = *parts_.loop;
    signalWatch_ = loop.whenReadable(parts_.signals->fd(), [this] { onSignals(); });
    channelWatch_ = loop.whenReadable(parts_.channel->fd(), [this] { onChannel(); });
    wakeWatch_ = loop.whenReadable(parts_.workers->wakeFd, [this] { onWake(); });
    if (const auto started = overload_.start(); !started) {
        parts_.log->error(poolPrefix() + started.error().text());
        return ManagerExit::cannotStart;
    }
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
                parts_.log->debug("received SIGCHLD");
                childDied = true;
                break;
            case SIGTERM:
                terminate();
                break;
            case SIGQUIT:
                drain(DrainMode::stop, milliseconds(parts_.inputs->stopTimeoutMs));
                break;
            case SIGINT:
                interruptedNs_ = monotonicNs();  // a terminal's whole group gets it
                break;
            default:
                break;  // the master's to hear
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
            masterIsGone_ = true;
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
            start(message.totals, message.value);
            break;
        case MessageType::drain:
            drain(static_cast<DrainMode>(message.value), milliseconds(message.deadlineMs));
            break;
        case MessageType::logs:
            reopenLogs(message, received);
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
        case MessageType::room:
            takeRoom(message.value);
            break;
        case MessageType::trace:
            if (!received.descriptors.empty()) {
                trace(message, received.descriptors[0].get());
            }
            break;
        case MessageType::endNow:
            terminate();
            killWorkers();
            break;
        case MessageType::loaded:
        case MessageType::ready:
        case MessageType::failed:
        case MessageType::crashed:
        case MessageType::wantRoom:
        case MessageType::freeRoom:
        case MessageType::traced:
        case MessageType::quiet:
        case MessageType::lost:
            break;  // ours to send
    }
}

void PoolManager::onWake() {
    eventfd_t count = 0;
    ::eventfd_read(parts_.workers->wakeFd, &count);
    if (overload_.isLinedUp()) {
        handOut();  // to whoever has asked
    }
    if (isServing()) {
        settleRecycling();
    }
    if (isServing() && (!overload_.isLinedUp() || children_.count() < pool_.maxChildren)) {
        look();
    }
}

void PoolManager::onListenerReadable() {
    if (isServing()) {
        if (!overload_.isLinedUp() || children_.count() < pool_.maxChildren) {
            look();
        }
        overload_.onListener();
    }
}

void PoolManager::onTick() {
    children_.tickOutputs(monotonicNs());
    refusals_.tick();
    overload_.tick();
    if (!isServing()) {
        return;
    }
    children_.insistOnLeaving(monotonicNs());
    recycleTheOld(monotonicNs());
    settleRecycling();
    PoolLoad load = observe();
    auto& hints = parts_.workers->segment->header().hints;
    load.leastIdle = std::max(hints.leastIdle.exchange(load.idle, std::memory_order_relaxed), 0);
    logLoad(load);
    carryOut(decideTick(pool_, load, scaling_, monotonicNs()), load);
    returnRoom();
    watchDoor();
    writeCommands();
    tellRespawn();
    // Workers keep the hint in step; killed ones cannot. A wrong correction lasts one tick.
    hints.idle.store(load.idle, std::memory_order_relaxed);
    leaveIfIdle();
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

void PoolManager::start(const scoreboard::Totals& carried, std::uint32_t room) {
    if (isAside()) {
        comeBack();
    } else if (phase_ != Phase::loaded) {
        return;
    }
    pen_.addRetired(carried);
    phase_ = Phase::starting;
    if (parking_.limit() < static_cast<std::size_t>(pool_.listenMaxWaiting)) {
        // The default asks for more than some systems have, and nobody for the default.
        const bool wanted = pool_.listenMaxWaiting > config::PoolSettings::kUsualMaxWaiting;
        parts_.log->write(wanted ? LogLevel::warning : LogLevel::debug,
                          fmt::format("{}listen.max_waiting is {} instead of {}: more files may "
                                      "not be open",
                                      poolPrefix(), parking_.limit(), pool_.listenMaxWaiting));
    }
    writeCommands();
    room_.begin(room, initialWorkers(pool_));
    const int there = children_.count();  // those that have not left since they were told to
    const int missing = std::max(0, initialWorkers(pool_) - there);
    for (int i = room_.mayFork(missing, there); i > 0 && phase_ == Phase::starting; --i) {
        if (!forkOne(LogLevel::debug)) {
            return failToStart("the first workers could not be forked");
        }
    }
    checkStarted();
}

// Before a generation that was set aside starts again.
void PoolManager::comeBack() {
    deadlineWatch_.cancel();
    drainWatch_.cancel();
    killWatch_.cancel();
    passOnWatch_.cancel();
    heir_.close();
    children_.forgetDrain();
    respawn_.reset();
    missing_ = 0;
    saidQuiet_ = false;
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
    idleness_.begin(monotonicNs());
    if (parts_.statusListenFd >= 0) {
        status_.listen(parts_.statusListenFd);
    }
    EventLoop& loop = *parts_.loop;
    tickWatch_ = loop.every(kTick, [this] { onTick(); });
    if (pool_.pm == config::ProcessManager::ondemand) {
        listenWatch_ = loop.whenReadable(
            parts_.workers->listenFd, [this] { onListenerReadable(); }, EventLoop::Trigger::edge);
    }
    timeouts_.start();
    if (room_.limited()) {
        takeRoom(0);  // what came while it started
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
    status_.stopListening();
    overload_.stopAccepting();
    listenWatch_.cancel();
    respawnWatch_.cancel();
    startWatch_.cancel();
    writeCommands();
    lastOrders_.end();  // the master is gone
    if (mode == DrainMode::lastOrders && !lastOrders_.begin(monotonicNs())) {
        drainMode_ = DrainMode::stop;
        writeCommands();
    }
    deadlineWatch_ = parts_.loop->after(deadline, [this] { giveUpDrain(); });
    passOnWatch_.cancel();
    settleParked();
    watchDrain();
    children_.logAlive();
    finishIfEmpty();
}

void PoolManager::giveUpDrain() {
    parts_.log->debug(poolPrefix() + "the drain deadline is over, ending the last workers");
    if (drainMode_ == DrainMode::lastOrders) {
        drainMode_ = DrainMode::stop;
        writeCommands();
        lastOrders_.end();
    }
    overload_.refuseAll();
    overload_.clear();
    parking_.clear();
    lingering_.clear();
    status_.connections().clear();
    endWorkers(kEscalation);
    finishIfEmpty();
}

void PoolManager::watchDrain() {
    // Busy workers look at the flag themselves; the repeated look is for one that was between
    // its own look and accept(2).
    children_.signalIdle();
    sayQuiet();
    endSocketsOfTheDead();
    serveQueue();
    finishIfEmpty();
    drainWatch_ = parts_.loop->after(kDrainCheck, [this] { watchDrain(); });
}

// Once a drain: whoever waits for a reload is answered by this.
void PoolManager::sayQuiet() {
    if (phase_ == Phase::draining && !saidQuiet_ && children_.acceptNoMore()) {
        saidQuiet_ = true;
        [[maybe_unused]] const auto sent = sendControl(
            *parts_.channel, {.type = MessageType::quiet});  // a lost master shows as closed
    }
}

// Requests that go on keep the listening sockets open, and a new master could not bind. Once no
// worker accepts any more, or will not within the time of a few looks, they are of no use. The
// channel alone proves nothing: a master that lives may have closed it.
void PoolManager::endSocketsOfTheDead() {
    constexpr int kPatience = 20;
    if (!masterIsGone_ || !parts_.inputs->ownsSockets || ::getppid() == parts_.inputs->masterPid) {
        return;
    }
    if (children_.acceptNoMore() || ++looksAfterMaster_ == kPatience) {
        endListener(parts_.workers->listenFd);
        if (parts_.statusListenFd >= 0) {
            endListener(parts_.statusListenFd);
        }
        masterIsGone_ = false;  // done
    }
}

void PoolManager::terminate() {
    if (phase_ == Phase::terminating) {
        return;
    }
    phase_ = Phase::terminating;
    lastOrders_.end();
    status_.stopListening();
    status_.connections().clear();
    listenWatch_.cancel();
    respawnWatch_.cancel();
    startWatch_.cancel();
    drainWatch_.cancel();
    deadlineWatch_.cancel();
    passOnWatch_.cancel();
    overload_.clear();
    parking_.clear();
    lingering_.clear();
    writeCommands();
    endWorkers(milliseconds(parts_.inputs->terminateTimeoutMs));
    finishIfEmpty();
}

void PoolManager::endWorkers(milliseconds untilKill) {
    children_.signalAll(SIGTERM);
    killWatch_ = parts_.loop->after(untilKill, [this] { killWorkers(); });
}

void PoolManager::killWorkers() {
    children_.signalAll(SIGKILL);
    killWatch_ = parts_.loop->every(kEscalation, [this] { children_.signalAll(SIGKILL); });
}

void PoolManager::finishIfEmpty() {
    if ((phase_ != Phase::draining && phase_ != Phase::terminating) || !children_.empty() ||
        lastOrders_.goOn(monotonicNs())) {
        return;
    }
    if (parking_.empty() && waitingCount() == 0) {
        if (status_.connections().empty() && lingering_.empty() && overload_.empty() &&
            !isAside()) {
            parts_.loop->stop();
        }
    } else if (!passesOn() && waitingCount() > 0 && !forkOne(LogLevel::debug)) {
        overload_.refuseAll();
        overload_.clear();
        parking_.clear();
        finishIfEmpty();
    }
}

/// Something is here, or will be, that this process is needed for.
bool PoolManager::isBusy() const {
    return !children_.empty() || missing_ > 0 || !parking_.empty() || !lingering_.empty() ||
           !status_.connections().empty() || !overload_.empty() || !predecessors_.empty() ||
           heir_.fd() >= 0;
}

// Who connects from now on waits in the kernel's queue until the master, which has the socket, too,
// hears of this death and looks.
void PoolManager::leaveIfIdle() {
    if (!isServing() || !idleness_.mayLeave(isBusy(), monotonicNs()) || observe().pending > 0) {
        return;
    }
    parts_.log->debug(poolPrefix() + "the manager leaves until the next connection comes");
    exit_ = ManagerExit::idle;
    parts_.loop->stop();
}

// --- Logs -----------------------------------------------------------------------------------

void PoolManager::reopenLogs(const ControlMessage& message, ReceivedMessage& received) {
    // The numbers stay, so that everything that knows them writes to the new files at once.
    if (received.descriptors.empty() ||
        ::dup3(received.descriptors[0].get(), kErrorLogFd, O_CLOEXEC) < 0) {
        parts_.log->error(poolPrefix() + "unable to re-opened error log file");
        return;
    }
    if (const auto syslog = syslogIn(message)) {
        parts_.log->setSyslog(kErrorLogFd, *syslog, false);
        ::dup2(STDIN_FILENO, STDERR_FILENO);  // /dev/null: stray lines cannot be told to syslog
    } else {
        parts_.log->setTarget(kErrorLogFd, false);
        ::dup2(kErrorLogFd, STDERR_FILENO);
    }
    std::size_t next = 1;
    const auto replace = [&](int fd, const char* failure) {
        if (fd < 0 || next >= received.descriptors.size()) {
            return false;
        }
        if (::dup3(received.descriptors[next++].get(), fd, O_CLOEXEC) < 0) {
            parts_.log->error(poolPrefix() + failure);
            return false;
        }
        return true;
    };
    if (replace(parts_.workers->accessLogFd, "unable to re-opened access log file")) {
        children_.announceAccessLog(parts_.workers->accessLogFd);
    }
    replace(parts_.slowLogFd, "unable to re-opened slow log file");
}

void PoolManager::trace(const ControlMessage& question, int answerFd) {
    ControlMessage answer{.type = MessageType::traced, .ticket = question.ticket};
    const Child* child = children_.find(static_cast<pid_t>(question.value));
    const auto trace =
        child != nullptr
            ? traceNow(*child, *parts_.workers->segment, *parts_.workers->runtime)
            : Result<LiveTrace>(plainError(fmt::format("worker {} is gone", question.value)));
    const auto written =
        trace ? writeLiveTrace(answerFd, *trace) : tl::make_unexpected(trace.error());
    if (written) {
        answer.value = 1;
    } else {
        answer.setText(written.error().text());
    }
    [[maybe_unused]] const auto sent =
        sendControl(*parts_.channel, answer);  // a lost master shows as closed
}

}  // namespace muster::manager
