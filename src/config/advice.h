// Warnings about settings that are legal and hurt: few, and only when there is no doubt.
//
// Each says in its detail what to do instead. Reads small files of /proc and /sys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/draft.h"

namespace muster::config {

/// What the host allows; nothing where it does not say.
struct HostLimits {
    std::optional<std::uint64_t> longestQueue;  ///< net.core.somaxconn
    std::optional<std::uint64_t> memory;        ///< bytes: the host's, or less by a control group
};

/// `root` stands before /proc and /sys; empty: the real ones.
[[nodiscard]] HostLimits readHostLimits(const std::string& root);

/// Adds warnings to the draft's messages.
void advise(Draft& draft, const HostLimits& host);

}  // namespace muster::config
