// The error log's line formats, filters, cuts and targets.
#include "log/error_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "log_file.h"

namespace muster::log {
namespace {

using testing::ElementsAre;
using testing::MatchesRegex;

constexpr std::size_t kPrefix = std::string_view("[20-Nov-2026 23:02:29] NOTICE: ").size();

class ErrorLogTest : public testing::Test {
  protected:
    ErrorLogTest() { log_.setTarget(file_.fd(), false); }
    ErrorLog log_;
    LogFile file_;
};

TEST_F(ErrorLogTest, line_has_time_and_level) {
    log_.notice("ready to handle connections");
    EXPECT_THAT(file_.content(), MatchesRegex("\\[[0-3][0-9]-[A-Z][a-z][a-z]-2[0-9][0-9][0-9] "
                                              "[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\] "
                                              "NOTICE: ready to handle connections\n"));
}

TEST_F(ErrorLogTest, every_level_has_its_name) {
    log_.setStyle(ErrorLog::Style::worker);
    log_.notice("b");
    log_.warning("c");
    log_.error("d");
    log_.alert("e");
    EXPECT_EQ(file_.content(), "NOTICE: b\nWARNING: c\nERROR: d\nALERT: e\n");
}

TEST_F(ErrorLogTest, messages_below_the_level_are_dropped) {
    log_.setStyle(ErrorLog::Style::worker);
    log_.setLevel(LogLevel::error);
    log_.debug("a");
    log_.notice("b");
    log_.warning("c");
    log_.error("d");
    EXPECT_EQ(file_.content(), "ERROR: d\n");
    EXPECT_EQ(log_.level(), LogLevel::error);
}

TEST_F(ErrorLogTest, debug_level_adds_microseconds_pid_and_place) {
    log_.setLevel(LogLevel::debug);
    log_.debug("text");
    log_.error("bad");
    EXPECT_THAT(file_.lines(),
                ElementsAre(MatchesRegex("\\[.* [0-9:]+\\.[0-9][0-9][0-9][0-9][0-9][0-9]\\] DEBUG: "
                                         "pid [0-9]+, [a-z_]+\\(\\), line [0-9]+: text"),
                            MatchesRegex("\\[.*\\] ERROR: pid [0-9]+, .* bad")));
    EXPECT_NE(file_.content().find("pid " + std::to_string(::getpid()) + ","), std::string::npos);
}

TEST_F(ErrorLogTest, worker_style_at_debug_level_has_the_place_but_no_pid) {
    log_.setStyle(ErrorLog::Style::worker);
    log_.setLevel(LogLevel::debug);
    log_.notice("text");
    EXPECT_THAT(file_.content(), MatchesRegex("NOTICE: [a-z_]+\\(\\), line [0-9]+: text\n"));
}

TEST_F(ErrorLogTest, control_characters_cannot_forge_a_line) {
    log_.notice(std::string_view("a\n[x] ALERT: b\r\0\x1b[m\x7f\tc\n", 23));
    EXPECT_THAT(file_.content(),
                testing::EndsWith("NOTICE: a\\x0A[x] ALERT: b\\x0D\\x00\\x1B[m\\x7F\tc\\x0A\n"));
}

TEST_F(ErrorLogTest, lines_of_a_worker_message_stay_lines_for_its_manager) {
    log_.setStyle(ErrorLog::Style::worker);
    log_.notice("PHP message: one\ntwo");
    EXPECT_EQ(file_.content(), "NOTICE: PHP message: one\ntwo\n");
}

TEST_F(ErrorLogTest, braces_and_percent_signs_are_text) {
    log_.setStyle(ErrorLog::Style::worker);
    log_.notice("{} %s {0} %n \xC3\xA9");
    EXPECT_EQ(file_.content(), "NOTICE: {} %s {0} %n \xC3\xA9\n");
}

TEST_F(ErrorLogTest, a_line_below_2048_bytes_is_whole_whatever_the_limit) {
    log_.setLimit(512);
    log_.notice(std::string(2047 - kPrefix, 'x'));
    EXPECT_EQ(file_.content().size(), 2048U);
    EXPECT_TRUE(file_.content().ends_with("x\n"));
}

struct Cut {
    int limit;
    std::size_t lineSize;
};
class ErrorLogCut : public testing::TestWithParam<Cut> {};

TEST_P(ErrorLogCut, a_longer_line_is_cut_to_the_limit_with_dots) {
    for (const std::size_t excess : {0U, 1U, 100000U}) {
        ErrorLog log;
        LogFile file;
        log.setTarget(file.fd(), false);
        log.setLimit(GetParam().limit);
        log.notice(std::string(2048 - kPrefix + excess, 'x'));
        EXPECT_EQ(file.content().size(), GetParam().lineSize + 1);
        EXPECT_TRUE(file.content().ends_with("x...\n"));
    }
}
INSTANTIATE_TEST_SUITE_P(Limits, ErrorLogCut,
                         testing::Values(Cut{512, 511}, Cut{1024, 1023}, Cut{2048, 2047},
                                         Cut{65535, 2047}, Cut{0, 63}, Cut{-5, 63}));

TEST_F(ErrorLogTest, an_empty_message_is_a_line) {
    log_.setStyle(ErrorLog::Style::worker);
    log_.notice("");
    log_.notice(" ");
    EXPECT_EQ(file_.content(), "NOTICE: \nNOTICE:  \n");
}

TEST_F(ErrorLogTest, raw_lines_pass_whatever_the_level) {
    log_.setLevel(LogLevel::alert);
    log_.writeRaw(LogLevel::warning, "as it is");
    EXPECT_EQ(file_.content(), "as it is\n");
}

TEST_F(ErrorLogTest, prefix_is_what_lines_begin_with) {
    log_.setLevel(LogLevel::warning);
    EXPECT_THAT(log_.prefix(LogLevel::warning), MatchesRegex("\\[[^]]+\\] WARNING: "));
    EXPECT_EQ(log_.prefix(LogLevel::warning).size(), kPrefix + 1);
    log_.setStyle(ErrorLog::Style::worker);
    EXPECT_EQ(log_.prefix(LogLevel::alert), "ALERT: ");
}

/// Puts a file in the place of stderr for its lifetime.
class StderrCapture {
  public:
    StderrCapture() : saved_(::dup(STDERR_FILENO)) { ::dup2(file_.fd(), STDERR_FILENO); }
    StderrCapture(const StderrCapture&) = delete;
    StderrCapture& operator=(const StderrCapture&) = delete;
    ~StderrCapture() {
        ::dup2(saved_, STDERR_FILENO);
        ::close(saved_);
    }
    [[nodiscard]] std::string content() const { return file_.content(); }

