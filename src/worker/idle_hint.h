// How many workers are idle, as their manager hears of it without looking: a count that all of
// them keep, and the bell for whoever makes it low.
//
// Worker side, one per process; nothing here blocks. The count only makes the manager look: it
// counts for itself and puts the hint right, so a worker that is killed does no lasting harm.
#pragma once

#include "scoreboard/segment.h"
#include "worker/worker.h"

namespace muster::worker {

class IdleHint {
  public:
    explicit IdleHint(const WorkerInputs& inputs);

    void becomeIdle();
    /// Wakes the manager when too few are left idle.
    void becomeBusy();
    /// Idle no more, and somebody else is in its place already.
    void withdraw();
    void wakeManager();

  private:
    const scoreboard::Commands* commands_;
    scoreboard::Hints* hints_;
    int wakeFd_;
    bool counted_ = false;
};

}  // namespace muster::worker
