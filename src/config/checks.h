// The rules a directive's row refers to (spec config §7, §8), and those about several pools.
//
// Each rule reports php-fpm's text first, then what was found, where, and what was expected. A
// value that could not be read is never judged again. Rules may also settle a value that depends
// on others (pm.start_servers). May block on user databases and on stat(2).
#pragma once

#include <string>
#include <string_view>

#include "config/draft.h"

namespace muster::config {

struct CheckContext {
    std::string_view name;  ///< of the row whose check runs
    const ReadOptions& options;
    GlobalSettings& global;
    PoolSettings* pool;  ///< null for a global row
    const Marks& marks;
    std::vector<Message>& messages;

    [[nodiscard]] bool written(std::string_view directive) const {
        return marks.written.contains(directive);
    }
    [[nodiscard]] bool failed(std::string_view directive) const {
        return marks.failed.contains(directive);
    }
    /// "'value' at [file:line]" or "'value' by default".
    [[nodiscard]] std::string found(std::string_view directive, const std::string& value) const;
    /// "text (detail)", behind the pool's prefix.
    void report(LogLevel level, const std::string& text, const std::string& detail) const;
};

void checkLogLimit(CheckContext& context);
void checkUser(CheckContext& context);
void checkGroup(CheckContext& context);
void checkListen(CheckContext& context);
void checkBacklog(CheckContext& context);
void checkListenOwner(CheckContext& context);
void checkListenGroup(CheckContext& context);
void checkListenMode(CheckContext& context);
void checkProcessManager(CheckContext& context);
void checkMaxChildren(CheckContext& context);
void checkStartServers(CheckContext& context);
void checkMinSpare(CheckContext& context);
void checkMaxSpare(CheckContext& context);
void checkSpawnRate(CheckContext& context);
void checkIdleTimeout(CheckContext& context);
void checkStatusPath(CheckContext& context);
void checkPingPath(CheckContext& context);
void checkPingResponse(CheckContext& context);
void checkAccessLog(CheckContext& context);
void checkAccessFormat(CheckContext& context);
void checkChdir(CheckContext& context);

/// Runs the rows' checks on every scope, then the rules about the pools together.
void checkDraft(Draft& draft, const ReadOptions& options);

}  // namespace muster::config
