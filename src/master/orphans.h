// Children that the master did not start itself: workers whose manager died (they re-parent to the
// master, a child subreaper, and must not outlive it), and those it was born with.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <vector>

namespace muster::master {

/// 0: there is no such process. Reads /proc; does not block.
[[nodiscard]] pid_t parentOf(pid_t pid);

/// All children of this process. Reads /proc; does not block.
[[nodiscard]] std::vector<pid_t> ownChildren();

/// Those of them that run our own executable. What scripts started in the
/// background is left alone. Reads /proc; does not block.
[[nodiscard]] std::vector<pid_t> orphanedWorkers();

inline constexpr std::chrono::milliseconds kPatienceWithOrphans{1000};
/// Ends them: TERM, and KILL for those that are left after `patience`. Blocks that long at most.
void endOrphanedWorkers(std::chrono::milliseconds patience);

}  // namespace muster::master
