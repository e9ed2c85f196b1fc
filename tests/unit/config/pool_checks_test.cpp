// Rules on a pool's directories, URIs and logs.
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using PoolChecks = Files;

TEST_F(PoolChecks, uris_have_php_fpms_rules) {
    expectRefused({
        {kPool + "pm.status_path = status\n",
         "ERROR: [pool www] the status path 'status' must start with a '/' | 'status' at "
         "[m.conf:5], expected a path such as /status"},
        {kPool + "pm.status_path = /\n",
         "ERROR: [pool www] the status path '/' is not long enough | '/' at [m.conf:5], expected a "
         "path such as /status"},
        {kPool + "pm.status_path = /a?b\n",
         "ERROR: [pool www] the status path '/a?b' must contain only the following characters "
         "'[alphanum]/_-.~' | '/a?b' at [m.conf:5], expected a path such as /status"},
        {kPool + "ping.path = ping\n",
         "ERROR: [pool www] the ping path 'ping' must start with a '/' | 'ping' at [m.conf:5], "
         "expected a path such as /ping"},
        {kPool + "ping.path = /\n",
         "ERROR: [pool www] the ping path '/' is not long enough | '/' at [m.conf:5], expected a "
         "path such as /ping"},
        {kPool + "ping.path = /ping\nping.response =\n",
         "ERROR: [pool www] the ping response page '' is not long enough | '' at [m.conf:6], "
         "expected at least one byte"},
    });
}

TEST_F(PoolChecks, logs_have_php_fpms_rules) {
    expectRefused({
        {kPool + "access.log =\n",
         "ERROR: failed to open access log (): No such file or directory (2) | '' at [m.conf:5], "
         "expected a path, or no access.log line for no log"},
        {kPool + "request_slowlog_timeout = 1m\n",
         "ERROR: [pool www] 'slowlog' must be specified for use with 'request_slowlog_timeout' | "
         "'60' at [m.conf:5], expected slowlog = PATH in the section at [m.conf:1]"},
        {kPool + "slowlog =\nrequest_slowlog_timeout = 1\n",
         "ERROR: [pool www] 'slowlog' must be specified for use with 'request_slowlog_timeout' | "
         "'1' at [m.conf:6], expected slowlog = PATH in the section at [m.conf:1]"},
        {kPool + "slowlog = /s\nrequest_slowlog_timeout = 6\nrequest_terminate_timeout = 5\n",
         "ERROR: [pool www] 'request_slowlog_timeout' (6) can't be greater than "
         "'request_terminate_timeout' (5) | '6' at [m.conf:6], '5' at [m.conf:7]"},
        {kPool + "request_slowlog_trace_depth = 5\n",
         "ERROR: [pool www] 'slowlog' must be specified for use with "
         "'request_slowlog_trace_depth' | '5' at [m.conf:5], expected slowlog = PATH in the "
         "section at [m.conf:1]"},
        {kPool + "slowlog = /s\nrequest_slowlog_trace_depth = -5\n",
         "ERROR: [pool www] 'request_slowlog_trace_depth' (-5) must be a positive value | '-5' at "
         "[m.conf:6], expected at least 1"},
    });
    EXPECT_THAT(lines(read(kPool + "slowlog = /s\nrequest_slowlog_timeout = 5\n"
                                   "request_terminate_timeout = 5\n")),
                IsEmpty());
    EXPECT_THAT(lines(read(kPool + "request_slowlog_timeout = 0\n")), IsEmpty());
}

TEST_F(PoolChecks, a_trace_depth_of_zero_is_the_default) {
    const auto outcome = read(kPool + "request_slowlog_trace_depth = 0\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_EQ(outcome.configuration.pools.at(0).requestSlowlogTraceDepth, 20);
}

TEST_F(PoolChecks, directories_have_php_fpms_rules) {
    expectRefused({
        {kPool + "prefix = /does/not/exist\n",
         "ERROR: [pool www] the prefix '/does/not/exist' does not exist or is not a directory | "
         "'/does/not/exist' at [m.conf:5], expected an existing directory"},
        {kPool + "prefix = not/there\n",
         "ERROR: [pool www] the prefix '/usr/not/there' does not exist or is not a directory | "
         "'/usr/not/there' at [m.conf:5], expected an existing directory"},
        {kPool + "chroot = /does/not/exist\n",
         "ERROR: [pool www] the chroot path '/does/not/exist' does not exist or is not a directory "
         "| '/does/not/exist' at [m.conf:5], expected an existing directory"},
        {kPool + "chdir = /does/not/exist\n",
         "ERROR: [pool www] the chdir path '/does/not/exist' does not exist or is not a directory "
         "| '/does/not/exist' at [m.conf:5], expected an existing directory"},
        {kPool + "chdir = /dev/null\n",
         "ERROR: [pool www] the chdir path '/dev/null' does not exist or is not a directory | "
         "'/dev/null' at [m.conf:5], expected an existing directory"},
        {kPool + "chroot = /dev\nchdir = /etc\n",
         "ERROR: [pool www] the chdir path '/etc' within the chroot path '/dev' ('/dev//etc') does "
         "not exist or is not a directory | '/etc' at [m.conf:6], expected an existing directory "
         "inside of it"},
        {kPool + "chroot = /dev\nchdir = no/such\n",
         "ERROR: [pool www] the chdir path '/no/such' within the chroot path '/dev' "
         "('/dev//no/such') does not exist or is not a directory | '/no/such' at [m.conf:6], "
         "expected an existing directory inside of it"},
    });
}

TEST_F(PoolChecks, the_prefix_word_stands_only_at_the_start_of_chroot) {
    EXPECT_THAT(
        lines(read(kPool + "chroot = a$prefix\n")),
        ElementsAre("ERROR: '$prefix' must be use at the beginning of the value | 'a$prefix' at "
                    "[m.conf:5]",
                    "ERROR: [pool www] the chroot path 'a$prefix' must start with a '/' | "
                    "'a$prefix' at [m.conf:5], expected an absolute path, or an absolute -p before "
                    "it"));
    write("root/inner/x", "");
    const auto outcome = read(kPool + "prefix = " + path("root") + "\nchroot = $prefix/inner\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_EQ(outcome.configuration.pools.at(0).chroot, path("root//inner"));
}

TEST_F(PoolChecks, a_relative_chdir_starts_at_the_chroot) {
    write("root/inner/x", "");
    for (const char* chdir : {"/inner", "inner"}) {
        const auto outcome = read(kPool + "chroot = " + path("root") + "\nchdir = " + chdir + "\n");
        EXPECT_THAT(lines(outcome), IsEmpty());
        EXPECT_EQ(outcome.configuration.pools.at(0).chdir, "/inner");
    }
}

TEST_F(PoolChecks, empty_paths_count_as_unset) {
    const auto outcome = read(kPool +
                              "ping.path =\nping.response =\npm.status_path =\nchdir =\n"
                              "chroot =\nprefix =\nslowlog =\n");
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_EQ(outcome.configuration.pools.at(0).pingPath, "");
}

TEST_F(PoolChecks, dependent_defaults_follow_what_they_depend_on) {
    const PoolSettings bare = read(kPool).configuration.pools.at(0);
    EXPECT_EQ(bare.pingResponse, "");
    EXPECT_EQ(bare.accessFormat, "");
    const PoolSettings full =
        read(kPool + "ping.path = /p\naccess.log = /l\n").configuration.pools.at(0);
    EXPECT_EQ(full.pingResponse, "pong");
    EXPECT_EQ(full.accessFormat, "%R - %u %t \"%m %r\" %s");
}

}  // namespace
}  // namespace muster::config::test
