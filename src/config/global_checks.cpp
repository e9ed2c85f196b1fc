// Rules on the values of [global], and on priorities.
#include <sys/un.h>

#include <algorithm>
#include <array>

#include "config/checks.h"
#include "config/text.h"

namespace muster::config {

void checkLogLimit(CheckContext& context) {
    if (context.global.logLimit < 512) {
        context.report(
            LogLevel::error, "log_limit must be greater than 512",
            context.found("log_limit", context.global.logLimit) + ", expected at least 512");
    }
}

void checkProcessMax(CheckContext& context) {
    if (context.global.processMax < 0) {
        context.report(LogLevel::error, "process_max can't be negative",
                       context.found("process.max", context.global.processMax) +
                           ", expected 0 for no limit, or a number of workers");
    }
}

/// php-fpm offers these on Linux. It refuses ondemand pools with all but epoll; libevent needs no
/// such rule.
void checkEventsMechanism(CheckContext& context) {
    constexpr std::array<std::string_view, 3> kKnown = {"epoll", "poll", "select"};
    std::string& mechanism = context.global.eventsMechanism;
    const std::string name = lowered(mechanism);
    if (context.failed("events.mechanism")) {
        return;
    }
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
        context.report(
            LogLevel::error,
            "event mechanism '" + verbatim(mechanism) + "' is not available on this system",
            context.found("events.mechanism", mechanism) + ", expected epoll, poll or select");
        return;
    }
    mechanism = name;
}

/// A negative time is no time, as in php-fpm.
void checkSystemdInterval(CheckContext& context) {
    if (context.global.systemdInterval.value_or(0) < 0) {
        context.global.systemdInterval.reset();
    }
}

/// A default that does not fit is no reason to refuse anything: there is no such socket then.
void checkControlSocket(CheckContext& context) {
    constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
    std::string& path = context.global.controlSocket;
    if (path.size() <= kLongest) {
        return;
    }
    if (context.written("control.socket")) {
        context.report(LogLevel::error, "the path of control.socket is too long",
                       context.found("control.socket", path) + ", expected at most " +
                           std::to_string(kLongest) + " bytes");
    }
    path.clear();
}

void checkPriority(CheckContext& context) {
    constexpr int kUnset = 64;  // php-fpm's inner value for "not written", which a file may say
    std::optional<int>& priority =
        context.pool == nullptr ? context.global.processPriority : context.pool->processPriority;
    if (priority == kUnset) {
        priority.reset();
    }
    if (priority && (*priority < -19 || *priority > 20)) {
        context.report(LogLevel::error, "process.priority must be included into [-19,20]",
                       context.found(context.name, *priority) + ", expected -19 to 20");
    }
}

}  // namespace muster::config
