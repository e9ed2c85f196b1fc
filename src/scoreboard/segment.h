// A mapped scoreboard segment and its writers.
//
// Segment owns the mapping, not the descriptor. create: master; attach: manager (before it forks;
// workers inherit the mapping) and read-only observers. Attaching refuses another magic, version or
// size. Nothing here blocks or makes a system call except create and attach. Safe after fork.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/shared_memory.h"
#include "base/unique_fd.h"
#include "scoreboard/layout.h"

namespace muster::scoreboard {

/// More workers than this in one pool is a mistake or noise.
inline constexpr std::uint32_t kMaxSlots = 65536;

struct SegmentIdentity {
    std::string_view poolName;
    std::uint32_t slotCount;  ///< for workers on duty
    std::uint32_t processManager;
    std::uint64_t startedWallNs;
    Totals carried;                  ///< from the generation before
    std::uint32_t standbySlots = 0;  ///< beside slotCount: for workers that replace others
};

class Segment {
  public:
    /// A new, initialised segment's descriptor.
    [[nodiscard]] static Result<UniqueFd> create(const SegmentIdentity& identity);
    [[nodiscard]] static Result<Segment> attach(int fd, Mapping::Access access);

    Segment() = default;

    [[nodiscard]] Header& header() const;
    [[nodiscard]] std::uint32_t slotCount() const;  ///< checked when attached, kept privately
    [[nodiscard]] std::uint32_t maxChildren() const { return maxChildren_; }
    [[nodiscard]] Slot& slot(std::uint32_t index) const;
    [[nodiscard]] Order& order(std::uint32_t index) const;

  private:
    Mapping mapping_;
    std::uint32_t slotCount_ = 0;
    std::uint32_t maxChildren_ = 0;
};

/// The worker's pen for its own slot. After fork, in the worker only. It keeps the facts
/// privately and publishes copies: what others scribble into the slot never comes back to it.
class SlotWriter {
  public:
    SlotWriter(Segment& segment, std::uint32_t index);

    /// First words of a worker: pid, start times, stage starting.
    void begin(std::int32_t pid, std::uint64_t nowNs, std::uint64_t wallNs);
    /// Stage only: no sequence bump, one release store.
    void setStage(Stage stage);
    /// First bytes of a request are there: counts it, starts its clock, clears the old request's
    /// texts, stage readingHeaders.
    void requestBegun(std::uint64_t nowNs, std::uint64_t wallNs);
    /// The rest of a request that another worker counted, with its clock of then.
    void requestResumed(std::uint64_t sinceNs, std::uint64_t sinceWallNs);
    /// Head is known: texts (cut to size, may be null = empty), stage gettingInfo.
    void requestKnown(const char* method, const char* uri, const char* query, const char* user,
                      const char* script, std::int64_t contentLength);
    /// The answer has a status of 500 or more; published by requestDone().
    void countFailure();
    /// Script returned: what it took, stage finishing.
    void requestDone(std::uint64_t durationNs, std::uint64_t cpuNs, std::uint64_t memoryPeak);

    [[nodiscard]] const RequestFacts& facts() const;  ///< our own words, for the access log

  private:
    void publishWords();
    void clearRequest(std::uint64_t sinceNs, std::uint64_t sinceWallNs);
    Slot* slot_;
    std::uint32_t sequence_;
    SlotWords words_;
};

/// A worker has shown this many active workers: what was seen once must not be denied later. The
/// manager looks once a second and would miss it.
void hintActive(Segment& segment, std::uint32_t active);

/// The manager's pen: one per segment and process, made before the first worker is forked and kept.
/// It reads the pool's values once, then only publishes its private copy, so that what a worker
/// scribbles into them is overwritten by the next update.
class PoolWriter {
  public:
    explicit PoolWriter(Segment& segment);

    /// A slot is about to be given to a new worker: zeroed, order cleared.
    void prepareSlot(std::uint32_t index);
    /// A worker is gone: adds the requests it counted to the retired totals and zeroes the slot.
    /// The count is one word, whole even when the worker was killed in the middle of a write; it
    /// is left out when it exceeds plausibleRequests() for the time since prepareSlot().
    void retireSlot(std::uint32_t index);
    void addRetired(const Totals& totals);
    void setListenQueue(std::uint32_t pending, std::uint32_t limit);  ///< also the high-water mark
    void noteActive(std::uint32_t active);                            ///< high-water mark
    void countMaxChildrenReached();
    void countSlowRequest();
    void countTimedOut();
    /// Of pm.queue_limit's queue. Writes nothing when nothing has changed.
    struct Queue {
        std::uint32_t limit = 0;
        std::uint32_t depth = 0;
        std::uint64_t oldestNs = 0;  ///< arrival of the oldest; 0: none
    };
    void setQueue(const Queue& queue);  ///< also the high-water mark
    void countOverLimit();
    void countOverdue();
    void countHungUp();
    /// A replacement is held back until then because so many workers died young; 0, 0: none is.
    void setRespawn(std::uint64_t youngDeaths, std::uint64_t atNs);

  private:
    template <typename Change>
    void update(Change&& change);
    void clearSlot(std::uint32_t index);
    Segment* segment_;
    std::uint32_t sequence_;
    PoolWords words_;
    std::vector<std::uint64_t> preparedNs_;  ///< by slot; 0: not given to anybody
};

}  // namespace muster::scoreboard
