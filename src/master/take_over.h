// The first moments of a program that takes the place of a running master, until it holds
// everything; and the way back to the one before when something is wrong with it.
//
// The environment names the descriptor of the table. As long as settle() was not called, nothing
// that was handed over is changed, so the earlier program can go on with the same table: goBack()
// executes it, and so do a crash and a hang.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/signals.h"
#include "base/unique_fd.h"
#include "master/hand_over.h"

namespace muster::master {

/// Executes `program` in this process with the table; returns only when that fails. `failure`: why
/// the upgrade has failed, when this is the way back.
[[nodiscard]] Error executeWith(int program, const HandOver& handOver, const std::string& failure);

class TakeOver {
  public:
    /// Nothing: this is an ordinary start. Does not return when it is a take-over that fails.
    [[nodiscard]] static std::optional<TakeOver> fromEnvironment();

    TakeOver(TakeOver&&) noexcept = default;

    /// Borrowed descriptors: theirs who adopt them.
    HandOver handOver;
    /// Why this program, which had handed over, has the service again; empty: it is the next one.
    [[nodiscard]] const std::string& failure() const { return failure_; }

    /// For everything that can go wrong before settle().
    [[noreturn]] void goBack(const std::string& why) const;
    /// Everything has its owner now. No return from here; the way back is another hand-over.
    void settle();

  private:
    TakeOver() = default;
    UniqueFd table_;
    std::string failure_;
    std::unique_ptr<FaultWatch> faults_;
};

}  // namespace muster::master
