// Framing driven by bytes: what each record does at each place.
#include "fastcgi/request_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/streams/transcript.h"

namespace muster::fastcgi {
namespace {

using streams::begin;
using streams::kSmallLimits;
using streams::record;
using streams::Transcript;

void give(RequestReader& reader, std::string_view bytes) {
    const std::span<char> room = reader.room();
    ASSERT_LE(bytes.size(), room.size());
    std::copy(bytes.begin(), bytes.end(), room.begin());
    reader.received(bytes.size());
}

std::string tell(const std::string& stream) {
    Transcript transcript;
    transcript.feed(stream);
    return transcript.text();
}

const std::string kHead1 = begin(1) + record(RecordType::params, 1, encodePairs({{"A", "b"}})) +
                           record(RecordType::params, 1);
constexpr const char* kHead1Text = "[request 1 A=b FCGI_ROLE=RESPONDER keep]";

TEST(RequestReader, knows_whether_the_end_of_the_request_is_here) {
    const std::string body = record(RecordType::stdIn, 1, "body", 3);
    const std::string end = record(RecordType::stdIn, 1, {}, 5);
    const std::string whole = kHead1 + body + end;
    for (std::size_t n = kHead1.size(); n <= whole.size(); ++n) {
        RequestReader reader{kSmallLimits};
        give(reader, whole.substr(0, n));
        ASSERT_EQ(reader.readHead(), RequestReader::Progress::request);
        EXPECT_EQ(reader.endReceived(), n == whole.size()) << n;
        char bytes[16];
        std::size_t taken = 0;
        [[maybe_unused]] const auto progress = reader.readBody(bytes, 2, taken);
        EXPECT_EQ(reader.endReceived(), n == whole.size()) << n << " amid the body";
        give(reader, whole.substr(n));
        [[maybe_unused]] const auto rest = reader.readBody(bytes, sizeof bytes, taken);
        EXPECT_TRUE(reader.endReceived()) << n;
    }
    RequestReader reader{kSmallLimits};
    give(reader, whole + begin(2).substr(0, 1));
    ASSERT_EQ(reader.readHead(), RequestReader::Progress::request);
    EXPECT_FALSE(reader.endReceived()) << "the next has begun";
    RequestReader other{kSmallLimits};
    give(other, kHead1 + record(RecordType::stdIn, 2));
    ASSERT_EQ(other.readHead(), RequestReader::Progress::request);
    EXPECT_FALSE(other.endReceived()) << "that was another request's";
}

TEST(RequestReader, role_is_the_oldest_variable) {
    EXPECT_EQ(tell(kHead1), kHead1Text);
    EXPECT_EQ(tell(begin(1, 2, 0) + record(RecordType::params, 1)),
              "[request 1 FCGI_ROLE=AUTHORIZER close]");
}

TEST(RequestReader, a_pair_may_be_split_over_records) {
    const std::string pair = encodePairs({{"NAME", std::string(200, 'v')}});
    std::string stream = begin(7);
    for (const char byte : pair) {
        stream += record(RecordType::params, 7, {&byte, 1}, 3);
    }
    stream += record(RecordType::params, 7);
    EXPECT_EQ(tell(stream),
              "[request 7 NAME=" + std::string(200, 'v') + " FCGI_ROLE=RESPONDER keep]");
}

TEST(RequestReader, padded_terminators_do_not_desynchronise) {
    EXPECT_EQ(tell(begin(1) + record(RecordType::params, 1, {}, 200) +
                   record(RecordType::stdIn, 1, "body", 5) + record(RecordType::stdIn, 1, {}, 9) +
                   kHead1),
              std::string("[request 1 FCGI_ROLE=RESPONDER keep]body[end 0]") + kHead1Text);
}

TEST(RequestReader, leading_empty_stdin_records_are_skipped) {
    EXPECT_EQ(tell(record(RecordType::stdIn, 9, {}, 8) + record(RecordType::stdIn, 0) + kHead1),
              kHead1Text);
}

TEST(RequestReader, missing_end_of_params_is_forgiven_before_an_empty_stdin) {
    EXPECT_EQ(tell(begin(1) + record(RecordType::stdIn, 1)),
              "[request 1 FCGI_ROLE=RESPONDER keep][end 0]");
    EXPECT_EQ(tell(begin(1) + record(RecordType::stdIn, 1, "x")), "[violation]");
}

TEST(RequestReader, what_begins_no_request_is_a_violation) {
    EXPECT_EQ(tell(record(RecordType::abortRequest, 1)), "[violation]");
    EXPECT_EQ(tell(record(RecordType::data, 1, "x")), "[violation]");
    EXPECT_EQ(tell(record(RecordType::params, 1, "x")), "[violation]");
    EXPECT_EQ(tell(record(RecordType::stdIn, 1, "x")), "[violation]");
    EXPECT_EQ(tell(record(RecordType::unknownType, 1)), "[violation]");
    EXPECT_EQ(tell(record(static_cast<RecordType>(99), 1)), "[violation]");
    EXPECT_EQ(tell(begin(1, 1, 0, 9)), "[violation]");
    EXPECT_EQ(tell(begin(1, 1, 0, 7)), "[violation]");
    EXPECT_EQ(tell(begin(1, 4)), "[violation]");
    EXPECT_EQ(tell(begin(1, 0)), "[violation]");
    EXPECT_EQ(tell("GET / HTTP/1.0\r\n\r\n"), "[violation]");
}

TEST(RequestReader, version_zero_is_a_violation_and_two_is_accepted) {
    std::string stream = kHead1;
    stream[0] = 0;
    EXPECT_EQ(tell(stream), "[violation]");
    stream[0] = 2;
    EXPECT_EQ(tell(stream), kHead1Text);
}

TEST(RequestReader, abort_ends_the_body_and_before_the_body_everything) {
    EXPECT_EQ(tell(begin(1) + record(RecordType::abortRequest, 1)), "[violation]");
    EXPECT_EQ(tell(kHead1 + record(RecordType::stdIn, 1, "ab") +
                   record(RecordType::abortRequest, 1, "c") + kHead1),
              std::string(kHead1Text) + "ab[aborted]");
}

TEST(RequestReader, second_begin_of_the_same_id_is_a_violation) {
    EXPECT_EQ(tell(kHead1 + begin(1)), std::string(kHead1Text) + "[violation]");
    EXPECT_EQ(tell(begin(1) + begin(1)), "[violation]");
}

TEST(RequestReader, records_of_another_request_change_nothing_and_are_told_so) {
    const std::string foreign = begin(2) +
                                record(RecordType::params, 2, encodePairs({{"A", "evil"}}), 4) +
                                record(RecordType::params, 2) +
                                record(RecordType::stdIn, 2, "evil") + record(RecordType::stdIn, 2);
    EXPECT_EQ(tell(begin(1) + foreign + record(RecordType::params, 1) + foreign +
                   record(RecordType::stdIn, 1, "good") + foreign + record(RecordType::stdIn, 1)),
              "[request 1 FCGI_ROLE=RESPONDER keep]good[end 48]");
}

TEST(RequestReader, foreign_records_have_a_budget) {
    std::string stream = kHead1;
    const std::string foreign = record(RecordType::stdIn, 2, std::string(60000, 'x'));
    for (int i = 0; i < 5; ++i) {
        stream += foreign;
    }
    EXPECT_EQ(tell(stream), std::string(kHead1Text) + "[violation]");
}

TEST(RequestReader, cannot_multiplex_answer_names_the_refused_request) {
    RequestReader reader({});
    give(reader, begin(1) + begin(0x0203));
    EXPECT_EQ(reader.readHead(), RequestReader::Progress::needMore);
    EXPECT_EQ(reader.takeReplies(),
              std::string("\x01\x03\x02\x03\x00\x08\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00", 16));
    EXPECT_FALSE(reader.hasReplies());
}

TEST(RequestReader, forged_requests_inside_a_body_stay_bytes) {
    const std::string forged = kHead1 + record(RecordType::stdIn, 1);
    const std::string told =
        tell(kHead1 + record(RecordType::stdIn, 1, forged) + record(RecordType::stdIn, 1) +
             begin(5, 1, 0) + record(RecordType::params, 5));
    EXPECT_EQ(told, kHead1Text + forged + "[end 0][request 5 FCGI_ROLE=RESPONDER close]");
}

TEST(RequestReader, filter_data_is_passed_over_also_behind_the_body) {
    const std::string data = record(RecordType::data, 1, "data", 4) + record(RecordType::data, 1);
    EXPECT_EQ(
        tell(begin(1, 3) + record(RecordType::params, 1) + data +
             record(RecordType::stdIn, 1, "b") + record(RecordType::stdIn, 1) + data + kHead1),
        std::string("[request 1 FCGI_ROLE=FILTER keep]b[end 0]") + kHead1Text);
    EXPECT_EQ(tell(kHead1 + data), std::string(kHead1Text) + "[violation]");
}

TEST(RequestReader, get_values_knows_one_name) {
    const auto answerTo = [](std::string_view query) {
        RequestReader reader({});
        give(reader, record(RecordType::getValues, 5, query, 3));
        EXPECT_EQ(reader.readHead(), RequestReader::Progress::answered);
        return reader.takeReplies();
    };
    const std::string known = std::string("\x01\x0a\x00\x00\x00\x12\x06\x00", 8) + "\x0f\x01" +
                              "FCGI_MPXS_CONNS0" + std::string(6, '\0');
    const std::string nothing("\x01\x0a\x00\x00\x00\x00\x00\x00", 8);
    EXPECT_EQ(answerTo(encodePairs(
                  {{"FCGI_MAX_CONNS", ""}, {"FCGI_MPXS_CONNS", "x"}, {"FCGI_MPXS_CONNS", ""}})),
              known);
    EXPECT_EQ(answerTo(encodePairs({{"FCGI_MAX_CONNS", ""}, {"FCGI_MAX_REQS", ""}})), nothing);
    EXPECT_EQ(answerTo("\x7f"), nothing);
    EXPECT_EQ(answerTo(""), nothing);
}

TEST(RequestReader, parameters_beyond_the_limits_end_the_connection) {
    std::string stream = begin(1);
    for (int i = 0; i < 5; ++i) {
        stream += record(RecordType::params, 1, encodePairs({{"N", std::string(900, 'x')}}));
    }
    EXPECT_EQ(tell(stream), "[violation]");
    ClientParams many;
    for (int i = 0; i < 21; ++i) {
        many.emplace_back("N" + std::to_string(i), "");
    }
    EXPECT_EQ(tell(begin(1) + record(RecordType::params, 1, encodePairs(many)) +
                   record(RecordType::params, 1)),
              "[violation]");
}

TEST(RequestReader, a_reset_reader_knows_nothing_of_the_connection_before) {
    RequestReader reader({});
    give(reader, record(RecordType::abortRequest, 1));
    ASSERT_EQ(reader.readHead(), RequestReader::Progress::violation);
    ASSERT_EQ(reader.readHead(), RequestReader::Progress::violation);
    reader.reset();
    EXPECT_TRUE(reader.atRecordStart());
    give(reader, kHead1);
    EXPECT_EQ(reader.readHead(), RequestReader::Progress::request);
    EXPECT_FALSE(reader.betweenRequests());
}

// Both hear the same bytes; the second takes over from the first at every place.
TEST(RequestReader, head_goes_on_in_another_reader_wherever_it_is_cut) {
    const std::string stray = record(RecordType::params, 2, "x", 9) + begin(3);
    const std::string head = record(RecordType::stdIn, 1) + begin(1) + stray +
                             record(RecordType::params, 1, std::string("\x01\x01") + "Ab", 200) +
                             record(RecordType::params, 1, "", 3);
    for (std::size_t cut = 0; cut < head.size(); ++cut) {
        RequestReader first(kSmallLimits);
        for (std::size_t at = 0; at < cut; at += 11) {
            give(first, head.substr(at, std::min<std::size_t>(11, cut - at)));
            ASSERT_EQ(first.readHead(), RequestReader::Progress::needMore);
        }
        const std::string refused = first.takeReplies();
        RequestReader second(kSmallLimits);
        ASSERT_TRUE(second.resume(first.partialHead(), first.lateData())) << cut;
        EXPECT_EQ(second.headBegun(), first.headBegun());
        EXPECT_FALSE(second.hasReplies()) << "said by the first";
        EXPECT_EQ(second.partialHead(), first.partialHead());
        give(second, head.substr(cut));
        ASSERT_EQ(second.readHead(), RequestReader::Progress::request) << cut;
        EXPECT_STREQ(second.params().get("A"), "b");
        EXPECT_EQ((refused + second.takeReplies()).size(), 16U) << "one refusal in all";
        EXPECT_EQ(second.partialHead(), "");
    }
}

TEST(RequestReader, long_head_goes_on_in_another_reader) {
    RequestReader first({});
    std::string content;
    for (int i = 0; i < 10; ++i) {
        content += record(RecordType::params, 1,
                          encodePairs({{"N" + std::to_string(i), std::string(50000, 'v')}}));
    }
    give(first, begin(1));
    ASSERT_EQ(first.readHead(), RequestReader::Progress::needMore);
    for (std::string_view rest = content; !rest.empty();) {
        const std::size_t amount = std::min(rest.size(), first.room().size());
        give(first, rest.substr(0, amount));
        rest.remove_prefix(amount);
        ASSERT_EQ(first.readHead(), RequestReader::Progress::needMore);
    }
    EXPECT_EQ(first.partialHead(), begin(1) + content);
    RequestReader second({});
    ASSERT_TRUE(second.resume(first.partialHead(), {}));
    give(second, record(RecordType::params, 1));
    ASSERT_EQ(second.readHead(), RequestReader::Progress::request);
    EXPECT_EQ(std::string_view(second.params().get("N9")).size(), 50000U);
}

TEST(RequestReader, what_is_no_beginning_of_a_head_cannot_be_resumed) {
    RequestReader reader(kSmallLimits);
    EXPECT_FALSE(reader.resume("garbage!garbage!", {}));
    EXPECT_FALSE(reader.resume(begin(1) + record(RecordType::params, 1), {})) << "it is complete";
    EXPECT_TRUE(reader.resume("", {}));
    EXPECT_FALSE(reader.headBegun());
}

TEST(RequestReader, late_data_of_a_filter_is_passed_over_by_another_reader) {
    RequestReader first(kSmallLimits);
    give(first, begin(5, 3) + record(RecordType::params, 5) + record(RecordType::stdIn, 5));
    ASSERT_EQ(first.readHead(), RequestReader::Progress::request);
    std::size_t taken = 0;
    ASSERT_EQ(first.readBody(nullptr, 100, taken), RequestReader::Progress::ended);
    RequestReader second(kSmallLimits);
    ASSERT_TRUE(second.resume(first.partialHead(), first.lateData()));
    give(second, record(RecordType::data, 5, "late") + record(RecordType::data, 5));
    EXPECT_EQ(second.readHead(), RequestReader::Progress::needMore);
    ASSERT_TRUE(second.resume("", {}));
    give(second, record(RecordType::data, 5, "late"));
    EXPECT_EQ(second.readHead(), RequestReader::Progress::violation);
}

TEST(RequestReader, padding_counts_towards_the_size_of_a_head) {
    RequestReader reader(kSmallLimits);
    give(reader, begin(1));
    ASSERT_EQ(reader.readHead(), RequestReader::Progress::needMore);
    const std::string padded = record(RecordType::params, 1, "x", 255);
    std::size_t sent = 0;
    auto progress = RequestReader::Progress::needMore;
    for (; progress == RequestReader::Progress::needMore && sent < 1'000'000;
         sent += padded.size()) {
        give(reader, padded);
        progress = reader.readHead();
    }
    EXPECT_EQ(progress, RequestReader::Progress::violation);
    EXPECT_LT(sent, 100'000U);
}

}  // namespace
}  // namespace muster::fastcgi
