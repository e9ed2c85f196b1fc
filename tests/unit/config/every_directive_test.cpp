// Every directive of the table: a value it takes, as -tt shows it, and one it refuses.
#include <set>

#include "config/directives.h"
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct Row {
    const char* name;
    std::string value;
    std::string dumped;   ///< empty: never shown
    std::string refused;  ///< empty: the type takes any text
    std::string why{};    ///< behind "unable to parse value for entry 'name': "
};

constexpr const char* kNumber = "is not a valid number (greater or equal than zero)";
constexpr const char* kUnit = "unknown suffix used in time value";
constexpr const char* kTruth = "invalid boolean value";
constexpr const char* kPlace = "Can't use '$pool' when the pool is not defined";

const std::vector<Row> kGlobalRows = {
    {"pid", "run/a.pid", "/var/run/a.pid", "a$pool", kPlace},
    {"error_log", "/x/e.log", "/x/e.log", "$pool.log", kPlace},
    {"log.format", "json", "json", "yaml", "invalid value"},
    {"syslog.ident", "me", "me", "$pool", kPlace},
    {"syslog.facility", "local2", "144", "local9", "invalid value"},
    {"log_buffering", "no", "no", "2", kTruth},
    {"log_level", "Error", "ERROR", "fatal", "invalid value for 'log_level'"},
    {"log_limit", "2048", "2048", "2k", kNumber},
    {"emergency_restart_interval", "1m", "60s", "1w", kUnit},
    {"emergency_restart_threshold", "10", "10", "ten", kNumber},
    {"process_control_timeout", "10", "10s", "10x", kUnit},
    {"terminate", "Graceful", "graceful", "slow", "invalid value"},
    {"process.max", "128", "128", "1.5", kNumber},
    {"process.priority", "-5", "-5", "low", kNumber},
    {"daemonize", "off", "no", "\"NO\"", kTruth},
    {"rlimit_files", "1024", "1024", "many", kNumber},
    {"rlimit_core", "unlimited", "-1", "-2", "must be greater than zero or 'unlimited'"},
    {"events.mechanism", "SELECT", "select", "$pool", kPlace},
    {"systemd_interval", "2h", "7200s", "", "invalid time value"},
    {"start_timeout", "5m", "300s", "5y", kUnit},
    {"reload_canary", "10s", "10s", "10w", kUnit},
    {"control.socket", "run/a.ctl", "/var/run/a.ctl", "a$pool", kPlace},
    {"control.allowed_users", "12345,0", "12345,0", ""},
};

const std::vector<Row> kPoolRows = {
    {"prefix", "/dev", "/dev", ""},
    {"user", "12345", "12345", ""},
    {"group", "12345", "12345", ""},
    {"listen", "a.sock", "/usr/a.sock", ""},
    {"listen.backlog", "-1", "-1", "all", kNumber},
    {"listen.acl_users", "a,b", "a,b", ""},
    {"listen.acl_groups", "c", "c", ""},
    {"listen.owner", "12345", "12345", ""},
    {"listen.group", "12345", "12345", ""},
    {"listen.mode", "0600", "0600", ""},
    {"listen.allowed_clients", "127.0.0.1,::1", "127.0.0.1,::1", ""},
    {"listen.allowed_users", "33,root\nlisten = /a.sock", "33,root", ""},
    {"listen.max_waiting", "5000", "5000", "many", kNumber},
    {"listen.keepalive_timeout", "2m", "120s", "2M", kUnit},
    {"process.priority", "20", "20", "0x1", kNumber},
    {"process.dumpable", "yes", "yes", "y", kTruth},
    {"pm", "ONDEMAND", "ondemand", "fixed",
     "invalid process manager (static, dynamic or ondemand)"},
    {"pm.max_children", "5", "5", "+5", kNumber},
    {"pm.start_servers", "2", "2", "2s", kNumber},
    {"pm.min_spare_servers", "1", "1", "x", kNumber},
    {"pm.max_spare_servers", "3", "3", "1-2", kNumber},
    {"pm.max_spawn_rate", "16", "16", "x", kNumber},
    {"pm.queue_limit", "200", "200", "x", kNumber},
    {"pm.queue_timeout", "0", "0s", "x", kUnit},
    {"pm.queue_retry_after", "2s", "2s", "x", kUnit},
    {"early_hints", "yes", "yes", "maybe", kTruth},
    {"pm.process_idle_timeout", "20s", "20", "20S", kUnit},
    {"pm.manager", "lazy\npm = ondemand", "lazy", "late", "invalid value"},
    {"pm.manager_idle_timeout", "2m", "120s", "soon", kUnit},
    {"pm.max_requests", "500", "500", "x", kNumber},
    {"pm.max_requests_jitter", "50", "50", "x", kNumber},
    {"pm.max_lifetime", "2h", "7200s", "1y", kUnit},
    {"pm.max_memory", "64M", "67108864", "64MB", "is not a valid size"},
    {"pm.recycle_after_fatal", "off", "no", "2", kTruth},
    {"pm.status_path", "/status", "/status", ""},
    {"pm.status_listen", "127.0.0.1:19099", "127.0.0.1:19099", ""},
    {"ping.path", "/ping", "/ping", ""},
    {"ping.response", "PONG", "undefined", ""},
    {"access.log", "l", "/usr/l", ""},
    {"access.format", "%R", "%R", ""},
    {"access.suppress_path", "/ping", "/ping", ""},
    {"slowlog", "$pool.slow", "/usr/www.slow", ""},
    {"request_slowlog_timeout", "0", "0s", "soon", kUnit},
    {"request_slowlog_trace_depth", "0", "20", "x", kNumber},
    {"request_header_timeout", "10", "10s", "10x", kUnit},
    {"request_body_timeout", "30s", "30s", "soon", kUnit},
    {"request_abort_on_disconnect", "yes", "yes", "2", kTruth},
    {"request_terminate_timeout", "1d", "86400s", "1y", kUnit},
    {"request_terminate_grace", "2s", "2s", "soon", kUnit},
    {"request_terminate_timeout_track_finished", "true", "yes", "2", kTruth},
    {"rlimit_files", "2048", "2048", "x", kNumber},
    {"rlimit_core", "5", "5", "5M", kNumber},
    {"chroot", "/", "/", ""},
    {"chdir", "/dev", "/dev", ""},
    {"catch_workers_output", "On", "yes", "2", kTruth},
    {"decorate_workers_output", "none", "no", "2", kTruth},
    {"clear_env", "0", "no", "x", kTruth},
    {"security.limit_extensions", ".a .b", ".a .b", ""},
    {"security.exec_basedir", "/dev:/proc/", "/dev:/proc/", ""},
    {"security.allow_php_value", "no", "no", "2", kTruth},
    {"apparmor_hat", "h", "", ""},
    {"env", "v", "v", ""},
    {"php_value", "v", "v", ""},
    {"php_flag", "on", "", "2", kTruth},
    {"php_admin_value", "v", "v", ""},
    {"php_admin_flag", "off", "", "2", kTruth},
};

