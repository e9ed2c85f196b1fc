// Writes and counts refused connections.
#include "manager/refusal_log.h"

#include <fmt/format.h>

#include <utility>

namespace muster::manager {
namespace {

constexpr std::uint32_t kBurst = 20;
constexpr std::uint32_t kPerSecond = 2;

}  // namespace

RefusalLog::RefusalLog(log::ErrorLog& log, std::string poolPrefix)
    : log_(&log), poolPrefix_(std::move(poolPrefix)), budget_(kBurst, kPerSecond) {}

void RefusalLog::note(const worker::RefusedPeer& refused, std::uint64_t nowNs) {
    unlogged_ += refused.others;
    if (!budget_.take(nowNs)) {
        ++unlogged_;
        return;
    }
    log_->error(fmt::format("{}Connection disallowed: IP address '{}' has been dropped.",
                            poolPrefix_, worker::textOf(refused.address)));
}

void RefusalLog::tick() {
    if (const std::uint64_t count = std::exchange(unlogged_, 0); count > 0) {
        log_->error(
            fmt::format("{}Connection disallowed: {} more from addresses that are not in "
                        "listen.allowed_clients have been dropped.",
                        poolPrefix_, count));
    }
}

}  // namespace muster::manager
