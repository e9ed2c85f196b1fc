// Reading and writing whole buffers, EINTR handled.
// May block. Any process; async-signal-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

/// Writes all of it; false with errno set when that fails. Stderr may be a pipe that somebody else
/// made non-blocking: a full one is waited for, but not for ever.
bool writeAll(int fd, std::string_view bytes) noexcept;

/// The same for a connected socket: a peer that is gone is an error, never a SIGPIPE.
bool sendAll(int socket, std::string_view bytes) noexcept;

/// The whole file, at most `limit` bytes (more is an error).
[[nodiscard]] Result<std::string> readFile(const std::string& path, std::size_t limit);

/// Rest of an open descriptor from offset 0 (memfd, file), at most `limit` bytes.
[[nodiscard]] Result<std::string> readDescriptor(int fd, std::size_t limit);

/// Opens for appending (O_WRONLY|O_APPEND|O_CREAT|O_CLOEXEC|O_NOCTTY), mode 0600: log
/// files.
[[nodiscard]] Result<UniqueFd> openAppend(const std::string& path);

/// Duplicates with CLOEXEC.
[[nodiscard]] Result<UniqueFd> duplicate(int fd);

/// There is something to read or to accept, or the end, by now. Does not wait.
[[nodiscard]] bool isReadable(int fd) noexcept;

/// O_NONBLOCK on or off.
Result<void> setNonBlocking(int fd, bool on);

}  // namespace muster
