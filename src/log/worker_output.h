// Turns what a worker writes to its stdout and stderr into error-log lines (spec logging.md §3).
//
// Owned by the manager, one object per worker, both streams. Input is hostile: lines of any
// length, no newline, binary, floods; memory is bounded by the line limit, control bytes are
// escaped so that no worker can forge a line of ours, and a flood is rate-limited with a line
// that says how much was dropped. Never blocks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "log/error_log.h"

namespace muster::log {

enum class OutputStream { out, err };

struct WorkerOutputOptions {
    std::string pool;
    int pid = 0;
    bool decorate = true;
    int lineLimit = 1024;                    ///< log_limit
    std::uint64_t bytesPerSecond = 1 << 20;  ///< beyond it lines are dropped and counted
};

class WorkerOutput {
  public:
    WorkerOutput(ErrorLog& log, WorkerOutputOptions options);

    /// Bytes just read from one of the pipes. `nowNs`: monotonic, for the rate limit.
    void feed(OutputStream stream, std::string_view bytes, std::uint64_t nowNs);
    /// The worker is gone or closed its streams: what is pending becomes a line.
    void finish();

    /// Written by a worker to stderr after every request; removed here, ends a pending line.
    static constexpr std::string_view kRequestEndMarker{"\0fscf\0", 6};

  private:
    void endLine();
    ErrorLog* log_;
    WorkerOutputOptions options_;
    // The implementer may change the private part.
};

}  // namespace muster::log
