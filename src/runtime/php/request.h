// One request through the engine (php-sapi-notes.md §6, request-environment.md §1, §5).
#pragma once

#include <string>
#include <vector>

#include "runtime/php/exec_basedir.h"
#include "runtime/php/path_resolution.h"
#include "worker/runtime.h"

namespace muster::php {

/// What the pool allows a web server (security.*).
struct RequestRules {
    std::vector<std::string> extensions;  ///< of main scripts; empty: any
    ExecBasedir execBasedir;
    bool allowPhpValue = true;
};

/// Fills the engine's request_info and `state` from the parameters, applies PHP_VALUE.
RequestInfo resolveRequest(RequestIo& io, PathResolver& resolver,
                           const RequestRules& rules) noexcept;

/// From request start-up to END_REQUEST.
RunOutcome runRequest(RequestIo& io, const RequestRules& rules) noexcept;

}  // namespace muster::php
