// Results of operations that can fail because of the environment or a peer.
//
// Contract: a Result carries the value or an Error with the errno-style code and what was
// attempted, as text for a log line. Nothing here throws. Safe in every process.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace muster {

struct Error {
    std::error_code code;  ///< system_category for errno values; may be empty for pure text errors
    std::string what;      ///< what was attempted and on what, e.g. "bind(/run/www.sock)"

    /// "what: strerror (errno)", or just "what" without a code.
    [[nodiscard]] std::string text() const;
};

template <typename T>
using Result = tl::expected<T, Error>;

/// The error of the system call that has just failed (reads errno).
[[nodiscard]] inline tl::unexpected<Error> errnoError(std::string what) {
    return tl::make_unexpected(
        Error{std::error_code(errno, std::system_category()), std::move(what)});
}

/// An error that no errno describes.
[[nodiscard]] inline tl::unexpected<Error> plainError(std::string what) {
    return tl::make_unexpected(Error{{}, std::move(what)});
}

/// strerror() without its thread traps, in the C locale's words.
[[nodiscard]] std::string errnoText(int error);

}  // namespace muster
