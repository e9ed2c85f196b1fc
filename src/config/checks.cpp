// Rules on global values and on everything of a pool but its process numbers.
#include "config/checks.h"

#include <sys/stat.h>

#include <charconv>
#include <map>

#include "base/identity.h"
#include "base/listen_address.h"
#include "config/text.h"

namespace muster::config {

std::string CheckContext::found(std::string_view directive, const std::string& value) const {
    const auto origin = marks.written.find(directive);
    return (value.empty() ? "''" : shown(value)) +
           (origin == marks.written.end() ? " by default" : " at " + where(origin->second));
}

void CheckContext::report(LogLevel level, const std::string& text,
                          const std::string& detail) const {
    std::string line = pool == nullptr ? "" : "[pool " + shown(pool->name) + "] ";
    line += text;
    if (!detail.empty()) {
        line += " (" + detail + ")";
    }
    messages.push_back({level, std::move(line)});
}

void checkLogLimit(CheckContext& context) {
    if (context.global.logLimit < 512) {
        context.report(LogLevel::error, "log_limit must be greater than 512",
                       context.found("log_limit", std::to_string(context.global.logLimit)) +
                           ", expected at least 512");
    }
}

namespace {

bool namesChecked(const CheckContext& context) {
    return context.options.runsAsRoot || context.options.testOnly;
}

void checkUserName(CheckContext& context, const std::string& name) {
    if (!name.empty() && !isNumericId(name) && !findUser(name)) {
        context.report(LogLevel::error, "cannot get uid for user '" + shown(name) + "'",
                       context.found(context.name, name) + ", expected an existing user");
    }
}

void checkGroupName(CheckContext& context, const std::string& name) {
    if (!name.empty() && !isNumericId(name) && !findGroup(name)) {
        context.report(LogLevel::error, "cannot get gid for group '" + shown(name) + "'",
                       context.found(context.name, name) + ", expected an existing group");
    }
}

/// All-digit text as an id; what does not fit is an id nobody has.
std::uint32_t numericId(const std::string& text) {
    std::uint32_t id = UINT32_MAX;
    std::from_chars(text.data(), text.data() + text.size(), id);
    return id;
}

/// The uid and gid the pool would run with are both not root's (spec config §10).
void checkNotRoot(const CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    const auto entry =
        isNumericId(pool.user) ? findUser(numericId(pool.user)) : findUser(pool.user);
    std::optional<std::uint32_t> uid;
    if (isNumericId(pool.user)) {
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
        context.report(LogLevel::error, "please specify user and group other than root",
                       "user " + context.found("user", pool.user) + ", uid " +
                           std::to_string(*uid) + ", gid " + std::to_string(*gid) +
                           ", expected neither to be 0 unless -R is given");
    }
}

bool ownedSocket(const CheckContext& context) {
    return context.options.testOnly ||
           parseListenAddress(context.pool->listen).kind == ListenAddress::Kind::unixPath;
}

}  // namespace

void checkUser(CheckContext& context) {
    const std::string& user = context.pool->user;
    if (user.empty()) {
        if (context.options.runsAsRoot && !context.options.allowRoot) {
            context.report(LogLevel::alert, "user has not been defined",
                           "expected user = NAME in the section at " + where(context.pool->origin));
        }
        return;
    }
    if (namesChecked(context)) {
        checkUserName(context, user);
    }
}

void checkGroup(CheckContext& context) {
    if (namesChecked(context)) {
        checkGroupName(context, context.pool->group);
    }
    if (context.options.runsAsRoot && !context.options.allowRoot && !context.pool->user.empty() &&
        !context.failed("user")) {
        checkNotRoot(context);
    }
}

void checkListen(CheckContext& context) {
    const std::string& listen = context.pool->listen;
    if (listen.empty()) {
        context.report(
            LogLevel::alert, "no listen address have been defined!",
            "expected listen = ADDRESS in the section at " + where(context.pool->origin));
        return;
    }
    const ListenAddress address = parseListenAddress(listen);
    if (address.kind == ListenAddress::Kind::unixPath) {
        if (address.path.size() > kMaxUnixPath) {
            context.report(
                LogLevel::error,
                "cannot bind to UNIX socket '" + shown(listen) +
                    "' as path is too long (found length: " + std::to_string(listen.size()) +
                    ", maximal length: " + std::to_string(kMaxUnixPath) + ")",
                context.found("listen", listen));
        }
        return;
    }
    int port = 0;
    const char* end = address.port.data() + address.port.size();
    const auto parsed = std::from_chars(address.port.data(), end, port);
    if (parsed.ec != std::errc{} || parsed.ptr != end || port < 1 || port > 65535) {
        context.report(LogLevel::error, "invalid port value '" + shown(address.port) + "'",
                       context.found("listen", listen) + ", expected a port from 1 to 65535");
    }
}

void checkListenOwner(CheckContext& context) {
    if (ownedSocket(context)) {
        checkUserName(context, context.pool->listenOwner);
    }
}

void checkListenGroup(CheckContext& context) {
    if (ownedSocket(context)) {
        checkGroupName(context, context.pool->listenGroup);
    }
}

void checkListenMode(CheckContext& context) {
    const std::string& mode = context.pool->listenMode;
    if (!context.written("listen.mode")) {
        return;
    }
    if (mode.empty() || mode.size() > 5 ||
        mode.find_first_not_of("01234567") != std::string::npos ||
        std::stoul(mode, nullptr, 8) > 0777) {
        context.report(LogLevel::error, "listen.mode '" + shown(mode) + "' is not a file mode",
                       context.found("listen.mode", mode) +
                           ", expected octal digits up to 0777, such as 0660");
    }
}

namespace {

/// The texts php-fpm has for pm.status_path and ping.path. `word` is "status" or "ping".
void checkUri(const CheckContext& context, const std::string& word, const std::string& uri) {
    if (uri.empty()) {
        return;
    }
    const std::string subject = "the " + word + " path '" + shown(uri) + "' ";
    const std::string found = context.found(context.name, uri);
    const std::string expected = ", expected a path such as /" + word;
    if (!uri.starts_with('/')) {
        context.report(LogLevel::error, subject + "must start with a '/'", found + expected);
    } else if (uri.size() < 2) {
        context.report(LogLevel::error, subject + "is not long enough", found + expected);
    }
    if (uri.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                              "/_-.~") != std::string::npos) {
        context.report(LogLevel::error,
                       subject + "must contain only the following characters '[alphanum]/_-.~'",
                       found + expected);
    }
}

}  // namespace

