// What becomes of the bytes a worker writes to its stdout and stderr.
#include "log/worker_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/clock.h"
#include "log_file.h"

namespace muster::log {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kPrefix = 70;  // "[time] WARNING: [pool w] child 1201 said into stderr: "

/// One worker's output in a file of its own.
class Worker {
  public:
    explicit Worker(WorkerOutputOptions options = {}) : output_(log_, named(std::move(options))) {
        log_.setTarget(file_.fd(), false);
    }
    void out(std::string_view bytes) { output_.feed(OutputStream::out, bytes, nowNs); }
    void err(std::string_view bytes) { output_.feed(OutputStream::err, bytes, nowNs); }
    void finish() { output_.finish(); }
    void closed(OutputStream stream, bool atOnce) { output_.closed(stream, atOnce); }
    ErrorLog& log() { return log_; }

    /// The lines without their time stamps.
    [[nodiscard]] std::vector<std::string> lines() const {
        auto lines = file_.lines();
        for (std::string& line : lines) {
            if (line.starts_with('[')) {
                line.erase(0, line.find("] ") + 2);
            }
        }
        return lines;
    }
    [[nodiscard]] std::vector<std::string> wholeLines() const { return file_.lines(); }
    [[nodiscard]] std::string content() const { return file_.content(); }

    std::uint64_t nowNs = 1000 * kNsPerSecond;

  private:
    static WorkerOutputOptions named(WorkerOutputOptions options) {
        options.pool = std::string("w");
        options.pid = 1201;
        return options;
    }
    LogFile file_;
    ErrorLog log_;
    WorkerOutput output_;
};

WorkerOutputOptions bare() {
    WorkerOutputOptions options;
    options.decorate = false;
    return options;
}

std::string said(const std::string& stream, const std::string& text) {
    return "WARNING: [pool w] child 1201 said into " + stream + ": \"" + text + "\"";
}

TEST(WorkerOutput, lines_are_decorated_with_their_stream) {
    Worker worker;
    worker.err("one line\n");
    worker.out("to stdout\n");
    EXPECT_THAT(worker.lines(),
                ElementsAre(said("stderr", "one line"), said("stdout", "to stdout")));
}

TEST(WorkerOutput, bare_lines_have_nothing_around_them) {
    Worker worker(bare());
    worker.err("one \"line\"\n");
    EXPECT_EQ(worker.content(), "one \"line\"\n");
}

TEST(WorkerOutput, empty_lines_produce_nothing) {
    Worker worker;
    worker.err("\n\n\n");
    worker.finish();
    EXPECT_THAT(worker.lines(), IsEmpty());
}

TEST(WorkerOutput, a_partial_line_waits_for_its_end) {
    Worker worker;
    worker.err("half");
    EXPECT_THAT(worker.lines(), IsEmpty());
    worker.err(" and half\n");
    EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "half and half")));
}

TEST(WorkerOutput, finish_writes_what_is_pending_once) {
    Worker worker;
    worker.err("before death");
    worker.finish();
    worker.finish();
    EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "before death")));
}

TEST(WorkerOutput, the_other_stream_ends_the_line) {
    Worker worker;
    worker.out("out");
    worker.err("err");
    worker.out("again\n");
    EXPECT_THAT(worker.lines(),
                ElementsAre(said("stdout", "out"), said("stderr", "err"), said("stdout", "again")));
}

TEST(WorkerOutput, control_characters_are_escaped_and_tabs_kept) {
    Worker worker;
    worker.err("a\tb\rc\0d\x1b[2J\x7f\xC3\xA9\n"s);
    EXPECT_THAT(worker.lines(),
                ElementsAre(said("stderr", "a\tb\\x0Dc\\x00d\\x1B[2J\\x7F\xC3\xA9")));
}

TEST(WorkerOutput, a_worker_cannot_forge_a_line_of_ours) {
    Worker worker;
    worker.err("x\"\n[20-Nov-2026 23:02:29] ALERT: [pool w] child 1 exited\n");
    for (const std::string& line : worker.lines()) {
        EXPECT_TRUE(line.starts_with("WARNING: [pool w] child 1201 said into stderr: \"")) << line;
    }
}

TEST(WorkerOutput, request_end_marker_ends_the_line_and_vanishes) {
    Worker worker;
    worker.err("first"s + std::string(WorkerOutput::kRequestEndMarker) + "second\n");
    worker.err(WorkerOutput::kRequestEndMarker);
    EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "first"), said("stderr", "second")));
}

