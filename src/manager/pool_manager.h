// The pool manager's life after its runtime is loaded: one event loop that spawns, reaps, scales,
// times out and drains the workers of one generation.
//
// Runs in the manager process as the pool's user, single-threaded. Nothing here is trusted by the
// master; nothing a worker wrote is trusted here.
#pragma once

#include <chrono>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/signals.h"
#include "log/error_log.h"
#include "manager/children.h"
#include "manager/idleness.h"
#include "manager/inputs.h"
#include "manager/last_orders.h"
#include "manager/lingering.h"
#include "manager/overload.h"
#include "manager/parking.h"
#include "manager/protocol.h"
#include "manager/refusal_log.h"
#include "manager/request_timeouts.h"
#include "manager/respawn.h"
#include "manager/room.h"
#include "manager/scaling.h"
#include "manager/slow_log.h"
#include "manager/status_listener.h"

namespace muster::manager {

/// Descriptors that a manager of this pool needs at most, without those of parked connections.
[[nodiscard]] std::size_t descriptorsFor(const config::PoolSettings& pool);

class PoolManager {
  public:
    /// All borrowed. `accessLogFd` (-1: none) and `errorLogFd` are replaced in place on reopening.
    struct Parts {
        const ManagerInputs* inputs = nullptr;
        WorkerTemplate* workers = nullptr;
        MessageChannel* channel = nullptr;
        std::pair<MessageChannel*, MessageChannel*> handOvers;  ///< ours, the workers'
        SignalPipe* signals = nullptr;
        EventLoop* loop = nullptr;
        log::ErrorLog* log = nullptr;
        int statusListenFd = -1;  ///< -1: none
        int slowLogFd = -1;       ///< -1: none; replaced in place on reopening
    };
    explicit PoolManager(const Parts& parts);

    /// Says "loaded", serves until told to go (or the master vanishes) and every worker is gone.
    [[nodiscard]] ManagerExit run();

  private:
    enum class Phase { loaded, starting, serving, draining, terminating };

    // What wakes the manager.
    void onSignals();
    void onChannel();
    void onMessage(const ControlMessage& message, ReceivedMessage& received);
    void onWake();
    void onTick();
    void onListenerReadable();

    // Phases.
    void start(const scoreboard::Totals& carried, std::uint32_t room);
    void checkStarted();
    void drain(DrainMode mode, std::chrono::milliseconds deadline);
    void comeBack();
    void watchDrain();
    void giveUpDrain();
    void serveQueue();
    void sayQuiet();
    void endSocketsOfTheDead();
    void terminate();
    void stopServing();
    void forgetDeadlines();
    void dropConnections();
    void endWorkers(std::chrono::milliseconds untilKill);
    void killWorkers();
    void failToStart(const std::string& why);
    void finishIfEmpty();
    void leaveIfIdle();
    [[nodiscard]] bool isBusy() const;

    // Workers.
    std::optional<pid_t> forkOne(LogLevel level, Child::Duty duty = Child::Duty::serves);
    int forkMany(int count);
    void takeRoom(std::uint32_t workers);
    void returnRoom();
    void reap();
    void logDeparture(const Departure& departure);
    void replace(const Departure& departure);
    [[nodiscard]] bool wasInterrupted(const Departure& departure) const;
    void tryReplacement();
    void holdBack(std::chrono::milliseconds delay);
    void tellRespawn();
    [[nodiscard]] bool isLookUseful() const;
    void look();
    void carryOut(const ScalingDecision& decision, const PoolLoad& load);
    [[nodiscard]] PoolLoad observe();
    void logLoad(const PoolLoad& load);
    void logGrowth(int forked);
    [[nodiscard]] std::uint32_t drainingCommand() const;
    void writeCommands();
    void reopenLogs(const ControlMessage& message, ReceivedMessage& received);
    void trace(const ControlMessage& question, int answerFd);

    // Workers that are replaced by plan.
    void heardRetirement(Child& child, const worker::Retirement& what);
    void recycleTheOld(std::uint64_t nowNs);
    void settleRecycling();
    [[nodiscard]] bool mayStandBy() const;
    [[nodiscard]] bool isIdle(const Child& child) const;
    [[nodiscard]] pid_t borrowSuccessor();
    [[nodiscard]] bool succeed(const Departure& departure);

    // What the manager answers itself.
    [[nodiscard]] StatusListener::Parts statusParts();
    [[nodiscard]] Overload::Parts overloadParts();
    [[nodiscard]] std::string answerStatus(const fastcgi::Params& params);
    void answersAtRest();

    // Nobody is idle.
    void watchDoor();
    [[nodiscard]] bool needsDoor();
    [[nodiscard]] std::size_t waitingCount() const;

    // Parked connections.
    void heardParked(worker::ParkedConnection parked);
    void handOut();
    void adoptFrom(UniqueFd channel);
    void passOn();
    void settleParked();
    [[nodiscard]] bool passesOn() const;
    [[nodiscard]] std::string poolPrefix() const;
    [[nodiscard]] bool isServing() const { return phase_ == Phase::serving; }
    [[nodiscard]] bool isAside() const {
        return phase_ == Phase::draining && drainMode_ == DrainMode::aside;
    }

    Parts parts_;
    const config::PoolSettings& pool_;
    scoreboard::PoolWriter pen_;
    Parking parking_;
    Lingering lingering_;
    LastOrders lastOrders_;
    RefusalLog refusals_;
    StatusListener status_;
    Children children_;
    Overload overload_;
    SlowLog slowLog_;
    RequestTimeouts timeouts_;
    struct Predecessor {
        MessageChannel channel;
        EventLoop::Watch watch;
    };
    std::list<Predecessor> predecessors_;  ///< earlier generations' parked connections come here
    MessageChannel heir_;                  ///< … and ours go there
    Phase phase_ = Phase::loaded;
    DrainMode drainMode_ = DrainMode::replaced;
    bool saidQuiet_ = false;
    bool masterIsGone_ = false;  ///< … and its sockets are still open
    int looksAfterMaster_ = 0;
    ManagerExit exit_ = ManagerExit::done;
    ScalingState scaling_;
    RespawnDelay respawn_;
    Room room_;
    Idleness idleness_;
    int missing_ = 0;         ///< workers whose replacement waits for respawnWatch_
    pid_t attemptedPid_ = 0;  ///< the last replacement made while workers died young
    std::chrono::milliseconds respawnDelay_{0};
    std::uint64_t noSuccessorBeforeNs_ = 0;  ///< one did not live, or could not be forked
    std::uint64_t respawnAtNs_ = 0;
    std::uint64_t interruptedNs_ = 0;  ///< SIGINT to the whole group: the master will say more

    EventLoop::Watch signalWatch_;
    EventLoop::Watch channelWatch_;
    EventLoop::Watch wakeWatch_;
    EventLoop::Watch listenWatch_;
    EventLoop::Watch tickWatch_;
    EventLoop::Watch growWatch_;
    EventLoop::Watch startWatch_;
    EventLoop::Watch respawnWatch_;
    EventLoop::Watch drainWatch_;
    EventLoop::Watch handOverWatch_;
    EventLoop::Watch passOnWatch_;
    EventLoop::Watch deadlineWatch_;
    EventLoop::Watch killWatch_;
};

}  // namespace muster::manager
