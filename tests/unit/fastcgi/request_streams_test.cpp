// Property: however a stream is cut and handed on, the reader says what the slow reference says.
//
// MUSTER_PROPERTY_STREAMS of each kind, in parts that can run side by side. MUSTER_TEST_SEED (0)
// is added to every seed; a failure names seed and round.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "support/streams/maker.h"
#include "support/streams/reference.h"
#include "support/streams/transcript.h"

namespace muster::fastcgi::streams {
namespace {

constexpr unsigned kParts = 4;
constexpr unsigned kStreams = MUSTER_PROPERTY_STREAMS / kParts;

unsigned seedOf(unsigned part) {
    const char* more = std::getenv("MUSTER_TEST_SEED");
    return part + (more == nullptr ? 0U : static_cast<unsigned>(std::atoi(more)));
}

// Pieces of any size; now and then another reader takes over in between.
std::string transcriptOf(std::string_view stream, StreamMaker& maker, unsigned longestPiece) {
    Transcript transcript;
    for (std::size_t at = 0; at < stream.size();) {
        const std::size_t length = 1 + maker.below(longestPiece);
        transcript.feed(stream.substr(at, length));
        at += length;
        if (maker.below(64) == 0 && !transcript.handOver()) {
            return transcript.text() + "[hand-over refused]";
        }
    }
    return transcript.text();
}

class RequestStreams : public testing::TestWithParam<unsigned> {};

TEST_P(RequestStreams, any_cut_of_a_valid_stream_gives_the_same_requests) {
    const unsigned seed = seedOf(GetParam());
    StreamMaker maker(seed);
    for (unsigned round = 0; round < kStreams; ++round) {
        const std::string stream = maker.stream();
        const std::string expected = Reference(stream).text();
        ASSERT_FALSE(expected.ends_with("[violation]")) << "seed " << seed << ", round " << round;
        ASSERT_EQ(transcriptOf(stream, maker, round % 3 == 0 ? 4000 : 60), expected)
            << "seed " << seed << ", round " << round;
    }
}

TEST_P(RequestStreams, any_cut_of_a_damaged_stream_gives_what_its_records_say) {
    const unsigned seed = seedOf(1000 + GetParam());
    StreamMaker maker(seed);
    int violations = 0;
    for (unsigned round = 0; round < kStreams / 4; ++round) {
        const std::string stream = maker.mutated(maker.stream());
        const std::string expected = Reference(stream).text();
        ASSERT_EQ(transcriptOf(stream, maker, 60), expected)
            << "seed " << seed << ", round " << round;
        violations += expected.ends_with("[violation]") ? 1 : 0;
    }
    EXPECT_GT(violations, static_cast<int>(kStreams / 50));
}

INSTANTIATE_TEST_SUITE_P(parts, RequestStreams, testing::Range(0U, kParts));

TEST(RequestStreamsSlowly, one_byte_at_a_time_is_enough) {
    StreamMaker maker(3);
    for (int round = 0; round < 500; ++round) {
        const std::string stream = maker.stream();
        ASSERT_EQ(transcriptOf(stream, maker, 1), Reference(stream).text());
    }
}

}  // namespace
}  // namespace muster::fastcgi::streams