TEST(WorkerOutput, request_end_marker_is_recognised_across_reads) {
    for (std::size_t cut = 1; cut < WorkerOutput::kRequestEndMarker.size(); ++cut) {
        Worker worker;
        worker.err("text");
        worker.err(WorkerOutput::kRequestEndMarker.substr(0, cut));
        worker.err(WorkerOutput::kRequestEndMarker.substr(cut));
        EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "text"))) << cut;
    }
}

TEST(WorkerOutput, request_end_marker_is_recognised_after_a_false_start) {
    Worker worker;
    worker.err("a\0f\0\0fscf\0b\n"s);
    EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "a\\x00f\\x00"), said("stderr", "b")));
}

TEST(WorkerOutput, half_a_marker_is_text_in_the_end) {
    Worker worker;
    worker.err("a\0fs"s);
    worker.finish();
    EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "a\\x00fs")));
}

TEST(WorkerOutput, half_a_marker_survives_output_on_the_other_stream) {
    Worker worker;
    worker.err("a\0fs"s);
    worker.out("b\n");
    worker.err("cf\0"s);
    worker.finish();
    EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "a"), said("stdout", "b")));
}

TEST(WorkerOutput, the_marker_means_nothing_on_stdout) {
    Worker worker;
    worker.out("a\0fscf\0b\n"s);
    EXPECT_THAT(worker.lines(), ElementsAre(said("stdout", "a\\x00fscf\\x00b")));
}

std::vector<std::size_t> sizes(const std::vector<std::string>& lines) {
    std::vector<std::size_t> sizes;
    for (const std::string& line : lines) {
        sizes.push_back(line.size());
    }
    return sizes;
}

TEST(WorkerOutput, a_long_line_is_wrapped_with_the_full_prefix_again) {
    Worker worker;
    worker.err(std::string(3000, 't') + "\n");
    EXPECT_THAT(sizes(worker.wholeLines()), ElementsAre(1023, 1023, 1023, 219));
    for (const std::string& line : worker.lines()) {
        EXPECT_THAT(line, testing::MatchesRegex(
                              "WARNING: \\[pool w\\] child 1201 said into stderr: \"t+\""));
    }
}

TEST(WorkerOutput, a_long_bare_line_is_wrapped) {
    Worker worker(bare());
    worker.err(std::string(3000, 't') + "\n");
    EXPECT_THAT(sizes(worker.wholeLines()), ElementsAre(1023, 1023, 954));
}

TEST(WorkerOutput, a_line_that_just_fits_is_not_wrapped) {
    Worker worker;
    worker.err(std::string(1023 - kPrefix - 2, 't') + "\n");
    worker.err(std::string(1023 - kPrefix - 1, 't') + "\n");
    EXPECT_THAT(sizes(worker.wholeLines()), ElementsAre(1023, 1023, kPrefix + 3));
}

TEST(WorkerOutput, wrapping_does_not_split_an_escape) {
    WorkerOutputOptions options = bare();
    options.lineLimit = 512;
    Worker worker(options);
    worker.err(std::string(509, 't') + "\r\n");
    EXPECT_THAT(worker.lines(), ElementsAre(std::string(509, 't'), "\\x0D"));
}

TEST(WorkerOutput, a_limit_too_small_for_the_prefix_still_writes_text) {
    for (const int limit : {-1, 0, 1, 75}) {
        WorkerOutputOptions options;
        options.lineLimit = limit;
        Worker worker(options);
        worker.err("some text\n");
        EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "some text")));
    }
}

TEST(WorkerOutput, a_level_above_warning_drops_decorated_lines_only) {
    Worker decorated;
    decorated.log().setLevel(LogLevel::error);
    decorated.err("dropped\n");
    EXPECT_THAT(decorated.lines(), IsEmpty());
    Worker plain(bare());
    plain.log().setLevel(LogLevel::error);
    plain.err("kept\n");
    EXPECT_THAT(plain.lines(), ElementsAre("kept"));
}

TEST(WorkerOutput, debug_level_has_the_long_prefix_and_keeps_the_limit) {
    Worker worker;
    worker.log().setLevel(LogLevel::debug);
    worker.err(std::string(3000, 't') + "\n");
    for (const std::string& line : worker.wholeLines()) {
        EXPECT_LE(line.size(), 1023U);
        EXPECT_THAT(line, testing::ContainsRegex("WARNING: pid [0-9]+, [a-z]+\\(\\), line [0-9]+: "
                                                 "\\[pool w\\] child 1201 said"));
    }
}

TEST(WorkerOutput, a_pipe_that_is_closed_ends_the_line) {
    Worker worker;
    worker.err("pending");
    worker.closed(OutputStream::out, false);
    EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "pending")));
}

