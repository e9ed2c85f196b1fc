// The rules of php-fpm on values and between them, each with its text, its place, its advice.
#include "config/checks.h"

#include <algorithm>

#include "base/listen_address.h"
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using Checks = Files;

const std::string kDynamic =
    "[w]\nlisten = 9000\npm = dynamic\npm.max_children = 5\npm.start_servers = 2\n"
    "pm.min_spare_servers = 1\npm.max_spare_servers = 3\n";
const std::string kOndemand = "[w]\nlisten = 9000\npm = ondemand\npm.max_children = 5\n";

struct Rule {
    std::string content;
    std::string message;
};

TEST_F(Checks, every_rule_has_its_text_and_place) {
    const std::vector<Rule> rows = {
        {"",
         "ERROR: No pool defined. at least one pool section must be specified in config file "
         "(m.conf has none, expected a section such as [www])"},
        {"log_limit = 511\n" + kPool,
         "ERROR: log_limit must be greater than 512 (511 at "
         "[m.conf:1], expected at least 512)"},
        {"[w]\npm = static\npm.max_children = 1\n",
         "ALERT: [pool w] no listen address have been defined! (expected listen = ADDRESS in the "
         "section at [m.conf:1])"},
        {"[w]\nlisten = 9000\npm.max_children = 1\n",
         "ALERT: [pool w] the process manager is missing (static, dynamic or ondemand) (expected "
         "pm "
         "= static, dynamic or ondemand in the section at [m.conf:1])"},
        {"[w]\nlisten = 9000\npm = static\n",
         "ALERT: [pool w] pm.max_children must be a positive value (0 by default, expected at "
         "least "
         "1)"},
        {"[w]\nlisten = 9000\npm = static\npm.max_children = 0\n",
         "ALERT: [pool w] pm.max_children must be a positive value (0 at [m.conf:4], expected at "
         "least 1)"},
        {kDynamic + "pm.min_spare_servers = 0\n",
         "ALERT: [pool w] pm.min_spare_servers(0) must be a positive value (0 at [m.conf:8], "
         "expected at least 1 with pm = dynamic)"},
        {kDynamic + "pm.max_spare_servers = -1\n",
         "ALERT: [pool w] pm.max_spare_servers(-1) must be a positive value (-1 at [m.conf:8], "
         "expected at least 1 with pm = dynamic)"},
        {kDynamic + "pm.max_spare_servers = 9\n",
         "ALERT: [pool w] pm.min_spare_servers(1) and pm.max_spare_servers(9) cannot be greater "
         "than pm.max_children(5) (pm.min_spare_servers 1 at [m.conf:6], pm.max_spare_servers 9 at "
         "[m.conf:8], pm.max_children 5 at [m.conf:4])"},
        {kDynamic + "pm.min_spare_servers = 4\n",
         "ALERT: [pool w] pm.max_spare_servers(3) must not be less than pm.min_spare_servers(4) "
         "(pm.max_spare_servers 3 at [m.conf:7], pm.min_spare_servers 4 at [m.conf:8])"},
        {kDynamic + "pm.start_servers = 4\n",
         "ALERT: [pool w] pm.start_servers(4) must not be less than pm.min_spare_servers(1) and "
         "not "
         "greater than pm.max_spare_servers(3) (4 at [m.conf:8], expected a number from 1 to 3)"},
        {kDynamic + "pm.max_spawn_rate = 0\n",
         "ALERT: [pool w] pm.max_spawn_rate must be a positive value (0 at [m.conf:8], expected at "
         "least 1)"},
        {kOndemand + "pm.process_idle_timeout = 0\n",
         "ALERT: [pool w] pm.process_idle_timeout(0s) must be greater than 0s (0 at [m.conf:5], "
         "expected at least 1 second)"},
        {kPool + "pm.status_path = status\n",
         "ERROR: [pool www] the status path 'status' must start with a '/' (status at [m.conf:5], "
         "expected a path such as /status)"},
        {kPool + "pm.status_path = /\n",
         "ERROR: [pool www] the status path '/' is not long enough (/ at [m.conf:5], expected a "
         "path such as /status)"},
        {kPool + "pm.status_path = /a?b\n",
         "ERROR: [pool www] the status path '/a?b' must contain only the following characters "
         "'[alphanum]/_-.~' (/a?b at [m.conf:5], expected a path such as /status)"},
        {kPool + "ping.path = ping\n",
         "ERROR: [pool www] the ping path 'ping' must start with a '/' (ping at [m.conf:5], "
         "expected a path such as /ping)"},
        {kPool + "ping.path = /\n",
         "ERROR: [pool www] the ping path '/' is not long enough (/ at [m.conf:5], expected a path "
         "such as /ping)"},
        {kPool + "ping.path = /ping\nping.response =\n",
         "ERROR: [pool www] the ping response page '' is not long enough ('' at [m.conf:6], "
         "expected at least one byte)"},
        {kPool + "access.log =\n",
         "ERROR: [pool www] failed to open access log (): No such file or directory (2) ('' at "
         "[m.conf:5], expected a path, or no access.log line for no log)"},
        {kPool + "chdir = /does/not/exist\n",
         "ERROR: [pool www] the chdir path '/does/not/exist' does not exist or is not a directory "
         "(/does/not/exist at [m.conf:5], expected an existing directory)"},
        {kPool + "chdir = /dev/null\n",
         "ERROR: [pool www] the chdir path '/dev/null' does not exist or is not a directory "
         "(/dev/null at [m.conf:5], expected an existing directory)"},
        {kPool + "listen = 127.0.0.1:70000\n",
         "ERROR: [pool www] invalid port value '70000' (127.0.0.1:70000 at [m.conf:5], expected a "
         "port from 1 to 65535)"},
        {kPool + "listen = localhost:\n",
         "ERROR: [pool www] invalid port value '' (localhost: at [m.conf:5], expected a port from "
         "1 "
         "to 65535)"},
        {kPool + "listen = 0\n",
         "ERROR: [pool www] invalid port value '0' (0 at [m.conf:5], expected a port from 1 to "
         "65535)"},
        {kPool + "listen = localhost:80x\n",
         "ERROR: [pool www] invalid port value '80x' (localhost:80x at [m.conf:5], expected a port "
         "from 1 to 65535)"},
        {kPool + "listen.mode = rw\n",
         "ERROR: [pool www] listen.mode 'rw' is not a file mode (rw at [m.conf:5], expected octal "
         "digits up to 0777, such as 0660)"},
        {kPool + "[x]\nlisten = 9000\npm = static\npm.max_children = 1\n",
         "ERROR: [pool x] unable to set listen address as it's already used in another pool 'www' "
         "(9000 at [m.conf:6] and [m.conf:2], expected an address of its own for every pool)"},
    };
    for (const Rule& row : rows) {
        const auto outcome = read(row.content);
        EXPECT_THAT(lines(outcome), ElementsAre(row.message));
        EXPECT_FALSE(outcome.valid);
        EXPECT_TRUE(outcome.parsed);
    }
}

