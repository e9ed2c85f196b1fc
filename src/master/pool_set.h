// All pools and their generations: start, renewal, crash, stop (design §2).
//
// Owned by the master. A renewal launches a new generation for every pool on the same socket, a
// few at a time; each pool switches by itself once its new generation is ready, and keeps the old
// one when that fails. A manager that dies is replaced at once, with growing delay when it keeps
// dying. A lazy pool sleeps until a connection comes, and again when its manager has left. Bounded:
// one incoming and a few leaving generations per pool.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "log/error_log.h"
#include "master/canary.h"
#include "master/generation.h"
#include "master/hand_over.h"
#include "master/incarnation.h"
#include "master/preparation.h"
#include "master/process_account.h"
#include "master/service_manager.h"
#include "master/traces.h"

namespace muster::master {

class PoolSet {
  public:
    struct Report {
        int ready = 0;
        int failed = 0;
        std::map<std::string, std::string> failures;  ///< why, by pool
    };
    using OnSettled = std::function<void(const Report&)>;

    struct Events {
        /// A manager started outside a renewal (after a crash) is ready, so that what waited for it
        /// may go on; called last thing.
        std::function<void()> onReady;
        /// A worker in force died by SIGSEGV or SIGBUS; called last thing.
        std::function<void()> onCrash;
    };
    PoolSet(EventLoop& loop, log::ErrorLog& log, LogFiles& files, Events events);

    struct Limits {
        std::chrono::milliseconds drainDeadline{0};
        int processMax = 0;                  ///< 0: unlimited
        std::chrono::milliseconds start{0};  ///< for a new generation to become ready
        /// For how long a new generation is watched, while there is a way back; 0: not at all.
        std::chrono::milliseconds canary{0};
    };
    struct Renewal {
        std::vector<PoolPlan> plans{};    ///< of the pools that get a new generation
        std::set<std::string> kept{};     ///< these go on as they are
        std::set<std::string> paused{};   ///< of those: drained, and not started before they are
        std::set<std::string> resumed{};  ///< … here
    };
    /// Begins to bring every pool to its plan; pools that are named nowhere are drained and
    /// forgotten. `settled` is called once when all have switched, failed or drained. One renewal
    /// at a time.
    void renew(Renewal renewal, const Limits& limits, OnSettled settled);
    [[nodiscard]] bool isRenewing() const { return static_cast<bool>(settled_); }
    /// No first start of so many pools takes longer, when each may take `start`.
    [[nodiscard]] static std::chrono::milliseconds longestStart(std::size_t pools,
                                                                std::chrono::milliseconds start);
    /// False while some pool has so many generations leaving that one more has to wait.
    [[nodiscard]] bool hasRoomForRenewal() const;
    /// Some manager was started and is not ready yet.
    [[nodiscard]] bool isStarting() const;

    /// For the program that takes over, while nothing is being renewed or started.
    [[nodiscard]] std::vector<HandOver::Pool> handOver() const;
    /// In that program, at its start: goes on with what runs.
    void adopt(std::vector<HandOver::Pool> pools, const Limits& limits);

    /// A pid from waitpid: true when it was a manager of ours.
    bool onDeath(pid_t pid, int status);

    /// The pools there are, without those that are to go.
    [[nodiscard]] std::vector<std::string> names() const;
    /// What a pool runs by; null: there is no such pool.
    [[nodiscard]] const PoolPlan* planOf(const std::string& name) const;
    /// The process in force; nothing while there is none.
    [[nodiscard]] std::optional<pid_t> managerOf(const std::string& name) const;
    [[nodiscard]] bool isPaused(const std::string& name) const;
    /// It is lazy, and waits for a connection without any process.
    [[nodiscard]] bool isAsleep(const std::string& name) const;
    /// Of the generation in force, or what a lazy pool has counted; nothing while there is none.
    [[nodiscard]] std::optional<scoreboard::PoolSnapshot> snapshotOf(const std::string& name) const;

