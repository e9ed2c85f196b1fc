// Going to the background so that the starter's exit code tells whether the service is up (spec
// lifecycle §3).
#pragma once

#include <functional>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster::master {

/// The master's end of the pipe its starter waits on. Empty in the foreground.
class Starter {
  public:
    Starter() = default;
    explicit Starter(UniqueFd fd) : fd_(std::move(fd)) {}
    /// Tells the starter to exit with 0; without this it exits with 70 when the master ends.
    void tellUp();

  private:
    UniqueFd fd_;
};

/// Forks; `master` runs in the child. The parent waits until the child is up or gone and returns
/// its own exit status: 0 or 70. Blocks.
[[nodiscard]] Result<int> runInBackground(const std::function<int(Starter)>& master);

}  // namespace muster::master
