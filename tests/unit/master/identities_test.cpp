// Whom a pool's processes become, and what is said to those who are not root.
#include "master/identities.h"

#include <gtest/gtest.h>

namespace muster::master {
namespace {

config::PoolSettings poolOf(const std::string& user, const std::string& group) {
    config::PoolSettings pool;
    pool.name = "www";
    pool.user = user;
    pool.group = group;
    return pool;
}

TEST(Identities, a_named_user_has_a_name_a_home_and_a_primary_group) {
    const auto found = resolveIdentity(poolOf("nobody", ""), true, false);
    ASSERT_TRUE(found);
    const auto nobody = findUser(std::string("nobody"));
    EXPECT_EQ(found->identity.uid, nobody->uid);
    EXPECT_EQ(found->identity.gid, nobody->gid);
    EXPECT_EQ(found->identity.groupsOf, "nobody");
    EXPECT_EQ(found->identity.userName, "nobody");
    EXPECT_EQ(found->identity.home, nobody->home);
    EXPECT_TRUE(found->notices.empty());
}

TEST(Identities, a_number_has_the_groups_of_its_user_but_neither_name_nor_home) {
    const auto nobody = findUser(std::string("nobody"));
    const auto found = resolveIdentity(poolOf(std::to_string(nobody->uid), ""), true, false);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->identity.gid, nobody->gid);
    EXPECT_EQ(found->identity.groupsOf, "nobody");
    EXPECT_EQ(found->identity.userName, "");
    EXPECT_EQ(found->identity.home, "");
}

TEST(Identities, a_number_that_is_nobody_needs_a_group) {
    const auto found = resolveIdentity(poolOf("4000000001", "4000000002"), true, false);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->identity.uid, 4000000001U);
    EXPECT_EQ(found->identity.gid, 4000000002U);
    EXPECT_EQ(found->identity.groupsOf, "4000000001");
    const auto without = resolveIdentity(poolOf("4000000001", ""), true, false);
    ASSERT_FALSE(without);
    EXPECT_EQ(without.error().text(), "[pool www] please specify user and group other than root");
}

TEST(Identities, root_is_refused_unless_it_is_allowed) {
    for (const auto& [user, group] : {std::pair{"root", ""}, std::pair{"nobody", "root"},
                                      std::pair{"0", "1"}, std::pair{"", "1"}}) {
        EXPECT_FALSE(resolveIdentity(poolOf(user, group), true, false)) << user << ':' << group;
        EXPECT_TRUE(resolveIdentity(poolOf(user, group), true, true)) << user << ':' << group;
    }
}

TEST(Identities, unknown_names_are_said_without_an_errno) {
    EXPECT_EQ(resolveIdentity(poolOf("no such", ""), true, true).error().text(),
              "[pool www] cannot get uid for user 'no such'");
    EXPECT_EQ(resolveIdentity(poolOf("nobody", "no such"), true, true).error().text(),
              "[pool www] cannot get gid for group 'no such'");
}

TEST(Identities, what_only_root_can_do_is_ignored_in_php_fpms_order) {
    config::PoolSettings pool = poolOf("no such", "no such");
    pool.processPriority = 0;
    pool.chroot = "/";
    const auto found = resolveIdentity(pool, false, false);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->notices.size(), 4U);
    const char* directives[] = {"user", "group", "chroot", "process.priority"};
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(found->notices[i], std::string("[pool www] '") + directives[i] +
                                         "' directive is ignored when FPM is not running as root");
    }
    EXPECT_TRUE(resolveIdentity(poolOf("", ""), false, false)->notices.empty());
}

}  // namespace
}  // namespace muster::master
