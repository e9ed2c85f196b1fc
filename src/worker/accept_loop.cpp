// The life of a worker between its start and its end.
#include "worker/accept_loop.h"

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>

#include "base/io.h"
#include "worker/peer_address.h"

namespace muster::worker {
namespace {

/// How long to leave the machine alone when it has no descriptor or memory for a connection.
constexpr int kBackOffMs = 50;

}  // namespace

AcceptLoop::AcceptLoop(const WorkerInputs& inputs, const LeaveSignal& leave,
                       scoreboard::SlotWriter& slot)
    : inputs_(&inputs),
      leave_(&leave),
      slot_(&slot),
      commands_(&inputs.segment->header().commands),
      order_(&inputs.segment->order(inputs.slot)),
      hints_(&inputs.segment->header().hints),
      accessLog_({.fd = inputs.accessLogFd,
                  .ordersFd = inputs.ordersFd,
                  .newestEpoch = &commands_->logEpoch,
                  .format = inputs.accessFormat,
                  .errors = inputs.log}),
      request_(inputs, connection_, slot, accessLog_) {}

WorkerExit AcceptLoop::run() {
    while (!exit_) {
        becomeIdle();
        // Said first, looked at after: the manager raises its flags first and looks at the stage
        // after, so one of both sees the other, and nobody sleeps in accept unseen.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (mustLeave()) {
            break;
        }
        UniqueFd connection = acceptConnection();
        becomeBusy();
        if (connection) {
            serveConnection(std::move(connection));
        }
    }
    return exit_.value_or(WorkerExit::done);
}

bool AcceptLoop::mustLeave() const {
    return leave_->arrived() ||
           commands_->draining.load(std::memory_order_relaxed) != kNotDraining ||
           order_->leave.load(std::memory_order_relaxed) != 0;
}

void AcceptLoop::becomeIdle() {
    slot_->setStage(scoreboard::Stage::idle);
    if (commands_->wakeAtIdle.load(std::memory_order_relaxed) != scoreboard::kNoHints) {
        hints_->idle.fetch_add(1, std::memory_order_relaxed);
    }
}

// The hint only makes the manager look: it counts for itself and puts the hint right.
void AcceptLoop::becomeBusy() {
    const std::int32_t wakeAt = commands_->wakeAtIdle.load(std::memory_order_relaxed);
    if (wakeAt != scoreboard::kNoHints &&
        hints_->idle.fetch_sub(1, std::memory_order_relaxed) - 1 <= wakeAt) {
        const std::uint64_t one = 1;
        writeAll(inputs_->wakeFd, {reinterpret_cast<const char*>(&one), sizeof one});
    }
}

UniqueFd AcceptLoop::acceptConnection() {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    UniqueFd connection(
        ::accept4(inputs_->listenFd, reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC));
    if (!connection) {
        outlastAcceptError(errno);
        return connection;
    }
    shortOfResources_ = false;
    peer_ = accessLog_.isOn() ? addressText(address, length) : std::string();
    // Not free any more, but nothing is counted before the first byte.
    slot_->setStage(scoreboard::Stage::keepAlive);
    return connection;
}

void AcceptLoop::outlastAcceptError(int error) {
    switch (error) {
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENONET:
        case EPERM:  // a firewall's answer
            return;
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
    if (leave_->arrived()) {
        leaveAs(WorkerExit::done);
        return;
    }
    inputs_->log->error("the listening socket is unusable: " + errnoText(error) + " (" +
                        std::to_string(error) + ")");
    leaveAs(served_ == 0 ? WorkerExit::cannotStart : WorkerExit::done);
}

void AcceptLoop::serveConnection(UniqueFd connection) {
    connection_.open(std::move(connection));
    while (connection_.waitForRequest(leave_->stopFd())) {
        serveRequest();
        if (!connection_.isOpen()) {
            return;
        }
        // As before accepting: said first, looked at after, because a busy worker gets no signal.
        slot_->setStage(scoreboard::Stage::keepAlive);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (commands_->draining.load(std::memory_order_relaxed) == kDrainStopping) {
            break;
        }
    }
    connection_.abandon();
}

void AcceptLoop::serveRequest() {
    request_.begin(peer_.empty() ? nullptr : peer_.c_str());
    switch (connection_.readHead()) {
        case fastcgi::HeadOutcome::request:
            break;
        case fastcgi::HeadOutcome::answered:
            return;
        case fastcgi::HeadOutcome::closed:
            connection_.abandon();
            return;
        case fastcgi::HeadOutcome::protocol:
            // Anybody can send garbage at any rate: not worth a line unless somebody is looking.
            inputs_->log->debug(std::string("connection closed for a protocol error: ") +
                                connection_.problem());
            connection_.abandon();
            return;
    }
    ++served_;
    const bool last = inputs_->pool->maxRequests > 0 && served_ >= inputs_->pool->maxRequests;
    if (last || mustLeave()) {
        connection_.refuseKeepAlive();
    }
    const RunOutcome outcome = request_.run();
    if (outcome == RunOutcome::broken) {
        inputs_->log->error("the runtime cannot go on in this process");
        leaveAs(WorkerExit::cannotStart);
    } else if (last || outcome == RunOutcome::recycle) {
        leaveAs(WorkerExit::done);
    }
}

void AcceptLoop::leaveAs(WorkerExit exit) {
    exit_ = exit;
    connection_.abandon();
}

}  // namespace muster::worker
