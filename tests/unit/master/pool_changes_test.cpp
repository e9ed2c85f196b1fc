// What counts as a change of a running pool; how orders for a reload add up.
#include "master/pool_changes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "master/reload_order.h"

namespace muster::master {
namespace {

TEST(ReplacedCode, is_an_executable_mapping_of_a_library_that_is_gone) {
    const auto line = [](const char* permissions, const char* file) {
        return std::string("7f1b709b7000-7f1b709b8000 ") + permissions +
               " 00001000 fe:01 1234                       " + file;
    };
    EXPECT_TRUE(isReplacedCode(line("r-xp", "/usr/lib/libphp8.2.so (deleted)")));
    EXPECT_TRUE(isReplacedCode(line("r-xp", "/usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)")));
    EXPECT_FALSE(isReplacedCode(line("r-xp", "/usr/lib/libphp8.2.so")));
    EXPECT_FALSE(isReplacedCode(line("r--p", "/usr/lib/libphp8.2.so (deleted)")));
    EXPECT_FALSE(isReplacedCode(line("rwxs", "/dev/zero (deleted)")));
    EXPECT_FALSE(isReplacedCode(line("r-xs", "/memfd:jit.so (deleted)")));
    EXPECT_FALSE(isReplacedCode(line("r-xp", "")));
    EXPECT_FALSE(isReplacedCode(""));
    EXPECT_FALSE(isReplacedCode("7f1b r-xp"));
    EXPECT_FALSE(isReplacedCode(" (deleted)"));
}

class PoolChange : public testing::Test {
  protected:
    PoolChange() {
        plan.inputs.pool.name = "www";
        plan.inputs.pool.maxChildren = 3;
        plan.iniState = "as it was";
    }
    PoolPlan plan;
};

TEST_F(PoolChange, nothing_changed) {
    PoolPlan same = plan;
    same.inputs.masterPid = 12;
    same.listener = 7;
    EXPECT_EQ(changeOf(plan, ::getpid(), same), std::nullopt);
}

TEST_F(PoolChange, settings_come_first) {
    PoolPlan other = plan;
    other.inputs.pool.maxChildren = 4;
    other.iniState = "another";
    EXPECT_EQ(changeOf(plan, ::getpid(), other), "settings");
}

TEST_F(PoolChange, ini_files) {
    PoolPlan other = plan;
    other.iniState = "another";
    EXPECT_EQ(changeOf(plan, ::getpid(), other), "ini files");
}

TEST(ReloadOrder, orders_add_up) {
    ReloadOrder order;
    order.named = {"a"};
    ReloadOrder more;
    more.restarted = {"b"};
    more.maxChildren["c"] = 4;
    order.add(more);
    EXPECT_TRUE(order.concerns("a") && !order.concerns("b"));
    EXPECT_TRUE(order.forces("b") && order.forces("c") && !order.forces("a"));
    EXPECT_TRUE(order.readsFiles());
    more = {};
    more.changed = true;
    order.add(more);
    EXPECT_TRUE(order.concerns("b"));
}

TEST(ReloadOrder, the_last_of_drain_and_resume_counts) {
    ReloadOrder order;
    order.paused = {"a", "b"};
    ReloadOrder more;
    more.resumed = {"a"};
    order.add(more);
    EXPECT_EQ(order.paused, std::set<std::string>{"b"});
    EXPECT_EQ(order.resumed, std::set<std::string>{"a"});
}

TEST(ReloadOrder, files_are_read_only_when_they_have_a_say) {
    ReloadOrder order;
    order.restarted = {"a"};
    order.paused = {"b"};
    EXPECT_FALSE(order.readsFiles());
}

}  // namespace
}  // namespace muster::master
