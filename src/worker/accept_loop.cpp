// The life of a worker between its start and its end.
#include "worker/accept_loop.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/io.h"
#include "base/listen_socket.h"
#include "base/process.h"
#include "worker/peer_address.h"

namespace muster::worker {
namespace {

/// How long to leave the machine alone when it has no descriptor or memory for a connection.
constexpr int kBackOffMs = 50;
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
      commands_(&inputs.segment->header().commands),
      order_(&inputs.segment->order(inputs.slot)),
      hints_(&inputs.segment->header().hints),
      accessLog_({.fd = inputs.accessLogFd,
                  .ordersFd = inputs.ordersFd,
                  .newestEpoch = &commands_->logEpoch,
                  .format = inputs.accessFormat,
                  .suppressedPaths = &inputs.pool->accessSuppressPaths,
                  .errors = inputs.log}),
      handOver_(inputs),
      admission_(inputs),
      waitLimits_(WaitLimits::of(*inputs.pool)),
      connection_({}, patienceOf(*inputs.pool)),
      request_(inputs, connection_, slot, accessLog_),
      recycling_(inputs),
      letsOthersIdle_(inputs.pool->pm != config::ProcessManager::fixed &&
                      inputs.pool->maxChildren > 1) {
    connection_.setLingerer([this](int fd) { return handOver_.linger(fd); });
}

WorkerExit AcceptLoop::run() {
    standBy();
    while (!exit_) {
        becomeIdle();
        // Said first, looked at after: the manager raises its flags first and looks at the stage
        // after, so one of both sees the other, and nobody sleeps in accept unseen.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        while (signals_->takeLook()) {
        }
        owesAccept_ =
            (owesAccept_ && !handOver_.linesUp() && listenerReadable()) || owesLastOrders();
        const bool leaving = mustLeave();
        if (leaving && !owesAccept_ && !handOver_.waits()) {
            break;
        }
        const bool queueWasOver = queueIsOver_;
        const bool open = openNext();
        becomeBusy();
        if (open) {
            serveConnection();
        }
        const bool nothingLeft = !open && !owesLastOrders() && queueWasOver == queueIsOver_;
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
    wakeManager();
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
    if (std::exchange(idle_, false)) {
        hints_->idle.fetch_sub(1, std::memory_order_relaxed);
    }
    slot_->setStage(scoreboard::Stage::offDuty);
    recycling_.leaves();
}

void AcceptLoop::wakeManager() {
    const std::uint64_t one = 1;
    writeAll(inputs_->wakeFd, {reinterpret_cast<const char*>(&one), sizeof one});
}

bool AcceptLoop::mustLeave() const {
    return retires_ || signals_->toldToLeave() || draining() != kNotDraining ||
           order_->leave.load(std::memory_order_relaxed) != 0;
}

// Somebody waits to be accepted, and nobody will do so after us.
bool AcceptLoop::owesLastOrders() const {
    return servesLastOrders() && listenerReadable();
}

bool AcceptLoop::servesLastOrders() const {
    return draining() == kDrainLastOrders && !retires_ && ::getppid() == inputs_->manager;
}

std::uint32_t AcceptLoop::draining() const {
    return commands_->draining.load(std::memory_order_relaxed);
}

bool AcceptLoop::listenerReadable() const {
    if (queueIsOver_) {
        return false;  // poll(2) says that there is something to learn, again and again
    }
    return isReadable(signals_->listener());
}

void AcceptLoop::becomeIdle() {
    slot_->setStage(scoreboard::Stage::idle);
    if (commands_->wakeAtIdle.load(std::memory_order_relaxed) != scoreboard::kNoHints) {
        hints_->idle.fetch_add(1, std::memory_order_relaxed);
        idle_ = true;
    }
}

// The hint only makes the manager look: it counts for itself and puts the hint right.
void AcceptLoop::becomeBusy() {
    const std::int32_t wakeAt = commands_->wakeAtIdle.load(std::memory_order_relaxed);
    if (wakeAt == scoreboard::kNoHints || !std::exchange(idle_, false)) {
        return;
    }
    const std::int32_t idle = hints_->idle.fetch_sub(1, std::memory_order_relaxed) - 1;
    std::int32_t least = hints_->leastIdle.load(std::memory_order_relaxed);
    while (idle < least &&
           !hints_->leastIdle.compare_exchange_weak(least, idle, std::memory_order_relaxed)) {
    }
    if (idle <= wakeAt) {
        wakeManager();
    }
}

// Handed-over connections come first, but in turns with new ones while both wait. While there is
// a queue the new ones stand in it, too.
bool AcceptLoop::openNext() {
    const bool linesUp = handOver_.linesUp();
    if (handOver_.isHeld()) {
        waitForNobody();
        return false;
    }
    const bool yields = !linesUp && turnOfNewOnes_ && listenerReadable();
    if (handOver_.waits() && !owesAccept_ && !yields && openHandedOver()) {
        return true;
    }
    if (mustLeave() && !owesAccept_) {
        return false;
    }
    if (linesUp) {
        waitInLine();
        return false;
    }
    turnOfNewOnes_ = false;
    if (letsOthersIdle_ && !owesAccept_ && !waitForTurn()) {
        return false;
    }
    UniqueFd connection = acceptConnection();
    // A signal may have come between the wake-up and the accept.
    owesAccept_ = owesAccept_ && !connection && (signals_->toldToLeave() || signals_->toldToLook());
    if (!connection) {
        return false;
    }
    connection_.open(std::move(connection));
    facts_ = {};
    handedOver_ = false;
    expectsBytes_ = true;
    return true;
}

// The manager wakes everybody when it closes the queue; the limit is for one that dies before.
void AcceptLoop::waitInLine() {
    wakeManager();  // it shows the next one to whoever asks
    [[maybe_unused]] const auto ready =
        waits_->waitAlone(handOver_.queueFd(), monotonicNs() + kInLineNs);
    signals_->clearTold();
}

void AcceptLoop::waitForNobody() {
    [[maybe_unused]] const auto ready = waits_->waitAlone(-1, monotonicNs() + kNsPerMs);
    signals_->clearTold();
}

// accept(2) alone would wake whoever has waited for longest: all would be used in turn, and none
// would ever be idle for long. False: somebody wants this worker to look around.
bool AcceptLoop::waitForTurn() {
    owesAccept_ = waits_->waitForListener().listener;
    if (!owesAccept_) {
        signals_->clearTold();
    }
    return owesAccept_;
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

UniqueFd AcceptLoop::acceptConnection() {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    // Told to leave, the usual number is dead; what is owed is accepted all the same.
    const bool leaving = signals_->toldToLeave() || servesLastOrders();
    const int listener = leaving ? signals_->listener() : inputs_->listenFd;
    UniqueFd connection(
        ::accept4(listener, reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC));
    if (!connection) {
        const int error = errno;
        if (error == EINVAL && leaving) {
            queueIsOver_ = true;
        } else {
            outlastAcceptError(error);
        }
        return connection;
    }
    shortOfResources_ = false;
    if (!admission_.admits(connection.get(), address, length)) {
        connection.reset();
        return connection;
    }
    peer_ = accessLog_.isOn() ? addressText(address, length) : std::string();
    // Not free any more, but nothing is counted before the first byte.
    slot_->setStage(scoreboard::Stage::keepAlive);
    return connection;
}

void AcceptLoop::outlastAcceptError(int error) {
    if (error == EINTR || concernsOneConnection(error)) {
        return;
    }
    switch (error) {
        case EAGAIN: {
            // Somebody made the shared listening socket non-blocking.
            pollfd entry{inputs_->listenFd, POLLIN, 0};
            ::poll(&entry, 1, -1);
            return;
        }
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            if (!shortOfResources_) {
                inputs_->log->warning("unable to accept connections, trying again: " +
                                      errnoText(error) + " (" + std::to_string(error) + ")");
                shortOfResources_ = true;
            }
            ::poll(nullptr, 0, kBackOffMs);
            return;
        default:
            break;
    }
    // The dead socket in its place, or the real one, closed to newcomers: who knows more looks.
    if (signals_->toldToLook() || servesLastOrders()) {
        return;
    }
    if (signals_->toldToLeave() || draining() != kNotDraining) {
        leaveAs(WorkerExit::done);
        return;
    }
    inputs_->log->error("the listening socket is unusable: " + errnoText(error) + " (" +
                        std::to_string(error) + ")");
    leaveAs(served_ == 0 ? WorkerExit::cannotStart : WorkerExit::done);
}

void AcceptLoop::serveConnection() {
    waits_->closed();  // whatever it watched: the number may be the same
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
    return peer_.empty() ? nullptr : peer_.c_str();
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
        wakeManager();
    }
    // Most peers that stop within a head, or before it, go on at once: nobody else counts so long.
    std::uint64_t patience = idle || handedOver_ ? 0 : monotonicNs() + kPatienceNs;
    for (;;) {
        const bool leaving = mustLeave();
        if (leaving && isStopping()) {
            if (idle) {
                return isReadable(connection_.fd());  // a request that has begun is not left behind
            }
            parks = parks && servesLastOrders();
        }
        const std::uint64_t now = monotonicNs();
        if (now >= deadline) {
            return idle && isReadable(connection_.fd());
        }
        patience = now >= patience ? 0 : patience;
        const bool idleLong = now >= enough && handOver_.hasRoom();
        if (parks && patience == 0 && (leaving || owesAccept_ || idleLong || handOver_.holds())) {
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
        owesAccept_ = owesAccept_ || ready.listener;
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

// The manager's death is told by SIGQUIT, too.
bool AcceptLoop::isStopping() const {
    return isStop(draining()) || (signals_->toldToLeave() && ::getppid() != inputs_->manager);
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
