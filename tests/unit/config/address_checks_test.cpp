// Rules on listen, pm.status_listen and listen.mode.
#include "base/listen_address.h"
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using AddressChecks = Files;

TEST_F(AddressChecks, every_rule_has_its_text_and_place) {
    expectRefused({
        {"[w]\npm = static\npm.max_children = 1\n",
         "ALERT: [pool w] no listen address have been defined! | expected listen = ADDRESS in the "
         "section at [m.conf:1]"},
        {kPool + "pm.status_listen =\n",
         "ALERT: [pool www_status] no listen address have been defined! | '' at [m.conf:5], "
         "expected an address, or no pm.status_listen line"},
        {kPool + "[x]\nlisten = 9000\npm = static\npm.max_children = 1\n",
         "ERROR: [pool x] unable to set listen address as it's already used in another pool 'www' "
         "| '9000' at [m.conf:6] and [m.conf:2], expected an address of its own for every pool"},
        {kPool + "pm.status_listen = 9000\n",
         "ERROR: [pool www_status] unable to set listen address as it's already used in another "
         "pool 'www' | '9000' at [m.conf:5] and [m.conf:2], expected an address of its own for "
         "every pool"},
        {kPool + "pm.status_listen = 1\n[x]\nlisten = 1\npm = static\npm.max_children = 1\n",
         "ERROR: [pool www_status] unable to set listen address as it's already used in another "
         "pool 'x' | '1' at [m.conf:5] and [m.conf:7], expected an address of its own for every "
         "pool"},
    });
}

TEST_F(AddressChecks, ports_that_cannot_be_are_named) {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"127.0.0.1:70000", "70000"},
        {"localhost:", ""},
        {"0", "0"},
        {"localhost:80x", "80x"},
    };
    for (const auto& [listen, port] : rows) {
        const auto outcome = read(kPool + "listen = " + listen + "\n");
        EXPECT_THAT(lines(outcome),
                    ElementsAre("ERROR: invalid port value '" + port + "' | '" + listen +
                                "' at [m.conf:5], expected a port from 1 to 65535"));
        EXPECT_TRUE(outcome.processed);
        EXPECT_FALSE(outcome.valid);
    }
    EXPECT_THAT(lines(read(kPool + "pm.status_listen = localhost:0\n")),
                ElementsAre(StartsWith("ERROR: invalid port value '0' | 'localhost:0' at")));
}

TEST_F(AddressChecks, socket_paths_end_at_the_kernels_limit) {
    const auto listen = [](std::size_t size) { return "/" + std::string(size - 1, 's'); };
    EXPECT_TRUE(read(kPool + "listen = " + listen(kMaxUnixPath) + "\n").valid);
    EXPECT_THAT(lines(read(kPool + "listen = " + listen(kMaxUnixPath + 1) + "\n")),
                ElementsAre(StartsWith(
                    "ERROR: [pool www] cannot bind to UNIX socket '" + listen(kMaxUnixPath + 1) +
                    "' as path is too long (found length: 108, maximal length: 107): File name too "
                    "long (36) | '")));
    EXPECT_THAT(lines(read(kPool + "pm.status_listen = " + listen(kMaxUnixPath + 1) + "\n")),
                ElementsAre(HasSubstr("[pool www_status] cannot bind to UNIX socket")));
}

TEST_F(AddressChecks, modes_that_are_none_are_warned_about) {
    for (const char* mode : {"0660", "666", "0", "00777", "000660", "1777", ""}) {
        EXPECT_THAT(lines(read(kPool + "listen.mode = " + mode + "\n")), IsEmpty()) << mode;
    }
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"rw", "00"},    {"0689", "06"},      {"-660", "07120"},
        {"0x1b0", "00"}, {"666 now", "0666"}, {"100000660", "0660"},
    };
    for (const auto& [mode, meaning] : rows) {
        const auto outcome = read(kPool + "listen.mode = " + mode + "\n");
        EXPECT_THAT(lines(outcome),
                    ElementsAre("WARNING: [pool www] listen.mode '" + mode +
                                "' is not a file mode | '" + mode + "' at [m.conf:5], read as " +
                                meaning + ", expected octal digits such as 0660"));
        EXPECT_TRUE(outcome.valid);
        EXPECT_EQ(outcome.configuration.pools.at(0).listenMode, mode);
    }
}

TEST_F(AddressChecks, a_status_address_answers_for_the_root_unless_told_otherwise) {
    const PoolSettings alone = read(kPool + "pm.status_listen = 1\n").configuration.pools.at(0);
    EXPECT_EQ(alone.statusPath, "/");
    const auto both = read(kPool + "pm.status_listen = run/s\npm.status_path = /\n");
    EXPECT_THAT(lines(both), IsEmpty());
    EXPECT_EQ(both.configuration.pools.at(0).statusPath, "/");
    EXPECT_EQ(both.configuration.pools.at(0).statusListen, "/usr/run/s");
    EXPECT_EQ(read(kPool).configuration.pools.at(0).statusPath, "");
}

}  // namespace
}  // namespace muster::config::test
