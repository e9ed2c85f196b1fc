// Which of our open descriptors a path such as /dev/stderr means, and what is left of it.
//
// Master, made before anything replaces a standard stream: keeps the streams it was started with.
// Opening such a path anew is refused for somebody else's pipe or terminal and impossible for a
// socket; the descriptor that is open already serves as well.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster::master {

/// 2 for /dev/stderr, /dev/fd/2, /proc/self/fd/2 and links to them; nothing for other paths.
[[nodiscard]] std::optional<int> descriptorNamed(const std::string& path);

class StartDescriptors {
  public:
    StartDescriptors();
    /// In a program that took over: what another found at the start.
    StartDescriptors(std::vector<int> numbers, UniqueFd out, UniqueFd err)
        : numbers_(std::move(numbers)), out_(std::move(out)), err_(std::move(err)) {}

    [[nodiscard]] const std::vector<int>& numbers() const { return numbers_; }

    /// Opens what `number` was at the start, or duplicates it where that is refused. Numbers that
    /// were not open then are refused: they may be anything of ours by now.
    [[nodiscard]] Result<UniqueFd> openForAppending(int number) const;

    /// What stdout and stderr were at the start; -1 once forgotten.
    [[nodiscard]] int original(int number) const;
    /// Whoever waits for the end of these streams must not wait for ours. From now on the names
    /// mean what the streams are.
    void forget();

  private:
    std::vector<int> numbers_;
    UniqueFd out_;
    UniqueFd err_;
};

}  // namespace muster::master
