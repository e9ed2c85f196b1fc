// Users and groups: names to ids, and the one place that gives up privileges.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"

namespace muster {

struct UserEntry {
    uid_t uid;
    gid_t gid;  ///< primary group
    std::string name;
    std::string home;
};

/// By name. Reads the system's databases (may block on NSS). Empty when there is no such user.
[[nodiscard]] std::optional<UserEntry> findUser(const std::string& name);
[[nodiscard]] std::optional<UserEntry> findUser(uid_t uid);
[[nodiscard]] std::optional<gid_t> findGroup(const std::string& name);

/// Of an existing user's name, or a number, whether anybody has it or not.
[[nodiscard]] std::optional<uid_t> findUserId(const std::string& nameOrNumber);

/// True for a non-empty string of digits: php-fpm's "numeric user" (spec config §6.2).
[[nodiscard]] bool isNumericId(const std::string& text);

struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string groupsOf;  ///< whose supplementary groups: for initgroups(3)
    std::string userName;  ///< for USER; empty for a user given as a number
    std::string home;      ///< for HOME; empty likewise
};

/// Whether a process keeps the right to change its root once (root_directory.h) as another user.
enum class RootChange { no, later };

/// setgid, initgroups, setuid, in this order, for good; uid 0 / gid 0 are not called (spec
/// lifecycle §5.8). Verified afterwards: a process that can get root back is an error.
Result<void> dropPrivileges(const Identity& identity, RootChange rootChange);

}  // namespace muster
