// The pages that need no runtime: ping and status (spec status.md §1–3). A worker answers them on
// the pool's socket, the manager on pm.status_listen. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "config/settings.h"
#include "scoreboard/snapshot.h"
#include "worker/runtime.h"

namespace muster::worker {

enum class Page { none, ping, status };

/// Whether a resolved request is for one of the pages.
[[nodiscard]] Page pageFor(const config::PoolSettings& pool, const RequestInfo& info);

struct PageResponse {
    std::string headers;  ///< CGI header block with the empty line at its end
    std::string body;     ///< empty for HEAD
};

[[nodiscard]] PageResponse pingPage(const config::PoolSettings& pool, const RequestInfo& info,
                                    const PageSettings& settings);
[[nodiscard]] PageResponse statusPage(const config::PoolSettings& pool,
                                      const scoreboard::PoolSnapshot& snapshot,
                                      const RequestInfo& info, const PageSettings& settings);

/// 504: what the client of a request that took too long gets. Body also for HEAD.
[[nodiscard]] PageResponse timeoutPage(const PageSettings& settings);
/// 503: what the client of a request for which no worker was free gets.
[[nodiscard]] PageResponse overloadPage(const PageSettings& settings, int retryAfterSeconds);
/// 408: what the client of a request whose body stalled gets. Body also for HEAD.
[[nodiscard]] PageResponse stalledPage(const PageSettings& settings);
/// 404, as the engine's runtime says it of a script that is not there.
[[nodiscard]] PageResponse notFoundPage(const PageSettings& settings);

[[nodiscard]] bool isHead(const RequestInfo& info);

/// The value of a header in a header block, by its exact name; empty when absent.
[[nodiscard]] std::string_view headerValue(std::string_view headers, std::string_view name);

}  // namespace muster::worker
