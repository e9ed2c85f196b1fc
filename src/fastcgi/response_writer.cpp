// Output records, buffered and gathered.
#include "fastcgi/response_writer.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

namespace muster::fastcgi {
namespace {

constexpr std::size_t kBufferSize = std::size_t{32} << 10;
/// Always left free behind the content: closing padding and END_REQUEST.
constexpr std::size_t kTrailer = 7 + 2 * kHeaderSize;
/// Largest content that needs no padding.
constexpr std::size_t kFullRecord = 65528;
/// Full records that one system call carries.
constexpr std::size_t kRecordsPerWrite = 16;
constexpr std::array<char, 8> kZeros{};

void encodeAt(char* place, const RecordHeader& header) {
    encodeHeader(header, std::as_writable_bytes(std::span<char, kHeaderSize>(place, kHeaderSize)));
}

iovec part(const char* bytes, std::size_t n) {
    return {const_cast<char*>(bytes), n};
}

// Partial writes happen when a signal arrives amid a blocked one.
bool sendParts(int fd, std::span<iovec> parts) {
    msghdr message{};
    while (!parts.empty()) {
        message.msg_iov = parts.data();
        message.msg_iovlen = parts.size();
        const ssize_t n = ::sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        auto sent = static_cast<std::size_t>(n);
        while (!parts.empty() && sent >= parts.front().iov_len) {
            sent -= parts.front().iov_len;
            parts = parts.subspan(1);
        }
        if (!parts.empty()) {
            parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + sent;
            parts.front().iov_len -= sent;
        }
    }
    return true;
}

}  // namespace

bool sendAll(int fd, std::string_view bytes) {
    iovec all = part(bytes.data(), bytes.size());
    return sendParts(fd, {&all, 1});
}

ResponseWriter::ResponseWriter() : buffer_(new char[kBufferSize + kTrailer]) {}

void ResponseWriter::begin(int fd, std::uint16_t requestId) {
    used_ = 0;
    openType_ = RecordType::unknownType;
    fd_ = fd;
    requestId_ = requestId;
    failed_ = false;
}

void ResponseWriter::openRecord(RecordType type, std::size_t contentLength) {
    recordStart_ = used_;
    openType_ = type;
    encodeAt(place(), {.type = type,
                       .requestId = requestId_,
                       .contentLength = static_cast<std::uint16_t>(contentLength)});
    used_ += kHeaderSize;
}

void ResponseWriter::closeRecord() {
    if (openType_ == RecordType::unknownType) {
        return;
    }
    const std::size_t length = used_ - recordStart_ - kHeaderSize;
    const std::uint8_t padding = paddingFor(length);
    encodeAt(buffer_.get() + recordStart_, {.type = openType_,
                                            .requestId = requestId_,
                                            .contentLength = static_cast<std::uint16_t>(length),
                                            .paddingLength = padding});
    std::memset(place(), 0, padding);
    used_ += padding;
    openType_ = RecordType::unknownType;
}

bool ResponseWriter::write(RecordType type, const char* data, std::size_t n) {
    if (failed_) {
        return false;
    }
    if (n == 0) {
        return true;
    }
    // Closing a record of the other kind may cost its padding, a new one its header.
    const bool extends = openType_ == type;
    if (used_ + n + (extends ? 0 : 7 + kHeaderSize) > kBufferSize) {
        return writeThrough(type, data, n);
    }
    if (!extends) {
        closeRecord();
        openRecord(type, 0);
    }
    std::memcpy(place(), data, n);
    used_ += n;
    return true;
}

// Everything buffered, then the data from where it stands: whole records, nothing stays open.
bool ResponseWriter::writeThrough(RecordType type, const char* data, std::size_t n) {
    closeRecord();
    std::array<char, kHeaderSize> fullHeader{};
    std::array<char, kHeaderSize> lastHeader{};
    std::array<iovec, 2 * kRecordsPerWrite + 2> parts{};
    encodeAt(fullHeader.data(),
             {.type = type, .requestId = requestId_, .contentLength = kFullRecord});
    while (n > 0) {
        std::size_t count = 0;
        if (used_ > 0) {
            parts[count++] = part(buffer_.get(), used_);
        }
        for (std::size_t records = 0; n > 0 && records < kRecordsPerWrite; ++records) {
            const std::size_t length = std::min(n, kFullRecord);
            const std::uint8_t padding = paddingFor(length);
            if (length == kFullRecord) {
                parts[count++] = part(fullHeader.data(), kHeaderSize);
            } else {
                encodeAt(lastHeader.data(), {.type = type,
                                             .requestId = requestId_,
                                             .contentLength = static_cast<std::uint16_t>(length),
                                             .paddingLength = padding});
                parts[count++] = part(lastHeader.data(), kHeaderSize);
            }
            parts[count++] = part(data, length);
            if (padding > 0) {
                parts[count++] = part(kZeros.data(), padding);
            }
            data += length;
            n -= length;
        }
        used_ = 0;
        if (!sendParts(fd_, std::span(parts).first(count))) {
            failed_ = true;
            return false;
        }
    }
    return true;
}

bool ResponseWriter::flush() {
    closeRecord();
    // Sending nothing still tells whether the peer is there: scripts flush to find out.
    const std::size_t length = std::exchange(used_, 0);
    if (!failed_ && !sendAll(fd_, {buffer_.get(), length})) {
        failed_ = true;
    }
    return !failed_;
}

bool ResponseWriter::end() {
    closeRecord();
    const auto record = endRequestRecord(requestId_, ProtocolStatus::requestComplete);
    std::memcpy(place(), record.data(), record.size());
    used_ += record.size();
    return flush();
}

}  // namespace muster::fastcgi
