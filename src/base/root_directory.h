// chroot(2) by a process that gave up root before, and the one capability it keeps for that.
//
// A manager has to load its runtime as the pool's user and outside of the new root, where the
// libraries are. So CAP_SYS_CHROOT survives the change of user, but only as permitted: nothing the
// process does has it in force until enterRoot() raises it, uses it once and drops it for good.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

/// The directory, opened with privileges: it may lie below one that the pool's user cannot search.
[[nodiscard]] Result<UniqueFd> openRoot(const std::string& path);

/// Around the change of user: the permitted set is not lost with uid 0.
Result<void> keepPermitted(bool keep);
/// Leaves CAP_SYS_CHROOT permitted, as far as it was, and nothing else in any set.
Result<void> reduceToChroot();

/// Makes `directory` (from openRoot) the root and the current directory of this process, closes it
/// and, unless the user is root, drops all capabilities. `path`: for the message only.
Result<void> enterRoot(UniqueFd directory, const std::string& path);

}  // namespace muster
