// When a worker has done its share: after so many requests, or with too much memory. It says so
// early, so that another one stands ready before it leaves.
//
// Worker side. Requests are counted here and the count is kept; memory is only told of, and the
// worker serves on until the manager has somebody in its place and sets Order::leave. Nothing here
// blocks. Costs nothing in pools that recycle nobody.
#pragma once

#include <cstdint>
#include <optional>

#include "base/message_channel.h"
#include "scoreboard/layout.h"
#include "worker/worker.h"

namespace muster::worker {

/// One message on a worker's orders channel, from the worker; told from others by its first word.
/// The manager trusts nothing in it.
struct Retirement {
    enum class Step : std::uint32_t {
        served = 1,  ///< pm.max_requests comes near
        grown = 2,   ///< more than pm.max_memory
        left = 3,    ///< accepts no more
    };
    static constexpr std::uint32_t kWord = 0x6c6f6f70;
    std::uint32_t word = kWord;
    Step step = Step::left;
    std::uint64_t bytes = 0;  ///< Step::grown: its own memory
};
[[nodiscard]] std::optional<Retirement> retirementIn(const ReceivedMessage& message);

/// Whether workers of this pool are ever replaced by plan.
[[nodiscard]] bool recycles(const config::PoolSettings& pool);

/// When to say that the last request comes: with the last one, or, when requests are so short that
/// nobody could be there in time, a moment before.
[[nodiscard]] bool lastRequestIsNear(int left, int served, std::uint64_t servingNs);

/// When the exact measure is worth its price. Pure.
class MemoryGauge {
  public:
    explicit MemoryGauge(std::uint64_t limit) : limit_(limit) {}

    [[nodiscard]] bool worthMeasuring(std::uint64_t atMost);
    /// True when it is too much.
    [[nodiscard]] bool measured(std::uint64_t atMost, std::uint64_t exact);

  private:
    std::uint64_t limit_;
    std::uint64_t next_ = 0;  ///< of the cheap measure: below it nothing much has changed
    int skipped_ = 0;
};

class Recycling {
  public:
    explicit Recycling(const WorkerInputs& inputs);

    /// A request begins. True when it is the last one.
    [[nodiscard]] bool begins();
    /// It has ended, and the worker goes on.
    void ends(const scoreboard::RequestFacts& facts);
    /// Accepts no more, for good.
    void leaves();
    /// Somebody else is to take this worker's place.
    [[nodiscard]] bool isReplaced() const;

  private:
    void weigh();
    void tell(const Retirement& what);

    const WorkerInputs* inputs_;
    MessageChannel manager_;
    MemoryGauge gauge_;
    int served_ = 0;
    std::uint64_t firstNs_ = 0;  ///< when the first request began
    bool told_ = false;
};

}  // namespace muster::worker
