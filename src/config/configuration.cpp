// Reading from start to end: files, overrides of the command line, paths, checks.
#include "config/configuration.h"

#include <algorithm>

#include "base/listen_address.h"
#include "config/checks.h"
#include "config/convert.h"
#include "config/draft.h"
#include "config/paths.h"
#include "config/reader.h"
#include "config/text.h"

namespace muster::config {
namespace {

void makeGlobalPathsAbsolute(GlobalSettings& global, const Marks& marks,
                             const ReadOptions& options) {
    if (!global.pid.empty() || marks.written.contains("pid")) {
        global.pid = absolutePath(global.pid, options.prefix, kStateDirectory);
    }
    if (lowered(global.errorLog) == kSyslog) {
        global.errorLog = kSyslog;
    } else {
        global.errorLog = absolutePath(global.errorLog, options.prefix, kStateDirectory);
    }
}

void makePoolPathsAbsolute(PoolSettings& pool, const ReadOptions& options) {
    for (const Directive& directive : directives()) {
        if (directive.scope != Scope::pool ||
            (directive.type != Type::path && directive.type != Type::listen)) {
            continue;
        }
        std::string& value = pool.*std::get<std::string PoolSettings::*>(directive.target);
        if (directive.type == Type::path ||
            parseListenAddress(value).kind == ListenAddress::Kind::unixPath) {
            value = absolutePoolPath(value, options.prefix);
        }
    }
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

    ReadOutcome outcome;
    outcome.configuration.file = options.file;
    outcome.configuration.global = std::move(draft.global);
    for (const Directive& directive : directives()) {
        if (directive.dump == DumpStyle::ownDirective &&
            draft.globalMarks.written.contains(directive.name)) {
            outcome.configuration.ownWritten.emplace(directive.name);
        }
    }
    for (PoolDraft& pool : draft.pools) {
        outcome.configuration.pools.push_back(std::move(pool.settings));
    }
    outcome.messages = std::move(draft.messages);
    outcome.parsed = draft.parsed;
    outcome.valid =
        std::none_of(outcome.messages.begin(), outcome.messages.end(),
                     [](const Message& message) { return message.level >= LogLevel::error; });
    return outcome;
}

}  // namespace muster::config