TEST(WorkerOutput, first_words_that_were_the_last_say_so) {
    Worker worker;
    worker.err("before death");
    worker.closed(OutputStream::err, true);
    worker.err("x");
    worker.finish();
    EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "before death") + ", pipe is closed",
                                            said("stderr", "x")));
    Worker plain(bare());
    plain.err("bare");
    plain.closed(OutputStream::err, true);
    EXPECT_THAT(plain.lines(), ElementsAre("bare"));
}

TEST(WorkerOutput, what_does_not_fit_of_the_suffix_is_on_a_line_of_its_own) {
    Worker worker;
    worker.err(std::string(1023 - kPrefix - 2 - 4, 't'));
    worker.closed(OutputStream::err, true);
    ASSERT_EQ(worker.lines().size(), 2U);
    EXPECT_EQ(worker.wholeLines()[0].size(), 1023U);
    EXPECT_TRUE(worker.lines()[0].ends_with("t\", pi"));
    EXPECT_EQ(worker.lines()[1], "WARNING: [pool w] child 1201 said into stderr: pe is closed");
}

TEST(WorkerOutput, half_a_marker_at_the_end_of_the_pipe_is_text) {
    Worker worker;
    worker.err("a\0fs"s);
    worker.closed(OutputStream::err, false);
    EXPECT_THAT(worker.lines(), ElementsAre(said("stderr", "a\\x00fs")));
}

TEST(WorkerOutput, without_buffering_a_bare_line_may_have_the_limit) {
    WorkerOutputOptions options = bare();
    options.buffer = false;
    Worker worker(options);
    worker.out(std::string(1024, 't') + "\n" + std::string(1025, 't') + "\n" +
               std::string(3000, 't') + "\n");
    EXPECT_THAT(sizes(worker.wholeLines()), ElementsAre(1024, 1023, 2, 1023, 1023, 954));
}

TEST(WorkerOutput, a_large_limit_lets_a_line_of_any_length_through) {
    WorkerOutputOptions options;
    options.lineLimit = 12 << 20;
    Worker worker(options);
    const std::string text(10U << 20, 'x');
    for (std::size_t at = 0; at < text.size(); at += 16384) {
        worker.err(std::string_view(text).substr(at, 16384));
    }
    worker.err("\n");
    ASSERT_EQ(worker.lines().size(), 1U);
    EXPECT_TRUE(worker.lines()[0] == said("stderr", text));
    worker.err("in debt\n");
    EXPECT_EQ(worker.lines().size(), 1U);
    worker.nowNs += 20 * kNsPerSecond;
    worker.err("paid off\n");
    EXPECT_TRUE(worker.lines()[1] == said("stderr", "paid off"));
}

TEST(WorkerOutput, memory_for_one_line_is_bounded_whatever_the_limit) {
    WorkerOutputOptions options = bare();
    options.lineLimit = 2'000'000'000;
    options.bytesPerSecond = 0;
    Worker worker(options);
    const std::string block(1U << 20, 'x');
    for (int i = 0; i < 40; ++i) {
        worker.out(block);
    }
    worker.finish();
    EXPECT_THAT(sizes(worker.wholeLines()),
                ElementsAre(WorkerOutput::kLongestLine - 1, WorkerOutput::kLongestLine - 1,
                            (8U << 20) + 2));
}

/// Random text with everything that matters: newlines, markers, parts of markers, long runs.
std::string randomStream(std::mt19937& random) {
    const std::vector<std::string> parts = {"\n",  "word ", "\0fscf\0"s,           "\0fs"s,
                                            "\0"s, "\r\n",  std::string(700, 'x'), "\xFF",
                                            "\"",  "fscf"};
    std::string stream;
    for (int i = 0; i < 60; ++i) {
        stream += parts[random() % parts.size()];
    }
    return stream;
}

TEST(WorkerOutput, how_reads_cut_the_stream_makes_no_difference) {
    std::mt19937 random(7);
    for (int round = 0; round < 100; ++round) {
        const std::string stream = randomStream(random);
        Worker whole;
        whole.err(stream);
        whole.finish();
        Worker cut;
        for (std::string_view rest = stream; !rest.empty();) {
            const std::size_t length = std::min<std::size_t>(1 + random() % 40, rest.size());
            cut.err(rest.substr(0, length));
            rest.remove_prefix(length);
        }
        cut.finish();
        EXPECT_EQ(cut.lines(), whole.lines());
        for (const std::string& line : whole.wholeLines()) {
            EXPECT_LE(line.size(), 1023U);
        }
    }
}

std::uint64_t droppedBytes(const std::vector<std::string>& lines) {
    constexpr std::string_view kHead = "WARNING: [pool w] child 1201 writes too much: ";
    std::uint64_t sum = 0;
    for (const std::string& line : lines) {
        if (line.starts_with(kHead)) {
            EXPECT_TRUE(line.ends_with(" bytes of its output were dropped")) << line;
            sum += std::stoull(line.substr(kHead.size()));
        }
    }
    return sum;
}

