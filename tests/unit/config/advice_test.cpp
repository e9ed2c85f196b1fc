// Warnings about settings that hurt, with the limits of hosts made of files.
#include "config/advice.h"

#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Advice : public Files {
  protected:
    /// A host with 1 GiB of memory and queues of 128.
    Advice() {
        write("host/proc/meminfo", "MemTotal:        1048576 kB\nMemFree:  1 kB\n");
        write("host/proc/sys/net/core/somaxconn", "128\n");
    }
    [[nodiscard]] std::vector<std::string> warnings(const std::string& content) const {
        ReadOptions options;
        options.hostRoot = path("host");
        return lines(read(content, options));
    }
    [[nodiscard]] std::optional<std::uint64_t> mebibytes() const {
        const auto memory = readHostLimits(path("host")).memory;
        return memory ? std::optional(*memory >> 20U) : std::nullopt;
    }
};

const std::string kLarge =
    "[a]\nlisten = 1\npm = static\npm.max_children = 600\n"
    "[b]\nlisten = 2\npm = ondemand\npm.max_children = 600\n";

TEST_F(Advice, is_silent_about_ordinary_pools) {
    EXPECT_THAT(warnings(kPool), IsEmpty());
    EXPECT_THAT(warnings(kPool + "pm.max_requests = 2\nlisten.backlog = 128\n"), IsEmpty());
    EXPECT_THAT(warnings(kPool + "pm.max_children = 1024\nlisten.backlog = -1\n"), IsEmpty());
    EXPECT_THAT(warnings("process.max = 1000\n" + kLarge), IsEmpty());
    EXPECT_THAT(warnings(kPool + "request_terminate_timeout = 5\n"
                                 "php_admin_value[max_execution_time] = 60\n"),
                IsEmpty());
}

TEST_F(Advice, workers_for_one_request_each) {
    EXPECT_THAT(warnings(kPool + "pm.max_requests = 1\n"),
                ElementsAre("WARNING: [pool www] pm.max_requests(1) starts a new worker for every "
                            "request | '1' at [m.conf:5], expected 0 (never a new one) or some "
                            "hundreds"));
}

TEST_F(Advice, queues_longer_than_the_kernels) {
    EXPECT_THAT(warnings(kPool + "listen.backlog = 511\n"),
                ElementsAre("WARNING: [pool www] listen.backlog(511) is cut by the kernel to 128 | "
                            "'511' at [m.conf:5], raise net.core.somaxconn, or write -1 for as "
                            "many as it allows"));
}

TEST_F(Advice, more_workers_than_memory) {
    EXPECT_THAT(warnings(kLarge),
                ElementsAre("WARNING: there is no memory for 1200 workers, which pm.max_children "
                            "of all pools allows | even at 1 MiB for each they need 1200 MiB, and "
                            "there are 1024 MiB; lower pm.max_children, or set process.max"));
    EXPECT_THAT(warnings("process.max = 1100\n" + kLarge).size(), 1U);
}

TEST_F(Advice, is_not_given_with_errors) {
    EXPECT_THAT(warnings(kPool + "pm.max_requests = 1\npm.max_children = 0\n").size(), 1U);
}

TEST_F(Advice, knows_nothing_where_the_host_says_nothing) {
    const HostLimits limits = readHostLimits(path("nowhere"));
    EXPECT_FALSE(limits.memory);
    EXPECT_FALSE(limits.longestQueue);
    write("host/proc/meminfo", "MemTotal: plenty\n");
    EXPECT_FALSE(mebibytes());
}

TEST_F(Advice, memory_is_the_least_limit_of_the_control_groups_around) {
    EXPECT_EQ(mebibytes(), 1024U);
    write("host/proc/self/cgroup", "0::/system.slice/muster.service\n");
    EXPECT_EQ(mebibytes(), 1024U);
    write("host/sys/fs/cgroup/system.slice/muster.service/memory.max", "max\n");
    EXPECT_EQ(mebibytes(), 1024U);
    write("host/sys/fs/cgroup/system.slice/memory.max", "536870912\n");
    EXPECT_EQ(mebibytes(), 512U);
    write("host/sys/fs/cgroup/system.slice/muster.service/memory.max", "268435456\n");
    EXPECT_EQ(mebibytes(), 256U);
    write("host/sys/fs/cgroup/memory.max", "134217728\n");
    EXPECT_EQ(mebibytes(), 128U);
}

TEST_F(Advice, control_groups_of_version_1_count_too) {
    write("host/proc/self/cgroup", "9:cpu:/x\nbroken\n4:memory:/box\n0::/\n");
    write("host/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "67108864\n");
    write("host/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_EQ(mebibytes(), 64U);
}

}  // namespace
}  // namespace muster::config::test
