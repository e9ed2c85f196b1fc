// Records of log.format = json: ordinary messages, worker output and access lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

#include "base/clock.h"
#include "log/access_format.h"
#include "log/json_line.h"
#include "log/worker_output.h"
#include "log_file.h"

namespace muster::log {
namespace {

using namespace std::string_literals;
using nlohmann::json;

constexpr std::uint64_t kMoment = 1795215749ULL * kNsPerSecond + 450'654'999;  // 20 Nov 2026

std::vector<std::string> names(const json& record) {
    std::vector<std::string> names;
    for (const auto& [name, value] : record.items()) {
        names.push_back(name);
    }
    return names;
}

TEST(JsonLine, every_kind_of_value) {
    std::string text;
    JsonLine line(text);
    line.text("a", "plain");
    line.text("b", "q\"b\\n\n\x01\xC3\xA9\x7F");
    line.textOrNull("c", nullptr);
    line.number("d", -5);
    line.decimal("e", 1.5, 6);
    line.flag("f", true);
    line.time("g", kMoment);
    line.end();
    EXPECT_EQ(text,
              R"({"a":"plain","b":"q\"b\\n\n\u0001)"
              "\xC3\xA9\x7F"
              R"(","c":null,"d":-5,"e":1.500000,"f":true,"g":"2026-11-20T23:02:29.450654Z"})");
}

TEST(JsonLine, bytes_that_are_not_utf8_become_the_replacement_character) {
    std::string text;
    JsonLine line(text);
    line.text("a", "x\xFFy\xC3");
    line.end();
    EXPECT_EQ(json::parse(text)["a"], "x\xEF\xBF\xBDy\xEF\xBF\xBD");
}

class JsonLog : public testing::Test {
  protected:
    JsonLog() {
        log_.setTarget(file_.fd(), false);
        log_.setFormat(config::LogFormat::json);
    }
    [[nodiscard]] std::vector<json> records() const {
        std::vector<json> records;
        for (const std::string& line : file_.lines()) {
            records.push_back(json::parse(line));
        }
        return records;
    }
    ErrorLog log_;
    LogFile file_;
};

TEST_F(JsonLog, a_message_has_time_level_and_pid) {
    log_.notice("ready \"now\"\n{}");
    ASSERT_EQ(records().size(), 1U);
    const json record = records()[0];
    EXPECT_THAT(names(record), testing::ElementsAre("level", "message", "pid", "time"));
    EXPECT_EQ(record["level"], "NOTICE");
    EXPECT_EQ(record["message"], "ready \"now\"\n{}");
    EXPECT_EQ(record["pid"], ::getpid());
    EXPECT_THAT(record["time"].get<std::string>(),
                testing::MatchesRegex("2[0-9]{3}-[01][0-9]-[0-3][0-9]T[0-9:]{8}\\.[0-9]{6}Z"));
}

TEST_F(JsonLog, pool_and_child_are_fields) {
    log_.warning("[pool www] child 12 exited with code 1");
    log_.error("[pool a b] no free slot");
    log_.error("[pool x");
    EXPECT_EQ(records()[0]["pool"], "www");
    EXPECT_EQ(records()[0]["child"], 12);
    EXPECT_EQ(records()[0]["message"], "[pool www] child 12 exited with code 1");
    EXPECT_EQ(records()[1]["pool"], "a b");
    EXPECT_FALSE(records()[1].contains("child"));
    EXPECT_FALSE(records()[2].contains("pool"));
}

TEST_F(JsonLog, debug_level_changes_nothing_but_what_is_said) {
    log_.setLevel(LogLevel::debug);
    log_.debug("text");
    EXPECT_EQ(records()[0]["message"], "text");
}

TEST_F(JsonLog, a_huge_message_is_cut) {
    log_.setLimit(4096);
    log_.notice(std::string(100000, 'x'));
    const auto message = records()[0]["message"].get<std::string>();
    EXPECT_EQ(message.size(), 4095U);
    EXPECT_TRUE(message.ends_with("x..."));
}

TEST_F(JsonLog, a_worker_keeps_its_own_style) {
    log_.setStyle(ErrorLog::Style::worker);
    log_.notice("a");
    EXPECT_EQ(file_.content(), "NOTICE: a\n");
}

class JsonOutput : public JsonLog {
  protected:
    static WorkerOutputOptions options() {
        WorkerOutputOptions options;
        options.pool = "w";
        options.pid = 1201;
        return options;
    }
    void err(WorkerOutput& output, std::string_view bytes) const {
        output.feed(OutputStream::err, bytes, nowNs_);
    }
    std::uint64_t nowNs_ = 1000 * kNsPerSecond;
};

TEST_F(JsonOutput, is_a_record_with_the_original_text) {
    WorkerOutput output(log_, options());
    err(output, "say \"it\"\t\r\x1b[m\0 \xC3\xA9\n"s);
    output.feed(OutputStream::out, "out\n", nowNs_);
    ASSERT_EQ(records().size(), 2U);
    const json record = records()[0];
    EXPECT_EQ(record["message"], "say \"it\"\t\r\x1b[m\0 \xC3\xA9"s);
    EXPECT_EQ(record["stream"], "stderr");
    EXPECT_EQ(record["pool"], "w");
    EXPECT_EQ(record["child"], 1201);
    EXPECT_EQ(record["level"], "WARNING");
    EXPECT_FALSE(record.contains("continued"));
    EXPECT_EQ(records()[1]["stream"], "stdout");
}

TEST_F(JsonOutput, undecorated_is_a_record_too) {
    WorkerOutputOptions bare = options();
    bare.decorate = false;
    WorkerOutput output(log_, bare);
    err(output, "{\"level\":\"forged\"}\n");
    EXPECT_EQ(records()[0]["message"], "{\"level\":\"forged\"}");
    EXPECT_EQ(records()[0]["level"], "WARNING");
}

TEST_F(JsonOutput, parts_of_a_long_line_are_marked_and_add_up) {
    WorkerOutput output(log_, options());
    std::string text;
    for (int i = 0; i < 1500; ++i) {
        text += i % 3 == 0 ? "\xE2\x82\xAC" : i % 3 == 1 ? "x" : "\xC3\xA9";
    }
    err(output, text + "\n");
    std::string whole;
    const auto parts = records();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        whole += parts[i]["message"];
        EXPECT_LT(parts[i]["message"].get<std::string>().size(), 1024U);
        EXPECT_EQ(parts[i].contains("continued"), i + 1 < parts.size());
    }
    EXPECT_EQ(whole, text);
}

