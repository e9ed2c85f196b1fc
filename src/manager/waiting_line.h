// The requests that wait for a worker in a saturated pool, in the order of their arrival.
//
// Owns their connections. The first ones may be shown to the workers: then they are in the
// hand-over queue, which only tells how many of them nobody has taken yet; until then they count as
// waiting. Pure: who watches, accepts and answers is the caller's business (Overload).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>

#include "base/event_loop.h"
#include "worker/parked_connection.h"

namespace muster::manager {

class WaitingLine {
  public:
    struct Limits {
        std::size_t places = 0;
        std::uint64_t waitNs = 0;  ///< 0: none
    };
    struct Place {
        worker::ParkedConnection parked;  ///< its arrival: facts.sinceNs
        EventLoop::Watch watch;           ///< the caller's
    };
    using Places = std::list<Place>;

    explicit WaitingLine(const Limits& limits) : limits_(limits) {}

    [[nodiscard]] const Limits& limits() const { return limits_; }
    [[nodiscard]] std::size_t depth() const { return places_.size() + shown_.size(); }
    /// `takers`: workers that will take one at once.
    [[nodiscard]] bool isFull(std::size_t takers) const {
        return depth() >= limits_.places + takers;
    }
    /// Arrival of the oldest; 0 when nobody waits.
    [[nodiscard]] std::uint64_t oldestNs() const;

    /// Stands where its arrival belongs, whatever the limit.
    Places::iterator join(worker::ParkedConnection parked);
    worker::ParkedConnection take(Places::iterator place);
    worker::ParkedConnection takeFirst() { return take(places_.begin()); }

    /// The first of those that are not shown; null when all are.
    [[nodiscard]] const worker::ParkedConnection* first() const;
    /// The first was put into the hand-over queue.
    void shown();
    /// That many of the shown ones are still in the hand-over queue. How many were taken since the
    /// last time.
    std::size_t stillShown(std::size_t count);
    /// None of the shown ones is in the hand-over queue any longer: what was taken back joins anew.
    void noneShown() { shown_.clear(); }

    /// One that has waited too long, and is not shown.
    [[nodiscard]] std::optional<worker::ParkedConnection> takeOverdue(std::uint64_t nowNs);
    /// One that is shown has waited too long.
    [[nodiscard]] bool overdueAmongShown(std::uint64_t nowNs) const;

  private:
    [[nodiscard]] bool isOverdue(std::uint64_t arrivalNs, std::uint64_t nowNs) const {
        return limits_.waitNs != 0 && nowNs >= arrivalNs && nowNs - arrivalNs >= limits_.waitNs;
    }

    Limits limits_;
    Places places_;
    std::deque<std::uint64_t> shown_;  ///< arrivals, in the order of the hand-over queue
};

}  // namespace muster::manager
