// PoolManager's part that knows the phases of a generation's life: it starts, serves, drains, and
// ends its workers; or leaves, when nobody needs it.
//
// Draining waits for requests, terminating for processes. A generation that drains may be set
// aside meanwhile, and start again.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/listen_socket.h"
#include "manager/pool_manager.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kTick{1000};
constexpr milliseconds kStartCheck{2};     // between looks at the first workers
constexpr milliseconds kDrainCheck{50};    // between looks for workers gone idle while draining
constexpr milliseconds kEscalation{1000};  // from TERM to KILL (spec lifecycle §4.2)

}  // namespace

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
    forgetDeadlines();
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
    stopServing();
    overload_.stopAccepting();
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
    dropConnections();
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
    stopServing();
    forgetDeadlines();
    dropConnections();
    writeCommands();
    endWorkers(milliseconds(parts_.inputs->terminateTimeoutMs));
    finishIfEmpty();
}

void PoolManager::stopServing() {
    status_.stopListening();
    listenWatch_.cancel();
    respawnWatch_.cancel();
    startWatch_.cancel();
}

void PoolManager::forgetDeadlines() {
    drainWatch_.cancel();
    deadlineWatch_.cancel();
    passOnWatch_.cancel();
    killWatch_.cancel();
}

void PoolManager::dropConnections() {
    status_.connections().clear();
    overload_.clear();
    parking_.clear();
    lingering_.clear();
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

}  // namespace muster::manager
