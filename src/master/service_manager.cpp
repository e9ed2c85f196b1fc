// Datagrams to the service manager.
#include "master/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace muster::master {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDefaultInterval{10'000};
constexpr milliseconds kShortestWatchdog{1'000};  // not more than this is not served
constexpr long kUsecPerHalfMs = 2'000;            // twice in the time the watchdog allows

std::string_view notifySocket() {
    const char* path = ::getenv("NOTIFY_SOCKET");
    return path == nullptr ? std::string_view() : path;
}

/// False when there is somebody to tell and it failed.
bool notify(std::string_view text) {
    const std::string_view path = notifySocket();
    if (path.empty()) {
        return true;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) {
        return false;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    return fd && ::sendto(fd.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                          reinterpret_cast<const sockaddr*>(&address), length) >= 0;
}

}  // namespace

MonitorPlan planMonitor(std::optional<int> systemdInterval, const char* watchdogUsec) {
    MonitorPlan plan;
    if (watchdogUsec != nullptr) {
        const milliseconds half{std::strtol(watchdogUsec, nullptr, 10) / kUsecPerHalfMs};
        plan.messages.emplace_back(LogLevel::debug, fmt::format("WATCHDOG_USEC={}, interval={}",
                                                                watchdogUsec, half.count()));
        if (half > kShortestWatchdog) {
            if (systemdInterval.value_or(0) > 0) {
                plan.messages.emplace_back(LogLevel::warning, "systemd_interval option ignored");
            }
            plan.messages.emplace_back(LogLevel::notice,
                                       fmt::format("systemd watchdog configured to {:g}sec",
                                                   static_cast<double>(half.count()) / 1000));
            plan.watchdog = true;
            plan.interval = std::min(half, milliseconds(std::chrono::hours(24)));
            return plan;
        }
    }
    plan.interval =
        systemdInterval ? milliseconds(std::chrono::seconds(*systemdInterval)) : kDefaultInterval;
    return plan;
}

std::string statusText(const Activity& now, std::uint64_t requestsBefore, milliseconds since) {
    const std::uint64_t fresh = now.requests > requestsBefore ? now.requests - requestsBefore : 0;
    const double rate = since.count() > 0
                            ? static_cast<double>(fresh) * 1000 / static_cast<double>(since.count())
                            : 0;
    return fmt::format(
        "Processes active: {}, idle: {}, Requests: {}, slow: {}, Traffic: {:.2f}req/sec",
        now.active, now.idle, now.requests, now.slowRequests, rate);
}

ServiceManager::ServiceManager(EventLoop& loop, log::ErrorLog& log,
                               std::function<Activity()> activity)
    : loop_(&loop), log_(&log), activity_(std::move(activity)) {}

void ServiceManager::ready(const MonitorPlan& plan) {
    state_ = State::ready;
    plan_ = plan;
    if (notify(
            fmt::format("READY=1\nSTATUS=Ready to handle connections\nMAINPID={}", ::getpid()))) {
        log_->debug("have notify start to systemd");
    } else {
        log_->warning("failed to notify start to systemd");
    }
    if (plan_.interval.count() == 0) {
        log_->notice("systemd monitor disabled");
    } else {
        log_->notice(fmt::format("systemd monitor interval set to {}ms", plan_.interval.count()));
    }
    beginMonitor();
}

void ServiceManager::resume(const MonitorPlan& plan) {
    state_ = State::reloading;
    plan_ = plan;
    beginMonitor();
}

void ServiceManager::beginMonitor() {
    timer_.cancel();
    if (plan_.interval.count() > 0 && !notifySocket().empty()) {
        requestsSent_ = activity_().requests;
        timer_ = loop_->every(plan_.interval, [this] { sendStatus(); });
    }
}

void ServiceManager::sendStatus() {
    const Activity now = activity_();
    // READY would end a reload or take back a stop.
    const std::string text = fmt::format("{}{}STATUS={}", state_ == State::ready ? "READY=1\n" : "",
                                         plan_.watchdog ? "WATCHDOG=1\n" : "",
                                         statusText(now, requestsSent_, plan_.interval));
    requestsSent_ = now.requests;
    if (!notify(text)) {
        log_->notice("failed to notify status to systemd");
    }
}

void ServiceManager::reloading() {
    state_ = State::reloading;
    if (!notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reloading",
                            monotonicNs() / 1000))) {
        log_->notice("failed to notify status to systemd");
    }
}

void ServiceManager::refused() {
    state_ = State::ready;
    if (!notify("READY=1\nSTATUS=Ready to handle connections; the last reload was refused")) {
        log_->notice("failed to notify status to systemd");
    }
}

void ServiceManager::stopping(const char* status, milliseconds atMost) {
    state_ = State::stopping;
    if (!notify(fmt::format("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\nSTATUS={}",
                            std::chrono::microseconds(atMost).count(), status))) {
        log_->notice("failed to notify status to systemd");
    }
}

}  // namespace muster::master
