// The life of a worker between its start and its end.
#include "worker/accept_loop.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/clock.h"
#include "base/io.h"
#include "base/process.h"
#include "log/or_null.h"
#include "worker/peer_address.h"

namespace muster::worker {
namespace {

/// How long the rest of a head is waited for while somebody else would have the worker.
constexpr std::uint64_t kPatienceNs = 5 * kNsPerMs;
/// … and how long until parking is tried again when the manager could not take the connection.
constexpr std::uint64_t kRetryNs = 10 * kNsPerMs;
/// How long the manager's queue is waited at before the flags are looked at again.
constexpr std::uint64_t kInLineNs = kNsPerSecond;
/// How long an idle connection keeps its worker when nobody else wants that: parked, its next
/// request costs a little more; kept, its worker counts as active and the pool never shrinks.
constexpr std::uint64_t kIdleNs = kNsPerSecond;

/// Why the next request must not meet this process; nothing when it may.
std::optional<WorkerExit> unfitness(RunOutcome outcome, const config::PoolSettings& pool) {
    if (outcome == RunOutcome::changed) {
        return WorkerExit::changed;
    }
    if (outcome == RunOutcome::interrupted) {
        return WorkerExit::interrupted;
    }
    if (outcome == RunOutcome::abandoned) {
        return WorkerExit::abandoned;
    }
    if (outcome == RunOutcome::exhausted && pool.recycleAfterFatal) {
        return WorkerExit::exhausted;
    }
    return std::nullopt;
}

fastcgi::Patience patienceOf(const config::PoolSettings& pool) {
    fastcgi::Patience patience;
    patience.bodyNs = secondsToNs(pool.requestBodyTimeout);
    return patience;
}

}  // namespace

AcceptLoop::AcceptLoop(const WorkerInputs& inputs, WaitingSignals& signals, WaitSet& waits,
                       scoreboard::SlotWriter& slot)
    : inputs_(&inputs),
      signals_(&signals),
      waits_(&waits),
      slot_(&slot),
      order_(&inputs.segment->order(inputs.slot)),
      idleHint_(inputs),
      accessLog_({.fd = inputs.accessLogFd,
                  .ordersFd = inputs.ordersFd,
                  .newestEpoch = &inputs.segment->header().commands.logEpoch,
                  .format = inputs.accessFormat,
                  .suppressedPaths = &inputs.pool->accessSuppressPaths,
                  .errors = inputs.log}),
      handOver_(inputs),
      leaveOrders_(inputs, signals),
      admission_(inputs),
      acceptor_(inputs, signals, waits, leaveOrders_, admission_),
      waitLimits_(WaitLimits::of(*inputs.pool)),
      connection_({}, patienceOf(*inputs.pool)),
      request_(inputs, connection_, slot, accessLog_),
      recycling_(inputs) {
    connection_.setLingerer([this](int fd) { return handOver_.linger(fd); });
}

WorkerExit AcceptLoop::run() {
    standBy();
    while (!exit_) {
        slot_->setStage(scoreboard::Stage::idle);
        idleHint_.becomeIdle();
        // Said first, looked at after: the manager raises its flags first and looks at the stage
        // after, so one of both sees the other, and nobody sleeps in accept unseen.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        while (signals_->takeLook()) {
        }
        acceptor_.reviewDebt(handOver_.linesUp());
        const bool leaving = mustLeave();
        if (leaving && !acceptor_.owesAccept() && !handOver_.waits()) {
            break;
        }
        const bool queueWasOver = acceptor_.queueIsOver();
        const bool open = openNext();
        idleHint_.becomeBusy();
        if (open) {
            serveConnection();
            waits_->closed();  // whatever it watched: the next one may have the same number
        }
        const bool nothingLeft =
            !open && !acceptor_.owesLastOrders() && queueWasOver == acceptor_.queueIsOver();
        if (retires_ || (leaving && nothingLeft)) {
            break;
        }
    }
    standDown();
    return exit_.value_or(reason_);
}

// Ready to serve, but the place is not free yet. The manager takes the flag down before it signals.
void AcceptLoop::standBy() {
    if (!inputs_->standsBy) {
        return;
    }
    slot_->setStage(scoreboard::Stage::offDuty);
    idleHint_.wakeManager();
    while (order_->standBy.load(std::memory_order_seq_cst) != 0 && !mustLeave()) {
        pollfd entry{signals_->toldFd(), POLLIN, 0};
        if (::poll(&entry, 1, -1) > 0) {
            signals_->clearTold();
        }
    }
    setProcessTitle(inputs_->title);
}

