// The manager's signals to a worker whose request takes too long, and what their handlers do.
//
// Two real-time signals, each with the number of the request it is meant for; a signal that comes
// when that request is over does nothing. The first interrupts: connection and runtime give up
// waiting as soon as they can. It is repeated while it has no effect, because a signal ends a
// blocked call only when it arrives amid it. The second says that nothing helped: the client gets
// the page of a request that timed out, if it has got nothing yet, and the process ends by SIGTERM.
// Neither timers nor SIGALRM or SIGPROF: these are PHP's. One per process; worker side.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "fastcgi/server_connection.h"
#include "worker/runtime.h"

namespace muster::worker {

[[nodiscard]] int interruptSignal();
[[nodiscard]] int lastWordSignal();

/// How the signals name a request: by the clock it was begun at.
[[nodiscard]] constexpr std::uintptr_t requestName(std::uint64_t acceptedNs) {
    return static_cast<std::uintptr_t>(acceptedNs);
}

/// Worker start, signals still blocked.
[[nodiscard]] Result<void> installTimeLimitHandlers();

class TimeLimit {
  public:
    /// From here on signals for this request count. All borrowed until end(); `page`: what the
    /// client gets instead of a response.
    void begin(std::uint64_t acceptedNs, fastcgi::ServerConnection& connection, Runtime& runtime,
               std::string_view page);
    /// What is still to do takes as long as it takes: no interrupts any more, and one that has not
    /// ended anything yet is withdrawn.
    void lift();
    void end();

    /// An interrupt has come, and was not withdrawn.
    [[nodiscard]] bool isUp() const;
    /// … or was.
    [[nodiscard]] bool wasInterrupted() const;
};

}  // namespace muster::worker