TEST(WorkerOutput, a_flood_is_cut_down_to_the_burst_and_reported) {
    constexpr std::size_t kFlood = 100U << 20;
    WorkerOutputOptions options;
    Worker worker(options);
    const std::string block(1U << 20, 'x');
    for (std::size_t fed = 0; fed < kFlood; fed += block.size()) {
        worker.err(block);
    }
    worker.finish();
    EXPECT_LT(worker.content().size(), 4 * options.bytesPerSecond + 1024);
    EXPECT_GT(worker.content().size(), 4 * options.bytesPerSecond - 2048);
    const auto lines = worker.lines();
    std::uint64_t written = 0;
    for (const std::string& line : lines) {
        written += static_cast<std::uint64_t>(std::count(line.begin(), line.end(), 'x'));
    }
    // No word of ours in these lines has an x.
    EXPECT_EQ(written + droppedBytes(lines), kFlood);
}

TEST(WorkerOutput, a_flood_of_short_lines_is_a_flood_too) {
    WorkerOutputOptions options;
    options.bytesPerSecond = 10000;
    Worker worker(options);
    for (int i = 0; i < 20000; ++i) {
        worker.err("x\n");
    }
    worker.finish();
    EXPECT_LT(worker.content().size(), 41000U);
}

TEST(WorkerOutput, drops_are_reported_once_a_second_and_never_lost) {
    WorkerOutputOptions options;
    options.bytesPerSecond = 1000;
    Worker worker(options);
    const std::string line = std::string(99, 'y') + "\n";
    constexpr std::uint64_t kSteps = 1000;
    for (std::uint64_t step = 0; step < kSteps; ++step) {  // ten seconds, ten times the rate
        worker.nowNs += 10 * kNsPerMs;
        worker.err(line);
    }
    worker.finish();
    const auto lines = worker.lines();
    const auto reports = std::count_if(lines.begin(), lines.end(), [](const std::string& text) {
        return text.find("too much") != std::string::npos;
    });
    EXPECT_GE(reports, 8);
    EXPECT_LE(reports, 11);
    const auto written = std::count_if(lines.begin(), lines.end(), [](const std::string& text) {
        return text.find("yyy") != std::string::npos;
    });
    EXPECT_EQ(static_cast<std::uint64_t>(written) * 99 + droppedBytes(lines), kSteps * 99);
    // Burst and rate: 14000 bytes of lines that take 172 each.
    EXPECT_NEAR(static_cast<double>(written), 14000.0 / 172, 3);
}

TEST(WorkerOutput, output_flows_again_after_the_flood) {
    WorkerOutputOptions options;
    options.bytesPerSecond = 1000;
    Worker worker(options);
    worker.err(std::string(100000, 'x') + "\n");
    worker.nowNs += 5 * kNsPerSecond;
    worker.err("calm\n");
    EXPECT_EQ(droppedBytes(worker.lines()) > 0, true);
    EXPECT_THAT(worker.lines(), testing::Contains(said("stderr", "calm")));
}

TEST(WorkerOutput, a_rate_of_zero_means_no_limit) {
    WorkerOutputOptions options = bare();
    options.bytesPerSecond = 0;
    Worker worker(options);
    const std::string text(10U << 20, 'x');
    worker.out(text);
    worker.finish();
    EXPECT_GE(worker.content().size(), text.size());
}

TEST(WorkerOutput, a_clock_that_goes_back_gives_nothing) {
    WorkerOutputOptions options = bare();
    options.bytesPerSecond = 1000;
    Worker worker(options);
    for (int i = 0; i < 1000; ++i) {
        worker.err(std::string(100, 'x') + "\n");
        worker.nowNs -= kNsPerSecond / 2;
    }
    EXPECT_LE(worker.content().size(), 4000U + 101);  // the last line may be paid off later
}

TEST(WorkerOutput, random_bytes_give_printable_lines_within_the_limit) {
    std::mt19937 random(11);
    Worker worker;
    std::string noise(1000, '\0');
    for (int round = 0; round < 300; ++round) {
        for (char& c : noise) {
            c = static_cast<char>(random());
        }
        (round % 3 == 0) ? worker.out(noise) : worker.err(noise);
    }
    worker.finish();
    for (const std::string& line : worker.wholeLines()) {
        EXPECT_LE(line.size(), 1023U);
        EXPECT_TRUE(line.starts_with("["));
        EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](char c) {
            return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7F;
        }));
    }
}

}  // namespace
}  // namespace muster::log
