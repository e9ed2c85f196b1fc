// Composes log messages in one buffer per process and hands them to both sinks.
#include "runtime/php/messages.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/io.h"
#include "runtime/php/engine.h"
#include "runtime/php/module.h"
#include "runtime/php/state.h"

namespace muster::php {

namespace {

constexpr std::string_view kPhpPrefix = "PHP message: ";
constexpr std::string_view kCut = "...";
constexpr std::size_t kOwnLimit = 2048;
constexpr int kLongestLine = 16 << 20;  // that of the manager, which reads these lines

/// False when the peer is gone.
bool sendToPeer(const char* text, std::size_t n) noexcept {
    RequestIo* io = state.io;
    if (io == nullptr || n == 0 || !moduleSettings.logging || io->finished()) {
        return true;
    }
    if (state.saidSomething && !io->writeStderr("; ", 2)) {
        return false;
    }
    state.saidSomething = true;
    return io->writeStderr(text, n);
}

/// To fd 2, past the level filter.
void writeLine(std::string_view prefix, const char* text, std::size_t n) noexcept {
    char newline = '\n';
    const iovec parts[] = {{const_cast<char*>(prefix.data()), prefix.size()},
                           {const_cast<char*>(text), n},
                           {&newline, 1}};
    const ssize_t written = ::writev(STDERR_FILENO, parts, 3);
    // A signal may cut a line that is longer than the pipe.
    std::size_t done = written > 0 ? static_cast<std::size_t>(written) : 0;
    for (const iovec& part : parts) {
        const std::size_t skipped = std::min(done, part.iov_len);
        done -= skipped;
        if (skipped < part.iov_len &&
            !writeAll(STDERR_FILENO, {static_cast<const char*>(part.iov_base) + skipped,
                                      part.iov_len - skipped})) {
            return;
        }
    }
}

/// Ends `text` of `n` bytes in "..." when it is cut to `limit` bytes; the length that remains.
std::size_t cutTo(std::size_t limit, char* text, std::size_t n) noexcept {
    if (n > limit) {
        n = limit;
        std::memcpy(text + n - kCut.size(), kCut.data(), kCut.size());
    }
    text[n] = '\0';
    return n;
}

}  // namespace

void prepareMessages(LogLevel level, int logLimit) {
    state.logLevel = level;
    state.logLimit = static_cast<std::size_t>(std::clamp(logLimit, 64, kLongestLine));
    std::free(state.message);
    // One byte more than any limit, so that what is cut is seen to be.
    state.messageSize = std::max(state.logLimit, kOwnLimit) + 2;
    state.message = static_cast<char*>(std::malloc(state.messageSize));
    if (state.message == nullptr) {
        std::abort();
    }
}

void peerIsGone() noexcept {
    if (EG(bailout) != nullptr) {
        state.abandoned = !PG(ignore_user_abort) && state.io != nullptr && state.io->clientLeft();
        php_handle_aborted_connection();
    }
}

void finishStalled() noexcept {
    state.stalled = true;
    logMessage(LogLevel::warning, "Nothing of the request's body came for request_body_timeout");
    state.io->finishStalled();
}

void logPhpMessage(const char* text) noexcept {
    constexpr std::string_view kLevel = "NOTICE: ";
    if (state.message == nullptr) {
        writeLine(kPhpPrefix, text, std::strlen(text));
        return;
    }
    const bool withLevel = state.logLevel <= LogLevel::notice;
    const std::size_t limit = state.logLimit - 1 - (withLevel ? kLevel.size() : 0);
    std::size_t n = kPhpPrefix.size();
    std::memcpy(state.message, kPhpPrefix.data(), n);
    const std::size_t length = std::strlen(text);
    const std::size_t room = state.messageSize - 1 - n;
    std::memcpy(state.message + n, text, std::min(length, room));
    n = cutTo(limit, state.message, std::min(n + length, state.messageSize - 1));
    if (state.io != nullptr && withLevel && n < kOwnLimit - kLevel.size()) {
        state.io->log(LogLevel::notice, state.message);
    } else {
        writeLine(withLevel ? kLevel : std::string_view{}, state.message, n);
    }
    if (!sendToPeer(state.message, n)) {
        peerIsGone();
    }
}

void logMessage(LogLevel level, const char* format, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, format);
    const int printed = std::vsnprintf(state.message, state.messageSize, format, arguments);
    va_end(arguments);
    if (printed < 0) {
        return;
    }
    const std::size_t length = std::min(static_cast<std::size_t>(printed), state.messageSize - 1);
    const std::size_t n = cutTo(kOwnLimit, state.message, length);
    if (state.io != nullptr) {
        state.io->log(level, state.message);
    } else if (level >= state.logLevel) {
        char prefix[16];
        const int size = std::snprintf(prefix, sizeof prefix, "%s: ", logLevelName(level));
        writeLine({prefix, static_cast<std::size_t>(size)}, state.message, n);
    }
    if (!sendToPeer(state.message, n)) {
        peerIsGone();
    }
}

}  // namespace muster::php
