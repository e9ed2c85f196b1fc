// The rules a directive's row refers to (spec config §7, §8), those about several pools, and those
// that only matter at the start (§9, §10).
//
// Each rule reports php-fpm's text, and as detail what was found, where, and what was expected. A
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
    [[nodiscard]] std::string found(std::string_view directive, int value) const {
        return found(directive, std::to_string(value));
    }
    /// "the section at [file:line]".
    [[nodiscard]] std::string section() const;
    /// `text` behind the pool's prefix.
    void report(LogLevel level, const std::string& text, const std::string& detail) const;
    /// `text` as it stands.
    void reportBare(LogLevel level, const std::string& text, const std::string& detail) const;
};

// global_checks.cpp
void checkLogLimit(CheckContext& context);
void checkProcessMax(CheckContext& context);
void checkEventsMechanism(CheckContext& context);  ///< once the error log is open
void checkSystemdInterval(CheckContext& context);
void checkControlSocket(CheckContext& context);
void checkPriority(CheckContext& context);  ///< of the master and of pools

// process_checks.cpp
void checkProcessManager(CheckContext& context);
void checkMaxChildren(CheckContext& context);
void checkStartServers(CheckContext& context);
void checkMinSpare(CheckContext& context);
void checkMaxSpare(CheckContext& context);
void checkSpawnRate(CheckContext& context);
void checkOndemand(CheckContext& context);
void checkManagerLife(CheckContext& context);
void checkQueueLimit(CheckContext& context);
void checkQueueTimeout(CheckContext& context);
void checkQueueRetryAfter(CheckContext& context);
void checkMaxWaiting(CheckContext& context);

// address_checks.cpp
void checkListen(CheckContext& context);
void checkListenMode(CheckContext& context);
void checkStatusListen(CheckContext& context);
/// No two of the pools' addresses, pm.status_listen included, are the same.
void checkAddressesDiffer(Draft& draft);
/// Ports and path lengths: what can never be bound.
void checkAddressesUsable(CheckContext& context);

// security_checks.cpp
void checkAllowedUsers(CheckContext& context);
void checkControlUsers(CheckContext& context);
void checkExecBasedir(CheckContext& context);

// pool_checks.cpp
void checkPrefix(CheckContext& context);
void checkUser(CheckContext& context);
void checkStatusPath(CheckContext& context);
void checkPingPath(CheckContext& context);
void checkPingResponse(CheckContext& context);
void checkAccessLog(CheckContext& context);
void checkAccessFormat(CheckContext& context);
void checkSlowlogTimeout(CheckContext& context);
void checkSlowlogDepth(CheckContext& context);
void checkChroot(CheckContext& context);
void checkChdir(CheckContext& context);

// identity_checks.cpp
/// User, group, and the owners of the socket exist where they matter, and are not root.
void checkIdentities(CheckContext& context);

/// Runs the rows' checks on every scope, then the rules about the pools together, then the start's.
void checkDraft(Draft& draft, const ReadOptions& options);

}  // namespace muster::config