// Who waits for this place need not wait for the end of the process.
void AcceptLoop::standDown() {
    if (!recycling_.isReplaced()) {
        return;
    }
    idleHint_.withdraw();
    slot_->setStage(scoreboard::Stage::offDuty);
    recycling_.leaves();
}

bool AcceptLoop::mustLeave() const {
    return retires_ || leaveOrders_.mustLeave();
}

// Handed-over connections come first, but in turns with new ones while both wait. While there is
// a queue the new ones stand in it, too.
bool AcceptLoop::openNext() {
    const bool linesUp = handOver_.linesUp();
    if (handOver_.isHeld()) {
        waitForNobody();
        return false;
    }
    const bool yields = !linesUp && turnOfNewOnes_ && acceptor_.isReadable();
    if (handOver_.waits() && !acceptor_.owesAccept() && !yields && openHandedOver()) {
        return true;
    }
    if (mustLeave() && !acceptor_.owesAccept()) {
        return false;
    }
    if (linesUp) {
        waitInLine();
        return false;
    }
    turnOfNewOnes_ = false;
    return acceptor_.waitForTurn() && openAccepted();
}

bool AcceptLoop::openAccepted() {
    Acceptor::Accepted accepted = acceptor_.accept();
    switch (accepted.outcome) {
        case Acceptor::Outcome::connection:
            break;
        case Acceptor::Outcome::nothing:
            return false;
        case Acceptor::Outcome::over:
            leaveAs(WorkerExit::done);
            return false;
        case Acceptor::Outcome::unusable:
            leaveAs(served_ == 0 ? WorkerExit::cannotStart : WorkerExit::done);
            return false;
    }
    peer_ = accessLog_.isOn() ? addressText(accepted.address, accepted.length) : std::string();
    // Not free any more, but nothing is counted before the first byte.
    slot_->setStage(scoreboard::Stage::keepAlive);
    connection_.open(std::move(accepted.connection));
    facts_ = {};
    handedOver_ = false;
    expectsBytes_ = true;
    return true;
}

// The manager wakes everybody when it closes the queue; the limit is for one that dies before.
void AcceptLoop::waitInLine() {
    idleHint_.wakeManager();  // it shows the next one to whoever asks
    [[maybe_unused]] const auto ready =
        waits_->waitAlone(handOver_.queueFd(), monotonicNs() + kInLineNs);
    signals_->clearTold();
}

void AcceptLoop::waitForNobody() {
    [[maybe_unused]] const auto ready = waits_->waitAlone(-1, monotonicNs() + kNsPerMs);
    signals_->clearTold();
}

bool AcceptLoop::openHandedOver() {
    std::optional<ParkedConnection> parked = handOver_.take();
    while (parked && parked->facts.inLine != 0 && hasHungUp(parked->connection.get())) {
        handOver_.reportHungUp(*parked);
        parked = handOver_.take();
    }
    if (!parked) {
        return false;
    }
    slot_->setStage(scoreboard::Stage::keepAlive);
    facts_ = parked->facts;
    facts_.inLine = 0;
    handedOver_ = true;
    turnOfNewOnes_ = true;
    expectsBytes_ = true;
    const bool admitted = admission_.admits(parked->connection.get());
    peer_ = accessLog_.isOn() ? peerText(parked->connection.get()) : std::string();
    if (!connection_.resume(std::move(parked->connection), HandOver::headOf(*parked),
                            {facts_.requestId, facts_.lateData != 0})) {
        inputs_->log->debug("a connection was handed over with a head that is none");
        connection_.close();
    } else if (!admitted) {
        connection_.close();
    } else if (facts_.headBegun != 0) {
        request_.resume(peerOrNull(), facts_.sinceNs, facts_.sinceWallNs);
    }
    return true;
}

void AcceptLoop::serveConnection() {
    while (connection_.isOpen() && readRequest()) {
        runRequest();
        if (!connection_.isOpen()) {
            return;
        }
        facts_ = {};
        facts_.keptAlive = 1;
        handedOver_ = false;
    }
    connection_.close();
}

