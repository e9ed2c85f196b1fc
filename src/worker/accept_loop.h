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
#include "worker/access_log.h"
#include "worker/hand_over.h"
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
    void wakeManager();
    void becomeIdle();
    void becomeBusy();
    [[nodiscard]] UniqueFd acceptConnection();
    void outlastAcceptError(int error);
    [[nodiscard]] bool listenerReadable() const;
    [[nodiscard]] std::uint32_t draining() const;
    [[nodiscard]] bool servesLastOrders() const;
    [[nodiscard]] bool owesLastOrders() const;
    [[nodiscard]] bool openNext();
    [[nodiscard]] bool waitForTurn();
    [[nodiscard]] bool openHandedOver();
    void waitInLine();
    void waitForNobody();
    void serveConnection();
    [[nodiscard]] bool readRequest();
    void beginRequest();
    [[nodiscard]] bool waitForBytes();
    [[nodiscard]] bool park();
    [[nodiscard]] bool isStopping() const;
    [[nodiscard]] const char* peerOrNull() const;
    void runRequest();
    void leaveAs(WorkerExit exit);

    const WorkerInputs* inputs_;
    WaitingSignals* signals_;
    WaitSet* waits_;
    scoreboard::SlotWriter* slot_;
    const scoreboard::Commands* commands_;
    const scoreboard::Order* order_;
    scoreboard::Hints* hints_;
    AccessLog accessLog_;
    HandOver handOver_;
    PeerAdmission admission_;
    WaitLimits waitLimits_;
    fastcgi::ServerConnection connection_;
    ServedRequest request_;
    Recycling recycling_;
    bool letsOthersIdle_;                   ///< the pool shrinks: the same ones serve
    std::string peer_;                      ///< of the connection; empty for unix sockets
    ParkedFacts facts_;                     ///< of the connection, as it would be parked
    bool handedOver_ = false;               ///< the connection at hand was parked before
    bool turnOfNewOnes_ = false;            ///< the last connection opened was a handed-over one
    bool expectsBytes_ = false;             ///< reading comes before waiting
    bool owesAccept_ = false;               ///< took a wake-up of the listening socket (WaitSet)
    bool queueIsOver_ = false;              ///< the listening socket has said its last
    bool retires_ = false;                  ///< served its last request
    WorkerExit reason_ = WorkerExit::done;  ///< why it retires
    bool idle_ = false;                     ///< counts in the idle hint
    int served_ = 0;
    bool shortOfResources_ = false;
    std::optional<WorkerExit> exit_;
};

}  // namespace muster::worker
