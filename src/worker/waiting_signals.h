// The signals to a worker that waits: leave (SIGQUIT) and look around (SIGURG), without a window
// for losing anything.
//
// Both handlers put a dead socket in the place of the listening descriptor, so an accept(2) that
// begins after the signal fails at once, and one that was blocked ends; both make toldFd()
// readable for a worker that waits elsewhere. The connection at hand is untouched. SIGURG, because
// its default is to be ignored: one that comes late or to a process a script forked does nothing.
// One per process; worker side, installed while signals are blocked.
#pragma once

#include <csignal>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster::worker {

inline constexpr int kLeaveSignal = SIGQUIT;
inline constexpr int kLookSignal = SIGURG;

class WaitingSignals {
  public:
    [[nodiscard]] static Result<WaitingSignals> install(int listenFd);

    /// SIGQUIT came; from then on the listening descriptor is dead.
    [[nodiscard]] bool toldToLeave() const;
    /// SIGURG came and takeLook() was not called since.
    [[nodiscard]] bool toldToLook() const;
    /// Brings the listening descriptor back to life after SIGURG; true when there was one.
    bool takeLook();

    /// Readable after a signal, until clearTold().
    [[nodiscard]] int toldFd() const { return told_.get(); }
    void clearTold();
    /// The listening socket under a number that no signal touches.
    [[nodiscard]] int listener() const { return listener_.get(); }

  private:
    UniqueFd dead_;
    UniqueFd told_;
    UniqueFd listener_;
};

}  // namespace muster::worker
