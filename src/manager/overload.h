// pm.queue_limit: what happens to requests while every worker is busy and the pool cannot grow.
//
// Accepts from the pool's socket then, and only then; keeps everything that waits for a worker in
// one line (WaitingLine), drops those whose peer hangs up, shows the first ones to workers that
// are free or about to be, and has ping, status and refusals answered by the manager (OwnAnswers).
// While somebody waits the workers accept nothing themselves (Commands::lineUp), so nobody is
// overtaken. Manager process, single-threaded; never waits. Off, it does nothing at all.
#pragma once

#include <functional>
#include <optional>

#include "base/brief_accept.h"
#include "base/event_loop.h"
#include "manager/answering.h"
#include "manager/children.h"
#include "manager/head_sight.h"
#include "manager/own_answers.h"
#include "manager/parking.h"
#include "manager/refusal_log.h"
#include "manager/waiting_line.h"

namespace muster::manager {

class Overload {
  public:
    static constexpr std::size_t kMaxAnswering = 128;

    /// All borrowed but the functions.
    struct Parts {
        EventLoop* loop = nullptr;
        const WorkerTemplate* workers = nullptr;
        scoreboard::PoolWriter* pen = nullptr;
        Parking* parking = nullptr;
        Children* children = nullptr;
        RefusalLog* refusals = nullptr;
        WaitingLine::Limits limits;  ///< no places: off
        std::function<std::string(const fastcgi::Params&)> statusAnswer;
        /// This generation accepts now.
        std::function<bool()> isServing;
        /// The service ends without another generation: nobody is waited for between two requests.
        std::function<bool()> isEnding;
        /// The line has changed, or may have; calls settle() in turn. Never called inside a call
        /// of this object, except from onListener().
        std::function<void()> onChange;
        /// The manager's own answers have all been given.
        std::function<void()> onRest;
    };
    explicit Overload(Parts parts);

    [[nodiscard]] bool isOn() const { return parts_.limits.places > 0; }
    [[nodiscard]] Result<void> start();

    /// Requests that wait for a worker.
    [[nodiscard]] std::size_t depth() const { return line_.depth(); }
    [[nodiscard]] bool empty() const { return line_.depth() == 0 && answering_.empty(); }
    /// Nobody but the manager accepts.
    [[nodiscard]] bool isLinedUp() const { return linedUp_; }

    /// A connection waits at the pool's socket, and no worker was idle a moment ago.
    void onListener();
    /// Takes over what has become ready, ends what has waited too long, and shows the workers as
    /// many as they will take.
    void settle();
    /// One more for the line: from its socket, or that an earlier generation had in its line.
    void join(worker::ParkedConnection parked);
    /// A worker has found that the peer of one is gone.
    void countHungUp() { parts_.pen->countHungUp(); }
    /// Counts anew what workers have taken meanwhile.
    void refresh();
    void tick() { answers_.tellRefused(); }

    /// This generation accepts no more; what waits still does.
    void stopAccepting();
    /// Sends the line to `heir`, in order; what did not fit stays. Fails when the heir is gone.
    Result<void> handOn(MessageChannel& heir);
    /// Nobody is waited for any longer: everybody in the line is told so.
    void refuseAll();
    void clear();

  private:
    [[nodiscard]] bool lineUp(bool whateverTheyDo);
    void endLine();
    void setLineUp(std::uint32_t state);
    void tryLater();
    void acceptSome();
    void goOn();
    void stand(worker::ParkedConnection parked);
    void onPeer(WaitingLine::Places::iterator place);
    void gather();
    void recall();
    void recallUnseen();
    void refuse(worker::ParkedConnection parked, WhyAnswered why);
    void endOverdue();
    void show();
    [[nodiscard]] std::size_t expectedTakers() const;
    void onPulse();
    void publish();

    Parts parts_;
    int listenFd_;
    WaitingLine line_;
    HeadSight sight_;
    OwnAnswers answers_;
    Answering answering_;
    std::optional<BriefAccept> accept_;
    bool linedUp_ = false;
    int patience_ = 0;             ///< how often a connection was left to a worker that seemed free
    std::size_t takenLately_ = 0;  ///< by workers, per moment
    std::size_t takenInPulse_ = 0;
    EventLoop::Watch turnWatch_;
    EventLoop::Watch laterWatch_;
    EventLoop::Watch pulseWatch_;
};

}  // namespace muster::manager
