// When a dead worker may be replaced: pure policy against respawn storms.
//
// Workers that die young (before their first request, within a second) are replaced with growing
// delay; one that lived ends the row. A worker killed while it served is replaced at once:
// one bad page must not take its pool off the air.
#pragma once

#include <chrono>
#include <cstdint>

namespace muster::manager {

class RespawnDelay {
  public:
    /// A worker that was not told to leave is gone. `lifetimeNs` since its fork; `served`: it had
    /// begun a request. Returns how long to wait before the next fork.
    [[nodiscard]] std::chrono::milliseconds afterDeath(std::uint64_t lifetimeNs, bool served);

    /// A replacement has proved itself: the row is over.
    void reset() { youngDeaths_ = 0; }

    /// Deaths in a row that count as young.
    [[nodiscard]] int youngDeaths() const { return youngDeaths_; }

    static constexpr std::chrono::milliseconds kLongest{10'000};

  private:
    int youngDeaths_ = 0;
};

}  // namespace muster::manager