TEST_F(Checks, all_pools_and_all_rules_are_judged) {
    const auto outcome = read(
        "log_limit = 1\n[a]\n[b]\nlisten = 0\npm = dynamic\n"
        "pm.status_path = x\nchdir = /none\n");
    EXPECT_THAT(lines(outcome),
                ElementsAre(HasSubstr("log_limit must be"), HasSubstr("[pool a] no listen"),
                            HasSubstr("[pool a] the process manager is missing"),
                            HasSubstr("[pool a] pm.max_children must"),
                            HasSubstr("[pool b] invalid port value '0'"),
                            HasSubstr("[pool b] pm.max_children must"),
                            HasSubstr("[pool b] pm.min_spare_servers(0) must"),
                            HasSubstr("[pool b] pm.max_spare_servers(0) must"),
                            HasSubstr("[pool b] the status path 'x' must start"),
                            HasSubstr("[pool b] the chdir path '/none'")));
}

TEST_F(Checks, octal_modes_are_accepted) {
    for (const char* mode : {"0660", "666", "0", "00777"}) {
        EXPECT_TRUE(read(kPool + "listen.mode = " + mode + "\n").valid) << mode;
    }
    for (const char* mode : {"", "0689", "1777", "000660", "-660", "0x1b0"}) {
        EXPECT_FALSE(read(kPool + "listen.mode = " + mode + "\n").valid) << mode;
    }
}

TEST_F(Checks, socket_paths_end_at_the_kernels_limit) {
    const auto listen = [](std::size_t size) { return "/" + std::string(size - 1, 's'); };
    EXPECT_TRUE(read(kPool + "listen = " + listen(kMaxUnixPath) + "\n").valid);
    EXPECT_THAT(lines(read(kPool + "listen = " + listen(kMaxUnixPath + 1) + "\n")),
                ElementsAre(HasSubstr("as path is too long (found length: 108, maximal length: "
                                      "107)")));
}

