// Accepting connections and serving the requests on them, until the worker has to leave.
//
// Worker side. Blocks in accept(2) on an idle pool, in reads and writes of its one connection
// otherwise. An accepted connection is always served; orders to leave are looked at before
// accepting and between requests only.
#pragma once

#include <optional>
#include <string>

#include "fastcgi/server_connection.h"
#include "scoreboard/segment.h"
#include "worker/access_log.h"
#include "worker/leave_signal.h"
#include "worker/served_request.h"
#include "worker/worker.h"

namespace muster::worker {

class AcceptLoop {
  public:
    AcceptLoop(const WorkerInputs& inputs, const LeaveSignal& leave, scoreboard::SlotWriter& slot);

    [[nodiscard]] WorkerExit run();

  private:
    [[nodiscard]] bool mustLeave() const;
    void becomeIdle();
    void becomeBusy();
    [[nodiscard]] UniqueFd acceptConnection();
    void outlastAcceptError(int error);
    void serveConnection(UniqueFd connection);
    void serveRequest();
    void leaveAs(WorkerExit exit);

    const WorkerInputs* inputs_;
    const LeaveSignal* leave_;
    scoreboard::SlotWriter* slot_;
    const scoreboard::Commands* commands_;
    const scoreboard::Order* order_;
    scoreboard::Hints* hints_;
    AccessLog accessLog_;
    fastcgi::ServerConnection connection_;
    ServedRequest request_;
    std::string peer_;  ///< of the connection; empty for unix sockets
    int served_ = 0;
    bool shortOfResources_ = false;
    std::optional<WorkerExit> exit_;
};

}  // namespace muster::worker
