// accept(2) without waiting, from a blocking listening socket that other processes accept from,
// too.
//
// Who saw a connection there may find it taken by somebody else and would then block, and the
// socket cannot be made non-blocking for one process alone. So a timer ends a call that waits: a
// lost race costs a millisecond. One object per process, for its event loop; uses SIGALRM and the
// real-time interval timer, which are armed inside take() only and do not survive a fork.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

class BriefAccept {
  public:
    /// Installs the handler of SIGALRM.
    [[nodiscard]] static Result<BriefAccept> install();

    struct Catch {
        std::vector<UniqueFd> connections;  ///< in the order of their arrival; closed on exec
        bool more = false;                  ///< there may be further ones
        int error = 0;                      ///< why it ended early; concerns the socket
    };
    /// Up to `most` connections that are there now.
    [[nodiscard]] Catch take(int listener, int most) const;

  private:
    BriefAccept() = default;
};

}  // namespace muster
