// Thin callbacks: output, flush, body, end of request. All noexcept; none owns anything.
#include "runtime/php/sapi_module.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime/php/environment.h"
#include "runtime/php/headers.h"
#include "runtime/php/messages.h"
#include "runtime/php/module.h"
#include "runtime/php/state.h"
#include "runtime/php/time_limit.h"
#include "runtime/php/user_ini.h"

namespace muster::php {

namespace {

// After fastcgi_finish_request() a script may still print this much before somebody looks
// whether there is a connection.
constexpr std::size_t kUnsentAllowance = 8184;

int startUp(sapi_module_struct* module) noexcept {
    return php_module_startup(module, &moduleEntry);
}

int deactivate() noexcept {
    if (SG(sapi_started) && state.io != nullptr) {
        if (state.io->timeIsUp()) {
            state.io->finishTimedOut();
        }
        state.io->finish();
    }
    return SUCCESS;
}

std::size_t writeOutput(const char* text, std::size_t n) noexcept {
    RequestIo* io = state.io;
    if (io == nullptr) {
        return std::fwrite(text, 1, n, stdout);
    }
    if (io->timeIsUp()) {
        endScriptWhenLate();  // returns while shutdown functions run: nobody reads what they print
    } else if (io->finished()) {
        state.afterFinish += n;
        if (state.afterFinish > kUnsentAllowance && !io->flush()) {
            peerIsGone();
        }
    } else if (!io->writeStdout(text, n)) {
        endScriptWhenLate();
        peerIsGone();
    }
    return n;
}

void flushOutput(void* /*context*/) noexcept {
    if (state.io == nullptr) {
        std::fflush(stdout);
    } else if (state.io->timeIsUp()) {
        endScriptWhenLate();
    } else if (!state.io->flush()) {
        endScriptWhenLate();
        peerIsGone();
    }
}

/// Opens REQUEST_BODY_FILE at the first read; true when the body comes from a file.
bool bodyComesFromFile() noexcept {
    if (state.bodyFileTried) {
        return state.bodyFile >= 0;
    }
    const char* path = state.io->params().get("REQUEST_BODY_FILE");
    if (path == nullptr || *path == '\0') {
        return false;
    }
    state.bodyFileTried = true;
    state.bodyFile = ::open(path, O_RDONLY | O_CLOEXEC);
    if (state.bodyFile < 0) {
        php_error(E_WARNING, "REQUEST_BODY_FILE: open('%s') failed: %s (%d)", path,
                  std::strerror(errno), errno);
    }
    return state.bodyFile >= 0;
}

std::size_t readFromFile(char* buffer, std::size_t n) noexcept {
    while (true) {
        const ssize_t got = ::read(state.bodyFile, buffer, n);
        if (got >= 0) {
            return static_cast<std::size_t>(got);
        }
        if (errno != EINTR) {
            return 0;
        }
    }
}

std::size_t readBody(char* buffer, std::size_t n) noexcept {
    if (state.io == nullptr) {
        return 0;
    }
    if (state.bodyUntilEnd) {
        // What nobody asked for is drained by the connection, under its budget.
        if (state.shuttingDown) {
            return 0;
        }
    } else {
        const std::int64_t left = state.bodyLength - SG(read_post_bytes);
        n = std::min(n, static_cast<std::size_t>(std::max<std::int64_t>(left, 0)));
    }
    if (n == 0) {
        return 0;
    }
    const bool fromFile = bodyComesFromFile();
    if (state.bodyFileTried && !fromFile) {
        return 0;
    }
    std::size_t total = 0;
    while (total < n) {
        const std::size_t got = fromFile ? readFromFile(buffer + total, n - total)
                                         : state.io->readBody(buffer + total, n - total);
        if (got == 0) {
            break;
        }
        total += got;
    }
    if (total < n && state.io->bodyStalled()) {
        if (state.executing && !state.stalled) {
            endScriptWhenLate();
            finishStalled();
            peerIsGone();
        }
        return 0;
    }
    if (total < n && state.io->bodyAborted()) {
        // As php-fpm: nobody should take the first half of a small form for all of it.
        if (!state.bodyUntilEnd) {
            return 0;
        }
        // Without a length a script cannot tell half a body from a whole one: it must not go on.
        if (state.executing) {
            endScriptWhenLate();
            peerIsGone();
        }
    }
    return total;
}

void logFromEngine(const char* text, int /*priority*/) noexcept {
    logPhpMessage(text);
}

char pluginName[] = "fpm-fcgi";
char prettyName[] = "FPM/FastCGI";

}  // namespace

sapi_module_struct sapiModule = {
    pluginName,
    prettyName,
    startUp,
    php_module_shutdown_wrapper,
    activateDirectorySettings,
    deactivate,
    writeOutput,
    flushOutput,
    nullptr,  // get_stat: the engine looks at path_translated itself
    getVariable,
    zend_error,
    nullptr,  // header_handler
    sendHeaders,
    nullptr,  // send_header: sendHeaders writes all
    readBody,
    readCookies,
    registerServerVariables,
    logFromEngine,
    nullptr,  // get_request_time: a clock of our own would make OPcache refuse to cache
    nullptr,  // terminate_process
    STANDARD_SAPI_MODULE_PROPERTIES,
};

}  // namespace muster::php
