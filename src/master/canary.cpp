// The two rules.
#include "master/canary.h"

#include <fmt/format.h>

#include <algorithm>

namespace muster::master {
namespace {

/// On top of twice the share of before.
constexpr double kTolerated = 0.1;

double share(Canary::Count count) {
    return count.requests == 0 ? 0
                               : static_cast<double>(std::min(count.failed, count.requests)) /
                                     static_cast<double>(count.requests);
}

}  // namespace

std::optional<std::string> Canary::verdict(Count now) const {
    if (lost_ >= kLostWorkers) {
        return fmt::format("{} of its workers died", lost_);
    }
    if (now.failed >= kFailedRequests && share(now) > 2 * share(before_) + kTolerated) {
        return fmt::format("{:.0f} % of its requests failed ({} of {}), {:.0f} % before",
                           100 * share(now), std::min(now.failed, now.requests), now.requests,
                           100 * share(before_));
    }
    return std::nullopt;
}

}  // namespace muster::master
