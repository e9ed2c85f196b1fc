// The table itself, and looking names up in it.
#include "config/directives.h"

#include <algorithm>
#include <array>

#include "config/checks.h"
#include "config/text.h"

namespace muster::config {
namespace {

using G = GlobalSettings;
using P = PoolSettings;

constexpr std::string_view kNumber = "a whole number such as 5";
constexpr std::string_view kTime = "a whole number with an optional unit s, m, h or d, such as 30s";
constexpr std::string_view kBytes =
    "a whole number of bytes with an optional unit K, M or G, such as 64M";
constexpr std::string_view kYesNo = "yes or no";
constexpr std::string_view kPath = "a path";
constexpr std::string_view kName = "a name or a numeric id";
constexpr std::string_view kNames = "names separated by commas";
constexpr std::string_view kPriority = "a whole number from -19 to 20";
constexpr std::string_view kCore = "a number of bytes, or unlimited";

constexpr auto kDirectives = std::to_array<Directive>({
    // clang-format off
    {"pid", Scope::global, Type::path, &G::pid, "none", kPath,
     "File that holds the master's process id. A relative path starts at /var, or at -p."},
    {"error_log", Scope::global, Type::path, &G::errorLog, "log/php-fpm.log",
     "a path, or syslog",
     "File that takes muster's own messages, or syslog. A relative path starts at /var, or at -p. "
     "The default's file name follows the name muster was started under."},
    {"log.format", Scope::global, Type::logFormat, &G::logFormat, "text", "text or json",
     "Form of the lines of error log and access logs: text as php-fpm writes it, or one JSON "
     "object per line.", nullptr, DumpStyle::ownDirective},
    {"syslog.ident", Scope::global, Type::text, &G::syslogIdent, "php-fpm", "a text",
     "Name before each message in syslog. The default follows the name muster was started under."},
    {"syslog.facility", Scope::global, Type::facility, &G::syslogFacility, "daemon",
     "a facility such as daemon or local0", "Facility of the messages in syslog."},
    {"log_buffering", Scope::global, Type::boolean, &G::logBuffering, "yes", kYesNo,
     "Taken for php-fpm's sake: lines of worker output are written whole in any case."},
    {"log_level", Scope::global, Type::logLevel, &G::logLevel, "notice",
     "alert, error, warning, notice or debug",
     "Least severity a message must have to be logged."},
    {"log_limit", Scope::global, Type::integer, &G::logLimit, "1024",
     "a whole number of at least 512",
     "Bytes after which a logged line of worker output is wrapped; at most 16 MiB count, with "
     "syslog 8192.", checkLogLimit},
    {"emergency_restart_interval", Scope::global, Type::seconds, &G::emergencyRestartInterval, "0",
     kTime, "Time in which emergency_restart_threshold workers must have crashed. 0: off."},
    {"emergency_restart_threshold", Scope::global, Type::integer, &G::emergencyRestartThreshold,
     "0", kNumber,
     "Workers that may crash (SIGSEGV, SIGBUS) within emergency_restart_interval before everything "
     "is restarted. 0: off."},
    {"process_control_timeout", Scope::global, Type::seconds, &G::processControlTimeout, "0", kTime,
     "How long workers may take to finish on a graceful stop or reload before they are ended. "
     "0: muster's own deadline."},
    {"terminate", Scope::global, Type::stopManner, &G::terminate, "fast", "fast or graceful",
     "What SIGTERM means: fast ends requests, as php-fpm does; graceful finishes them and whoever "
     "waits to be accepted, as SIGQUIT does. The default is graceful where muster is process 1, as "
     "in a container.",
     nullptr, DumpStyle::ownDirective},
    {"process.max", Scope::global, Type::integer, &G::processMax, "0", kNumber,
     "Most workers of all pools together. 0: no limit.", checkProcessMax},
    {"process.priority", Scope::global, Type::integer, &G::processPriority, "unchanged", kPriority,
     "Priority (nice value) of the master. Without effect unless muster is started as root.",
     checkPriority},
    {"daemonize", Scope::global, Type::boolean, &G::daemonize, "yes", kYesNo,
     "Go to the background at start. The options -D and -F override it."},
    {"rlimit_files", Scope::global, Type::integer, &G::rlimitFiles, "0", kNumber,
     "Limit of open files for the master. 0: leave it as it is."},
    {"rlimit_core", Scope::global, Type::rlimitCore, &G::rlimitCore, "0", kCore,
     "Limit of core files for the master. 0: leave it as it is."},
    {"events.mechanism", Scope::global, Type::text, &G::eventsMechanism, "epoll",
     "epoll, poll or select",
     "Accepted so that php-fpm's files work; libevent always chooses the mechanism itself."},
    {"systemd_interval", Scope::global, Type::seconds, &G::systemdInterval, "10s", kTime,
     "How often the state is told to systemd. 0: never.", checkSystemdInterval},
    {"start_timeout", Scope::global, Type::seconds, &G::startTimeout, "120s", kTime,
     "How long a pool may take to load PHP, preload included, and start its first workers. After it "
     "the start has failed; at a reload the old generation goes on. 0: 120 s.", nullptr,
     DumpStyle::ownDirective},
    {"reload_canary", Scope::global, Type::seconds, &G::reloadCanary, "0", kTime,
     "How long a reload watches a new generation before the old one goes. When two of its workers "
     "or its manager die, or its share of failed requests (5xx) jumps, the old one serves again and "
     "the reload has failed. 0: not at all.", nullptr, DumpStyle::ownDirective},
    {"control.socket", Scope::global, Type::text, &G::controlSocket,
     "the pid file's path with .ctl in place of .pid", "a path, or no",
     "Unix socket that musterctl talks to; no: none, and none without a pid file unless a path is "
     "given here. A relative path starts at /var, or at -p.", checkControlSocket,
     DumpStyle::ownDirective},
    {"control.allowed_users", Scope::global, Type::text, &G::controlAllowedUsers, "none", kNames,
     "Users who may use the control socket beside root and the master's own user.",
     checkControlUsers, DumpStyle::ownDirective},

    {"prefix", Scope::pool, Type::text, &P::prefix, "none", "the path of an existing directory",
     "Directory that relative paths of the pool start at. A relative one starts at /usr, or at -p.",
     checkPrefix},
    {"user", Scope::pool, Type::text, &P::user, "none", kName,
     "User the pool's processes run as. Required when muster is started as root, without effect "
     "otherwise.", checkUser},
    {"group", Scope::pool, Type::text, &P::group, "the user's primary group", kName,
     "Group the pool's processes run as."},
    {"listen", Scope::pool, Type::listen, &P::listen, "none",
     "host:port, a port, or the path of a unix socket",
     "Where the pool accepts FastCGI connections: HOST:PORT, PORT (on all addresses) or the path "
     "of a unix socket. Required, and different for every pool.", checkListen},
    {"listen.backlog", Scope::pool, Type::integer, &P::listenBacklog, "-1", kNumber,
     "Connections the kernel may queue for the pool. -1: as many as the kernel allows."},
    {"listen.acl_users", Scope::pool, Type::text, &P::listenAclUsers, "none", kNames,
     "Users who may connect to the unix socket, by an access control list. listen.owner is then "
     "without effect."},
    {"listen.acl_groups", Scope::pool, Type::text, &P::listenAclGroups, "none", kNames,
     "The same for groups and listen.group."},
    {"listen.owner", Scope::pool, Type::text, &P::listenOwner, "none", kName,
     "Owner of the unix socket."},
    {"listen.group", Scope::pool, Type::text, &P::listenGroup, "none", kName,
     "Group of the unix socket."},
    {"listen.mode", Scope::pool, Type::text, &P::listenMode, "0660",
     "octal digits such as 0660", "Permissions of the unix socket, in octal digits.",
     checkListenMode},
    {"listen.allowed_clients", Scope::pool, Type::optionalText, &P::listenAllowedClients, "any",
     "addresses separated by commas",
     "Clients that may connect over TCP. Empty: none."},
    {"listen.allowed_users", Scope::pool, Type::optionalText, &P::listenAllowedUsers, "any",
     "names or numeric ids separated by commas",
     "Users whose processes may connect to the pool's unix sockets, pm.status_listen included, "
     "whatever the permissions of these are; root only when it is named. Empty: none.",
     checkAllowedUsers, DumpStyle::ownDirective},
    {"listen.max_waiting", Scope::pool, Type::integer, &P::listenMaxWaiting, "1024",
     "a whole number of at least 1",
     "Most connections that wait without a worker: idle ones that the web server keeps alive, and "
     "those whose request's parameters are incomplete. Of the latter the longest silent is closed "
     "beyond it. Idle ones are not: once they are three quarters of it, answers end their "
     "connections instead of keeping them alive.",
     checkMaxWaiting, DumpStyle::ownDirective},
    {"listen.keepalive_timeout", Scope::pool, Type::seconds, &P::listenKeepaliveTimeout, "0", kTime,
     "How long a kept-alive connection may be idle before it is closed. Longer than the web "
     "server's own limit, or a request may meet the close. 0: as long as the web server likes.",
     nullptr, DumpStyle::ownDirective},
    {"process.priority", Scope::pool, Type::integer, &P::processPriority, "the master's",
     kPriority,
     "Priority (nice value) of the workers. Without effect unless muster is started as root.",
     checkPriority},
    {"process.dumpable", Scope::pool, Type::boolean, &P::processDumpable, "no", kYesNo,
     "Let processes of the same user trace the workers, and crashes leave a core file, although the "
     "workers changed their user."},
    {"pm", Scope::pool, Type::processManager, &P::pm, "none", "static, dynamic or ondemand",
     "How workers are kept: static (always pm.max_children), dynamic (between the spare limits) "
     "or ondemand (started when a request comes). Required.", checkProcessManager},
    {"pm.max_children", Scope::pool, Type::integer, &P::maxChildren, "0",
     "a whole number such as 5",
     "Most workers at a time, and so most requests at a time. Required, at least 1.",
     checkMaxChildren},
    {"pm.start_servers", Scope::pool, Type::integer, &P::startServers,
     "midway between the spare limits", kNumber, "Workers to start with (dynamic).",
     checkStartServers},
    {"pm.min_spare_servers", Scope::pool, Type::integer, &P::minSpareServers, "0", kNumber,
     "Fewest idle workers to keep (dynamic; at least 1 there).", checkMinSpare},
    {"pm.max_spare_servers", Scope::pool, Type::integer, &P::maxSpareServers, "0", kNumber,
     "Most idle workers to keep (dynamic; at least 1 there).", checkMaxSpare},
    {"pm.max_spawn_rate", Scope::pool, Type::integer, &P::maxSpawnRate, "32", kNumber,
     "Most workers to start at once, and then in a second, when the pool grows (dynamic).",
     checkSpawnRate},
    {"pm.process_idle_timeout", Scope::pool, Type::seconds, &P::processIdleTimeout, "10s", kTime,
     "How long a worker may be idle before it is ended (ondemand).", checkOndemand,
     DumpStyle::plainSeconds},
    {"pm.manager", Scope::pool, Type::managerLife, &P::managerLife, "eager", "eager or lazy",
     "When the pool's manager, which holds PHP, starts: eager (with muster) or lazy (with the first "
     "connection; it leaves again when nothing comes any more). lazy needs pm = ondemand.",
     checkManagerLife, DumpStyle::ownDirective},
    {"pm.manager_idle_timeout", Scope::pool, Type::seconds, &P::managerIdleTimeout, "60s", kTime,
     "How long a lazy manager stays without a worker or a connection. 0: it leaves with its last "
     "worker.", nullptr, DumpStyle::ownDirective},
    {"pm.max_requests", Scope::pool, Type::integer, &P::maxRequests, "0", kNumber,
     "Requests after which a worker is replaced by a fresh one. 0: never."},
    {"pm.max_requests_jitter", Scope::pool, Type::integer, &P::maxRequestsJitter, "0", kNumber,
     "Each worker's pm.max_requests is larger by a random number up to this one, so that they are "
     "not all replaced at the same time.", nullptr, DumpStyle::ownDirective},
    {"pm.max_lifetime", Scope::pool, Type::seconds, &P::maxLifetime, "0", kTime,
     "Time after which a worker is replaced by a fresh one, between two requests; for each a random "
     "tenth sooner at most. 0: never.", nullptr, DumpStyle::ownDirective},
    {"pm.max_memory", Scope::pool, Type::bytes, &P::maxMemory, "0", kBytes,
     "A worker that has more memory than this for itself alone after a request is replaced by a "
     "fresh one. 0: never.", nullptr, DumpStyle::ownDirective},
    {"pm.queue_limit", Scope::pool, Type::integer, &P::queueLimit, "0", kNumber,
     "Requests that may wait for a worker. While all are busy and the pool cannot grow the pool's "
     "manager accepts connections itself, keeps them in order, drops those whose client has left, "
     "answers ping and status, and answers whoever comes beyond this number with 503. 0: requests "
     "wait in the kernel's queue, as under php-fpm.", checkQueueLimit, DumpStyle::ownDirective},
    {"pm.queue_timeout", Scope::pool, Type::seconds, &P::queueTimeout, "0", kTime,
     "How long a request may wait for a worker before it is answered with 503 (pm.queue_limit). "
     "0: as long as its client does.", checkQueueTimeout, DumpStyle::ownDirective},
    {"pm.queue_retry_after", Scope::pool, Type::seconds, &P::queueRetryAfter, "1s", kTime,
     "Seconds that the header Retry-After of those answers names.", checkQueueRetryAfter,
     DumpStyle::ownDirective},
    {"pm.recycle_after_fatal", Scope::pool, Type::boolean, &P::recycleAfterFatal, "yes", kYesNo,
     "Replace a worker whose request ran out of memory: PHP stops wherever it is then, and what it "
     "leaves half done could reach the next request.", nullptr, DumpStyle::ownDirective},
    {"pm.status_path", Scope::pool, Type::text, &P::statusPath, "none",
     "a path such as /status", "URI that answers with the pool's status page.", checkStatusPath},
    {"pm.status_listen", Scope::pool, Type::listen, &P::statusListen, "none",
     "host:port, a port, or the path of a unix socket",
     "A further address that answers for pm.status_path even while all workers are busy. "
     "Without pm.status_path it answers for /.", checkStatusListen},
    {"ping.path", Scope::pool, Type::text, &P::pingPath, "none", "a path such as /ping",
     "URI that answers with ping.response, to see that the pool serves.", checkPingPath},
    {"ping.response", Scope::pool, Type::text, &P::pingResponse, "pong", "a text",
     "What ping.path answers with.", checkPingResponse, DumpStyle::emptyIsUndefined},
    {"access.log", Scope::pool, Type::path, &P::accessLog, "none", kPath,
     "File that takes one line per request. A relative path starts at /usr, or at -p.",
     checkAccessLog},
    {"access.format", Scope::pool, Type::text, &P::accessFormat,
     "\"%R - %u %t \\\"%m %r\\\" %s\"", "a format of %-tokens",
     "Format of a line of access.log. Without effect with log.format = json.", checkAccessFormat},
    {"access.suppress_path", Scope::pool, Type::list, &P::accessSuppressPaths, "none",
     "access.suppress_path[] = /path",
     "Successful GET and HEAD requests for exactly this path, without a query, do not appear in "
     "access.log."},
    {"slowlog", Scope::pool, Type::path, &P::slowlog, "none", kPath,
     "File for backtraces of slow requests, created at start. A relative path starts at /usr, or "
     "at -p."},
    {"request_slowlog_timeout", Scope::pool, Type::seconds, &P::requestSlowlogTimeout, "0", kTime,
     "How long a request may run before it is told in the error log, counted as slow, and its "
     "backtrace written to slowlog. 0: off.",
     checkSlowlogTimeout},
    {"request_slowlog_trace_depth", Scope::pool, Type::integer, &P::requestSlowlogTraceDepth, "20",
     kNumber, "Most function calls of a backtrace, innermost first.", checkSlowlogDepth},
    {"request_header_timeout", Scope::pool, Type::seconds, &P::requestHeaderTimeout, "60s", kTime,
     "How long a request's parameters may take from their first byte to their last, but no longer "
     "than request_terminate_timeout; then the connection is closed. 0: no limit.", nullptr,
     DumpStyle::ownDirective},
    {"request_body_timeout", Scope::pool, Type::seconds, &P::requestBodyTimeout, "0", kTime,
     "How long a request's body may stop coming while it is read. Then the request ends: the client "
     "gets a 408 page if nothing of the response has left. A slow body that goes on is not cut. "
     "0: no limit.", nullptr, DumpStyle::ownDirective},
    {"request_abort_on_disconnect", Scope::pool, Type::boolean, &P::requestAbortOnDisconnect, "no",
     kYesNo,
     "End a script as soon as its client has left, not only when it prints something, unless it "
     "has set ignore_user_abort. Its shutdown functions run; the access log says 499.", nullptr,
     DumpStyle::ownDirective},
    {"request_terminate_timeout", Scope::pool, Type::seconds, &P::requestTerminateTimeout, "0",
     kTime,
     "How long a request may run. Then its script is ended as by a fatal error, the client gets a "
     "504 page if nothing of the response has left, and the worker is replaced. 0: no limit."},
    {"request_terminate_grace", Scope::pool, Type::seconds, &P::requestTerminateGrace, "1s", kTime,
     "How long the shutdown functions of a script that took too long may run, or a script that does "
     "not react may still live, until its worker is ended by SIGTERM and, a second later, SIGKILL. "
     "0: SIGTERM at once, without a page, as php-fpm does.",
     nullptr, DumpStyle::ownDirective},
    {"request_terminate_timeout_track_finished", Scope::pool, Type::boolean,
     &P::requestTerminateTimeoutTrackFinished, "no", kYesNo,
     "Apply request_terminate_timeout also to what a script does after its response is complete "
     "(after fastcgi_finish_request() or in shutdown functions)."},
    {"rlimit_files", Scope::pool, Type::integer, &P::rlimitFiles, "0", kNumber,
     "Limit of open files for the pool's workers. 0: leave it as it is."},
    {"rlimit_core", Scope::pool, Type::rlimitCore, &P::rlimitCore, "0", kCore,
     "Limit of core files for the pool's workers. 0: leave it as it is."},
    {"chroot", Scope::pool, Type::path, &P::chroot, "none", "the path of an existing directory",
     "Directory the workers have as their root. It may start with $prefix. Without effect unless "
     "muster is started as root.", checkChroot},
    {"chdir", Scope::pool, Type::path, &P::chdir, "none", "the path of an existing directory",
     "Directory the workers change to at start, inside of chroot.", checkChdir},
    {"catch_workers_output", Scope::pool, Type::boolean, &P::catchWorkersOutput, "no", kYesNo,
     "Write what workers print on stdout and stderr into the error log. no: it is dropped."},
    {"decorate_workers_output", Scope::pool, Type::boolean, &P::decorateWorkersOutput, "yes",
     kYesNo, "Put the pool and the worker before each caught line of output. no: the bare line."},
    {"clear_env", Scope::pool, Type::boolean, &P::clearEnv, "yes", kYesNo,
     "Hide the environment muster was started with from workers. no: pass it on."},
    {"security.limit_extensions", Scope::pool, Type::text, &P::limitExtensions, ".php .phar",
     "file extensions separated by spaces",
     "Extensions a main script may have, separated by spaces. Empty: any."},
    {"security.exec_basedir", Scope::pool, Type::text, &P::execBasedir, "none",
     "absolute paths separated by colons",
     "Directories a main script must be below, once symbolic links are followed; files that scripts "
     "include are not looked at. With chroot they are paths inside of it. Empty: any.",
     checkExecBasedir, DumpStyle::ownDirective},
    {"security.allow_php_value", Scope::pool, Type::boolean, &P::allowPhpValue, "yes", kYesNo,
     "Obey the PHP settings a web server sends as PHP_VALUE and PHP_ADMIN_VALUE. no: each is ignored "
     "with a warning; then settings that protect belong into php_admin_value.", nullptr,
     DumpStyle::ownDirective},
    {"early_hints", Scope::pool, Type::boolean, &P::earlyHints, "no", kYesNo,
     "Give scripts headers_send(), which sends 103 Early Hints ahead of the response. Only for "
     "web servers that pass them on: most spoil the response.", nullptr, DumpStyle::ownDirective},
    {"apparmor_hat", Scope::pool, Type::text, &P::apparmorHat, "none", "the name of a hat",
     "AppArmor hat the workers change to.", nullptr, DumpStyle::hidden},
    {"env", Scope::pool, Type::array, &P::env, "none", "env[NAME] = value",
     "Environment variable of the workers. A value that starts with $ is taken from the "
     "environment muster was started with."},
    {"php_value", Scope::pool, Type::iniArray, &P::phpValues, "none", "php_value[name] = value",
     "PHP setting of the pool, which a script may still change."},
    {"php_flag", Scope::pool, Type::flagArray, &P::phpValues, "none", "yes or no",
     "The same for a PHP setting that is on or off."},
    {"php_admin_value", Scope::pool, Type::iniArray, &P::phpAdminValues, "none",
     "php_admin_value[name] = value", "PHP setting of the pool, which a script cannot change."},
    {"php_admin_flag", Scope::pool, Type::flagArray, &P::phpAdminValues, "none", "yes or no",
     "The same for a PHP setting that is on or off."},
    // clang-format on
});

bool isArray(const Directive& directive) {
    return std::holds_alternative<std::vector<KeyValue> PoolSettings::*>(directive.target);
}

/// Edits between two names; a swap of neighbours counts once.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> beforeLast(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        last[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], beforeLast[j - 2] + 1);
            }
        }
        std::swap(beforeLast, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

}  // namespace

std::span<const Directive> directives() {
    return kDirectives;
}

const Directive* findDirective(Scope scope, std::string_view name, bool array) {
    const std::string wanted = array ? std::string(name) : lowered(name);
    for (const Directive& directive : kDirectives) {
        if (directive.scope == scope && directive.name == wanted && isArray(directive) == array) {
            return &directive;
        }
    }
    return nullptr;
}

std::optional<std::string_view> suggestDirective(std::string_view name) {
    constexpr std::size_t kLongestName = 64;
    if (name.size() > kLongestName) {
        return std::nullopt;
    }
    const std::string wanted = lowered(name);
    std::optional<std::string_view> nearest;
    std::size_t limit = name.size() <= 4 ? 1 : name.size() <= 8 ? 2 : 3;
    const auto consider = [&](std::string_view candidate) {
        const std::size_t edits = distance(wanted, candidate);
        if (edits < limit || (edits == limit && !nearest)) {
            nearest = candidate;
            limit = edits;
        }
    };
    for (const Directive& directive : kDirectives) {
        consider(directive.name);
    }
    consider(kInclude);
    return nearest;
}

}  // namespace muster::config
