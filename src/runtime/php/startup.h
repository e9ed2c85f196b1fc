// Brings the engine up in the pool's manager: ini files, SAPI, module start-up.
#pragma once

#include <string>

#include "base/result.h"
#include "worker/runtime.h"

namespace muster::php {

/// Module start-up with the configuration's ini sources; once per process. Fails when an ini
/// file is there but cannot be read, when the library is not the one built for, or when the
/// engine refuses to start.
[[nodiscard]] Result<void> startEngine(const RuntimeConfig& config);

/// The last act of loading: every function, class and constant that is there now outlives requests,
/// everything later ends with its request.
void keepWhatIsLoaded();

/// PHP's full version, "8.2.35", as the library says. After startEngine().
[[nodiscard]] std::string engineVersion();
/// The same as a number: 80235.
[[nodiscard]] long engineVersionId();

}  // namespace muster::php
