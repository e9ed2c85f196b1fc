// The table is sound, and names are found in it as php-fpm finds them.
#include "config/directives.h"

#include <gtest/gtest.h>

#include <set>

#include "config/convert.h"

namespace muster::config {
namespace {

TEST(Directives, every_name_is_unique_in_its_scope) {
    std::set<std::pair<Scope, std::string_view>> seen;
    for (const Directive& directive : directives()) {
        EXPECT_TRUE(seen.emplace(directive.scope, directive.name).second) << directive.name;
    }
}

TEST(Directives, every_row_explains_itself) {
    for (const Directive& directive : directives()) {
        EXPECT_FALSE(directive.defaultText.empty()) << directive.name;
        EXPECT_FALSE(directive.expects.empty()) << directive.name;
        EXPECT_TRUE(directive.text.ends_with('.')) << directive.name;
    }
}

TEST(Directives, documented_defaults_are_the_real_ones) {
    const GlobalSettings global;
    const PoolSettings pool;
    int compared = 0;
    for (const Directive& directive : directives()) {
        if ((directive.type != Type::integer && directive.type != Type::seconds &&
             directive.type != Type::boolean) ||
            directive.name == "pm.start_servers" || directive.name == "process.priority") {
            continue;
        }
        GlobalSettings otherGlobal;
        PoolSettings otherPool;
        ASSERT_TRUE(
            storeScalar(directive, {&otherGlobal, &otherPool}, std::string(directive.defaultText)))
            << directive.name;
        EXPECT_EQ(scalarText(directive, {&otherGlobal, &otherPool}),
                  scalarText(directive, {&global, &pool}))
            << directive.name;
        ++compared;
    }
    EXPECT_GT(compared, 15);
    EXPECT_EQ(findDirective(Scope::pool, "security.limit_extensions", false)->defaultText,
              pool.limitExtensions);
    EXPECT_EQ(findDirective(Scope::global, "error_log", false)->defaultText, global.errorLog);
    EXPECT_EQ(findDirective(Scope::pool, "ping.response", false)->defaultText, pool.pingResponse);
}

TEST(Directives, scalars_are_found_in_any_case_and_arrays_exactly) {
    EXPECT_NE(findDirective(Scope::pool, "PM.Max_Children", false), nullptr);
    EXPECT_NE(findDirective(Scope::pool, "env", true), nullptr);
    EXPECT_EQ(findDirective(Scope::pool, "Env", true), nullptr);
    EXPECT_EQ(findDirective(Scope::pool, "env", false), nullptr);
    EXPECT_EQ(findDirective(Scope::pool, "pm", true), nullptr);
    EXPECT_EQ(findDirective(Scope::global, "pm", false), nullptr);
    EXPECT_EQ(findDirective(Scope::pool, "daemonize", false), nullptr);
}

TEST(Directives, near_names_are_suggested_and_far_ones_are_not) {
    EXPECT_EQ(suggestDirective("pm.max_childen"), "pm.max_children");
    EXPECT_EQ(suggestDirective("pm.max.children"), "pm.max_children");
    EXPECT_EQ(suggestDirective("max_children"), "pm.max_children");
    EXPECT_EQ(suggestDirective("LISTNE"), "listen");
    EXPECT_EQ(suggestDirective("pdi"), "pid");
    EXPECT_EQ(suggestDirective("php_admin_values"), "php_admin_value");
    EXPECT_EQ(suggestDirective("inlcude"), "include");
    EXPECT_EQ(suggestDirective("foo"), std::nullopt);
    EXPECT_EQ(suggestDirective("something.else"), std::nullopt);
    EXPECT_EQ(suggestDirective(std::string(70'000, 'a')), std::nullopt);
}

}  // namespace
}  // namespace muster::config
