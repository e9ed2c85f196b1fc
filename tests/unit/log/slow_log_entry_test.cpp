// Entries of the slow log: php-fpm's text and muster's JSON.
#include "log/slow_log_entry.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace muster::log {
namespace {

SlowRequest request() {
    SlowRequest request;
    request.pool = "www";
    request.pid = 840;
    request.nowWallNs = 1'795'252'423'450'654'000;
    request.elapsedNs = 5'012'345'678;
    request.reason = "slow";
    request.method = "GET";
    request.uri = "/index.php";
    request.script = "/srv/known.php";
    return request;
}

Backtrace stack() {
    Backtrace stack;
    stack.script = "/srv/index.php";
    stack.frames = {{0x7f741f613440, "sleep", "/srv/lib.php", 31},
                    {0x80, "[INCLUDE_OR_EVAL]", "unknown", 0}};
    return stack;
}

std::string second() {
    return formatLocalTime(1'795'252'423, "%d-%b-%Y %H:%M:%S");
}

TEST(SlowLogEntry, IsPhpFpmsByteForByte) {
    EXPECT_EQ(slowLogText(request(), stack(), false),
              "\n[" + second() +
                  "]  [pool www] pid 840\n"
                  "script_filename = /srv/index.php\n"
                  "[0x00007f741f613440] sleep() /srv/lib.php:31\n"
                  "[0x0000000000000080] [INCLUDE_OR_EVAL]() unknown:0\n");
}

TEST(SlowLogEntry, HasMicrosecondsAtDebugLevel) {
    const std::string text = slowLogText(request(), stack(), true);
    EXPECT_TRUE(text.starts_with("\n[" + second() + ".450654]  [pool www]")) << text;
}

TEST(SlowLogEntry, SaysWhatIsMissing) {
    Backtrace broken = stack();
    broken.broken = broken.moving = true;
    EXPECT_TRUE(slowLogText(request(), broken, false).ends_with("unknown:0\n+++ dump failed\n"));
    Backtrace moving = stack();
    moving.moving = true;
    EXPECT_TRUE(slowLogText(request(), moving, false)
                    .ends_with("\n+++ the script ran on meanwhile: its innermost calls are "
                               "missing\n"));
    EXPECT_NE(slowLogText(request(), {}, false).find("\nscript_filename = /srv/known.php\n"),
              std::string::npos);
}

TEST(SlowLogEntry, NoTextMakesALineOfItsOwn) {
    Backtrace hostile = stack();
    hostile.script = "/srv/a\n[0x1] b";
    hostile.frames[0].function = "f\r\x1b\x7f";
    hostile.frames[0].file = std::string("x\0y", 3);
    EXPECT_EQ(slowLogText(request(), hostile, false),
              "\n[" + second() +
                  "]  [pool www] pid 840\n"
                  "script_filename = /srv/a\\x0A[0x1] b\n"
                  "[0x00007f741f613440] f\\x0D\\x1B\\x7F() x\\x00y:31\n"
                  "[0x0000000000000080] [INCLUDE_OR_EVAL]() unknown:0\n");
}

TEST(SlowLogEntry, IsOneLineOfJson) {
    Backtrace hostile = stack();
    hostile.frames[1].function = "\"\n\xff";
    const std::string line = slowLogJson(request(), hostile);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto entry = nlohmann::json::parse(line);
    EXPECT_EQ(entry.at("time"), "2026-11-21T09:13:43.450654Z");
    EXPECT_EQ(entry.at("pool"), "www");
    EXPECT_EQ(entry.at("pid"), 840);
    EXPECT_EQ(entry.at("reason"), "slow");
    EXPECT_DOUBLE_EQ(entry.at("elapsed").get<double>(), 5.012346);
    EXPECT_EQ(entry.at("uri"), "/index.php");
    EXPECT_TRUE(entry.at("query").is_null());
    EXPECT_EQ(entry.at("script"), "/srv/index.php");
    ASSERT_EQ(entry.at("frames").size(), 2U);
    EXPECT_EQ(entry.at("frames")[0],
              (nlohmann::json{{"function", "sleep"}, {"file", "/srv/lib.php"}, {"line", 31}}));
    EXPECT_EQ(entry.at("frames")[1].at("function"), "\"\n\xEF\xBF\xBD");
    EXPECT_EQ(entry.at("broken"), false);
    EXPECT_EQ(slowLogJson(request(), {}).find("\"frames\":[]") == std::string::npos, false);
}

}  // namespace
}  // namespace muster::log
