// Turns connections away and tells the manager.
#include "worker/peer_admission.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

#include "base/clock.h"
#include "worker/parked_connection.h"

namespace muster::worker {
namespace {

constexpr std::uint32_t kBurst = 32;
constexpr std::uint32_t kPerSecond = 16;

static_assert(std::is_trivially_copyable_v<RefusedPeer> &&
              std::has_unique_object_representations_v<RefusedPeer>);
static_assert(sizeof(RefusedPeer) != sizeof(ParkedFacts));

}  // namespace

std::optional<RefusedPeer> refusedIn(const ReceivedMessage& message) {
    if (message.bytes.size() != sizeof(RefusedPeer) || !message.descriptors.empty()) {
        return std::nullopt;
    }
    RefusedPeer refused;
    std::memcpy(&refused, message.bytes.data(), sizeof refused);
    return refused;
}

bool RefusalBudget::take(std::uint64_t nowNs) {
    const std::uint64_t earned =
        std::min<std::uint64_t>((nowNs - refilledNs_) / (kNsPerSecond / perSecond_), burst_);
    if (earned > 0) {
        left_ = std::min(burst_, left_ + static_cast<std::uint32_t>(earned));
        refilledNs_ = nowNs;
    }
    if (left_ == 0) {
        return false;
    }
    --left_;
    return true;
}

PeerAdmission::PeerAdmission(const WorkerInputs& inputs)
    : rules_(inputs.peerRules), budget_(kBurst, kPerSecond) {
    if (rules_ != nullptr) {
        manager_ = MessageChannel(UniqueFd(::fcntl(inputs.ordersFd, F_DUPFD_CLOEXEC, 3)));
    }
}

PeerAdmission::~PeerAdmission() {
    if (untold_ > 0) {
        const RefusedPeer refused{lastUntold_, untold_ - 1};
        // The manager may be gone, too.
        [[maybe_unused]] const auto sent = manager_.send(std::as_bytes(std::span(&refused, 1)));
    }
}

bool PeerAdmission::admits(int connection, const sockaddr_storage& address, socklen_t length) {
    return rules_ == nullptr || follow(rules_->judge(connection, address, length));
}

bool PeerAdmission::admits(int connection) {
    return rules_ == nullptr || follow(rules_->judge(connection));
}

bool PeerAdmission::follow(const PeerRules::Verdict& verdict) {
    if (verdict.stranger) {
        tell(*verdict.stranger);
    }
    return verdict.admitted;
}

void PeerAdmission::tell(const Stranger& stranger) {
    const RefusedPeer refused{stranger, untold_};
    if (budget_.take(monotonicNs()) && manager_.send(std::as_bytes(std::span(&refused, 1)))) {
        untold_ = 0;
        return;
    }
    untold_ = std::min(untold_, std::numeric_limits<std::uint32_t>::max() - 1) + 1;
    lastUntold_ = stranger;
}

}  // namespace muster::worker
