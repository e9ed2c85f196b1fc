// One generation of a pool as the master sees it: a manager process, its channel, its scoreboard.
//
// Owned by the master's PoolSet. Believes its manager nothing but "I am loaded / ready / failed",
// and death comes from waitpid only. Counters are read from the segment, range-checked there.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "base/unique_fd.h"
#include "manager/inputs.h"
#include "manager/protocol.h"
#include "master/hand_over.h"
#include "scoreboard/segment.h"
#include "scoreboard/snapshot.h"

namespace muster::master {

class Generation {
  public:
    enum class State { loading, starting, ready, draining, terminating };

    /// Borrowed: descriptors the manager inherits.
    struct Descriptors {
        int errorLog = -1;
        int listener = -1;
        int accessLog = -1;
        int statusListener = -1;
        int slowLog = -1;
    };
    /// Called for what a manager says when it may say it; never inside another call of this object.
    using OnMessage = std::function<void(Generation&, const manager::ControlMessage&)>;

    /// Starts the manager. `startedWallNs`: of the pool, shown as its start time.
    [[nodiscard]] static Result<std::unique_ptr<Generation>> launch(
        const manager::ManagerInputs& inputs, const Descriptors& descriptors,
        std::uint64_t startedWallNs, EventLoop& loop, OnMessage onMessage);

    /// For the program that takes over; the plan is the caller's to fill in.
    [[nodiscard]] HandOver::Generation handOver() const;
    /// In that program: a manager that runs already. One that speaks another version of the
    /// protocol hears only signals from now on, and nothing it says counts; of one whose scoreboard
    /// has another layout only the totals of then are known.
    [[nodiscard]] static std::unique_ptr<Generation> adopt(HandOver::Generation from,
                                                           EventLoop& loop, OnMessage onMessage);

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const manager::ManagerInputs& inputs() const { return inputs_; }
    [[nodiscard]] std::uint64_t launchedNs() const { return launchedNs_; }
    /// Why it did not start, as it said before it died; empty if it did not say.
    [[nodiscard]] const std::string& lastWords();

    /// Lets the loaded manager fork its first workers, up to `room` of them when there is a limit,
    /// counting on from `carried`. Again after a drain `aside`, then `carried` comes on top.
    void start(const scoreboard::Totals& carried, int room);
    /// process.max allows that many more workers; before start() it is told with that.
    void giveRoom(int workers);
    /// Slots in use, as its scoreboard says.
    [[nodiscard]] int workersSeen() const;
    void drain(manager::DrainMode mode, std::chrono::milliseconds deadline);
    void terminate();  ///< by SIGTERM, which a manager hears once it has loaded the runtime
    /// Workers die by SIGKILL, and the manager goes.
    void endNow();
    void kill();
    /// Since terminate() or endNow() there was time enough for the manager's own TERM and KILL.
    [[nodiscard]] bool isOverdue() const;
    /// Borrowed: new descriptors for the error log and, when the pool has them, access and
    /// slow log.
    struct Logs {
        int errorLog = -1;
        int accessLog = -1;
        int slowLog = -1;
        std::optional<log::SyslogIdentity> syslog;  ///< the error log is syslog
    };
    Result<void> sendLogs(const Logs& logs);
    void addTotals(const scoreboard::Totals& totals);
    /// Answered by MessageType::traced. `answer`: borrowed, of liveTraceSize() bytes.
    Result<void> askForTrace(pid_t worker, std::uint64_t ticket, int answer);
    /// Connects the managers, so that this one's parked connections go to `heir` when it drains.
    Result<void> bequeathTo(Generation& heir);

    [[nodiscard]] scoreboard::PoolSnapshot observe() const;
    /// Bytes of its scoreboard.
    [[nodiscard]] std::size_t sharedMemory() const;
    /// What this generation's scoreboard says now, earlier generations included.
    [[nodiscard]] scoreboard::Totals totals() const;
    /// The same, remembered: another generation counts on from here.
    [[nodiscard]] scoreboard::Totals handOn();
    /// What this generation counted itself …
    [[nodiscard]] scoreboard::Totals ownTotals() const;
    /// … and handOn() with it.
    [[nodiscard]] scoreboard::Totals handOnOwn();
    /// What was counted since the last handOn(); remembered likewise.
    [[nodiscard]] scoreboard::Totals handOnRest();
    /// The same, not remembered.
    [[nodiscard]] scoreboard::Totals rest() const;
    /// It was started by a program that speaks this version of the protocol; else it hears nothing
    /// but signals.
    [[nodiscard]] bool speaksOurs() const {
        return protocol_ == manager::kProtocolVersion &&
               messageSize_ == sizeof(manager::ControlMessage);
    }

  private:
    Generation() = default;
    void listen(EventLoop& loop, OnMessage onMessage);
    void onChannel();
    void send(const manager::ControlMessage& message);
    [[nodiscard]] bool hasRoom() const {
        return state_ == State::starting || state_ == State::ready;
    }

    pid_t pid_ = -1;
    State state_ = State::loading;
    bool mayHaveWorkers_ = false;
    manager::ManagerInputs inputs_;
    std::uint64_t launchedNs_ = 0;
    std::uint64_t overdueNs_ = 0;
    std::string failure_;
    // Of whoever started the manager: it speaks as that one did.
    std::uint32_t protocol_ = manager::kProtocolVersion;
    std::uint32_t messageSize_ = sizeof(manager::ControlMessage);
    MessageChannel channel_;
    EventLoop::Watch watch_;
    OnMessage onMessage_;
    UniqueFd segmentFd_;
    std::optional<scoreboard::Segment> segment_;  ///< nothing: of a layout unknown here
    scoreboard::Totals lastTotals_;               ///< … with this in it when it was last read
    scoreboard::Totals handedOn_;
    scoreboard::Totals given_;  ///< by start() and addTotals(): counted by others
};

}  // namespace muster::master
