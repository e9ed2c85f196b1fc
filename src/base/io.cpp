// Whole reads and writes.
#include "base/io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace muster {

namespace {

bool becomesWritable(int fd) noexcept {
    constexpr int kPatienceMs = 100;
    pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
    return ::poll(&ready, 1, kPatienceMs) > 0;
}

}  // namespace

bool isReadable(int fd) noexcept {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

bool sendAll(int socket, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        bytes.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
    }
    return true;
}

bool writeAll(int fd, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0) {
            if (errno == EINTR || (errno == EAGAIN && becomesWritable(fd))) {
                continue;
            }
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

Result<std::string> readDescriptor(int fd, std::size_t limit) {
    std::string content;
    char block[16384];
    off_t offset = 0;
    for (;;) {
        const ssize_t n = ::pread(fd, block, sizeof block, offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errnoError("read");
        }
        if (n == 0) {
            return content;
        }
        content.append(block, static_cast<std::size_t>(n));
        offset += n;
        if (content.size() > limit) {
            return plainError("larger than " + std::to_string(limit) + " bytes");
        }
    }
}

Result<std::string> readFile(const std::string& path, std::size_t limit) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return errnoError("open(" + path + ")");
    }
    std::string content;
    char block[16384];
    for (;;) {
        const ssize_t n = ::read(fd.get(), block, sizeof block);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errnoError("read(" + path + ")");
        }
        if (n == 0) {
            return content;
        }
        content.append(block, static_cast<std::size_t>(n));
        if (content.size() > limit) {
            return plainError(path + " is larger than " + std::to_string(limit) + " bytes");
        }
    }
}

Result<UniqueFd> openAppend(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600));
    if (!fd) {
        return errnoError("open(" + path + ")");
    }
    return fd;
}

Result<UniqueFd> duplicate(int fd) {
    UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) {
        return errnoError("dup");
    }
    return copy;
}

Result<void> setNonBlocking(int fd, bool on) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0) {
        return errnoError("fcntl(O_NONBLOCK)");
    }
    return {};
}

}  // namespace muster
