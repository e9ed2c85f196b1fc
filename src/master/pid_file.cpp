// Writes and removes the pid file.
#include "master/pid_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/io.h"

namespace muster::master {

Result<void> writePidFile(const std::string& path) {
    if (path.empty()) {
        return {};
    }
    if (::unlink(path.c_str()) < 0 && errno == EISDIR) {
        return errnoError("Unable to create the PID file (" + path + ").");
    }
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd) {
        return errnoError("Unable to create the PID file (" + path + ").");
    }
    if (!writeAll(fd.get(), std::to_string(::getpid()))) {
        return errnoError("Unable to write to the PID file.");
    }
    return {};
}

Result<void> removePidFile(const std::string& path) {
    constexpr std::size_t kMost = 64;
    const auto content = path.empty() ? Result<std::string>() : readFile(path, kMost);
    if (content && !content->empty() && *content != std::to_string(::getpid()) &&
        content->find_first_not_of("0123456789") == std::string::npos) {
        return {};  // a successor's: it may start while we finish requests
    }
    if (!path.empty() && ::unlink(path.c_str()) < 0) {
        return errnoError("Unable to remove the PID file (" + path + ").");
    }
    return {};
}

}  // namespace muster::master
