// request_terminate_timeout and request_slowlog_timeout: finds requests that run too long and does
// what the rules of overtime.h say.
//
// Manager process. Looks at the scoreboard when the next known request is due, and three times per
// limit at least (php-fpm's heartbeat, spec lifecycle §5.7), never more often than every few
// milliseconds. The slot is the worker's word, so nothing in it is taken for more than a name and a
// clock.
#pragma once

#include <chrono>
#include <optional>

#include "base/event_loop.h"
#include "config/settings.h"
#include "log/error_log.h"
#include "manager/children.h"
#include "manager/slow_log.h"

namespace muster::manager {

/// The longest time between two looks, or nothing when the pool has no timeout.
[[nodiscard]] std::optional<std::chrono::milliseconds> heartbeatPeriod(
    const config::PoolSettings& pool);

class RequestTimeouts {
  public:
    /// All borrowed; they outlive the object.
    struct Parts {
        EventLoop* loop = nullptr;
        Children* children = nullptr;
        const scoreboard::Segment* segment = nullptr;
        scoreboard::PoolWriter* pen = nullptr;
        const config::PoolSettings* pool = nullptr;
        log::ErrorLog* log = nullptr;
        SlowLog* slowLog = nullptr;
    };
    explicit RequestTimeouts(const Parts& parts);

    /// From here on requests are watched, if the pool has a timeout.
    void start();

  private:
    struct Case;
    void look();
    [[nodiscard]] std::optional<std::uint64_t> lookAt(Child& child, std::uint64_t nowNs);
    void carryOut(const Judgement& judgement, const Case& found);
    void warn(const Case& found, const char* what, const char* then);

    Parts parts_;
    TimeRules rules_;
    std::chrono::milliseconds period_{0};
    EventLoop::Watch watch_;
};

}  // namespace muster::manager
