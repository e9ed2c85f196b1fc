// Rules on a pool's directories, URIs and logs.
#include <sys/stat.h>

#include <cerrno>

#include "config/checks.h"
#include "config/paths.h"
#include "config/text.h"

namespace muster::config {
namespace {

bool isDirectory(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

constexpr const char* kNoDirectory = "does not exist or is not a directory";
constexpr const char* kExpected = ", expected an existing directory";

}  // namespace

void checkPrefix(CheckContext& context) {
    const std::string& path = context.pool->prefix;
    if (!path.empty() && !isDirectory(path)) {
        context.report(LogLevel::error, "the prefix '" + verbatim(path) + "' " + kNoDirectory,
                       context.found("prefix", path) + kExpected);
    }
}

void checkUser(CheckContext& context) {
    // A user that is written and empty means root, which is judged at the start.
    if (!context.written("user") && context.options.runsAsRoot && !context.options.allowRoot) {
        context.report(LogLevel::alert, "user has not been defined",
                       "expected user = NAME in " + context.section());
    }
}

void checkChroot(CheckContext& context) {
    const std::string& path = context.pool->chroot;
    if (path.empty()) {
        return;
    }
    const std::string subject = "the chroot path '" + verbatim(path) + "' ";
    const std::string found = context.found("chroot", path);
    if (!path.starts_with('/')) {
        if (path.find(kPrefixWord) != std::string::npos) {
            context.reportBare(LogLevel::error,
                               "'$prefix' must be use at the beginning of the value", found);
        }
        context.report(LogLevel::error, subject + "must start with a '/'",
                       found + ", expected an absolute path, or an absolute -p before it");
    } else if (!isDirectory(path)) {
        context.report(LogLevel::error, subject + kNoDirectory, found + kExpected);
    }
}

void checkChdir(CheckContext& context) {
    const std::string& path = context.pool->chdir;
    const std::string& root = context.pool->chroot;
    if (path.empty()) {
        return;
    }
    const std::string subject = "the chdir path '" + verbatim(path) + "' ";
    const std::string found = context.found("chdir", path);
    if (!path.starts_with('/')) {
        context.report(LogLevel::error, subject + "must start with a '/'",
                       found + ", expected an absolute path, or an absolute -p before it");
        return;
    }
    if (root.empty()) {
        if (!isDirectory(path)) {
            context.report(LogLevel::error, subject + kNoDirectory, found + kExpected);
        }
        return;
    }
    const std::string whole = root + "/" + path;
    if (!context.failed("chroot") && !isDirectory(whole)) {
        context.report(LogLevel::error,
                       subject + "within the chroot path '" + verbatim(root) + "' ('" +
                           verbatim(whole) + "') " + kNoDirectory,
                       found + kExpected + " inside of it");
    }
}

namespace {

/// The texts php-fpm has for pm.status_path and ping.path. `word` is "status" or "ping".
void checkUri(const CheckContext& context, const std::string& word, const std::string& uri,
              std::size_t shortest) {
    if (uri.empty()) {
        return;
    }
    const std::string subject = "the " + word + " path '" + verbatim(uri) + "' ";
    const std::string detail =
        context.found(context.name, uri) + ", expected a path such as /" + word;
    if (!uri.starts_with('/')) {
        context.report(LogLevel::error, subject + "must start with a '/'", detail);
    } else if (uri.size() < shortest) {
        context.report(LogLevel::error, subject + "is not long enough", detail);
    }
    if (uri.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                              "/_-.~") != std::string::npos) {
        context.report(LogLevel::error,
                       subject + "must contain only the following characters '[alphanum]/_-.~'",
                       detail);
    }
}

}  // namespace

void checkStatusPath(CheckContext& context) {
    PoolSettings& pool = *context.pool;
    const bool ownAddress = !pool.statusListen.empty();
    if (ownAddress && !context.written("pm.status_path")) {
        pool.statusPath = "/";
    }
    checkUri(context, "status", pool.statusPath, ownAddress ? 1 : 2);
}

void checkPingPath(CheckContext& context) {
    checkUri(context, "ping", context.pool->pingPath, 2);
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
        context.reportBare(LogLevel::error,
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

namespace {

void reportNoSlowlog(const CheckContext& context, int value) {
    context.report(
        LogLevel::error,
        "'slowlog' must be specified for use with '" + std::string(context.name) + "'",
        context.found(context.name, value) + ", expected slowlog = PATH in " + context.section());
}

bool lacksSlowlog(const CheckContext& context) {
    return context.pool->slowlog.empty() && !context.failed("slowlog");
}

}  // namespace

void checkSlowlogTimeout(CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    const int slow = pool.requestSlowlogTimeout;
    const int most = pool.requestTerminateTimeout;
    if (slow == 0) {
        return;
    }
    if (lacksSlowlog(context)) {
        reportNoSlowlog(context, slow);
    }
    if (most != 0 && slow > most) {
        context.report(LogLevel::error,
                       "'request_slowlog_timeout' (" + std::to_string(slow) +
                           ") can't be greater than 'request_terminate_timeout' (" +
                           std::to_string(most) + ")",
                       context.found("request_slowlog_timeout", slow) + ", " +
                           context.found("request_terminate_timeout", most));
    }
}

void checkSlowlogDepth(CheckContext& context) {
    PoolSettings& pool = *context.pool;
    const int depth = pool.requestSlowlogTraceDepth;
    if (!context.written(context.name)) {
        return;
    }
    if (depth == 0) {
        pool.requestSlowlogTraceDepth = kDefaultTraceDepth;
        return;
    }
    if (lacksSlowlog(context)) {
        reportNoSlowlog(context, depth);
    }
    if (depth < 0) {
        context.report(LogLevel::error,
                       "'request_slowlog_trace_depth' (" + std::to_string(depth) +
                           ") must be a positive value",
                       context.found(context.name, depth) + ", expected at least 1");
    }
}

}  // namespace muster::config