class EveryDirective : public Files {
  protected:
    /// `name` as it stands before the '=' of a line.
    static std::string entryOf(const Directive& directive) {
        const bool key =
            std::holds_alternative<std::vector<KeyValue> PoolSettings::*>(directive.target);
        const bool keyless = directive.type == Type::list;
        return std::string(directive.name) + (keyless ? "[]" : key ? "[k]" : "");
    }

    ReadOutcome readWith(const Directive& directive, const std::string& value) const {
        const std::string line = entryOf(directive) + " = " + value + "\n";
        return read(directive.scope == Scope::global ? line + kPool : kPool + line);
    }

    void expectTaken(const Directive& directive, const Row& row) const {
        const auto outcome = readWith(directive, row.value);
        EXPECT_TRUE(outcome.valid) << row.name;
        EXPECT_THAT(lines(outcome), IsEmpty()) << row.name;
        const auto dump = dumpConfiguration(outcome.configuration);
        if (!row.dumped.empty()) {
            EXPECT_THAT(dump, Contains("\t" + entryOf(directive) + " = " + row.dumped));
        }
    }

    void expectRefusal(const Directive& directive, const Row& row) const {
        const std::string place =
            directive.scope == Scope::global ? "ERROR: [m.conf:1] " : "ERROR: [m.conf:5] ";
        const bool array =
            std::holds_alternative<std::vector<KeyValue> PoolSettings::*>(directive.target);
        const std::string subject =
            array ? "error while parsing '" + entryOf(directive) + "' : "
                  : "unable to parse value for entry '" + std::string(row.name) + "': ";
        const auto outcome = readWith(directive, row.refused);
        EXPECT_FALSE(outcome.parsed) << row.name;
        EXPECT_THAT(lines(outcome), Contains(StartsWith(place + subject + row.why + " | found ")));
    }

    void expectAll(Scope scope, const std::vector<Row>& rows) const {
        std::set<std::string_view> tested;
        for (const Row& row : rows) {
            const Directive* directive = findDirective(scope, row.name, false);
            directive = directive != nullptr ? directive : findDirective(scope, row.name, true);
            ASSERT_NE(directive, nullptr) << row.name;
            tested.insert(directive->name);
            expectTaken(*directive, row);
            if (!row.why.empty()) {
                expectRefusal(*directive, row);
            }
        }
        for (const Directive& directive : directives()) {
            EXPECT_TRUE(directive.scope != scope || tested.contains(directive.name))
                << directive.name;
        }
    }
};

TEST_F(EveryDirective, of_the_global_section_takes_and_refuses) {
    expectAll(Scope::global, kGlobalRows);
}

TEST_F(EveryDirective, of_a_pool_takes_and_refuses) {
    expectAll(Scope::pool, kPoolRows);
}

}  // namespace
}  // namespace muster::config::test
