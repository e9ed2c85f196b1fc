// SIGQUIT to a worker: how one that waits is made to leave without a window for losing anything.
//
// The handler puts a dead socket in the place of the listening descriptor, so an accept(2) that
// begins after the signal fails at once, and one that was blocked is interrupted. The connection
// at hand is untouched. One per process; worker side, installed while signals are blocked.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"
#include "scoreboard/layout.h"

namespace muster::worker {

class LeaveSignal {
  public:
    /// `commands` must live as long as the process.
    [[nodiscard]] static Result<LeaveSignal> install(int listenFd,
                                                     const scoreboard::Commands& commands,
                                                     pid_t manager);

    [[nodiscard]] bool arrived() const;

    /// Readable once idle kept-alive connections are not worth waiting for: the signal came while
    /// the service stops (kDrainStopping) or because the manager is gone.
    [[nodiscard]] int stopFd() const { return stop_.get(); }

  private:
    UniqueFd dead_;
    UniqueFd stop_;
};

}  // namespace muster::worker
