// The workers of one generation as their manager knows them: its private truth.
//
// Pids, start times and states here are what fork(2) and waitpid(2) said; the scoreboard is only
// asked what a worker is doing at the moment. Owns the workers' channels and output pipes, and
// turns what they write into log lines. Manager process, single-threaded.
#pragma once

#include <csignal>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "base/event_loop.h"
#include "log/worker_output.h"
#include "manager/overtime.h"
#include "manager/scaling.h"
#include "manager/worker_birth.h"
#include "scoreboard/snapshot.h"
#include "worker/parked_connection.h"
#include "worker/peer_admission.h"
#include "worker/recycling.h"

namespace muster::manager {

/// Why a worker in good order is to be replaced.
enum class Recycled { no, served, grown, old };

struct Child {
    pid_t pid = 0;
    std::uint32_t slot = 0;
    std::uint64_t startedNs = 0;
    /// Only those on duty count as workers of the pool.
    enum class Duty { serves, standsBy, hasLeft } duty = Duty::serves;
    Recycled recycled = Recycled::no;
    pid_t successor = 0;            ///< stands by for it, or has taken its place; 0: nobody
    bool toldOfSuccessor = false;   ///< is to leave, and is replaced
    std::uint64_t replaceAtNs = 0;  ///< pm.max_lifetime; 0: never
    bool toldToLeave = false;       ///< idle-killed: not replaced when it goes
    bool toldToDrain = false;       ///< got its first SIGQUIT of a drain
    bool busyInDrain = false;       ///< was in a request then: looks at the flag before it accepts
    std::uint64_t toldToLeaveNs = 0;
    Overtime overtime;
    std::uint64_t wokenNs = 0;  ///< last told to look at the hand-over queue
    MessageChannel orders;
    UniqueFd memory;  ///< the worker's, for reading; none when it could not give it
    UniqueFd out;
    UniqueFd err;
    std::unique_ptr<log::WorkerOutput> output;  ///< only when the pool catches output
    EventLoop::Watch ordersWatch;
    EventLoop::Watch outWatch;
    EventLoop::Watch errWatch;
};

/// A reaped worker.
struct Departure {
    pid_t pid = 0;
    int status = 0;
    std::uint64_t lifetimeNs = 0;
    bool toldToLeave = false;
    bool served = false;  ///< had begun at least one request
    Child::Duty duty = Child::Duty::serves;
    Recycled recycled = Recycled::no;
    pid_t successor = 0;
    /// What made the worker leave that was in good order otherwise; `status` is that of a good end.
    enum class Unfit { no, exhausted, changed, interrupted, abandoned } unfit = Unfit::no;
};

class Children {
  public:
    /// All borrowed; they outlive the object.
    struct Heard {
        /// A worker has sent a connection it does not want to wait for.
        std::function<void(worker::ParkedConnection)> parked;
        /// A worker has turned somebody away.
        std::function<void(const worker::RefusedPeer&)> refused;
        /// A worker is about to leave, or has left.
        std::function<void(Child&, const worker::Retirement&)> retires;
    };
    Children(const WorkerTemplate& shared, scoreboard::PoolWriter& pen, EventLoop& loop,
             Heard heard);

    /// Forks one worker into a free slot. One that stands by serves nobody before promote().
    [[nodiscard]] Result<pid_t> fork(Child::Duty duty = Child::Duty::serves);
    /// It takes the place of another one. False when there is none of that pid.
    bool promote(pid_t pid);
    [[nodiscard]] bool isReady(pid_t pid) const;  ///< stands by, and could serve at once
    [[nodiscard]] int offDuty() const { return static_cast<int>(children_.size()) - count(); }
    /// Tells a worker whose successor is there to leave as soon as it has nothing to do.
    void askToLeave(Child& child);

    /// A pid from waitpid; nothing when it is none of ours. Drains its output first.
    [[nodiscard]] std::optional<Departure> bury(pid_t pid, int status);

    [[nodiscard]] PoolLoad load() const;  ///< pending is left 0
    [[nodiscard]] bool empty() const { return children_.empty(); }
    [[nodiscard]] bool has(pid_t pid) const { return find(pid) != nullptr; }
    [[nodiscard]] const Child* find(pid_t pid) const;  ///< null: none of ours
    [[nodiscard]] Child* find(pid_t pid);
    [[nodiscard]] int count() const;  ///< those on duty
    [[nodiscard]] scoreboard::Stage stageOf(const Child& child) const;
    [[nodiscard]] std::list<Child>& all() { return children_; }

    /// Newest first, as php-fpm signals them, and with its lines at debug level.
    void signalAll(int signal);
    /// Tells those that accept or wait on a connection; the busy ones see the flag in the
    /// scoreboard.
    void signalIdle();
    /// No worker accepts, nor will while the flag stands. After signalIdle().
    [[nodiscard]] bool acceptNoMore() const;
    /// The drain is called off.
    void forgetDrain();
    /// "N child(ren) still alive" at debug level, unless there is none.
    void logAlive() const;
    /// Has up to `count` free workers look at the hand-over queue: those that accept first, then
    /// those that wait on a connection. How many were told. With `more` those that were told a
    /// moment ago are left out: they are on their way.
    int wakeFree(int count, std::uint64_t nowNs, bool more);
    /// Workers that could take a connection, or soon can.
    struct Free {
        int idle = 0;
        int waiting = 0;  ///< for bytes of a request, on a connection they would give away
        int starting = 0;
    };
    [[nodiscard]] Free free() const;
    /// Has those that are idle look at the flags.
    void wakeIdle();
    /// Tells the worker that has been idle for longest to leave; with `idleForSeconds` only when
    /// that is longer (spec lifecycle §5.4: whole seconds of the clock, strictly). False: nobody.
    bool retireLongestIdle(std::uint64_t nowNs, std::optional<int> idleForSeconds);
    /// Once a second: those that were told to leave and still accept are told again, then killed.
    void insistOnLeaving(std::uint64_t nowNs);
    /// Once a second: lines about output that a flood lost.
    void tickOutputs(std::uint64_t nowNs);
    /// Hands the new access log to every worker, then announces it.
    void announceAccessLog(int fd);

  private:
    std::optional<std::uint32_t> freeSlot() const;
    void dismiss(pid_t successor);
    [[nodiscard]] std::uint64_t idleSinceNs(const Child& child, std::uint64_t nowNs) const;
    void watchOutput(Child& child);
    void readOutput(Child& child, log::OutputStream stream);
    void hear(Child& child);
    void logSignal(const Child& child, int signal) const;

    const WorkerTemplate* shared_;
    scoreboard::PoolWriter* pen_;
    EventLoop* loop_;
    Heard heard_;
    std::list<Child> children_;  ///< newest first
    std::vector<bool> slotUsed_;
    std::mt19937 random_{std::random_device{}()};
};

}  // namespace muster::manager
