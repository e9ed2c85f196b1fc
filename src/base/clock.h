// The two clocks: monotonic for durations and deadlines, wall for what people read.
// Never blocks, no system call on x86-64 (vDSO) but for cpuNs(). Any process, after fork too.
#pragma once

#include <cstdint>
#include <string>

namespace muster {

/// Nanoseconds of CLOCK_MONOTONIC.
[[nodiscard]] std::uint64_t monotonicNs();
/// Nanoseconds since the epoch, CLOCK_REALTIME.
[[nodiscard]] std::uint64_t wallNs();
/// CPU time, user and system, of this process in nanoseconds. One system call.
[[nodiscard]] std::uint64_t cpuNs();

/// strftime(3) of wall-clock seconds in the local time zone; at most 255 bytes, English month
/// names.
[[nodiscard]] std::string formatLocalTime(std::int64_t epochSeconds, const char* format);

inline constexpr std::uint64_t kNsPerMs = 1'000'000;
inline constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

/// Of a time as directives give it; negative ones are none.
[[nodiscard]] constexpr std::uint64_t secondsToNs(int seconds) {
    return seconds > 0 ? static_cast<std::uint64_t>(seconds) * kNsPerSecond : 0;
}

}  // namespace muster
