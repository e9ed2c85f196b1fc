// accept4(2) and what can go wrong with it.
#include "worker/acceptor.h"

#include <poll.h>

#include <cerrno>

#include "base/io.h"
#include "base/listen_socket.h"

namespace muster::worker {
namespace {

/// How long to leave the machine alone when it has no descriptor or memory for a connection.
constexpr int kBackOffMs = 50;

}  // namespace

Acceptor::Acceptor(const WorkerInputs& inputs, WaitingSignals& signals, WaitSet& waits,
                   const LeaveOrders& orders, PeerAdmission& admission)
    : inputs_(&inputs),
      signals_(&signals),
      waits_(&waits),
      orders_(&orders),
      admission_(&admission),
      letsOthersIdle_(inputs.pool->pm != config::ProcessManager::fixed &&
                      inputs.pool->maxChildren > 1) {}

bool Acceptor::isReadable() const {
    if (queueIsOver_) {
        return false;  // poll(2) says that there is something to learn, again and again
    }
    return muster::isReadable(signals_->listener());
}

bool Acceptor::owesLastOrders() const {
    return orders_->servesLastOrders() && isReadable();
}

void Acceptor::reviewDebt(bool othersAccept) {
    owesAccept_ = (owesAccept_ && !othersAccept && isReadable()) || owesLastOrders();
}

// accept(2) alone would wake whoever has waited for longest: all would be used in turn, and none
// would ever be idle for long.
bool Acceptor::waitForTurn() {
    if (!letsOthersIdle_ || owesAccept_) {
        return true;
    }
    owesAccept_ = waits_->waitForListener().listener;
    if (!owesAccept_) {
        signals_->clearTold();
    }
    return owesAccept_;
}

Acceptor::Accepted Acceptor::accept() {
    Accepted accepted = acceptOne();
    // A signal may have come between the wake-up and the accept.
    owesAccept_ =
        owesAccept_ && !accepted.connection && (signals_->toldToLeave() || signals_->toldToLook());
    return accepted;
}

Acceptor::Accepted Acceptor::acceptOne() {
    Accepted accepted;
    // Told to leave, the usual number is dead; what is owed is accepted all the same.
    const bool leaving = signals_->toldToLeave() || orders_->servesLastOrders();
    const int listener = leaving ? signals_->listener() : inputs_->listenFd;
    accepted.connection.reset(::accept4(listener, reinterpret_cast<sockaddr*>(&accepted.address),
                                        &accepted.length, SOCK_CLOEXEC));
    if (!accepted.connection) {
        const int error = errno;
        if (error == EINVAL && leaving) {
            queueIsOver_ = true;
        } else {
            accepted.outcome = outlast(error);
        }
        return accepted;
    }
    shortOfResources_ = false;
    if (!admission_->admits(accepted.connection.get(), accepted.address, accepted.length)) {
        accepted.connection.reset();
        return accepted;
    }
    accepted.outcome = Outcome::connection;
    return accepted;
}

Acceptor::Outcome Acceptor::outlast(int error) {
    if (error == EINTR || concernsOneConnection(error)) {
        return Outcome::nothing;
    }
    switch (error) {
        case EAGAIN: {
            // Somebody made the shared listening socket non-blocking.
            pollfd entry{inputs_->listenFd, POLLIN, 0};
            ::poll(&entry, 1, -1);
            return Outcome::nothing;
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
            return Outcome::nothing;
        default:
            break;
    }
    // The dead socket in its place, or the real one, closed to newcomers: who knows more looks.
    if (signals_->toldToLook() || orders_->servesLastOrders()) {
        return Outcome::nothing;
    }
    if (signals_->toldToLeave() || orders_->isDraining()) {
        return Outcome::over;
    }
    inputs_->log->error("the listening socket is unusable: " + errnoText(error) + " (" +
                        std::to_string(error) + ")");
    return Outcome::unusable;
}

}  // namespace muster::worker
