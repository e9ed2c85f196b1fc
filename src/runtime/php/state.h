// What the callbacks of the engine share: one plain struct per process.
//
// The engine leaves frames by longjmp, so nothing here has a destructor that matters at such a
// moment, and callbacks keep no owning object on their stack.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/log_level.h"
#include "runtime/php/path_resolution.h"
#include "worker/runtime.h"

namespace muster::php {

struct State {
    RequestIo* io = nullptr;  ///< the request at hand; null outside of one

    // Process-wide, set by load() and startWorker().
    LogLevel logLevel = LogLevel::notice;
    std::size_t logLimit = 1024;
    char* message = nullptr;  ///< scratch for one log message, messageSize bytes
    std::size_t messageSize = 0;
    int homeDirectory = -1;  ///< O_PATH descriptor of the worker's own directory

    // Per request; see beginRequest().
    ResolvedPath path;
    std::int64_t bodyLength = 0;   ///< CONTENT_LENGTH as atol() reads it
    bool bodyUntilEnd = false;     ///< no length was given: the body ends with STDIN
    bool executing = false;        ///< between php_execute_script's start and return
    bool shuttingDown = false;     ///< modules have had their RSHUTDOWN
    bool saidSomething = false;    ///< a STDERR message went out: the next needs a separator
    bool toldLate = false;         ///< the fatal error of a request that took too long was raised
    bool stalled = false;          ///< the 408 of a body that did not come was sent
    bool abandoned = false;        ///< the script was ended because its client had left
    bool memoryExhausted = false;  ///< a fatal error for want of memory
    bool processChanged = false;   ///< the script changed the process for good
    int bodyFile = -1;             ///< REQUEST_BODY_FILE
    bool bodyFileTried = false;
    std::size_t afterFinish = 0;  ///< output bytes since fastcgi_finish_request()
};

extern State state;

/// Forgets the request before; `io` is the new one.
void beginRequest(RequestIo& io) noexcept;

/// The request is over: its descriptors are closed, callbacks find no peer.
void endRequest() noexcept;

}  // namespace muster::php
