// How much memory this process has for itself alone, as the process file system tells it.
//
// Two measures. The cheap one is one short read: what is resident and belongs to no file. Pages
// shared with the parent since the fork are in it, so it is too high but for rounding. The exact
// one makes the kernel walk all mappings. Neither blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

class PrivateMemory {
  public:
    /// Of the calling process; `processTree` from openProcessTree(). Works after a change of root.
    [[nodiscard]] static Result<PrivateMemory> open(int processTree);

    [[nodiscard]] std::optional<std::uint64_t> atMostBytes() const;
    [[nodiscard]] std::optional<std::uint64_t> bytes() const;

    [[nodiscard]] int roughFd() const { return rough_.get(); }
    [[nodiscard]] int exactFd() const { return exact_.get(); }

  private:
    UniqueFd rough_;
    UniqueFd exact_;
};

/// What the two files say; nothing when it is something else.
[[nodiscard]] std::optional<std::uint64_t> anonymousPagesIn(std::string_view statm);
[[nodiscard]] std::optional<std::uint64_t> privateKibIn(std::string_view smapsRollup);

}  // namespace muster
