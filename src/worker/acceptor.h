// A worker's side of the pool's listening socket: whose turn it is, what accept(2) brings, and
// which of its errors can be outlasted.
//
// Worker side, one per process. Owns no descriptor: the listening socket is the master's, and its
// numbers here belong to WaitingSignals. Blocks in waitForTurn() and accept(), until somebody
// connects or a signal comes; every other call returns at once.
//
// All workers of all generations watch the same socket. Whoever was woken by it has used up what
// would have woken somebody else, so being woken is a debt: to be paid by accepting, also by a
// worker that was told to leave meanwhile.
#pragma once

#include <sys/socket.h>

#include "base/unique_fd.h"
#include "worker/leave_orders.h"
#include "worker/peer_admission.h"
#include "worker/wait_set.h"
#include "worker/waiting_signals.h"
#include "worker/worker.h"

namespace muster::worker {

class Acceptor {
  public:
    enum class Outcome {
        connection,
        nothing,   ///< this time: the peer is gone or was turned away, or a signal came
        over,      ///< nor will anything come: the worker was told to leave
        unusable,  ///< nor will anything come, which was logged
    };
    struct Accepted {
        Outcome outcome = Outcome::nothing;
        UniqueFd connection;
        sockaddr_storage address{};
        socklen_t length = sizeof(sockaddr_storage);
    };

    /// All borrowed.
    Acceptor(const WorkerInputs& inputs, WaitingSignals& signals, WaitSet& waits,
             const LeaveOrders& orders, PeerAdmission& admission);

    /// A new connection is there, or somebody else was quicker.
    [[nodiscard]] bool isReadable() const;
    /// Somebody waits to be accepted, and nobody will do so after us.
    [[nodiscard]] bool owesLastOrders() const;
    /// The socket has woken this worker, which has to accept.
    [[nodiscard]] bool owesAccept() const { return owesAccept_; }
    void wokenByListener() { owesAccept_ = true; }
    /// Whether the debt still stands. `othersAccept`: the manager has taken over.
    void reviewDebt(bool othersAccept);

    /// In pools that shrink: waits until the kernel has chosen this worker for a new connection.
    /// False when somebody wants it to look around.
    [[nodiscard]] bool waitForTurn();
    /// One connection, whose peer may connect.
    [[nodiscard]] Accepted accept();

    /// The listening socket has said its last: nobody can come any more, nobody waits.
    [[nodiscard]] bool queueIsOver() const { return queueIsOver_; }

  private:
    [[nodiscard]] Accepted acceptOne();
    [[nodiscard]] Outcome outlast(int error);

    const WorkerInputs* inputs_;
    WaitingSignals* signals_;
    WaitSet* waits_;
    const LeaveOrders* orders_;
    PeerAdmission* admission_;
    bool letsOthersIdle_;  ///< the pool shrinks: the same ones serve
    bool owesAccept_ = false;
    bool queueIsOver_ = false;
    bool shortOfResources_ = false;  ///< … which has been told
};

}  // namespace muster::worker
