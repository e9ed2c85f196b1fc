// Resource limits and priority of this process (setrlimit(2), setpriority(2)).
#pragma once

#include "base/result.h"

namespace muster {

/// What the directives rlimit_files and rlimit_core limit.
enum class Limited { files, core };

inline constexpr int kNoLimit = -1;

/// Soft and hard limit = `value`. Raising the hard limit needs privileges. The error has php-fpm's
/// words, which speak of a pool for the global directives, too.
Result<void> setLimit(Limited what, int value);

/// Lets a child of this process, which may have lost its privileges, set `value`: raises the hard
/// limit when it is lower. The soft limit stays. Errors as above.
Result<void> allowLimit(Limited what, int value);

/// Soft and hard limit of open files.
struct FileLimits {
    unsigned long soft = 0;
    unsigned long hard = 0;
};
[[nodiscard]] FileLimits openFileLimits();

/// Back to limits this process had before: what a manager needs is not for its scripts.
void restoreFileLimits(const FileLimits& limits);

/// Raises the soft limit to `files`, and the hard one where this process may (else only up to it):
/// a manager needs descriptors for its workers' pipes whatever its pool's scripts are allowed.
void raiseFileLimit(unsigned long files);

/// Raises the soft limit to `files`, as far as the hard one goes, for this process alone: what it
/// executes by execChild() gets the limit there was before. setLimit() ends that.
void raiseOwnFileLimit(unsigned long files);
/// In a child, before the exec; async-signal-safe.
void lowerOwnFileLimit() noexcept;
/// The soft limit there was before; 0: it was not raised. A program that is executed in the place
/// of this one is told.
[[nodiscard]] unsigned long fileLimitBefore();
void rememberFileLimitBefore(unsigned long files);

/// The nice value of this process: -20 (first) … 19.
[[nodiscard]] int priority();
/// Lower values than the present one need privileges. The error is the kernel's.
Result<void> setPriority(int value, const std::string& attempt);

}  // namespace muster
