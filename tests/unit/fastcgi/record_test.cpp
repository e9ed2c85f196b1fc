// Record headers on the wire.
#include "fastcgi/record.h"

#include <gtest/gtest.h>

namespace muster::fastcgi {
namespace {

TEST(Record, header_is_big_endian_and_comes_back_as_it_was) {
    const RecordHeader header{.type = RecordType::stdOut,
                              .requestId = 0x1234,
                              .contentLength = 0xfedc,
                              .paddingLength = 4};
    std::array<std::byte, kHeaderSize> bytes{};
    encodeHeader(header, bytes);
    const unsigned char expected[] = {1, 6, 0x12, 0x34, 0xfe, 0xdc, 4, 0};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        EXPECT_EQ(std::to_integer<unsigned>(bytes[i]), expected[i]) << i;
    }
    const RecordHeader decoded = decodeHeader(bytes);
    EXPECT_EQ(decoded.version, 1);
    EXPECT_EQ(decoded.type, RecordType::stdOut);
    EXPECT_EQ(decoded.requestId, 0x1234);
    EXPECT_EQ(decoded.contentLength, 0xfedc);
    EXPECT_EQ(decoded.paddingLength, 4);
}

TEST(Record, padding_ends_a_record_on_a_multiple_of_eight) {
    EXPECT_EQ(paddingFor(0), 0);
    EXPECT_EQ(paddingFor(1), 7);
    EXPECT_EQ(paddingFor(8), 0);
    EXPECT_EQ(paddingFor(65535), 1);
}

TEST(Record, end_request_leaks_nothing_in_its_reserved_bytes) {
    const auto record = endRequestRecord(65535, ProtocolStatus::cantMultiplex);
    const unsigned char expected[] = {1, 3, 0xff, 0xff, 0, 8, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
    for (std::size_t i = 0; i < record.size(); ++i) {
        EXPECT_EQ(std::to_integer<unsigned>(record[i]), expected[i]) << i;
    }
}

}  // namespace
}  // namespace muster::fastcgi
