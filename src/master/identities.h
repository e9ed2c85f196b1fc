// Which user a pool's processes become (spec config §10). Master side; may block on user databases.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/identity.h"
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

/// Whom listen.allowed_users names; nothing without that directive.
[[nodiscard]] Result<std::optional<std::vector<uid_t>>> resolveAllowedUsers(
    const config::PoolSettings& pool);

}  // namespace muster::master
