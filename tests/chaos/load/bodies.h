// What is sent and what must come back; pages/ has the other half.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "arrivals.h"

namespace muster::chaos {

/// Sixteen hexadecimal digits, as PHP's hash('fnv1a64', …).
[[nodiscard]] std::string fingerprint(std::string_view bytes);

/// The path and query to ask for.
[[nodiscard]] std::string address(const Request& request);
/// Of an upload; of a download what it must be.
[[nodiscard]] std::string body(const Request& request);

/// What is wrong with an answer of status 200, or "".
[[nodiscard]] std::string judge(const Request& request, std::string_view answer);

}  // namespace muster::chaos
