// The pool's state in the plain words of runtime.h, for scripts that ask.
//
// Worker side. Owns what the status points to.
#pragma once

#include <vector>

#include "scoreboard/snapshot.h"
#include "worker/runtime.h"

namespace muster::worker {

class PoolReport {
  public:
    explicit PoolReport(scoreboard::PoolSnapshot snapshot);
    PoolReport(const PoolReport&) = delete;
    PoolReport& operator=(const PoolReport&) = delete;

    [[nodiscard]] const PoolStatus& status() const { return status_; }

  private:
    scoreboard::PoolSnapshot snapshot_;
    std::vector<WorkerStatus> workers_;
    PoolStatus status_;
};

}  // namespace muster::worker
