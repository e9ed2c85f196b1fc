// Each type takes what php-fpm takes and refuses the rest with php-fpm's words.
#include "config/convert.h"

#include <gtest/gtest.h>

namespace muster::config {
namespace {

struct Row {
    const char* directive;
    Scope scope;
    std::string value;
    std::string shown;   ///< as -tt shows it; empty: refused
    std::string reason;  ///< of the refusal
};

constexpr const char* kNotANumber = "is not a valid number (greater or equal than zero)";
constexpr const char* kSuffix = "unknown suffix used in time value";
constexpr const char* kBoolean = "invalid boolean value";
constexpr const char* kManager = "invalid process manager (static, dynamic or ondemand)";

class Conversion : public ::testing::TestWithParam<Row> {};

TEST_P(Conversion, follows_the_type) {
    const Row& row = GetParam();
    const Directive* directive = findDirective(row.scope, row.directive, false);
    ASSERT_NE(directive, nullptr);
    GlobalSettings global;
    PoolSettings pool;
    const auto stored = storeScalar(*directive, {&global, &pool}, row.value);
    if (row.shown.empty()) {
        ASSERT_FALSE(stored) << row.value;
        EXPECT_EQ(stored.error().reason, row.reason) << row.value;
    } else {
        ASSERT_TRUE(stored) << row.value << ": " << stored.error().reason;
        EXPECT_EQ(scalarText(*directive, {&global, &pool}), row.shown) << row.value;
    }
}

Row number(const std::string& value, const std::string& shown) {
    return {"pm.max_children", Scope::pool, value, shown, kNotANumber};
}
Row timeRow(const std::string& value, const std::string& shown, const char* reason = kSuffix) {
    return {"request_terminate_timeout", Scope::pool, value, shown, reason};
}
Row boolean(const std::string& value, const std::string& shown) {
    return {"clear_env", Scope::pool, value, shown, kBoolean};
}
Row level(const std::string& value, const std::string& shown) {
    return {"log_level", Scope::global, value, shown, "invalid value for 'log_level'"};
}
Row facility(const std::string& value, const std::string& shown) {
    return {"syslog.facility", Scope::global, value, shown, "invalid value"};
}
Row coreLimit(const std::string& value, const std::string& shown,
              const char* reason = "must be greater than zero or 'unlimited'") {
    return {"rlimit_core", Scope::pool, value, shown, reason};
}
Row format(const std::string& value, const std::string& shown) {
    return {"log.format", Scope::global, value, shown, "invalid value"};
}
Row stopManner(const std::string& value, const std::string& shown) {
    return {"terminate", Scope::global, value, shown, "invalid value"};
}
Row priority(const std::string& value, const std::string& shown) {
    return {"process.priority", Scope::global, value, shown, kNotANumber};
}
Row interval(const std::string& value, const std::string& shown) {
    return {"systemd_interval", Scope::global, value, shown, kSuffix};
}
Row manager(const std::string& value, const std::string& shown) {
    return {"pm", Scope::pool, value, shown, kManager};
}

INSTANTIATE_TEST_SUITE_P(Integer, Conversion,
                         ::testing::Values(number("5", "5"), number("007", "7"), number("0", "0"),
                                           number("-5", "-5"), number("", "0"), number("-", "0"),
                                           number("2147483647", "2147483647"), number("abc", ""),
                                           number("5x", ""), number("5.5", ""), number("+5", ""),
                                           number(" 5", ""), number("--5", ""), number("0x5", ""),
                                           number("2147483648", ""),
                                           number("99999999999999999999", "")));
INSTANTIATE_TEST_SUITE_P(
    Seconds, Conversion,
    ::testing::Values(timeRow("5", "5s"), timeRow("5s", "5s"), timeRow("2m", "120s"),
                      timeRow("1h", "3600s"), timeRow("1d", "86400s"), timeRow("1.5", "1s"),
                      timeRow("s", "0s"), timeRow("-5", "-5s"), timeRow("+5s", "5s"),
                      timeRow("", "", "invalid time value"), timeRow("5M", ""), timeRow("5x", ""),
                      timeRow("5 seconds", "5s"), timeRow("99999999d", "", "invalid time value"),
                      timeRow("99999999999999999999", "", "invalid time value")));
INSTANTIATE_TEST_SUITE_P(
    Facility, Conversion,
    ::testing::Values(facility("auth", "32"), facility("authpriv", "80"), facility("cron", "72"),
                      facility("Daemon", "24"), facility("ftp", "88"), facility("kern", "0"),
                      facility("lpr", "48"), facility("mail", "16"), facility("news", "56"),
                      facility("syslog", "40"), facility("user", "8"), facility("uucp", "64"),
                      facility("LOCAL0", "128"), facility("local1", "136"),
                      facility("local2", "144"), facility("local3", "152"),
                      facility("local4", "160"), facility("local5", "168"),
                      facility("local6", "176"), facility("local7", "184"), facility("local8", ""),
                      facility("", ""), facility("24", "")));
INSTANTIATE_TEST_SUITE_P(CoreLimit, Conversion,
                         ::testing::Values(coreLimit("unlimited", "-1"),
                                           coreLimit("UNLIMITED", "-1"), coreLimit("0", "0"),
                                           coreLimit("1048576", "1048576"), coreLimit("", "0"),
                                           coreLimit("-1", ""), coreLimit("x", "", kNotANumber),
                                           coreLimit("2147483648", "", kNotANumber)));
INSTANTIATE_TEST_SUITE_P(Optional, Conversion,
                         ::testing::Values(priority("-5", "-5"), priority("0", "0"),
                                           priority("high", ""), interval("0", "0s"),
                                           interval("2m", "120s"), interval("2w", "")));
INSTANTIATE_TEST_SUITE_P(Format, Conversion,
                         ::testing::Values(format("text", "text"), format("JSON", "json"),
                                           format("xml", ""), format("", "")));
INSTANTIATE_TEST_SUITE_P(StopManner, Conversion,
                         ::testing::Values(stopManner("fast", "fast"),
                                           stopManner("GRACEFUL", "graceful"),
                                           stopManner("quick", ""), stopManner("", "")));
INSTANTIATE_TEST_SUITE_P(Boolean, Conversion,
                         ::testing::Values(boolean("1", "yes"), boolean("yes", "yes"),
                                           boolean("true", "yes"), boolean("on", "yes"),
                                           boolean("", "no"), boolean("0", "no"),
                                           boolean("no", "no"), boolean("none", "no"),
                                           boolean("false", "no"), boolean("off", "no"),
                                           boolean("YES", ""), boolean("2", ""),
                                           boolean("null", ""), boolean("maybe", "")));
INSTANTIATE_TEST_SUITE_P(Words, Conversion,
                         ::testing::Values(level("debug", "DEBUG"), level("Notice", "NOTICE"),
                                           level("warning", "WARNING"), level("warn", "WARNING"),
                                           level("error", "ERROR"), level("ALERT", "ALERT"),
                                           level("info", ""), level("", ""),
                                           manager("static", "static"),
                                           manager("Dynamic", "dynamic"),
                                           manager("ONDEMAND", "ondemand"), manager("", ""),
                                           manager("undefined", ""), manager("fixed", "")));

TEST(Convert, sloppy_times_are_taken_with_a_remark) {
    const Directive* directive = findDirective(Scope::pool, "request_terminate_timeout", false);
    PoolSettings pool;
    EXPECT_EQ(storeScalar(*directive, {nullptr, &pool}, "30s")->remark, "");
    EXPECT_EQ(storeScalar(*directive, {nullptr, &pool}, "1.5m")->remark, "is read as 60 seconds");
    EXPECT_EQ(storeScalar(*directive, {nullptr, &pool}, "h")->remark, "is read as 0 seconds");
}

TEST(Convert, flags_become_one_or_zero) {
    const Directive* flag = findDirective(Scope::pool, "php_flag", true);
    EXPECT_EQ(arrayValue(*flag, "on"), "1");
    EXPECT_EQ(arrayValue(*flag, ""), "0");
    EXPECT_FALSE(arrayValue(*flag, "2"));
    const Directive* value = findDirective(Scope::pool, "php_value", true);
    EXPECT_EQ(arrayValue(*value, "on"), "on");
}

TEST(Convert, unset_values_show_as_php_fpm_shows_them) {
    const GlobalSettings global;
    PoolSettings pool;
    const auto shown = [&](Scope scope, const char* name) {
        return scalarText(*findDirective(scope, name, false), {&global, &pool});
    };
    EXPECT_EQ(shown(Scope::global, "log_level"), "unknown value");
    EXPECT_EQ(shown(Scope::pool, "user"), "undefined");
    EXPECT_EQ(shown(Scope::pool, "pm"), "undefined");
    EXPECT_EQ(shown(Scope::pool, "pm.process_idle_timeout"), "10");
    EXPECT_EQ(shown(Scope::pool, "request_terminate_timeout"), "0s");
    EXPECT_EQ(shown(Scope::pool, "listen.allowed_clients"), "undefined");
    EXPECT_EQ(shown(Scope::pool, "process.priority"), "undefined");
    EXPECT_EQ(shown(Scope::global, "systemd_interval"), "10s");
    pool.listenAllowedClients = "";
    EXPECT_EQ(shown(Scope::pool, "listen.allowed_clients"), "");
    pool.limitExtensions.clear();
    EXPECT_EQ(scalarText(*findDirective(Scope::pool, "security.limit_extensions", false),
                         {&global, &pool}, true),
              "");
}

}  // namespace
}  // namespace muster::config
