// What systemd, or whoever listens on $NOTIFY_SOCKET, is told about the service (spec lifecycle
// §9).
//
// Owned by the master. Everything is sent from the event loop, so a watchdog hears nothing when the
// loop hangs. Never blocks: sd_notify(3) would, while the receiver does not read.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/log_level.h"
#include "log/error_log.h"

namespace muster::master {

/// How often the status is sent, and whether a watchdog waits for it.
struct MonitorPlan {
    std::chrono::milliseconds interval{0};  ///< 0: never
    bool watchdog = false;
    std::vector<std::pair<LogLevel, std::string>> messages;
};

/// From systemd_interval (seconds; unset: 10) and $WATCHDOG_USEC (null: not set), which wins when
/// half of it is more than a second.
[[nodiscard]] MonitorPlan planMonitor(std::optional<int> systemdInterval, const char* watchdogUsec);

/// All pools together.
struct Activity {
    std::uint64_t active = 0;
    std::uint64_t idle = 0;
    std::uint64_t requests = 0;  ///< since the start
    std::uint64_t slowRequests = 0;
};

/// "Processes active: 1, idle: 2, Requests: 30, slow: 0, Traffic: 0.40req/sec"
[[nodiscard]] std::string statusText(const Activity& now, std::uint64_t requestsBefore,
                                     std::chrono::milliseconds since);

class ServiceManager {
  public:
    ServiceManager(EventLoop& loop, log::ErrorLog& log, std::function<Activity()> activity);

    /// The service is up, or up again after a reload; begins to send the status.
    void ready(const MonitorPlan& plan);
    /// This program goes on with the service in the middle of a reload.
    void resume(const MonitorPlan& plan);
    /// A reload begins. One of ready() and refused() must follow.
    void reloading();
    /// The reload was refused: the service goes on as before.
    void refused();
    /// The service ends; `status` says how, and it is over in `atMost`.
    void stopping(const char* status, std::chrono::milliseconds atMost);

  private:
    enum class State { starting, ready, reloading, stopping };
    void sendStatus();
    void beginMonitor();

    EventLoop* loop_;
    log::ErrorLog* log_;
    std::function<Activity()> activity_;
    State state_ = State::starting;
    MonitorPlan plan_;
    std::uint64_t requestsSent_ = 0;
    EventLoop::Watch timer_;
};

}  // namespace muster::master
