// Accepting connections and serving the requests on them, until the worker has to leave.
//
// Worker side. Blocks in accept(2) on an idle pool, in reads and writes of its one connection
// otherwise. An accepted connection is always served, here or, when its head is not there yet and
// somebody else waits, by whichever worker is free once it is: then it is parked (HandOver).
// Orders to leave are looked at before accepting, between requests and while waiting only.
#pragma once

#include <optional>
#include <string>

#include "fastcgi/server_connection.h"
#include "scoreboard/segment.h"
#include "worker/acceptor.h"
#include "worker/access_log.h"
#include "worker/hand_over.h"
#include "worker/idle_hint.h"
#include "worker/leave_orders.h"
#include "worker/peer_admission.h"
#include "worker/recycling.h"
#include "worker/served_request.h"
#include "worker/wait_set.h"
#include "worker/waiting_signals.h"
#include "worker/worker.h"

namespace muster::worker {

class AcceptLoop {
  public:
    AcceptLoop(const WorkerInputs& inputs, WaitingSignals& signals, WaitSet& waits,
               scoreboard::SlotWriter& slot);

    [[nodiscard]] WorkerExit run();

  private:
    [[nodiscard]] bool mustLeave() const;
    void standBy();
    void standDown();
    [[nodiscard]] bool openNext();
    [[nodiscard]] bool openAccepted();
    [[nodiscard]] bool openHandedOver();
    void waitInLine();
    void waitForNobody();
    void serveConnection();
    [[nodiscard]] bool readRequest();
    void beginRequest();
    [[nodiscard]] bool waitForBytes();
    [[nodiscard]] bool park();
    [[nodiscard]] const char* peerOrNull() const;
    void runRequest();
    void leaveAs(WorkerExit exit);

    const WorkerInputs* inputs_;
    WaitingSignals* signals_;
    WaitSet* waits_;
    scoreboard::SlotWriter* slot_;
    const scoreboard::Order* order_;
    IdleHint idleHint_;
    AccessLog accessLog_;
    HandOver handOver_;
    LeaveOrders leaveOrders_;
    PeerAdmission admission_;
    Acceptor acceptor_;
    WaitLimits waitLimits_;
    fastcgi::ServerConnection connection_;
    ServedRequest request_;
    Recycling recycling_;
    std::string peer_;                      ///< of the connection; empty for unix sockets
    ParkedFacts facts_;                     ///< of the connection, as it would be parked
    bool handedOver_ = false;               ///< the connection at hand was parked before
    bool turnOfNewOnes_ = false;            ///< the last connection opened was a handed-over one
    bool expectsBytes_ = false;             ///< reading comes before waiting
    bool retires_ = false;                  ///< served its last request
    WorkerExit reason_ = WorkerExit::done;  ///< why it retires
    int served_ = 0;
    std::optional<WorkerExit> exit_;
};

}  // namespace muster::worker
