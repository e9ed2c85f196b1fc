// Follows links to /proc/self/fd and opens or duplicates what is behind them.
#include "master/named_descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <string_view>

#include "base/process.h"

namespace muster::master {
namespace {

constexpr int kMostLinks = 16;

std::optional<int> numberIn(std::string_view path) {
    if (path == "/dev/stdout") {
        return STDOUT_FILENO;
    }
    if (path == "/dev/stderr") {
        return STDERR_FILENO;
    }
    for (const std::string_view folder : {"/proc/self/fd/", "/dev/fd/"}) {
        if (path.starts_with(folder)) {
            path.remove_prefix(folder.size());
            int number = 0;
            const auto read = std::from_chars(path.data(), path.data() + path.size(), number);
            const bool whole = read.ec == std::errc() && read.ptr == path.data() + path.size();
            return whole && number >= 0 ? std::optional(number) : std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<int> descriptorNamed(const std::string& path) {
    std::string name = path;
    for (int links = 0; links < kMostLinks; ++links) {
        if (const auto number = numberIn(name)) {
            return number;
        }
        char target[PATH_MAX];
        const ssize_t length = ::readlink(name.c_str(), target, sizeof target);
        if (length <= 0) {
            return std::nullopt;
        }
        const std::string_view next(target, static_cast<std::size_t>(length));
        name = next.starts_with('/') ? std::string(next)
                                     : name.substr(0, name.rfind('/') + 1).append(next);
    }
    return std::nullopt;
}

StartDescriptors::StartDescriptors()
    : numbers_(openDescriptors()),
      out_(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)),
      err_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {}

int StartDescriptors::original(int number) const {
    return number == STDOUT_FILENO ? out_.get() : number == STDERR_FILENO ? err_.get() : -1;
}

void StartDescriptors::forget() {
    out_.reset();
    err_.reset();
}

Result<UniqueFd> StartDescriptors::openForAppending(int number) const {
    if (!std::binary_search(numbers_.begin(), numbers_.end(), number)) {
        errno = ENOENT;
        return errnoError("open");
    }
    const int kept = original(number);
    const int source = kept >= 0 ? kept : number;
    const std::string path = "/proc/self/fd/" + std::to_string(source);
    UniqueFd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY));
    const int flags = ::fcntl(source, F_GETFL);
    if (!file && flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) {
        file.reset(::fcntl(source, F_DUPFD_CLOEXEC, 3));
    }
    if (!file) {
        return errnoError("open");
    }
    return file;
}

}  // namespace muster::master