    struct Leaving {
        pid_t manager = 0;
        std::uint32_t active = 0;
    };
    /// One pool as an operator sees it.
    struct View {
        std::string name;
        const char* state = "";  ///< serving, starting, renewing, canary, crashing, sleeping,
                                 ///< paused or failed
        const PoolPlan* plan = nullptr;  ///< borrowed until the next change
        std::optional<pid_t> manager;
        std::optional<scoreboard::PoolSnapshot> snapshot;
        int failures = 0;         ///< starts that failed or died young, in a row
        std::string lastFailure;  ///< why, of the last of these
        std::optional<std::chrono::milliseconds> nextTry;  ///< a start waits for so long
        std::vector<Leaving> leaving;
    };
    [[nodiscard]] std::vector<View> views() const;

    /// What a worker of any generation does right now. `done` is called once.
    void trace(pid_t worker, const Traces::OnDone& done);

    /// Graceful stop of everything; renewals and restarts end. Whoever waits in a socket that is
    /// `ours` is served, if need be by a manager that is started for it.
    void drainAll(std::chrono::milliseconds deadline,
                  const std::function<bool(const std::string& address)>& ours);
    void terminateAll();
    /// Nobody gets any more time.
    void killAll();
    /// Kills the managers that had time enough to end after terminateAll() or killAll().
    void killOverdue();
    [[nodiscard]] bool empty() const;

    /// Opens every access and slow log again and hands all logs to the managers; false when one
    /// could not be opened.
    bool reopenLogs();
    /// Hands the logs as they are now to all managers.
    void sendLogs();

    /// Addresses that some generation, or one about to be restarted, listens on.
    [[nodiscard]] std::set<std::string> addresses() const;

    /// What all processes do now, and did so far.
    [[nodiscard]] Activity activity() const;
    /// Bytes of the scoreboards in use.
    [[nodiscard]] std::size_t sharedMemory() const;

  private:
    static constexpr std::size_t kParallelLaunches = 4;

    /// A new generation that is watched, and the one that would take its place.
    struct Trial {
        Incarnation before;
        Canary canary;
        std::uint64_t sinceNs = 0;
        EventLoop::Watch look{};
        EventLoop::Watch end{};
    };
    /// Nothing runs; the first connection starts a manager.
    struct Sleep {
        EventLoop::Watch connections;
        EventLoop::Watch statusConnections;
    };
    struct Pool {
        std::string name;
        std::uint64_t startedWallNs = 0;
        std::optional<Incarnation> current;
        std::optional<Incarnation> incoming;
        std::list<Incarnation> leaving;
        std::optional<Trial> trial;    ///< of `current`
        bool goesBack = false;         ///< `incoming` is a generation that was set aside
        std::optional<PoolPlan> plan;  ///< what a restart uses; empty: the pool is to go
        std::optional<PoolPlan> next;  ///< of the renewal that goes on, not launched yet
        scoreboard::Totals carried;    ///< what managers that are gone had counted
        bool renewing = false;         ///< part of the renewal that goes on
        bool endsServing = false;      ///< the service stops once its incoming one has served
        bool paused = false;           ///< has a plan, and no generation on purpose
        bool waking = false;           ///< its manager is to start, when it is its turn
        std::optional<Sleep> asleep;
        int failures = 0;  ///< starts that failed or died young, in a row
        std::string lastFailure;
        std::uint64_t nextTryNs = 0;
        scoreboard::Totals lostTotals;  ///< what a manager that died had counted itself
        EventLoop::Watch restart;

        /// It is to go and nothing of it is left.
        [[nodiscard]] bool isOver() const {
            return !plan && !current && !incoming && !trial && leaving.empty();
        }
    };