  private:
    LogFile file_;
    int saved_;
};

TEST(ErrorLog, a_new_log_writes_notices_to_stderr) {
    const StderrCapture captured;
    ErrorLog log;
    EXPECT_EQ(log.target(), STDERR_FILENO);
    log.debug("no");
    log.notice("yes");
    EXPECT_THAT(captured.content(), MatchesRegex("\\[[^]]+\\] NOTICE: yes\n"));
}

TEST(ErrorLog, echo_repeats_notices_and_above_on_stderr) {
    const StderrCapture captured;
    const LogFile file;
    ErrorLog log;
    log.setLevel(LogLevel::debug);
    log.setTarget(file.fd(), true);
    EXPECT_EQ(log.target(), file.fd());
    log.debug("one");
    log.notice("two");
    EXPECT_THAT(file.lines(), ElementsAre(testing::EndsWith("one"), testing::EndsWith("two")));
    EXPECT_THAT(captured.content(), MatchesRegex("[^\n]* two\n"));
    log.setTarget(file.fd(), false);
    log.error("three");
    EXPECT_EQ(file.lines().size(), 3U);
    EXPECT_THAT(captured.content(), MatchesRegex("[^\n]* two\n"));
}

TEST(ErrorLog, echo_to_the_target_itself_writes_once) {
    const StderrCapture captured;
    ErrorLog log;
    log.setTarget(STDERR_FILENO, true);
    log.notice("once");
    EXPECT_THAT(captured.content(), MatchesRegex("[^\n]* once\n"));
}

TEST(ErrorLog, a_target_that_cannot_be_written_is_no_trouble) {
    ErrorLog log;
    log.setTarget(-1, false);
    log.error("lost");
    log.writeRaw(LogLevel::warning, "lost");
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    log.setTarget(ends[0], false);
    log.error("lost");
    log.writeRaw(LogLevel::warning, "lost");
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
}  // namespace muster::log
