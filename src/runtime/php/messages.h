// Log messages of the runtime and of PHP (request-environment.md §10).
//
// Each has two sinks: the request's FastCGI STDERR (joined by "; ", any level) and the process's
// own log. May leave by longjmp when the peer is gone and a script is running.
#pragma once

#include "base/log_level.h"

namespace muster::php {

/// "PHP message: <text>" at level NOTICE: what PHP itself has to say.
void logPhpMessage(const char* text) noexcept;

/// A message of the runtime's own.
void logMessage(LogLevel level, const char* format, ...) noexcept
    __attribute__((format(printf, 2, 3)));

/// Makes room for messages of up to `logLimit` bytes.
void prepareMessages(LogLevel level, int logLimit);

/// The peer is gone: ends the script's output and, unless it ignores that, the script. Returns
/// only when the engine has no frame to leave to, or the script may go on.
void peerIsGone() noexcept;

/// The body has not come within request_body_timeout: says so, and sends the 408.
void finishStalled() noexcept;

}  // namespace muster::php
