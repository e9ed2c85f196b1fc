// Tokens, errors and limits of access.format.
#include "log/access_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <cstdlib>
#include <random>

namespace muster::log {
namespace {

using namespace std::string_literals;

constexpr std::uint64_t kAccepted = 1795216320ULL * 1'000'000'000;  // 20 Nov 2026 23:12:00 UTC

const char* findParam(const void* /*context*/, std::string_view name) {
    return name == "PATH" ? "/from/request" : name == "EMPTY" ? "" : nullptr;
}

std::string_view findHeader(const void* context, std::string_view name) {
    return name == "Content-type" ? static_cast<const char*>(context) : std::string_view();
}

AccessFacts sampleFacts() {
    AccessFacts facts;
    facts.pool = "www";
    facts.method = "GET";
    facts.uri = "/t.php";
    facts.query = "a=1&b";
    facts.script = "/srv/t.php";
    facts.user = "bob";
    facts.peer = "127.0.0.1";
    facts.contentLength = 17;
    facts.status = 404;
    facts.durationNs = 1'234'567'890;
    facts.acceptedWallNs = kAccepted;
    facts.nowWallNs = kAccepted + 61'000'000'000;
    facts.userCpuNs = 400'000'000;
    facts.systemCpuNs = 200'000'000;
    facts.memoryPeak = 2'097'152 + 1023;
    facts.workerPid = 4606;
    facts.masterPid = 4605;
    facts.param = findParam;
    facts.header = findHeader;
    facts.context = "text/html";
    return facts;
}

std::string render(std::string_view format, const AccessFacts& facts) {
    const auto compiled = AccessFormat::compile(format);
    EXPECT_TRUE(compiled) << format << ": " << (compiled ? "" : compiled.error().text());
    std::string line;
    if (compiled) {
        compiled->render(facts, line);
    }
    return line;
}

class AccessFormatTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
};

struct Sample {
    const char* format;
    const char* line;
};
class AccessToken : public testing::TestWithParam<Sample> {
  protected:
    static void SetUpTestSuite() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
};

TEST_P(AccessToken, renders) {
    EXPECT_EQ(render(GetParam().format, sampleFacts()), GetParam().line + "\n"s);
}

INSTANTIATE_TEST_SUITE_P(
    WithValues, AccessToken,
    testing::Values(Sample{"%%", "%"}, Sample{"%C", "48.60"}, Sample{"%{total}C", "48.60"},
                    Sample{"%{user}C", "32.40"}, Sample{"%{SYSTEM}C", "16.20"},
                    Sample{"%d", "1.235"}, Sample{"%{seconds}d", "1.235"},
                    Sample{"%{milli}d", "1234.568"}, Sample{"%{milliseconds}d", "1234.568"},
                    Sample{"%{mili}d", "1234.568"}, Sample{"%{miliseconds}d", "1234.568"},
                    Sample{"%{micro}d", "1234567"}, Sample{"%{MicroSeconds}d", "1234567"},
                    Sample{"%{PATH}e", "/from/request"}, Sample{"%{path}e", "-"},
                    Sample{"[%{EMPTY}e]", "[]"}, Sample{"%f", "/srv/t.php"}, Sample{"%l", "17"},
                    Sample{"%m", "GET"}, Sample{"%M", "2098175"}, Sample{"%{bytes}M", "2098175"},
                    Sample{"%{kilo}M", "2048"}, Sample{"%{kilobytes}M", "2048"},
                    Sample{"%{mega}M", "2"}, Sample{"%{Megabytes}M", "2"}, Sample{"%n", "www"},
                    Sample{"%{Content-type}o", "text/html"}, Sample{"%{Content-Type}o", "-"},
                    Sample{"%p", "4606"}, Sample{"%P", "4605"}, Sample{"%q", "a=1&b"},
                    Sample{"%Q", "?"}, Sample{"%r", "/t.php"}, Sample{"%R", "127.0.0.1"},
                    Sample{"%s", "404"}, Sample{"%t", "20/Nov/2026:23:12:00 +0000"},
                    Sample{"%T", "20/Nov/2026:23:13:01 +0000"}, Sample{"%{%d/%b}t", "20/Nov"},
                    Sample{"%{%H:%M:%S}T", "23:13:01"}, Sample{"%u", "bob"}));

INSTANTIATE_TEST_SUITE_P(
    AsText, AccessToken,
    testing::Values(Sample{"plain text {}", "plain text {}"}, Sample{"100%% of %n%", "100% of www"},
                    Sample{"%{user}{system}C", "16.20"}, Sample{"%{}C", "48.60"},
                    Sample{"%{}m", "GET"}, Sample{"%%d", "%d"},
                    Sample{R"(%R - %u %t "%m %r%Q%q" %s %f %{milli}d %{kilo}M %C%%)",
                           "127.0.0.1 - bob 20/Nov/2026:23:12:00 +0000 \"GET /t.php?a=1&b\" 404 "
                           "/srv/t.php 1234.568 2048 48.60%"}));

class AccessTokenUnset : public testing::TestWithParam<Sample> {};

TEST_P(AccessTokenUnset, renders) {
    EXPECT_EQ(render("["s + GetParam().format + "]", AccessFacts{}), GetParam().line + "\n"s);
}

INSTANTIATE_TEST_SUITE_P(Defaults, AccessTokenUnset,
                         testing::Values(Sample{"%C", "[0.00]"}, Sample{"%d", "[0.000]"},
                                         Sample{"%{micro}d", "[0]"}, Sample{"%{PATH}e", "[-]"},
                                         Sample{"%f", "[-]"}, Sample{"%l", "[0]"},
                                         Sample{"%m", "[-]"}, Sample{"%M", "[0]"},
                                         Sample{"%n", "[]"}, Sample{"%{Content-type}o", "[-]"},
                                         Sample{"%q", "[]"}, Sample{"%Q", "[]"}, Sample{"%r", "[]"},
                                         Sample{"%R", "[-]"}, Sample{"%s", "[200]"},
                                         Sample{"%u", "[]"}));

TEST_F(AccessFormatTest, default_format_of_a_request_without_user) {
    AccessFacts facts = sampleFacts();
    facts.user = nullptr;
    facts.peer = nullptr;
    facts.status = 200;
    EXPECT_EQ(render("%R - %u %t \"%m %r\" %s", facts),
              "- -  20/Nov/2026:23:12:00 +0000 \"GET /t.php\" 200\n");
}

struct Refusal {
    const char* format;
    const char* text;
};
class AccessFormatError : public testing::TestWithParam<Refusal> {};

TEST_P(AccessFormatError, is_php_fpms) {
    const auto compiled = AccessFormat::compile(GetParam().format);
    ASSERT_FALSE(compiled);
    EXPECT_EQ(compiled.error().text(), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, AccessFormatError,
    testing::Values(
        Refusal{"%z", "Invalid token in the access.format (%z)"},
        Refusal{"%n %{x}z", "Invalid token in the access.format (%z)"},
        Refusal{"%}", "Invalid token in the access.format (%})"},
        Refusal{"%{user", "missing closing embrace in the access.format"},
        Refusal{"%{user}", "missing closing embrace in the access.format"},
        Refusal{"%{", "missing closing embrace in the access.format"},
        Refusal{"%{x}m", "embrace is not allowed for modifier %m"},
        Refusal{"%{x}%", "embrace is not allowed for modifier %%"},
        Refusal{"%{x}s", "embrace is not allowed for modifier %s"},
        Refusal{"%{foo}C",
                "only 'total', 'user' or 'system' are allowed as a modifier for %C ('foo')"},
        Refusal{"%{kilo}d",
                "only 'seconds', 'milli', 'milliseconds', 'micro' or 'microseconds' are allowed as "
                "a modifier for %d ('kilo')"},
        Refusal{"%{giga}M",
                "only 'bytes', 'kilo', 'kilobytes', 'mega' or 'megabytes' are allowed as a "
                "modifier for %M ('giga')"},
        Refusal{"%e", "the name of the environment variable must be set between embraces for %e"},
        Refusal{"%{}e", "the name of the environment variable must be set between embraces for %e"},
        Refusal{"%o", "the name of the header must be set between embraces for %o"}));

TEST_F(AccessFormatTest, a_request_cannot_forge_a_line) {
    AccessFacts facts = sampleFacts();
    facts.uri = "/a\n127.0.0.1 - \r\t\x1b\x7f\"\xC3\xA9";
    EXPECT_EQ(render("%r", facts), "/a\\x0A127.0.0.1 - \\x0D\\x09\\x1B\\x7F\"\xC3\xA9\n");
}

TEST_F(AccessFormatTest, a_header_value_cannot_forge_a_line) {
    AccessFacts facts = sampleFacts();
    facts.header = [](const void*, std::string_view) { return std::string_view("a\0b\nc", 5); };
    EXPECT_EQ(render("%{X}o", facts), "a\\x00b\\x0Ac\n");
}

TEST_F(AccessFormatTest, a_time_format_cannot_break_a_line) {
    EXPECT_EQ(render("%{a%nb%tc}t %s", sampleFacts()), "a\\x0Ab\\x09c 404\n");
}

TEST_F(AccessFormatTest, an_empty_result_writes_nothing) {
    EXPECT_EQ(render("", sampleFacts()), "");
    AccessFacts facts = sampleFacts();
    facts.user = "";
    EXPECT_EQ(render("%u", facts), "");
    EXPECT_EQ(render("%", facts), "");
}

TEST_F(AccessFormatTest, a_line_is_appended_to_what_is_there) {
    const auto format = AccessFormat::compile("%n");
    ASSERT_TRUE(format);
    std::string text = "before\n";
    EXPECT_FALSE(format->render(sampleFacts(), text));
    EXPECT_EQ(text, "before\nwww\n");
}

TEST_F(AccessFormatTest, fields_are_cut_to_their_sizes) {
    const std::string longText(2000, 'x');
    AccessFacts facts = sampleFacts();
    facts.pool = facts.method = facts.uri = facts.query = facts.script = facts.user =
        longText.c_str();
    const std::pair<const char*, std::size_t> sizes[] = {{"%n", 31},  {"%m", 15},  {"%r", 127},
                                                         {"%q", 511}, {"%f", 255}, {"%u", 31}};
    for (const auto& [format, size] : sizes) {
        EXPECT_EQ(render(format, facts).size(), size + 1) << format;
    }
}

TEST_F(AccessFormatTest, a_line_of_1023_bytes_is_whole) {
    const auto format = AccessFormat::compile(std::string(1020, 'x') + "%n");
    ASSERT_TRUE(format);
    std::string line;
    EXPECT_FALSE(format->render(sampleFacts(), line));
    EXPECT_EQ(line, std::string(1020, 'x') + "www\n");
}

TEST_F(AccessFormatTest, a_longer_line_is_cut_and_says_so) {
    const auto format = AccessFormat::compile(std::string(1021, 'x') + "%n tail");
    ASSERT_TRUE(format);
    std::string line = "before";
    EXPECT_TRUE(format->render(sampleFacts(), line));
    EXPECT_EQ(line, "before" + std::string(1021, 'x') + "ww\n");
    EXPECT_EQ(line.size(), 6 + AccessFormat::kMaxLine);
}

TEST_F(AccessFormatTest, a_time_format_that_is_too_long_gives_nothing) {
    std::string format = "[%{";
    for (int i = 0; i < 20; ++i) {
        format += "%A %B";
    }
    EXPECT_EQ(render(format + "}t]", sampleFacts()), "[]\n");
}

TEST_F(AccessFormatTest, modifiers_are_cut_to_128_bytes) {
    static std::string seen;
    AccessFacts facts = sampleFacts();
    facts.param = [](const void*, std::string_view name) -> const char* {
        seen = name;
        return nullptr;
    };
    EXPECT_EQ(render("%{" + std::string(300, 'n') + "}e", facts), "-\n");
    EXPECT_EQ(seen, std::string(128, 'n'));
}

TEST_F(AccessFormatTest, cpu_is_measured_only_when_asked_for) {
    EXPECT_TRUE(AccessFormat::compile("%n %{user}C")->needsCpu());
    EXPECT_FALSE(AccessFormat::compile("%n %d%%C")->needsCpu());
}

TEST_F(AccessFormatTest, rendering_into_a_warm_string_does_not_grow_it) {
    const auto format = AccessFormat::compile("%R - %u %t \"%m %r%Q%q\" %s %{milli}d %C%% %T %M");
    ASSERT_TRUE(format);
    std::string line;
    line.reserve(AccessFormat::kMaxLine);
    const char* storage = line.data();
    for (int i = 0; i < 100; ++i) {
        line.clear();
        format->render(sampleFacts(), line);
    }
    EXPECT_EQ(line.data(), storage);
}

TEST_F(AccessFormatTest, noise_compiles_or_is_refused_and_never_makes_two_lines) {
    std::mt19937 random(3);
    const std::string alphabet = "%%%{}CdeflmMnopPqQrRstTux \xFF";
    const AccessFacts facts = sampleFacts();
    for (int round = 0; round < 20000; ++round) {
        std::string format;
        for (std::size_t length = random() % 12; length > 0; --length) {
            format += alphabet[random() % alphabet.size()];
        }
        const auto compiled = AccessFormat::compile(format);
        if (!compiled) {
            EXPECT_FALSE(compiled.error().text().empty());
            continue;
        }
        std::string line;
        compiled->render(facts, line);
        EXPECT_LE(std::count(line.begin(), line.end(), '\n'), 1) << format;
    }
}

}  // namespace
}  // namespace muster::log
