// The files of conf/ show every directive and can be used as they are.
#include <functional>

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

/// Lines such as ";name = value"; prose has a blank behind its semicolon.
std::string uncommented(const std::string& text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool lineStart = i == 0 || text[i - 1] == '\n';
        const bool shown = text[i] == ';' && i + 1 < text.size() && text[i + 1] >= 'a';
        if (!lineStart || !shown) {
            result += text[i];
        }
    }
    return result;
}

TEST_F(Examples, parse_with_every_line_in_force) {
    const auto outcome = readCopies(uncommented);
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
        const std::string start = std::string(directive.name) + (key ? "[" : " = ");
        EXPECT_TRUE(text.find("\n" + start) != std::string::npos ||
                    text.find("\n;" + start) != std::string::npos)
            << directive.name;
    }
    EXPECT_NE(global.find("\ninclude = "), std::string::npos);
}

}  // namespace
}  // namespace muster::config::test
