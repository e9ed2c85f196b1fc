// FastCGI records on the wire (FastCGI specification 1.0 §3.3, spec fastcgi.md §1).
// Pure functions on bytes; any process.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace muster::fastcgi {

enum class RecordType : std::uint8_t {
    beginRequest = 1,
    abortRequest = 2,
    endRequest = 3,
    params = 4,
    stdIn = 5,
    stdOut = 6,
    stdErr = 7,
    data = 8,
    getValues = 9,
    getValuesResult = 10,
    unknownType = 11,
};

enum class Role : std::uint16_t { responder = 1, authorizer = 2, filter = 3 };

enum class ProtocolStatus : std::uint8_t {
    requestComplete = 0,
    cantMultiplex = 1,
    overloaded = 2,
    unknownRole = 3,
};

inline constexpr std::size_t kHeaderSize = 8;
inline constexpr std::size_t kMaxContent = 65535;
inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::uint8_t kKeepConnection = 1;

struct RecordHeader {
    std::uint8_t version = kVersion;
    RecordType type = RecordType::unknownType;  ///< any value off the wire, also unnamed ones
    std::uint16_t requestId = 0;
    std::uint16_t contentLength = 0;
    std::uint8_t paddingLength = 0;
};

[[nodiscard]] RecordHeader decodeHeader(std::span<const std::byte, kHeaderSize> bytes);
void encodeHeader(const RecordHeader& header, std::span<std::byte, kHeaderSize> bytes);

/// Zero bytes needed to end a record of this content on a multiple of 8.
[[nodiscard]] constexpr std::uint8_t paddingFor(std::size_t contentLength) {
    return static_cast<std::uint8_t>((8 - contentLength % 8) % 8);
}

/// END_REQUEST's whole record: application status 0, reserved bytes zero.
[[nodiscard]] std::array<std::byte, 16> endRequestRecord(std::uint16_t requestId,
                                                         ProtocolStatus status);

}  // namespace muster::fastcgi