TEST_F(Checks, start_servers_is_settled_with_a_notice) {
    const auto outcome = read(kDynamic + "pm.start_servers = 0\npm.max_spare_servers = 4\n");
    EXPECT_TRUE(outcome.valid);
    EXPECT_THAT(lines(outcome), ElementsAre("NOTICE: [pool w] pm.start_servers is not set. It's "
                                            "been set to 2."));
    EXPECT_EQ(outcome.configuration.pools.at(0).startServers, 2);
}

TEST_F(Checks, ondemand_pools_have_no_spare_workers_and_a_full_backlog) {
    const auto outcome = read(kOndemand + "listen.backlog = -5\npm.min_spare_servers = 3\n");
    EXPECT_TRUE(outcome.valid);
    EXPECT_THAT(lines(outcome),
                ElementsAre("WARNING: [pool w] listen.backlog(-5) was too low for the ondemand "
                            "process manager. I updated it for you to -1. (-5 at [m.conf:5])"));
    EXPECT_EQ(outcome.configuration.pools.at(0).listenBacklog, -1);
    EXPECT_EQ(outcome.configuration.pools.at(0).minSpareServers, 0);
}

TEST_F(Checks, dynamic_rules_leave_other_pools_alone) {
    EXPECT_THAT(lines(read(kPool + "pm.min_spare_servers = 9\npm.max_spawn_rate = 0\n"
                                   "pm.process_idle_timeout = 0\n")),
                IsEmpty());
}

TEST_F(Checks, empty_paths_count_as_unset) {
    const auto outcome = read(kPool + "ping.path =\nping.response =\npm.status_path =\nchdir =\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_EQ(outcome.configuration.pools.at(0).pingPath, "");
}

TEST_F(Checks, dependent_defaults_follow_what_they_depend_on) {
    const PoolSettings bare = read(kPool).configuration.pools.at(0);
    EXPECT_EQ(bare.pingResponse, "");
    EXPECT_EQ(bare.accessFormat, "");
    const PoolSettings full =
        read(kPool + "ping.path = /p\naccess.log = /l\n").configuration.pools.at(0);
    EXPECT_EQ(full.pingResponse, "pong");
    EXPECT_EQ(full.accessFormat, "%R - %u %t \"%m %r\" %s");
}

TEST_F(Checks, root_needs_a_user_that_is_not_root) {
    ReadOptions root;
    root.runsAsRoot = true;
    EXPECT_THAT(lines(read(kPool, root)),
                ElementsAre("ALERT: [pool www] user has not been defined (expected user = NAME in "
                            "the section at [m.conf:1])"));
    for (const char* user : {"user = root", "user = 0", "user = nobody\ngroup = 0",
                             "user = 12345678\n; without an entry and a group"}) {
        EXPECT_THAT(lines(read(kPool + user + "\n", root)),
                    ElementsAre(StartsWith("ERROR: [pool www] please specify user and group other "
                                           "than root (user ")))
            << user;
    }
    EXPECT_THAT(lines(read(kPool + "user = nobody\n", root)), IsEmpty());
    EXPECT_THAT(lines(read(kPool + "user = 12345678\ngroup = 12345678\n", root)), IsEmpty());
    root.allowRoot = true;
    EXPECT_THAT(lines(read(kPool, root)), IsEmpty());
    EXPECT_THAT(lines(read(kPool + "user = root\n", root)), IsEmpty());
}

TEST_F(Checks, users_and_groups_must_exist_where_they_matter) {
    const std::string content =
        kPool +
        "listen = /s\nuser = no-such-user\ngroup = no-such-group\n"
        "listen.owner = no-such-owner\nlisten.group = no-such-socket-group\n";
    const auto owner = HasSubstr(
        "cannot get uid for user 'no-such-owner' (no-such-owner at "
        "[m.conf:8], expected an existing user)");
    const auto group = HasSubstr("cannot get gid for group 'no-such-socket-group'");
    EXPECT_THAT(lines(read(content)), ElementsAre(owner, group));
    ReadOptions options;
    options.testOnly = true;
    EXPECT_THAT(
        lines(read(content, options)),
        ElementsAre("ERROR: [pool www] cannot get uid for user 'no-such-user' (no-such-user "
                    "at [m.conf:6], expected an existing user)",
                    "ERROR: [pool www] cannot get gid for group 'no-such-group' "
                    "(no-such-group at [m.conf:7], expected an existing group)",
                    owner, group));
    options.testOnly = false;
    options.runsAsRoot = true;
    EXPECT_EQ(read(content, options).messages.size(), 4U);
    options.runsAsRoot = false;
    EXPECT_THAT(lines(read(kPool + "listen.owner = no-such-owner\n", options)), IsEmpty());
}

}  // namespace
}  // namespace muster::config::test
