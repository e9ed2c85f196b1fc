// What the slow log says of one request: a block in php-fpm's format (spec logging.md §6), or a
// JSON object on a line of its own.
//
// Every text in it may be hostile: control bytes are escaped, so that no name forges a line.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/backtrace.h"

namespace muster::log {

/// Borrowed texts; null: not known.
struct SlowRequest {
    std::string_view pool;
    pid_t pid = 0;
    std::uint64_t nowWallNs = 0;
    std::uint64_t elapsedNs = 0;
    std::string_view reason;  ///< "slow"; php-fpm's format has no place for it
    const char* method = nullptr;
    const char* uri = nullptr;
    const char* query = nullptr;
    const char* script = nullptr;  ///< shown when the stack does not tell
};

/// Ends with a newline. `detailed`: the time with microseconds, as the error log has it then.
[[nodiscard]] std::string slowLogText(const SlowRequest& request, const Backtrace& stack,
                                      bool detailed);
[[nodiscard]] std::string slowLogJson(const SlowRequest& request, const Backtrace& stack);

}  // namespace muster::log
