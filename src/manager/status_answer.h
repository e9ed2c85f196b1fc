// What a request on pm.status_listen is answered: the pool's status or ping page, or that there is
// nothing else here.
//
// Pure but for the snapshot it asks for. Manager process; parameters are hostile.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "fastcgi/params.h"
#include "scoreboard/snapshot.h"
#include "worker/runtime.h"

namespace muster::manager {

/// As the runtime would see it, for scripts that are no files: without a script there is no URI.
[[nodiscard]] RequestInfo requestInfoOf(const fastcgi::Params& params);

/// Everything for STDOUT: headers, the empty line, the body. `settings`: the runtime's.
[[nodiscard]] std::string statusAnswer(const config::PoolSettings& pool,
                                       const fastcgi::Params& params, const PageSettings& settings,
                                       const std::function<scoreboard::PoolSnapshot()>& snapshot);

}  // namespace muster::manager
