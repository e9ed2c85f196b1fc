// RLIMIT_NOFILE, RLIMIT_CORE and the nice value.
#include "base/limits.h"

#include <sys/resource.h>

#include <algorithm>

namespace muster {
namespace {

auto resourceOf(Limited what) {
    return what == Limited::files ? RLIMIT_NOFILE : RLIMIT_CORE;
}

rlim_t softBefore = 0;  ///< of open files, before raiseOwnFileLimit(); 0: it was not raised

rlim_t kernelValue(int value) {
    return value == kNoLimit ? RLIM_INFINITY : static_cast<rlim_t>(value);
}

Result<void> apply(Limited what, const rlimit& limit, int value) {
    if (::setrlimit(resourceOf(what), &limit) < 0) {
        const std::string directive = what == Limited::files ? "rlimit_files" : "rlimit_core";
        return errnoError("failed to set " + directive +
                          " for this pool. Please check your system limits or decrease " +
                          directive + ". setrlimit(" +
                          (what == Limited::files ? "RLIMIT_NOFILE" : "RLIMIT_CORE") + ", " +
                          std::to_string(value) + ")");
    }
    return {};
}

}  // namespace

Result<void> setLimit(Limited what, int value) {
    auto set = apply(what, {kernelValue(value), kernelValue(value)}, value);
    if (set && what == Limited::files) {
        softBefore = 0;
    }
    return set;
}

Result<void> allowLimit(Limited what, int value) {
    rlimit limit{};
    ::getrlimit(resourceOf(what), &limit);
    if (limit.rlim_max >= kernelValue(value)) {
        return {};
    }
    limit.rlim_max = kernelValue(value);
    return apply(what, limit, value);
}

FileLimits openFileLimits() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return {limit.rlim_cur, limit.rlim_max};
}

void restoreFileLimits(const FileLimits& limits) {
    const rlimit limit{limits.soft, limits.hard};
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

void raiseFileLimit(unsigned long files) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (files <= limit.rlim_cur) {
        return;
    }
    const rlimit wanted{files, std::max<rlim_t>(limit.rlim_max, files)};
    if (::setrlimit(RLIMIT_NOFILE, &wanted) < 0) {
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, files);
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void raiseOwnFileLimit(unsigned long files) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t wanted = std::min<rlim_t>(files, limit.rlim_max);
    if (wanted <= limit.rlim_cur) {
        return;
    }
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = wanted;
    if (::setrlimit(RLIMIT_NOFILE, &limit) == 0 && softBefore == 0) {
        softBefore = before;
    }
}

void lowerOwnFileLimit() noexcept {
    if (softBefore == 0) {
        return;
    }
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = softBefore;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

unsigned long fileLimitBefore() {
    return softBefore;
}

void rememberFileLimitBefore(unsigned long files) {
    softBefore = files;
}

int priority() {
    return ::getpriority(PRIO_PROCESS, 0);
}

Result<void> setPriority(int value, const std::string& attempt) {
    if (::setpriority(PRIO_PROCESS, 0, value) < 0) {
        return errnoError(attempt);
    }
    return {};
}

}  // namespace muster
