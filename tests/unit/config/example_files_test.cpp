// The files of conf/ show every directive and can be used as they are.
#include <regex>

#include "config/directives.h"
#include "fixture.h"

namespace muster::config::test {
namespace {

using ::testing::IsEmpty;

const std::string kConf = MUSTER_SOURCE_DIR "/conf/";

class Examples : public Files {
  protected:
    /// Copies both files, the include pointed at the copy, and reads them.
    ReadOutcome readCopies(const std::function<std::string(std::string)>& edit) const {
        write("pool.d/www.conf", edit(contentOf(kConf + "pool.d/www.conf")));
        std::string main = edit(contentOf(kConf + "muster.conf"));
        const std::string installed = "/etc/muster/pool.d/";
        const std::size_t at = main.find(installed);
        EXPECT_NE(at, std::string::npos);
        main.replace(at, installed.size(), path("pool.d/"));
        return read(main);
    }
};

TEST_F(Examples, parse_as_they_are) {
    const auto outcome = readCopies([](std::string text) { return text; });
    EXPECT_THAT(lines(outcome), IsEmpty());
    ASSERT_EQ(outcome.configuration.pools.size(), 1U);
    const PoolSettings& pool = outcome.configuration.pools[0];
    EXPECT_EQ(pool.name, "www");
    EXPECT_EQ(pool.listen, "/run/muster/www.sock");
    EXPECT_EQ(pool.user, "www-data");
    EXPECT_EQ(pool.pm, ProcessManager::dynamic);
}

TEST_F(Examples, parse_with_every_line_in_force) {
    const std::regex shown("(^|\n);([a-z_.]+(\\[[A-Za-z_]+\\])? = )");
    const auto outcome = readCopies(
        [&](const std::string& text) { return std::regex_replace(text, shown, "$1$2"); });
    EXPECT_THAT(lines(outcome), IsEmpty());
    EXPECT_EQ(outcome.configuration.pools.at(0).pingPath, "/ping");
    EXPECT_EQ(outcome.configuration.pools.at(0).accessFormat, PoolSettings{}.accessFormat);
}

TEST_F(Examples, show_every_directive) {
    const std::string global = contentOf(kConf + "muster.conf");
    const std::string pool = contentOf(kConf + "pool.d/www.conf");
    for (const Directive& directive : directives()) {
        const std::string& text = directive.scope == Scope::global ? global : pool;
        const bool key =
            std::holds_alternative<std::vector<KeyValue> PoolSettings::*>(directive.target);
        const std::string start = std::string(directive.name) + (key ? "[" : " =");
        EXPECT_TRUE(text.find("\n" + start) != std::string::npos ||
                    text.find("\n;" + start) != std::string::npos)
            << directive.name;
    }
    EXPECT_NE(global.find("\ninclude = "), std::string::npos);
}

}  // namespace
}  // namespace muster::config::test
