// Rules on users and groups: needed, existing, not root.
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using IdentityChecks = Files;

TEST_F(IdentityChecks, root_needs_a_user_that_is_not_root) {
    ReadOptions root;
    root.runsAsRoot = true;
    const auto missing = read(kPool, root);
    EXPECT_THAT(lines(missing), ElementsAre("ALERT: [pool www] user has not been defined | "
                                            "expected user = NAME in the section at [m.conf:1]"));
    EXPECT_FALSE(missing.processed);
    for (const char* user : {"user =", "user = root", "user = 0", "user = nobody\ngroup = 0",
                             "user = 12345678\n; without an entry and a group"}) {
        const auto outcome = read(kPool + user + "\n", root);
        EXPECT_THAT(lines(outcome),
                    ElementsAre(StartsWith("ERROR: [pool www] please specify user and group other "
                                           "than root | user '")))
            << user;
        EXPECT_TRUE(outcome.processed);
        EXPECT_FALSE(outcome.valid);
    }
    EXPECT_THAT(lines(read(kPool + "user = nobody\n", root)), IsEmpty());
    EXPECT_THAT(lines(read(kPool + "user = 12345678\ngroup = 12345678\n", root)), IsEmpty());
    root.allowRoot = true;
    EXPECT_THAT(lines(read(kPool, root)), IsEmpty());
    EXPECT_THAT(lines(read(kPool + "user = root\n", root)), IsEmpty());
}

TEST_F(IdentityChecks, a_test_that_may_lack_the_option_for_root_only_warns) {
    ReadOptions options;
    options.runsAsRoot = true;
    options.testOnly = true;
    const auto outcome = read(kPool + "user = root\n", options);
    EXPECT_TRUE(outcome.valid);
    EXPECT_THAT(lines(outcome),
                ElementsAre("WARNING: [pool www] please specify user and group other than root | "
                            "user 'root' at [m.conf:5], uid 0, gid 0, expected neither to be 0 "
                            "unless -R is given"));
}

class NamesOfNobody : public Files {
  protected:
    const std::string content_ =
        kPool +
        "listen = /s\nuser = no-such-user\ngroup = no-such-group\n"
        "listen.owner = no-such-owner\nlisten.group = no-such-socket-group\n";
    const std::string user_ =
        "ERROR: [pool www] cannot get uid for user 'no-such-user' | 'no-such-user' at [m.conf:6], "
        "expected an existing user";
    const std::string group_ =
        "ERROR: [pool www] cannot get gid for group 'no-such-group' | 'no-such-group' at "
        "[m.conf:7], expected an existing group";
    const std::string owner_ =
        "ERROR: [pool www] cannot get uid for user 'no-such-owner': Success (0) | 'no-such-owner' "
        "at [m.conf:8], expected an existing user";
    const std::string socketGroup_ =
        "ERROR: [pool www] cannot get gid for group 'no-such-socket-group': Success (0) | "
        "'no-such-socket-group' at [m.conf:9], expected an existing group";
};

TEST_F(NamesOfNobody, are_refused_where_they_matter) {
    ReadOptions options;
    EXPECT_THAT(lines(read(content_, options)), ElementsAre(owner_, socketGroup_));
    options.runsAsRoot = true;
    EXPECT_THAT(lines(read(content_, options)), ElementsAre(user_, group_, owner_, socketGroup_));
    options.runsAsRoot = false;
    EXPECT_THAT(lines(read(kPool + "listen.owner = no-such-owner\n", options)), IsEmpty());
    EXPECT_THAT(lines(read(content_ + "listen.acl_users = nobody\n", options)), IsEmpty());
}

TEST_F(NamesOfNobody, are_all_found_by_a_test) {
    ReadOptions options;
    options.testOnly = true;
    const auto outcome = read(content_, options);
    EXPECT_THAT(lines(outcome), ElementsAre(user_, group_, owner_, socketGroup_));
    EXPECT_TRUE(outcome.processed);
    EXPECT_FALSE(outcome.valid);
    EXPECT_THAT(lines(read(kPool + "listen.owner = no-such-owner\n", options)),
                ElementsAre(HasSubstr("no-such-owner")));
    EXPECT_THAT(lines(read(kPool + "listen.owner = 4294967295\nuser = 77777\n", options)),
                IsEmpty());
}

}  // namespace
}  // namespace muster::config::test
