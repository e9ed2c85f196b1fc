// Record headers to and from bytes.
#include "fastcgi/record.h"

namespace muster::fastcgi {
namespace {

std::uint16_t readUint16(std::byte high, std::byte low) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(high) << 8U |
                                      std::to_integer<unsigned>(low));
}

std::byte highByte(std::uint16_t value) {
    return static_cast<std::byte>(value >> 8U);
}

std::byte lowByte(std::uint16_t value) {
    return static_cast<std::byte>(value & 0xffU);
}

}  // namespace

RecordHeader decodeHeader(std::span<const std::byte, kHeaderSize> bytes) {
    RecordHeader header;
    header.version = std::to_integer<std::uint8_t>(bytes[0]);
    header.type = static_cast<RecordType>(bytes[1]);
    header.requestId = readUint16(bytes[2], bytes[3]);
    header.contentLength = readUint16(bytes[4], bytes[5]);
    header.paddingLength = std::to_integer<std::uint8_t>(bytes[6]);
    return header;
}

void encodeHeader(const RecordHeader& header, std::span<std::byte, kHeaderSize> bytes) {
    bytes[0] = static_cast<std::byte>(header.version);
    bytes[1] = static_cast<std::byte>(header.type);
    bytes[2] = highByte(header.requestId);
    bytes[3] = lowByte(header.requestId);
    bytes[4] = highByte(header.contentLength);
    bytes[5] = lowByte(header.contentLength);
    bytes[6] = static_cast<std::byte>(header.paddingLength);
    bytes[7] = std::byte{0};
}

std::array<std::byte, 16> endRequestRecord(std::uint16_t requestId, ProtocolStatus status) {
    std::array<std::byte, 16> record{};
    encodeHeader({.type = RecordType::endRequest, .requestId = requestId, .contentLength = 8},
                 std::span(record).first<kHeaderSize>());
    record[kHeaderSize + 4] = static_cast<std::byte>(status);
    return record;
}

}  // namespace muster::fastcgi