void checkStatusPath(CheckContext& context) {
    checkUri(context, "status", context.pool->statusPath);
}

void checkPingPath(CheckContext& context) {
    checkUri(context, "ping", context.pool->pingPath);
}

void checkPingResponse(CheckContext& context) {
    PoolSettings& pool = *context.pool;
    if (pool.pingPath.empty()) {
        pool.pingResponse.clear();
    } else if (pool.pingResponse.empty()) {
        context.report(LogLevel::error, "the ping response page '' is not long enough",
                       context.found("ping.response", "") + ", expected at least one byte");
    }
}

void checkAccessLog(CheckContext& context) {
    if (context.written("access.log") && context.pool->accessLog.empty()) {
        context.report(LogLevel::error,
                       "failed to open access log (): " + errnoText(ENOENT) + " (" +
                           std::to_string(ENOENT) + ")",
                       context.found("access.log", "") +
                           ", expected a path, or no access.log line for no log");
    }
}

void checkAccessFormat(CheckContext& context) {
    if (context.pool->accessLog.empty() && !context.written("access.format")) {
        context.pool->accessFormat.clear();
    }
}

void checkChdir(CheckContext& context) {
    const std::string& path = context.pool->chdir;
    if (path.empty()) {
        return;
    }
    const std::string subject = "the chdir path '" + shown(path) + "' ";
    const std::string found = context.found("chdir", path);
    if (!path.starts_with('/')) {
        context.report(LogLevel::error, subject + "must start with a '/'",
                       found + ", expected an absolute path, or an absolute -p before it");
        return;
    }
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
        context.report(LogLevel::error, subject + "does not exist or is not a directory",
                       found + ", expected an existing directory");
    }
}

namespace {

void checkAddressesDiffer(Draft& draft) {
    std::map<std::string_view, const PoolDraft*> owners;
    for (const PoolDraft& pool : draft.pools) {
        const std::string& listen = pool.settings.listen;
        const auto line = pool.marks.written.find("listen");
        if (listen.empty() || line == pool.marks.written.end()) {
            continue;
        }
        const auto [owner, isNew] = owners.emplace(listen, &pool);
        if (!isNew) {
            draft.messages.push_back(
                {LogLevel::error,
                 "[pool " + shown(pool.settings.name) +
                     "] unable to set listen address as it's already used in another pool '" +
                     shown(owner->second->settings.name) + "' (" + shown(listen) + " at " +
                     where(line->second) + " and " +
                     where(owner->second->marks.written.at("listen")) +
                     ", expected an address of its own for every pool)"});
        }
    }
}

void runChecks(Scope scope, CheckContext context) {
    for (const Directive& directive : directives()) {
        if (directive.scope == scope && directive.check != nullptr &&
            !context.failed(directive.name)) {
            context.name = directive.name;
            directive.check(context);
        }
    }
}

}  // namespace

void checkDraft(Draft& draft, const ReadOptions& options) {
    runChecks(Scope::global,
              CheckContext{{}, options, draft.global, nullptr, draft.globalMarks, draft.messages});
    if (draft.pools.empty() && !draft.sectionsLost) {
        draft.messages.push_back(
            {LogLevel::error,
             "No pool defined. at least one pool section must be specified in config file (" +
                 shown(options.file) + " has none, expected a section such as [www])"});
    }
    for (PoolDraft& pool : draft.pools) {
        runChecks(
            Scope::pool,
            CheckContext{{}, options, draft.global, &pool.settings, pool.marks, draft.messages});
    }
    checkAddressesDiffer(draft);
}

}  // namespace muster::config
