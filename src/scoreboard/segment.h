// A mapped scoreboard segment and its writers.
//
// Segment owns the mapping, not the descriptor. create: master; attach: manager (before it forks;
// workers inherit the mapping) and read-only observers. Attaching refuses another magic, version or
// size. Nothing here blocks or makes a system call except create and attach. Safe after fork.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/shared_memory.h"
#include "base/unique_fd.h"
#include "scoreboard/layout.h"

namespace muster::scoreboard {

struct SegmentIdentity {
    std::string_view poolName;
    std::uint32_t slotCount;
    std::uint32_t processManager;
    std::uint64_t startedWallNs;
    Totals carried;  ///< from the generation before
};

class Segment {
  public:
    /// A new, initialised segment's descriptor.
    [[nodiscard]] static Result<UniqueFd> create(const SegmentIdentity& identity);
    [[nodiscard]] static Result<Segment> attach(int fd, Mapping::Access access);

    Segment() = default;

    [[nodiscard]] Header& header() const;
    [[nodiscard]] std::uint32_t slotCount() const;  ///< checked when attached, kept privately
    [[nodiscard]] Slot& slot(std::uint32_t index) const;
    [[nodiscard]] Order& order(std::uint32_t index) const;

  private:
    Mapping mapping_;
    std::uint32_t slotCount_ = 0;
};

/// The worker's pen for its own slot. After fork, in the worker only.
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
    /// Head is known: texts (cut to size, may be null = empty), stage gettingInfo.
    void requestKnown(const char* method, const char* uri, const char* query, const char* user,
                      const char* script, std::int64_t contentLength);
    /// Script returned: what it took, stage finishing.
    void requestDone(std::uint64_t durationNs, std::uint64_t cpuNs, std::uint64_t memoryPeak);

    [[nodiscard]] const RequestFacts& facts() const;  ///< our own words, for the access log

  private:
    Slot* slot_;
};

/// The manager's pen.
class PoolWriter {
  public:
    explicit PoolWriter(Segment& segment) : segment_(&segment) {}

    /// A slot is about to be given to a new worker: zeroed, order cleared.
    void prepareSlot(std::uint32_t index);
    /// A worker is gone: adds what it left (copied, range-checked against `lastKnown`-style
    /// limits so that noise cannot make totals jump) to the retired totals, zeroes the slot.
    void retireSlot(std::uint32_t index);
    void addRetired(const Totals& totals);
    void setListenQueue(std::uint32_t pending, std::uint32_t limit);  ///< also the high-water mark
    void noteActive(std::uint32_t active);                            ///< high-water mark
    void countMaxChildrenReached();
    void countSlowRequest();

  private:
    template <typename Change>
    void update(Change&& change);
    Segment* segment_;
};

}  // namespace muster::scoreboard
