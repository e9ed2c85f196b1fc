// RLIMIT_NOFILE.
#include "base/limits.h"

#include <sys/resource.h>

#include <algorithm>

namespace muster {

Result<void> limitOpenFiles(int files) {
    const auto value = static_cast<rlim_t>(files);
    const rlimit limit{value, value};
    if (::setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return errnoError(
            "failed to set rlimit_files for this pool. Please check your system limits or decrease "
            "rlimit_files. setrlimit(RLIMIT_NOFILE, " +
            std::to_string(files) + ")");
    }
    return {};
}

FileLimits openFileLimits() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return {limit.rlim_cur, limit.rlim_max};
}

void raiseSoftFileLimit(unsigned long files) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min(limit.rlim_max, std::max<rlim_t>(limit.rlim_cur, files));
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace muster
