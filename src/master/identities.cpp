// Names from the configuration to ids.
#include "master/identities.h"

#include <unistd.h>

#include <cstdlib>

#include "config/text.h"

namespace muster::master {
namespace {

std::string inPool(const config::PoolSettings& pool, const std::string& text) {
    return "[pool " + pool.name + "] " + text;
}

template <typename Id>
Id numericId(const std::string& text) {
    return static_cast<Id>(std::strtoul(text.c_str(), nullptr, 10));
}

PoolIdentity ownIdentity(const config::PoolSettings& pool) {
    PoolIdentity result;
    result.identity.uid = ::geteuid();
    result.identity.gid = ::getegid();
    if (const auto user = findUser(result.identity.uid)) {
        result.identity.userName = user->name;
        result.identity.home = user->home;
    }
    for (const auto& [directive, given] :
         {std::pair{"user", !pool.user.empty()}, std::pair{"group", !pool.group.empty()},
          std::pair{"chroot", !pool.chroot.empty()},
          std::pair{"process.priority", pool.processPriority.has_value()}}) {
        if (given) {
            result.notices.push_back(inPool(pool, std::string("'") + directive +
                                                      "' directive is ignored when FPM is not "
                                                      "running as root"));
        }
    }
    return result;
}

}  // namespace

Result<PoolIdentity> resolveIdentity(const config::PoolSettings& pool, bool runsAsRoot,
                                     bool allowRoot) {
    if (!runsAsRoot) {
        return ownIdentity(pool);
    }
    PoolIdentity result;
    Identity& identity = result.identity;
    if (isNumericId(pool.user)) {
        identity.uid = numericId<uid_t>(pool.user);
        identity.groupsOf = pool.user;  // initgroups(3) wants a name, known or not
        if (const auto user = findUser(identity.uid)) {
            identity.gid = user->gid;
            identity.groupsOf = user->name;
        }
    } else if (!pool.user.empty()) {
        const auto user = findUser(pool.user);
        if (!user) {
            return plainError(inPool(pool, "cannot get uid for user '" + pool.user + "'"));
        }
        identity = {user->uid, user->gid, user->name, user->name, user->home};
    }
    if (isNumericId(pool.group)) {
        identity.gid = numericId<gid_t>(pool.group);
    } else if (!pool.group.empty()) {
        const auto group = findGroup(pool.group);
        if (!group) {
            return plainError(inPool(pool, "cannot get gid for group '" + pool.group + "'"));
        }
        identity.gid = *group;
    }
    if (!allowRoot && (identity.uid == 0 || identity.gid == 0)) {
        return plainError(inPool(pool, "please specify user and group other than root"));
    }
    return result;
}

Result<std::optional<std::vector<uid_t>>> resolveAllowedUsers(const config::PoolSettings& pool) {
    if (!pool.listenAllowedUsers) {
        return std::nullopt;
    }
    std::vector<uid_t> users;
    for (const std::string& name : config::pieces(*pool.listenAllowedUsers, ',')) {
        const auto uid = findUserId(name);
        if (!uid) {
            return plainError(inPool(pool, "cannot get uid for user '" + name + "'"));
        }
        users.push_back(*uid);
    }
    return users;
}

}  // namespace muster::master
