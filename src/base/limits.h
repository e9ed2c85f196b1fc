// Resource limits of this process (setrlimit(2)).
#pragma once

#include "base/result.h"

namespace muster {

/// Soft and hard RLIMIT_NOFILE = `files`. Raising the hard limit needs privileges.
Result<void> limitOpenFiles(int files);

/// The present soft and hard limit of open files.
struct FileLimits {
    unsigned long soft = 0;
    unsigned long hard = 0;
};
[[nodiscard]] FileLimits openFileLimits();

/// Raises the soft limit to `files` (or to the hard limit when that is lower): a manager needs
/// descriptors for its workers' pipes whatever its pool's scripts are allowed.
void raiseSoftFileLimit(unsigned long files);

}  // namespace muster
