// The slow log of a pool: backtraces of requests that run too long, one entry by one write(2).
//
// Manager process. The file was opened by the master; its descriptor number stays the same when it
// is reopened.
#pragma once

#include <string_view>

#include "manager/children.h"
#include "manager/inputs.h"

namespace muster::manager {

/// Why a request is in the slow log.
enum class SlowReason {
    slow,      ///< request_slowlog_timeout
    timedOut,  ///< request_terminate_timeout
};

class SlowLog {
  public:
    /// Borrowed. `fd`: -1 when the pool has no slow log.
    SlowLog(const ManagerInputs& inputs, Runtime& runtime, log::ErrorLog& errors, int fd)
        : inputs_(&inputs), runtime_(&runtime), errors_(&errors), fd_(fd) {}

    [[nodiscard]] bool isOn() const { return fd_ >= 0; }

    /// Takes the trace of what the worker does right now and writes it. Does nothing without a slow
    /// log; what goes wrong is told in the error log.
    void write(const Child& child, const scoreboard::RequestFacts& facts, std::uint64_t elapsedNs,
               SlowReason reason);

  private:
    const ManagerInputs* inputs_;
    Runtime* runtime_;
    log::ErrorLog* errors_;
    int fd_;
};

}  // namespace muster::manager
