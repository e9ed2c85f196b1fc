// Names of users and groups to what a socket file gets.
#include "master/listen_options.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/identity.h"

namespace muster::master {
namespace {

// php-fpm appends an errno that nothing has set.
tl::unexpected<Error> unknown(const std::string& prefix, const char* id, const char* kind,
                              const std::string& name) {
    return plainError(
        fmt::format("{}cannot get {} for {} '{}': Success (0)", prefix, id, kind, name));
}

/// The id in digits. The highest means "leave alone" to chown(2) and is nobody's.
std::optional<std::uint32_t> parseId(const std::string& digits) {
    std::uint32_t id = UINT32_MAX;
    std::from_chars(digits.data(), digits.data() + digits.size(), id);
    return id == UINT32_MAX ? std::nullopt : std::optional(id);
}

std::vector<std::string> splitAtCommas(std::string_view list) {
    std::vector<std::string> names;
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        names.emplace_back(list.substr(0, comma));
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
    return names;
}

Result<void> resolveAcl(const config::PoolSettings& pool, ListenOptions& options, const Say& say) {
    for (const std::string& name : splitAtCommas(pool.listenAclUsers)) {
        const auto user = findUser(name);
        if (!user) {
            return unknown(options.prefix, "uid", "user", name);
        }
        say(LogLevel::debug,
            fmt::format("{}user '{}' have uid={}", options.prefix, name, user->uid));
        options.aclUsers.push_back(user->uid);
    }
    for (const std::string& name : splitAtCommas(pool.listenAclGroups)) {
        const auto group = findGroup(name);
        if (!group) {
            return unknown(options.prefix, "gid", "group", name);
        }
        say(LogLevel::debug, fmt::format("{}group '{}' have gid={}", options.prefix, name, *group));
        options.aclGroups.push_back(*group);
    }
    for (const auto& [directive, value] :
         {std::pair{"owner", &pool.listenOwner}, std::pair{"group", &pool.listenGroup}}) {
        if (options.hasAcl() && !value->empty()) {
            say(LogLevel::warning, fmt::format("{}ACL set, listen.{} = '{}' is ignored",
                                               options.prefix, directive, *value));
        }
    }
    return {};
}

Result<void> resolveOwner(const config::PoolSettings& pool, ListenOptions& options) {
    if (isNumericId(pool.listenOwner)) {
        options.owner = parseId(pool.listenOwner);
    } else if (const auto user = findUser(pool.listenOwner)) {
        options.owner = user->uid;
        options.group = user->gid;
    }
    if (!pool.listenOwner.empty() && !options.owner) {
        return unknown(options.prefix, "uid", "user", pool.listenOwner);
    }
    if (pool.listenGroup.empty()) {
        return {};
    }
    options.group =
        isNumericId(pool.listenGroup) ? parseId(pool.listenGroup) : findGroup(pool.listenGroup);
    if (!options.group) {
        return unknown(options.prefix, "gid", "group", pool.listenGroup);
    }
    return {};
}

}  // namespace

Result<ListenOptions> resolveListenOptions(const config::PoolSettings& pool, const Say& say) {
    ListenOptions options;
    options.prefix = "[pool " + pool.name + "] ";
    if (!pool.listenMode.empty()) {
        options.mode = static_cast<mode_t>(std::strtoul(pool.listenMode.c_str(), nullptr, 8));
    }
    if (auto resolved = resolveAcl(pool, options, say); !resolved) {
        return tl::make_unexpected(resolved.error());
    }
    if (!options.hasAcl()) {
        if (auto resolved = resolveOwner(pool, options); !resolved) {
            return tl::make_unexpected(resolved.error());
        }
    }
    return options;
}

}  // namespace muster::master
