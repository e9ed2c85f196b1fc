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
    : allowed_(inputs.allowedClients), budget_(kBurst, kPerSecond) {
    if (allowed_ != nullptr) {
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

bool PeerAdmission::admits(const sockaddr_storage& address, socklen_t length) {
    if (allowed_ == nullptr || allowed_->admits(address, length)) {
        return true;
    }
    if (const auto peer = peerAddress(address, length)) {
        tell(*peer);
    }
    return false;
}

bool PeerAdmission::admits(int connection) {
    if (allowed_ == nullptr) {
        return true;
    }
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    // Without a peer there is nobody to answer, either.
    return ::getpeername(connection, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
           admits(address, length);
}

void PeerAdmission::tell(const PeerAddress& address) {
    const RefusedPeer refused{address, untold_};
    if (budget_.take(monotonicNs()) && manager_.send(std::as_bytes(std::span(&refused, 1)))) {
        untold_ = 0;
        return;
    }
    untold_ = std::min(untold_, std::numeric_limits<std::uint32_t>::max() - 1) + 1;
    lastUntold_ = address;
}

}  // namespace muster::worker
