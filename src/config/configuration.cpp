// Reading from start to end: files, overrides of the command line, paths, checks.
#include "config/configuration.h"

#include "base/listen_address.h"
#include "config/advice.h"
#include "config/checks.h"
#include "config/convert.h"
#include "config/draft.h"
#include "config/paths.h"
#include "config/reader.h"
#include "config/text.h"

namespace muster::config {
namespace {

/// Beside the pid file unless it is written where, or that there is none: the word no is an empty
/// value by the time it is here.
std::string controlSocketPath(const GlobalSettings& global, const Marks& marks,
                              const std::string& prefix) {
    constexpr std::string_view kPidSuffix = ".pid";
    if (!global.controlSocket.empty()) {
        return absolutePath(global.controlSocket, prefix, kStateDirectory);
    }
    if (global.pid.empty() || marks.written.contains("control.socket")) {
        return {};
    }
    std::string path = global.pid;
    if (path.ends_with(kPidSuffix)) {
        path.erase(path.size() - kPidSuffix.size());
    }
    return path + ".ctl";
}

void makeGlobalPathsAbsolute(GlobalSettings& global, const Marks& marks,
                             const ReadOptions& options) {
    if (!global.pid.empty() || marks.written.contains("pid")) {
        global.pid = absolutePath(global.pid, options.prefix, kStateDirectory);
    }
    if (lowered(global.errorLog) != kSyslog) {
        global.errorLog = absolutePath(global.errorLog, options.prefix, kStateDirectory);
    }
    global.controlSocket = controlSocketPath(global, marks, options.prefix);
}

void makePoolPathsAbsolute(PoolSettings& pool, const ReadOptions& options) {
    if (!pool.prefix.empty()) {
        pool.prefix = absolutePath(pool.prefix, options.prefix, kBaseDirectory);
    }
    const PathBase base{pool.prefix, options.prefix};
    pool.chroot = absoluteChroot(pool.chroot, base);
    if (!pool.chroot.empty() && !pool.chdir.empty() && !pool.chdir.starts_with('/')) {
        pool.chdir = "/" + pool.chdir;  // php-fpm puts the prefix there, which is never right
    }
    for (std::string* path : {&pool.accessLog, &pool.slowlog, &pool.chdir}) {
        *path = absolutePoolPath(*path, base);
    }
    if (parseListenAddress(pool.listen).kind == ListenAddress::Kind::unixPath) {
        pool.listen = absolutePoolPath(pool.listen, base);
    }
    if (parseListenAddress(pool.statusListen).kind == ListenAddress::Kind::unixPath) {
        // To php-fpm this address is another pool's, one without a prefix.
        pool.statusListen = absolutePoolPath(pool.statusListen, {{}, options.prefix});
    }
    if (pool.chroot.empty()) {
        for (auto* list : {&pool.phpValues, &pool.phpAdminValues}) {
            for (KeyValue& entry : *list) {
                entry.value = absoluteIniValue(entry.key, entry.value, base);
            }
        }
    }
}

std::set<std::string> namesWritten(const Marks& marks) {
    std::set<std::string> names;
    for (const auto& [name, origin] : marks.written) {
        names.emplace(name);
    }
    return names;
}

}  // namespace

ReadOutcome readConfiguration(const ReadOptions& options) {
    Draft draft = readDraft(options);
    if (options.daemonize) {
        draft.global.daemonize = *options.daemonize;
    }
    makeGlobalPathsAbsolute(draft.global, draft.globalMarks, options);
    for (PoolDraft& pool : draft.pools) {
        makePoolPathsAbsolute(pool.settings, options);
    }
    checkDraft(draft, options);
    if (!hasErrors(draft.messages)) {
        advise(draft, readHostLimits(options.hostRoot));
    }

    ReadOutcome outcome;
    outcome.configuration.file = options.file;
    outcome.configuration.global = std::move(draft.global);
    outcome.configuration.written.push_back(namesWritten(draft.globalMarks));
    for (PoolDraft& pool : draft.pools) {
        outcome.configuration.written.push_back(namesWritten(pool.marks));
        outcome.configuration.pools.push_back(std::move(pool.settings));
    }
    outcome.messages = std::move(draft.messages);
    outcome.early = draft.early;
    outcome.parsed = draft.parsed;
    outcome.processed = draft.processed;
    outcome.valid = !hasErrors(outcome.messages);
    return outcome;
}

}  // namespace muster::config
