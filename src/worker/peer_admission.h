// A worker's door: who may not connect is turned away before a byte is read, and the manager is
// told, because what a worker says itself reaches no log unless the pool catches its output.
//
// Worker side. Nothing here blocks. However many are refused, a worker sends only some messages a
// second; the next one says how many went untold.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>

#include "base/message_channel.h"
#include "worker/peer_rules.h"
#include "worker/worker.h"

namespace muster::worker {

/// One message on a worker's orders channel, from the worker. Told from a parked connection by its
/// size; the manager trusts nothing in it.
struct RefusedPeer {
    Stranger stranger;
    std::uint32_t others = 0;  ///< refused since the message before, and not told
};
[[nodiscard]] std::optional<RefusedPeer> refusedIn(const ReceivedMessage& message);

/// So many at once, and then so many a second.
class RefusalBudget {
  public:
    RefusalBudget(std::uint32_t burst, std::uint32_t perSecond)
        : burst_(burst), perSecond_(perSecond), left_(burst) {}
    [[nodiscard]] bool take(std::uint64_t nowNs);

  private:
    std::uint32_t burst_;
    std::uint32_t perSecond_;
    std::uint32_t left_;
    std::uint64_t refilledNs_ = 0;
};

class PeerAdmission {
  public:
    explicit PeerAdmission(const WorkerInputs& inputs);
    ~PeerAdmission();
    PeerAdmission(const PeerAdmission&) = delete;
    PeerAdmission& operator=(const PeerAdmission&) = delete;

    /// Whether to serve a connection that was just accepted from there.
    [[nodiscard]] bool admits(int connection, const sockaddr_storage& address, socklen_t length);
    /// The same for a connection that was accepted elsewhere, perhaps by other rules.
    [[nodiscard]] bool admits(int connection);

  private:
    bool follow(const PeerRules::Verdict& verdict);
    void tell(const Stranger& stranger);

    const PeerRules* rules_;  ///< null: everybody
    MessageChannel manager_;
    RefusalBudget budget_;
    std::uint32_t untold_ = 0;
    Stranger lastUntold_;
};

}  // namespace muster::worker