// True with a request's head complete; false when the connection is closed, or somebody else's.
bool AcceptLoop::readRequest() {
    for (;;) {
        if (std::exchange(expectsBytes_, false)) {
            connection_.receive();
        }
        const fastcgi::HeadOutcome outcome = connection_.readHead();
        if (facts_.headBegun == 0 && outcome != fastcgi::HeadOutcome::closed &&
            (outcome != fastcgi::HeadOutcome::incomplete || connection_.headBegun())) {
            beginRequest();
        }
        switch (outcome) {
            case fastcgi::HeadOutcome::request:
                return true;
            case fastcgi::HeadOutcome::answered:
                facts_ = {};
                facts_.keptAlive = 1;
                break;
            case fastcgi::HeadOutcome::incomplete:
                if (!connection_.headBegun()) {
                    facts_.headBegun = 0;  // what came was only the end of the request before
                }
                if (!waitForBytes()) {
                    return false;
                }
                expectsBytes_ = true;
                break;
            case fastcgi::HeadOutcome::protocol:
                // Anybody can send garbage at any rate: not worth a line unless somebody is
                // looking.
                inputs_->log->debug(std::string("connection closed for a protocol error: ") +
                                    connection_.problem());
                return false;
            case fastcgi::HeadOutcome::closed:
                return false;
        }
    }
}

void AcceptLoop::beginRequest() {
    request_.begin(peerOrNull());
    facts_.headBegun = 1;
    facts_.sinceNs = slot_->facts().acceptedNs;
    facts_.sinceWallNs = slot_->facts().acceptedWallNs;
}

const char* AcceptLoop::peerOrNull() const {
    return log::orNull(peer_.c_str());
}

// True when the connection has bytes, or its end; false when it is to be closed, or parked. The
// listening socket is watched only by a worker that would rather accept than go on waiting: being
// woken by it is a duty (WaitSet), so then the connection is parked even if it has bytes by now.
bool AcceptLoop::waitForBytes() {
    // As before accepting: said first, looked at after, because a busy worker gets no signal.
    slot_->setStage(scoreboard::Stage::keepAlive);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (facts_.sinceNs == 0) {
        facts_.sinceNs = monotonicNs();
    }
    const bool idle = isIdle(facts_);
    const std::uint64_t deadline = deadlineNs(facts_, waitLimits_).value_or(WaitSet::kForever);
    const std::uint64_t enough = idle ? facts_.sinceNs + kIdleNs : WaitSet::kForever;
    bool parks = handOver_.possible();
    if (handOver_.linesUp()) {
        idleHint_.wakeManager();
    }
    // Most peers that stop within a head, or before it, go on at once: nobody else counts so long.
    std::uint64_t patience = idle || handedOver_ ? 0 : monotonicNs() + kPatienceNs;
    for (;;) {
        const bool leaving = mustLeave();
        if (leaving && leaveOrders_.isStopping()) {
            if (idle) {
                return isReadable(connection_.fd());  // a request that has begun is not left behind
            }
            parks = parks && !retires_ && leaveOrders_.servesLastOrders();
        }
        const std::uint64_t now = monotonicNs();
        if (now >= deadline) {
            return idle && isReadable(connection_.fd());
        }
        patience = now >= patience ? 0 : patience;
        const bool idleLong = now >= enough && handOver_.hasRoom();
        if (parks && patience == 0 &&
            (leaving || acceptor_.owesAccept() || idleLong || handOver_.holds())) {
            if (park()) {
                return false;
            }
            patience = now + kRetryNs;
        }
        std::uint64_t until = deadline;
        if (patience != 0) {
            until = std::min(until, patience);
        } else if (parks && now < enough) {
            until = std::min(until, enough);
        }
        const WaitSet::Ready ready = parks && patience == 0
                                         ? waits_->wait(connection_.fd(), until)
                                         : waits_->waitAlone(connection_.fd(), until);
        if (ready.listener) {
            acceptor_.wokenByListener();
        }
        if (ready.told) {
            signals_->clearTold();
        } else if (ready.connection && !ready.listener) {
            return true;
        }
    }
}

bool AcceptLoop::park() {
    if (!handOver_.park(connection_, facts_)) {
        return false;
    }
    waits_->forget(connection_.fd());
    connection_.abandon();
    return true;
}

void AcceptLoop::runRequest() {
    ++served_;
    const bool last = recycling_.begins();
    if ((last || mustLeave()) && !handOver_.possible()) {
        connection_.refuseKeepAlive();
    }
    const RunOutcome outcome = request_.run();
    if (outcome == RunOutcome::broken) {
        inputs_->log->error("the runtime cannot go on in this process");
        leaveAs(WorkerExit::cannotStart);
        return;
    }
    const std::optional<WorkerExit> unfit = unfitness(outcome, *inputs_->pool);
    if (unfit || last) {
        // A kept-alive connection outlives this worker: closing it now could meet the peer's next
        // request on its way.
        retires_ = true;
        reason_ = unfit.value_or(WorkerExit::done);
        if (!handOver_.possible()) {
            connection_.close();
        }
        return;
    }
    recycling_.ends(slot_->facts());
}

void AcceptLoop::leaveAs(WorkerExit exit) {
    exit_ = exit;
    connection_.close();
}

}  // namespace muster::worker
