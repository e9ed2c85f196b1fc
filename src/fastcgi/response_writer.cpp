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

const volatile std::sig_atomic_t kNever = 0;

/// Says for its lifetime that bytes are on their way.
class Writing {
  public:
    explicit Writing(volatile std::sig_atomic_t& flag) : flag_(&flag) { flag = 1; }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    ~Writing() { *flag_ = 0; }

  private:
    volatile std::sig_atomic_t* flag_;
};

iovec part(const char* bytes, std::size_t n) {
    return {const_cast<char*>(bytes), n};
}

// Partial writes happen when a signal arrives amid a blocked one.
bool sendParts(int fd, std::span<iovec> parts, const volatile std::sig_atomic_t& stop) {
    msghdr message{};
    while (!parts.empty()) {
        message.msg_iov = parts.data();
        message.msg_iovlen = parts.size();
        const ssize_t n = ::sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR && stop == 0) {
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
    return sendParts(fd, {&all, 1}, kNever);
}

bool sendWholeResponse(int fd, std::uint16_t requestId, std::string_view out) noexcept {
    char header[kHeaderSize];
    const std::uint8_t padding = paddingFor(out.size());
    encodeAt(header, {.type = RecordType::stdOut,
                      .requestId = requestId,
                      .contentLength = static_cast<std::uint16_t>(out.size()),
                      .paddingLength = padding});
    const auto end = endRequestRecord(requestId, ProtocolStatus::requestComplete);
    iovec parts[] = {part(header, sizeof header), part(out.data(), out.size()),
                     part(kZeros.data(), padding),
                     part(reinterpret_cast<const char*>(end.data()), end.size())};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = std::size(parts);
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == static_cast<ssize_t>(sizeof header + out.size() + padding + end.size());
}

ResponseWriter::ResponseWriter() : buffer_(new char[kBufferSize + kTrailer]) {}

void ResponseWriter::begin(int fd, std::uint16_t requestId) {
    used_ = 0;
    openType_ = RecordType::unknownType;
    fd_ = fd;
    requestId_ = requestId;
    failed_ = holdsOutput_ = false;
    sentOutput_ = 0;
    interrupted_ = 0;
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
    const Writing writing(writing_);
    return writeRecord(type, data, n);
}

bool ResponseWriter::writeRecord(RecordType type, const char* data, std::size_t n) {
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
    holdsOutput_ = holdsOutput_ || type == RecordType::stdOut;
    return true;
}

// Everything buffered, then the data from where it stands: whole records, nothing stays open.
bool ResponseWriter::writeThrough(RecordType type, const char* data, std::size_t n) {
    closeRecord();
    noteOutputLeaves(type == RecordType::stdOut);
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
        if (!sendParts(fd_, std::span(parts).first(count), interrupted_)) {
            failed_ = true;
            return false;
        }
    }
    return true;
}

void ResponseWriter::noteOutputLeaves(bool more) {
    if (more || holdsOutput_) {
        sentOutput_ = 1;
    }
    holdsOutput_ = false;
}

bool ResponseWriter::sendBuffer() {
    closeRecord();
    noteOutputLeaves(false);
    // Sending nothing still tells whether the peer is there: scripts flush to find out.
    const std::size_t length = std::exchange(used_, 0);
    iovec all = part(buffer_.get(), length);
    if (!failed_ && !sendParts(fd_, {&all, 1}, interrupted_)) {
        failed_ = true;
    }
    return !failed_;
}

bool ResponseWriter::flush() {
    const Writing writing(writing_);
    return sendBuffer();
}

bool ResponseWriter::end() {
    const Writing writing(writing_);
    closeRecord();
    const auto record = endRequestRecord(requestId_, ProtocolStatus::requestComplete);
    std::memcpy(place(), record.data(), record.size());
    used_ += record.size();
    return sendBuffer();
}

void ResponseWriter::takeBackOutput() {
    const Writing writing(writing_);
    closeRecord();
    std::size_t kept = 0;
    for (std::size_t at = 0, size = 0; at + kHeaderSize <= used_; at += size) {
        char* record = buffer_.get() + at;
        const RecordHeader header =
            decodeHeader(std::as_bytes(std::span<char, kHeaderSize>(record, kHeaderSize)));
        size = kHeaderSize + header.contentLength + header.paddingLength;
        if (header.type == RecordType::stdErr) {
            std::memmove(buffer_.get() + kept, record, size);
            kept += size;
        }
    }
    used_ = kept;
    holdsOutput_ = false;
}

}  // namespace muster::fastcgi
