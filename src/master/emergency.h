// emergency_restart_threshold and _interval: when crashed workers call for a reload (spec
// lifecycle §5.3). Pure: no clock of its own.
#pragma once

#include <cstdint>
#include <deque>

namespace muster::master {

class CrashRecord {
  public:
    /// Either 0: off. A change forgets what was recorded.
    void configure(int threshold, int intervalSeconds);

    /// A worker of any pool died by SIGSEGV or SIGBUS. True when that many died within the
    /// interval; counting then begins anew.
    [[nodiscard]] bool note(std::uint64_t nowNs);

    [[nodiscard]] int threshold() const { return threshold_; }
    [[nodiscard]] int intervalSeconds() const { return intervalSeconds_; }

  private:
    int threshold_ = 0;
    int intervalSeconds_ = 0;
    std::deque<std::uint64_t> crashes_;  ///< at most `threshold_`, oldest first
};

}  // namespace muster::master
