// Lines about connections that listen.allowed_clients or listen.allowed_users turned away, never
// more than an operator can read.
//
// Manager process. The first ones each get a line; of a flood some do, the others are counted and
// the count is a line of its own, once a second.
#pragma once

#include <cstdint>
#include <string>

#include "log/error_log.h"
#include "worker/peer_admission.h"

namespace muster::manager {

class RefusalLog {
  public:
    /// `pool`: as in "[pool www] "; both borrowed.
    RefusalLog(log::ErrorLog& log, std::string poolPrefix);

    /// Whether `rules` (null: none) let the peer in; notes it when they do not.
    [[nodiscard]] bool admits(const worker::PeerRules* rules, int connection);
    void note(const worker::RefusedPeer& refused, std::uint64_t nowNs);
    /// Once a second.
    void tick();

  private:
    void tellCount(std::uint64_t& unlogged, const char* whom);

    log::ErrorLog* log_;
    std::string poolPrefix_;
    worker::RefusalBudget budget_;
    std::uint64_t unloggedAddresses_ = 0;
    std::uint64_t unloggedUsers_ = 0;
};

}  // namespace muster::manager