    Pool* find(const std::string& name);
    [[nodiscard]] const Pool* find(const std::string& name) const;
    [[nodiscard]] static const char* stateOf(const Pool& pool);
    void markUnwanted(const Renewal& renewal);
    void pause(Pool& pool);
    void pausedIfGone(Pool& pool);
    void sendLogs(Incarnation& incarnation);
    void sendLogsAgain();
    void queueRenewal(Pool& pool, PoolPlan plan);
    void launch(Pool& pool, PoolPlan plan);
    void onMessage(Pool& pool, Generation& generation, const manager::ControlMessage& message);
    void switchOver(Pool& pool);
    Pool* onSocketOf(const Incarnation& gone);
    [[nodiscard]] manager::DrainMode lastModeOf(const Incarnation& gone) const;
    void bequeath(Pool& pool, Incarnation& from);
    void leave(Pool& pool, Incarnation incarnation, manager::DrainMode mode);
    static void killAt(EventLoop& loop, Incarnation& leaving, std::uint64_t deadlineNs);
    void incomingFailed(Pool& pool, const std::string& why);
    [[nodiscard]] std::string whyItFailed(const Incarnation& incoming, int status) const;
    void currentDied(Pool& pool, int status);
    void leavingDied(Pool& pool, Incarnation& gone);
    Result<void> reopen(UniqueFd& log, const std::string& failure, const std::string& path);
    void awaitReady(Pool& pool);
    void awaitQuiet(Pool& pool, Incarnation& leaving);
    void heardQuiet(Pool& pool, const Generation& generation);
    void scheduleRestart(Pool& pool, const std::string& why);
    void settleIfDone();
    void drain(Pool& pool, bool ours);
    void serveLast(Pool& pool, const manager::ControlMessage& message);

    // Lazy pools, and whose turn it is to start.
    [[nodiscard]] static bool isLazy(const Pool& pool);
    [[nodiscard]] static bool wentToSleep(const Pool& pool, int status, std::uint64_t lived);
    [[nodiscard]] static scoreboard::PoolSnapshot restingSnapshot(const Pool& pool);
    [[nodiscard]] static std::optional<scoreboard::PoolSnapshot> snapshotOf(const Pool& pool);
    void sleep(Pool& pool);
    void wake(Pool& pool);
    [[nodiscard]] bool mayLaunch() const;
    Pool* nextToWake();
    Pool* nextToRenew();
    void launchNext();
    void forgetLaunches();

    // reload_canary.
    void beginTrial(Pool& pool, Incarnation before);
    void judgeTrial(Pool& pool);
    void endTrial(Pool& pool);
    void takeBack(Pool& pool, const std::string& why);
    void standbyDied(Pool& pool, const std::string& exit);

    // process.max.
    void openAccounts(const std::vector<PoolPlan>& plans, int processMax);
    void reopenAccount(const PoolPlan& plan);
    void onNews(Pool& pool, ProcessAccount::Side side, const manager::ControlMessage& message);
    void shareRoom();

    template <typename Visit>
    void forEachGeneration(Visit&& visit) {
        for (Pool& pool : pools_) {
            if (pool.current) {
                visit(*pool.current);
            }
            if (pool.incoming) {
                visit(*pool.incoming);
            }
            if (pool.trial) {
                visit(pool.trial->before);
            }
            for (Incarnation& incarnation : pool.leaving) {
                visit(incarnation);
            }
        }
    }

    EventLoop* loop_;
    log::ErrorLog* log_;
    LogFiles* files_;
    Events events_;
    ProcessAccount account_;
    Traces traces_;
    std::list<Pool> pools_;
    std::deque<std::string> waking_;    ///< pools whose managers start when it is their turn
    std::deque<std::string> renewing_;  ///< … those of the renewal, after them
    EventLoop::Watch launchWatch_;
    EventLoop::Watch logsWatch_;
    OnSettled settled_;
    Report report_;
    std::chrono::milliseconds drainDeadline_{0};
    std::chrono::milliseconds start_{0};
    std::chrono::milliseconds canary_{0};
    bool stopping_ = false;
    std::uint64_t stopDeadlineNs_ = 0;
};

}  // namespace muster::master
