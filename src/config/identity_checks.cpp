// Users and groups a start needs: they exist, and a pool does not run as root by accident.
#include <charconv>
#include <string_view>

#include "base/identity.h"
#include "base/listen_address.h"
#include "config/checks.h"
#include "config/text.h"

namespace muster::config {
namespace {

// php-fpm appends errno to these, which nothing has set.
constexpr const char* kOfSocket = ": Success (0)";

void checkUserName(const CheckContext& context, std::string_view directive, const std::string& name,
                   const char* suffix = "") {
    if (!name.empty() && !isNumericId(name) && !findUser(name)) {
        context.report(LogLevel::error, "cannot get uid for user '" + verbatim(name) + "'" + suffix,
                       context.found(directive, name) + ", expected an existing user");
    }
}

void checkGroupName(const CheckContext& context, std::string_view directive,
                    const std::string& name, const char* suffix = "") {
    if (!name.empty() && !isNumericId(name) && !findGroup(name)) {
        context.report(LogLevel::error,
                       "cannot get gid for group '" + verbatim(name) + "'" + suffix,
                       context.found(directive, name) + ", expected an existing group");
    }
}

/// All-digit text as an id; what does not fit is an id nobody has.
std::uint32_t numericId(const std::string& text) {
    std::uint32_t id = UINT32_MAX;
    std::from_chars(text.data(), text.data() + text.size(), id);
    return id;
}

/// The uid and gid the pool would run with are both not root's (spec config §10). A test warns
/// only: -R may be given to the start and not to the test.
void checkNotRoot(const CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    const bool numeric = isNumericId(pool.user);
    const auto entry = numeric ? findUser(numericId(pool.user)) : findUser(pool.user);
    std::optional<std::uint32_t> uid;
    if (pool.user.empty()) {
        uid = 0;
    } else if (numeric) {
        uid = numericId(pool.user);
    } else if (entry) {
        uid = entry->uid;
    }
    std::optional<std::uint32_t> gid;
    if (isNumericId(pool.group)) {
        gid = numericId(pool.group);
    } else if (!pool.group.empty()) {
        gid = findGroup(pool.group);
    } else {
        gid = entry ? entry->gid : 0;
    }
    if (!uid || !gid) {
        return;  // no such name: reported already
    }
    if (*uid == 0 || *gid == 0) {
        context.report(context.options.testOnly ? LogLevel::warning : LogLevel::error,
                       "please specify user and group other than root",
                       "user " + context.found("user", pool.user) + ", uid " +
                           std::to_string(*uid) + ", gid " + std::to_string(*gid) +
                           ", expected neither to be 0 unless -R is given");
    }
}

/// Names only: here a number is a name, too, as for php-fpm.
void checkAccessList(const CheckContext& context, std::string_view directive, std::string_view list,
                     bool ofUsers) {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        const std::string name(list.substr(0, comma));
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
        if (ofUsers ? !findUser(name) : !findGroup(name)) {
            context.report(
                LogLevel::error,
                std::string(ofUsers ? "cannot get uid for user '" : "cannot get gid for group '") +
                    verbatim(name) + "'" + kOfSocket,
                context.found(directive, name) +
                    ", expected existing names, separated by commas alone");
        }
    }
}

void checkSocketOwners(const CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    const bool byAcl = !pool.listenAclUsers.empty() || !pool.listenAclGroups.empty();
    const bool unixSocket = parseListenAddress(pool.listen).kind == ListenAddress::Kind::unixPath;
    if (context.options.testOnly || (unixSocket && !byAcl)) {
        checkUserName(context, "listen.owner", pool.listenOwner, kOfSocket);
        checkGroupName(context, "listen.group", pool.listenGroup, kOfSocket);
    }
    if (context.options.testOnly || unixSocket) {
        checkAccessList(context, "listen.acl_users", pool.listenAclUsers, true);
        checkAccessList(context, "listen.acl_groups", pool.listenAclGroups, false);
    }
}

}  // namespace

void checkIdentities(CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    const ReadOptions& options = context.options;
    if (options.runsAsRoot || options.testOnly) {
        checkUserName(context, "user", pool.user);
        checkGroupName(context, "group", pool.group);
    }
    if (options.runsAsRoot && !options.allowRoot && context.written("user") &&
        !context.failed("user") && !context.failed("group")) {
        checkNotRoot(context);
    }
    checkSocketOwners(context);
}

}  // namespace muster::config
