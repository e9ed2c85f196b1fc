// Reads the scoreboard's flags, asks who the parent is.
#include "worker/leave_orders.h"

#include <unistd.h>

namespace muster::worker {

LeaveOrders::LeaveOrders(const WorkerInputs& inputs, const WaitingSignals& signals)
    : signals_(&signals),
      commands_(&inputs.segment->header().commands),
      order_(&inputs.segment->order(inputs.slot)),
      manager_(inputs.manager) {}

bool LeaveOrders::mustLeave() const {
    return signals_->toldToLeave() || isDraining() ||
           order_->leave.load(std::memory_order_relaxed) != 0;
}

bool LeaveOrders::isDraining() const {
    return draining() != kNotDraining;
}

// The manager's death is told by SIGQUIT, too.
bool LeaveOrders::isStopping() const {
    return isStop(draining()) || (signals_->toldToLeave() && !hasManager());
}

bool LeaveOrders::servesLastOrders() const {
    return draining() == kDrainLastOrders && hasManager();
}

std::uint32_t LeaveOrders::draining() const {
    return commands_->draining.load(std::memory_order_relaxed);
}

bool LeaveOrders::hasManager() const {
    return ::getppid() == manager_;
}

}  // namespace muster::worker
