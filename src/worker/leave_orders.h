// Whether somebody wants this worker to leave, and what it still has to do before.
//
// Worker side; one per process, which only reads: the manager stores Commands::draining and
// Order::leave, and WaitingSignals knows of SIGQUIT. Nothing here blocks.
#pragma once

#include "scoreboard/segment.h"
#include "worker/waiting_signals.h"
#include "worker/worker.h"

namespace muster::worker {

class LeaveOrders {
  public:
    /// Both borrowed.
    LeaveOrders(const WorkerInputs& inputs, const WaitingSignals& signals);

    [[nodiscard]] bool mustLeave() const;
    /// The whole generation leaves, not this worker alone.
    [[nodiscard]] bool isDraining() const;
    /// No generation comes after this one.
    [[nodiscard]] bool isStopping() const;
    /// Who waits to be accepted is served before.
    [[nodiscard]] bool servesLastOrders() const;

  private:
    [[nodiscard]] std::uint32_t draining() const;
    [[nodiscard]] bool hasManager() const;

    const WaitingSignals* signals_;
    const scoreboard::Commands* commands_;
    const scoreboard::Order* order_;
    pid_t manager_;
};

}  // namespace muster::worker
