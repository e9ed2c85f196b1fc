// Which user a pool's processes become, and who owns its socket file (spec config §10, lifecycle
// §6.1). Master side; may block on user databases.
#pragma once

#include <string>
#include <vector>

#include "base/identity.h"
#include "base/listen_address.h"
#include "base/result.h"
#include "config/settings.h"

namespace muster::master {

struct PoolIdentity {
    Identity identity;
    std::vector<std::string> notices;  ///< "'user' directive is ignored when …"
};

/// As root: user and group of the pool, refused when either is root and `allowRoot` is off.
/// Otherwise: the user the master runs as, with notices for what is ignored.
[[nodiscard]] Result<PoolIdentity> resolveIdentity(const config::PoolSettings& pool,
                                                   bool runsAsRoot, bool allowRoot);

/// listen.backlog, .mode, .owner and .group as the listener wants them.
[[nodiscard]] Result<ListenOptions> resolveListenOptions(const config::PoolSettings& pool);

}  // namespace muster::master
