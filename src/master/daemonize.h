// Going to the background so that the starter's exit code tells whether the service is up (spec
// lifecycle §3).
#pragma once

#include <chrono>
#include <functional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "log/error_log.h"

namespace muster::master {

/// The master's end of the pipe its starter waits on. Empty in the foreground.
class Starter {
  public:
    explicit Starter(log::ErrorLog& log, UniqueFd fd = UniqueFd())
        : log_(&log), fd_(std::move(fd)) {}
    /// Tells the starter to exit with 0, or with 70; once, the second call does nothing.
    void tellUp();
    void tellDown();

  private:
    void tell(bool up);
    log::ErrorLog* log_;
    UniqueFd fd_;
};

/// Forks; `master` runs in the child. The parent waits until the child is up, has failed or is
/// gone, or `patience` is over, and returns its own exit status: 0 or 70. Blocks.
[[nodiscard]] Result<int> runInBackground(log::ErrorLog& log, std::chrono::milliseconds patience,
                                          const std::function<int(Starter&)>& master);

}  // namespace muster::master