TEST_F(JsonOutput, noise_gives_valid_records) {
    std::mt19937 random(3);
    WorkerOutput output(log_, options());
    std::string noise(997, '\0');
    for (int round = 0; round < 200; ++round) {
        for (char& c : noise) {
            c = static_cast<char>(random());
        }
        err(output, noise);
    }
    output.finish();
    EXPECT_GT(records().size(), 200U);
}

AccessFacts facts() {
    AccessFacts facts;
    facts.pool = "www";
    facts.method = "GET";
    facts.uri = "/t.php";
    facts.query = "a=\"1\"\n&b";
    facts.script = "/srv/t.php";
    facts.status = 404;
    facts.contentLength = 17;
    facts.durationNs = 1'234'567'890;
    facts.acceptedWallNs = kMoment;
    facts.userCpuNs = 400'000'000;
    facts.systemCpuNs = 200'000'000;
    facts.memoryPeak = 2'097'152;
    facts.workerPid = 4606;
    facts.masterPid = 4605;
    return facts;
}

TEST(AccessJson, has_every_fact_with_its_type) {
    std::string line;
    EXPECT_FALSE(AccessFormat::json().render(facts(), line));
    EXPECT_EQ(line,
              R"({"time":"2026-11-20T23:02:29.450654Z","pool":"www","pid":4606,"master":4605,)"
              R"("remote":null,"user":null,"method":"GET","uri":"/t.php","query":"a=\"1\"\n&b",)"
              R"("script":"/srv/t.php","status":404,"length":17,"duration":1.234568,"cpu":48.60,)"
              R"("memory":2097152})"
              "\n");
    EXPECT_TRUE(AccessFormat::json().needsCpu());
}

TEST(AccessJson, of_a_request_without_anything_is_valid) {
    std::string line;
    AccessFormat::json().render(AccessFacts{}, line);
    EXPECT_EQ(json::parse(line)["cpu"], 0);
    EXPECT_EQ(json::parse(line)["method"], nullptr);
}

double nsPerLine(const AccessFormat& format) {
    constexpr int kLines = 20000;
    std::string line;
    const AccessFacts sample = facts();
    double best = 1e9;
    for (int round = 0; round < 5; ++round) {
        const std::uint64_t before = cpuNs();
        for (int i = 0; i < kLines; ++i) {
            line.clear();
            format.render(sample, line);
        }
        best = std::min(best, static_cast<double>(cpuNs() - before) / kLines);
    }
    return best;
}

TEST(AccessJson, costs_no_multiple_of_a_line_of_text_with_the_same_facts) {
    const auto text = AccessFormat::compile("%t %n %p %P %R %u %m %r %q %f %s %l %d %C %M");
    ASSERT_TRUE(text);
    const double ofText = nsPerLine(*text);
    const double ofJson = nsPerLine(AccessFormat::json());
    RecordProperty("text_ns", std::to_string(ofText));
    RecordProperty("json_ns", std::to_string(ofJson));
    EXPECT_LT(ofJson, 2 * ofText + 500) << "text " << ofText << " ns";
}

}  // namespace
}  // namespace muster::log
