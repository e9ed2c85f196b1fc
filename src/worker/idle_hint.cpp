// Atomics in the scoreboard, and an eventfd.
#include "worker/idle_hint.h"

#include <utility>

#include "base/io.h"

namespace muster::worker {

IdleHint::IdleHint(const WorkerInputs& inputs)
    : commands_(&inputs.segment->header().commands),
      hints_(&inputs.segment->header().hints),
      wakeFd_(inputs.wakeFd) {}

void IdleHint::becomeIdle() {
    if (commands_->wakeAtIdle.load(std::memory_order_relaxed) != scoreboard::kNoHints) {
        hints_->idle.fetch_add(1, std::memory_order_relaxed);
        counted_ = true;
    }
}

void IdleHint::becomeBusy() {
    const std::int32_t wakeAt = commands_->wakeAtIdle.load(std::memory_order_relaxed);
    if (wakeAt == scoreboard::kNoHints || !std::exchange(counted_, false)) {
        return;
    }
    const std::int32_t idle = hints_->idle.fetch_sub(1, std::memory_order_relaxed) - 1;
    std::int32_t least = hints_->leastIdle.load(std::memory_order_relaxed);
    while (idle < least &&
           !hints_->leastIdle.compare_exchange_weak(least, idle, std::memory_order_relaxed)) {
    }
    if (idle <= wakeAt) {
        wakeManager();
    }
}

void IdleHint::withdraw() {
    if (std::exchange(counted_, false)) {
        hints_->idle.fetch_sub(1, std::memory_order_relaxed);
    }
}

void IdleHint::wakeManager() {
    const std::uint64_t one = 1;
    writeAll(wakeFd_, {reinterpret_cast<const char*>(&one), sizeof one});
}

}  // namespace muster::worker
