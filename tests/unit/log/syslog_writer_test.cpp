// Records for the log daemon: form, priorities, a daemon that is full or away.
#include "log/syslog_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/error_log.h"
#include "log/worker_output.h"

namespace muster::log {
namespace {

using testing::MatchesRegex;

class SyslogTest : public testing::Test {
  protected:
    SyslogTest() {
        int ends[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
        ours_.reset(ends[0]);
        daemon_.reset(ends[1]);
        log_.setSyslog(ours_.get(), {"fpm", LOG_LOCAL0}, false);
    }
    /// The next record, without its time; empty when there is none.
    [[nodiscard]] std::string next() const {
        char record[65536];
        const ssize_t n = ::recv(daemon_.get(), record, sizeof record, MSG_DONTWAIT);
        return n < 0 ? std::string() : std::string(record, static_cast<std::size_t>(n));
    }
    [[nodiscard]] std::string nextText() const {
        const std::string record = next();
        const std::size_t start = record.find("]: ");
        return start == std::string::npos ? record : record.substr(start + 3);
    }
    UniqueFd ours_;
    UniqueFd daemon_;
    ErrorLog log_;
};

TEST_F(SyslogTest, a_record_is_that_of_syslog) {
    log_.notice("ready");
    EXPECT_THAT(next(), MatchesRegex("<133>[A-Z][a-z][a-z] [ 123][0-9] [0-9:]{8} fpm\\[" +
                                     std::to_string(::getpid()) + "\\]: \\[NOTICE\\] ready"));
}

TEST_F(SyslogTest, priorities_are_those_of_the_levels) {
    log_.setLevel(LogLevel::debug);
    for (const auto& [level, priority] :
         {std::pair(LogLevel::debug, "<135>"), std::pair(LogLevel::notice, "<133>"),
          std::pair(LogLevel::warning, "<132>"), std::pair(LogLevel::error, "<131>"),
          std::pair(LogLevel::alert, "<129>")}) {
        log_.write(level, "x");
        EXPECT_TRUE(next().starts_with(priority)) << logLevelName(level);
    }
}

TEST_F(SyslogTest, debug_level_adds_the_place) {
    log_.setLevel(LogLevel::debug);
    log_.notice("x");
    EXPECT_THAT(nextText(), MatchesRegex("\\[NOTICE\\] [a-z]+\\(\\), line [0-9]+: x"));
}

TEST_F(SyslogTest, a_message_is_one_record_whatever_is_in_it) {
    log_.notice("a\n<0>forged\n\x01");
    EXPECT_EQ(nextText(), "[NOTICE] a\\x0A<0>forged\\x0A\\x01");
    EXPECT_EQ(next(), "");
}

TEST_F(SyslogTest, worker_output_arrives_in_pieces_that_fit) {
    WorkerOutputOptions options;
    options.pool = "w";
    options.pid = 7;
    options.lineLimit = 1 << 20;
    WorkerOutput output(log_, options);
    output.feed(OutputStream::err, "short\n" + std::string(9000, 'x') + "\n", kNsPerSecond);
    EXPECT_EQ(nextText(), "[WARNING] [pool w] child 7 said into stderr: \"short\"");
    EXPECT_EQ(nextText().size(), kLongestSyslogText - 1);
    EXPECT_THAT(nextText(), MatchesRegex("\\[WARNING\\] .*: \"x+\""));
}

TEST_F(SyslogTest, json_goes_to_syslog_as_it_is) {
    log_.setFormat(config::LogFormat::json);
    log_.error("x");
    EXPECT_THAT(nextText(), MatchesRegex("\\{\"time\":.*\"level\":\"ERROR\".*\\}"));
}

TEST_F(SyslogTest, what_a_hanging_daemon_missed_is_counted_and_said) {
    int sent = 0;
    while (sent < 5000) {
        log_.notice("x");
        ++sent;
    }
    int arrived = 0;
    while (!next().empty()) {
        ++arrived;
    }
    log_.notice("again");
    EXPECT_EQ(nextText(), "[WARNING] " + std::to_string(sent - arrived) +
                              " messages could not be sent to syslog");
    EXPECT_EQ(nextText(), "[NOTICE] again");
    log_.notice("and again");
    EXPECT_EQ(nextText(), "[NOTICE] and again");
}

TEST_F(SyslogTest, another_target_ends_it) {
    log_.setTarget(-1, false);
    log_.notice("x");
    EXPECT_EQ(next(), "");
}

}  // namespace
}  // namespace muster::log
