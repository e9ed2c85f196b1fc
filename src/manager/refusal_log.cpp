// Writes and counts refused connections.
#include "manager/refusal_log.h"

#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "worker/parked_connection.h"
#include "worker/peer_rules.h"

namespace muster::manager {
namespace {

constexpr std::uint32_t kBurst = 20;
constexpr std::uint32_t kPerSecond = 2;

}  // namespace

RefusalLog::RefusalLog(log::ErrorLog& log, std::string poolPrefix)
    : log_(&log), poolPrefix_(std::move(poolPrefix)), budget_(kBurst, kPerSecond) {}

bool RefusalLog::admits(const worker::PeerRules* rules, int connection) {
    if (rules == nullptr) {
        return true;
    }
    const auto verdict = rules->judge(connection);
    if (verdict.stranger) {
        note({*verdict.stranger, 0}, monotonicNs());
    }
    return verdict.admitted;
}

void RefusalLog::note(const worker::RefusedPeer& refused, std::uint64_t nowNs) {
    const worker::Stranger& stranger = refused.stranger;
    const bool byUser = stranger.byUser != 0;
    std::uint64_t& unlogged = byUser ? unloggedUsers_ : unloggedAddresses_;
    unlogged += refused.others;
    if (!budget_.take(nowNs)) {
        ++unlogged;
        return;
    }
    log_->error(
        fmt::format("{}Connection disallowed: {} has been dropped.", poolPrefix_,
                    byUser ? fmt::format("user id {} (process {})", stranger.uid, stranger.pid)
                           : fmt::format("IP address '{}'", worker::textOf(stranger.address))));
}

void RefusalLog::tick() {
    tellCount(unloggedAddresses_, "addresses that are not in listen.allowed_clients");
    tellCount(unloggedUsers_, "users that are not in listen.allowed_users");
}

void RefusalLog::tellCount(std::uint64_t& unlogged, const char* whom) {
    if (const std::uint64_t count = std::exchange(unlogged, 0); count > 0) {
        log_->error(fmt::format("{}Connection disallowed: {} more from {} have been dropped.",
                                poolPrefix_, count, whom));
    }
}

}  // namespace muster::manager
