// Reads the clocks.
#include "base/clock.h"

#include <locale.h>
#include <time.h>

namespace muster {
namespace {

std::uint64_t readNs(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond +
           static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::uint64_t monotonicNs() {
    return readNs(CLOCK_MONOTONIC);
}
std::uint64_t wallNs() {
    return readNs(CLOCK_REALTIME);
}
std::uint64_t cpuNs() {
    return readNs(CLOCK_PROCESS_CPUTIME_ID);
}

std::string formatLocalTime(std::int64_t epochSeconds, const char* format) {
    const time_t seconds = static_cast<time_t>(epochSeconds);
    tm local{};
    localtime_r(&seconds, &local);
    // A locale of its own: a script may have changed the process's one.
    static const locale_t english = ::newlocale(LC_ALL_MASK, "C", nullptr);
    char buffer[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const std::size_t length = strftime_l(buffer, sizeof buffer, format, &local, english);
#pragma GCC diagnostic pop
    return {buffer, length};
}

}  // namespace muster
