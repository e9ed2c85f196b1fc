// The manager's event loop: what wakes it and what it does then.
#include "manager/pool_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/limits.h"
#include "manager/live_trace.h"
#include "manager/recycling.h"

namespace muster::manager {

using std::chrono::milliseconds;

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
    if (isServing() && isLookUseful()) {
        look();
    }
}

void PoolManager::onListenerReadable() {
    if (isServing()) {
        if (isLookUseful()) {
            look();
        }
        overload_.onListener();
    }
}

// While requests stand in line for a pool as large as it may be, there is nothing to decide.
bool PoolManager::isLookUseful() const {
    return !overload_.isLinedUp() || children_.count() < pool_.maxChildren;
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
