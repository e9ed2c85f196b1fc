// Counts, weighs and tells.
#include "worker/recycling.h"

#include <fcntl.h>

#include <cstring>
#include <span>
#include <type_traits>

#include "base/clock.h"
#include "worker/parked_connection.h"
#include "worker/peer_admission.h"

namespace muster::worker {
namespace {

/// Enough for a fork and a worker's start on a busy machine.
constexpr std::uint64_t kLeadNs = 100 * kNsPerMs;
/// The exact measure is made at least so often once the cheap one is above the limit: pages that
/// were shared may have become the worker's own.
constexpr int kMostSkipped = 16;

static_assert(std::is_trivially_copyable_v<Retirement> &&
              std::has_unique_object_representations_v<Retirement>);
static_assert(sizeof(Retirement) != sizeof(RefusedPeer) &&
              sizeof(Retirement) != sizeof(ParkedFacts));

}  // namespace

std::optional<Retirement> retirementIn(const ReceivedMessage& message) {
    Retirement retirement;
    if (message.bytes.size() != sizeof retirement || !message.descriptors.empty()) {
        return std::nullopt;
    }
    std::memcpy(&retirement, message.bytes.data(), sizeof retirement);
    const bool known = retirement.step == Retirement::Step::served ||
                       retirement.step == Retirement::Step::grown ||
                       retirement.step == Retirement::Step::left;
    return retirement.word == Retirement::kWord && known ? std::optional(retirement) : std::nullopt;
}

bool recycles(const config::PoolSettings& pool) {
    return pool.maxRequests > 0 || pool.maxMemory > 0 || pool.maxLifetime > 0;
}

bool lastRequestIsNear(int left, int served, std::uint64_t servingNs) {
    if (left <= 0) {
        return true;
    }
    return served > 0 && servingNs / static_cast<std::uint64_t>(served) <=
                             kLeadNs / static_cast<std::uint64_t>(left);
}

bool MemoryGauge::worthMeasuring(std::uint64_t atMost) {
    // The kernel keeps the cheap measure with some slack.
    if (limit_ == 0 || atMost < limit_ - limit_ / 8) {
        return false;
    }
    return atMost >= next_ || ++skipped_ >= kMostSkipped;
}

bool MemoryGauge::measured(std::uint64_t atMost, std::uint64_t exact) {
    skipped_ = 0;
    if (exact > limit_) {
        return true;
    }
    next_ = atMost + (limit_ - exact) / 2;
    return false;
}

Recycling::Recycling(const WorkerInputs& inputs)
    : inputs_(&inputs), gauge_(static_cast<std::uint64_t>(inputs.pool->maxMemory)) {
    if (recycles(*inputs.pool)) {
        manager_ = MessageChannel(UniqueFd(::fcntl(inputs.ordersFd, F_DUPFD_CLOEXEC, 3)));
    }
}

bool Recycling::begins() {
    ++served_;
    if (inputs_->maxRequests == 0 || served_ < inputs_->maxRequests) {
        return false;
    }
    tell({.step = Retirement::Step::served});
    return true;
}

void Recycling::ends(const scoreboard::RequestFacts& facts) {
    if (told_) {
        return;
    }
    if (inputs_->maxRequests > 0) {
        firstNs_ = firstNs_ == 0 ? facts.acceptedNs : firstNs_;
        const std::uint64_t serving = facts.acceptedNs + facts.durationNs - firstNs_;
        if (lastRequestIsNear(inputs_->maxRequests - served_, served_, serving)) {
            tell({.step = Retirement::Step::served});
            return;
        }
    }
    if (inputs_->memory != nullptr) {
        weigh();
    }
}

void Recycling::weigh() {
    const auto atMost = inputs_->memory->atMostBytes();
    if (!atMost || !gauge_.worthMeasuring(*atMost)) {
        return;
    }
    const auto exact = inputs_->memory->bytes();
    if (exact && gauge_.measured(*atMost, *exact)) {
        tell({.step = Retirement::Step::grown, .bytes = *exact});
    }
}

bool Recycling::isReplaced() const {
    return told_ || inputs_->segment->order(inputs_->slot).leave.load(std::memory_order_relaxed) ==
                        scoreboard::kLeaveReplaced;
}

void Recycling::leaves() {
    told_ = false;
    tell({.step = Retirement::Step::left});
}

// The manager may be gone, or deaf for a while: it then replaces this worker once it is dead.
void Recycling::tell(const Retirement& what) {
    if (!std::exchange(told_, true)) {
        [[maybe_unused]] const auto sent = manager_.send(std::as_bytes(std::span(&what, 1)));
    }
}

}  // namespace muster::worker
