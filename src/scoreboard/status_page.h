// The status page's formats (spec status.md §3–6): typed encoders, nothing concatenated unescaped.
// Pure functions on a snapshot. Worker (pool socket) and manager.
#pragma once

#include <string>
#include <string_view>

#include "scoreboard/open_metrics.h"
#include "scoreboard/snapshot.h"

namespace muster::scoreboard {

/// Of several that are asked for, the first one here counts.
enum class StatusFormat { html, xml, json, openMetrics, text };

struct StatusPage {
    std::string contentType;    ///< value of the header
    bool takesCharset = false;  ///< the engine adds its default_charset
    std::string body;
};

/// Which format and whether `full` was asked for: keys of the query string, exact.
struct StatusQuery {
    StatusFormat format = StatusFormat::text;
    bool full = false;
};
[[nodiscard]] StatusQuery parseStatusQuery(std::string_view queryString);

[[nodiscard]] StatusPage renderStatus(const PoolSnapshot& snapshot, const StatusQuery& query,
                                      const PoolLimits& limits = {});

}  // namespace muster::scoreboard
