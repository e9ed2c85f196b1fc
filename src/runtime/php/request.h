// One request through the engine (php-sapi-notes.md §6, request-environment.md §1, §5).
#pragma once

#include <string>
#include <vector>

#include "runtime/php/path_resolution.h"
#include "worker/runtime.h"

namespace muster::php {

/// Fills the engine's request_info and `state` from the parameters, applies PHP_VALUE.
RequestInfo resolveRequest(RequestIo& io, PathResolver& resolver) noexcept;

/// From request start-up to END_REQUEST. `extensions`: security.limit_extensions, empty: any.
RunOutcome runRequest(RequestIo& io, const std::vector<std::string>& extensions) noexcept;

}  // namespace muster::php
