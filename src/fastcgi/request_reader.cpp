// Records in, requests out: one state machine over phase and record type.
#include "fastcgi/request_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace muster::fastcgi {
namespace {

constexpr std::size_t kReceiveBuffer = std::size_t{64} << 10;
/// What one request may carry of other requests' records before the peer is given up.
constexpr std::size_t kForeignBudget = std::size_t{256} << 10;
constexpr std::size_t kKeptContent = std::size_t{256} << 10;
constexpr std::string_view kMultiplexName = "FCGI_MPXS_CONNS";
constexpr std::string_view kMultiplexValue = "0";

void append(std::string& bytes, std::span<const std::byte> more) {
    for (const std::byte byte : more) {
        bytes.push_back(static_cast<char>(byte));
    }
}

const char* roleName(Role role) {
    switch (role) {
        case Role::responder:
            return "RESPONDER";
        case Role::authorizer:
            return "AUTHORIZER";
        case Role::filter:
            return "FILTER";
    }
    return nullptr;
}

}  // namespace

RequestReader::RequestReader(ParamsLimits limits)
    : limits_(limits), buffer_(new char[kReceiveBuffer]) {}

void RequestReader::reset() {
    head_ = tail_ = 0;
    forgetHead();
    phase_ = Phase::boundary;
    use_ = Use::none;
    contentLeft_ = paddingLeft_ = 0;
    foreignBytes_ = 0;
    aborted_ = false;
    role_ = Role::responder;
    wantsKeepAlive_ = false;
    replies_.clear();
    problem_ = "";
}

bool RequestReader::resume(std::string_view partial, LateData lateData) {
    reset();
    requestId_ = lateData.requestId;
    role_ = lateData.expected ? Role::filter : Role::responder;
    while (!partial.empty()) {
        const std::span<char> space = room();
        const std::size_t amount = std::min(partial.size(), space.size());
        std::memcpy(space.data(), partial.data(), amount);
        received(amount);
        partial.remove_prefix(amount);
        if (readHead() != Progress::needMore) {
            return false;
        }
        replies_.clear();
    }
    return true;
}

std::string RequestReader::partialHead() const {
    return leftBuffer_ + std::string(buffer_.get() + headStart_, tail_ - headStart_);
}

// The next byte to be used is the first of a head, or of a body.
void RequestReader::forgetHead() {
    headStart_ = head_;
    headBytes_ = 0;
    leftBuffer_.clear();
    if (leftBuffer_.capacity() > kKeptContent) {
        leftBuffer_.shrink_to_fit();
    }
}

bool RequestReader::endReceived() const {
    if (phase_ == Phase::boundary) {
        return atRecordStart();
    }
    std::size_t at = head_;
    bool last = use_ == Use::lastBody;
    if (use_ != Use::none) {
        at += contentLeft_ + paddingLeft_;
    }
    while (phase_ == Phase::body && !last && at + kHeaderSize <= tail_) {
        const std::span<const char> bytes(buffer_.get() + at, kHeaderSize);
        const RecordHeader header = decodeHeader(std::as_bytes(bytes).first<kHeaderSize>());
        last = header.type == RecordType::stdIn && header.contentLength == 0 &&
               header.requestId == requestId_;
        at += kHeaderSize + header.contentLength + header.paddingLength;
    }
    return last && at == tail_;
}

std::span<char> RequestReader::room() {
    if (head_ > 0) {
        if (phase_ == Phase::boundary || phase_ == Phase::params) {
            leftBuffer_.append(buffer_.get() + headStart_, head_ - headStart_);
        }
        headStart_ = 0;
        // Whenever more is needed, less than a record header is left.
        std::memmove(buffer_.get(), buffer_.get() + head_, buffered());
        tail_ -= head_;
        head_ = 0;
    }
    return {buffer_.get() + tail_, kReceiveBuffer - tail_};
}

void RequestReader::received(std::size_t n) {
    tail_ += n;
}

std::string RequestReader::takeReplies() {
    return std::exchange(replies_, {});
}

RequestReader::Progress RequestReader::readHead() {
    std::size_t taken = 0;
    return advance(nullptr, 0, taken);
}

RequestReader::Progress RequestReader::readBody(char* buffer, std::size_t n, std::size_t& taken) {
    taken = 0;
    if (phase_ == Phase::boundary) {
        return Progress::ended;
    }
    return advance(buffer, n, taken);
}

// Consumes what was received: content to its use, padding to nothing, then the record takes
// effect as a whole.
RequestReader::Progress RequestReader::advance(char* buffer, std::size_t n, std::size_t& taken) {
    for (;;) {
        if (phase_ == Phase::failed) {
            return aborted_ ? Progress::aborted : Progress::violation;
        }
        if (use_ == Use::none) {
            if (buffered() < kHeaderSize) {
                return Progress::needMore;
            }
            const std::span<const char> bytes(buffer_.get() + head_, kHeaderSize);
            head_ += kHeaderSize;
            if (!openRecord(decodeHeader(std::as_bytes(bytes).first<kHeaderSize>()))) {
                continue;
            }
        }
        if (contentLeft_ > 0) {
            std::size_t amount = std::min(contentLeft_, buffered());
            if (use_ == Use::body) {
                if (taken == n) {
                    return Progress::delivered;
                }
                amount = std::min(amount, n - taken);
                if (buffer != nullptr) {
                    std::memcpy(buffer + taken, buffer_.get() + head_, amount);
                }
                taken += amount;
            } else if (use_ != Use::skip && use_ != Use::foreignBegin) {
                content_.append(buffer_.get() + head_, amount);
            }
            head_ += amount;
            contentLeft_ -= amount;
            if (contentLeft_ > 0 && buffered() == 0) {
                return Progress::needMore;
            }
            continue;
        }
        const std::size_t padding = std::min(paddingLeft_, buffered());
        head_ += padding;
        paddingLeft_ -= padding;
        if (paddingLeft_ > 0) {
            return Progress::needMore;
        }
        const Progress progress = recordComplete();
        if (phase_ != Phase::params) {
            forgetHead();
        }
        if (progress != Progress::needMore) {
            return progress;
        }
    }
}

RequestReader::Use RequestReader::refuse(const char* problem) {
    problem_ = problem;
    phase_ = Phase::failed;
    return Use::none;
}

// Decides what the record is for; false when it ended everything.
bool RequestReader::openRecord(const RecordHeader& header) {
    header_ = header;
    if (header.version == 0) {
        refuse("a record of version 0");
        return false;
    }
    if (phase_ == Phase::boundary) {
        use_ = useBetweenRequests(header);
    } else if (header.requestId != requestId_) {
        use_ = useOfForeignRecord(header);
    } else {
        use_ = phase_ == Phase::params ? useInHead(header) : useInBody(header);
    }
    contentLeft_ = header.contentLength;
    paddingLeft_ = header.paddingLength;
    return phase_ != Phase::failed;
}

RequestReader::Use RequestReader::useBetweenRequests(const RecordHeader& header) {
    switch (header.type) {
        case RecordType::beginRequest:
            content_.clear();
            return header.contentLength == 8 ? Use::begin
                                             : refuse("a BEGIN_REQUEST that is not 8 bytes long");
        case RecordType::getValues:
            content_.clear();
            return Use::values;
        case RecordType::stdIn:
            if (header.contentLength == 0) {
                return Use::skip;  // the end of a body that was over already
            }
            break;
        case RecordType::data:
            if (role_ == Role::filter && header.requestId == requestId_) {
                return skipWithinBudget(header, Use::skip);
            }
            break;
        default:
            break;
    }
    return refuse("a record that begins no request");
}

// Several requests on one connection at a time are refused; their records are passed over.
RequestReader::Use RequestReader::useOfForeignRecord(const RecordHeader& header) {
    return skipWithinBudget(
        header, header.type == RecordType::beginRequest ? Use::foreignBegin : Use::skip);
}

RequestReader::Use RequestReader::skipWithinBudget(const RecordHeader& header, Use use) {
    foreignBytes_ += kHeaderSize + header.contentLength + header.paddingLength;
    return foreignBytes_ > kForeignBudget ? refuse("too many records of other requests") : use;
}

RequestReader::Use RequestReader::useInHead(const RecordHeader& header) {
    switch (header.type) {
        case RecordType::params:
            if (header.contentLength == 0) {
                return Use::lastParams;
            }
            // Records and padding count too: an incomplete head is kept as it came.
            headBytes_ += kHeaderSize + header.contentLength + header.paddingLength;
            if (content_.size() + header.contentLength > limits_.totalBytes ||
                headBytes_ > 2 * limits_.totalBytes + kReceiveBuffer) {
                return refuse("too many bytes of parameters");
            }
            return Use::params;
        case RecordType::stdIn:
            // A missing end of PARAMS is forgiven when nothing can be mistaken for it.
            return header.contentLength == 0 ? Use::lastBody
                                             : refuse("a body before the end of the parameters");
        case RecordType::abortRequest:
            return refuse("aborted before its parameters were complete");
        default:
            return refuse("a record amid the parameters that is none");
    }
}

RequestReader::Use RequestReader::useInBody(const RecordHeader& header) {
    switch (header.type) {
        case RecordType::stdIn:
            return header.contentLength == 0 ? Use::lastBody : Use::body;
        case RecordType::data:
            if (role_ == Role::filter) {
                return skipWithinBudget(header, Use::skip);
            }
            break;
        case RecordType::abortRequest:
            aborted_ = true;
            return refuse("aborted by the peer");
        default:
            break;
    }
    return refuse("a record amid the body that is none");
}

RequestReader::Progress RequestReader::recordComplete() {
    switch (std::exchange(use_, Use::none)) {
        case Use::begin:
            return beginRequest();
        case Use::foreignBegin:
            append(replies_, endRequestRecord(header_.requestId, ProtocolStatus::cantMultiplex));
            return Progress::needMore;
        case Use::lastParams:
            phase_ = Phase::body;
            return headComplete();
        case Use::values:
            answerValues();
            return Progress::answered;
        case Use::lastBody: {
            const bool inHead = phase_ == Phase::params;
            phase_ = Phase::boundary;
            return inHead ? headComplete() : Progress::ended;
        }
        default:
            return Progress::needMore;
    }
}

RequestReader::Progress RequestReader::beginRequest() {
    const auto byteAt = [&](std::size_t i) { return static_cast<unsigned char>(content_[i]); };
    role_ = static_cast<Role>(byteAt(0) << 8U | byteAt(1));
    if (roleName(role_) == nullptr) {
        refuse("an unknown role");
        return Progress::violation;
    }
    wantsKeepAlive_ = (byteAt(2) & kKeepConnection) != 0;
    requestId_ = header_.requestId;
    foreignBytes_ = 0;
    content_.clear();
    params_.clear();
    params_.set("FCGI_ROLE", roleName(role_));
    phase_ = Phase::params;
    return Progress::needMore;
}

RequestReader::Progress RequestReader::headComplete() {
    const bool valid = params_.decode(content_, limits_);
    content_.clear();
    if (content_.capacity() > kKeptContent) {
        content_.shrink_to_fit();
    }
    if (!valid) {
        refuse("malformed or too many parameters");
        return Progress::violation;
    }
    return Progress::request;
}

void RequestReader::answerValues() {
    std::string_view rest = content_;
    std::string_view name;
    std::string_view value;
    bool asked = false;
    while (takePair(rest, name, value)) {
        asked = asked || name == kMultiplexName;
    }
    std::string content;
    if (asked) {
        content.push_back(static_cast<char>(kMultiplexName.size()));
        content.push_back(static_cast<char>(kMultiplexValue.size()));
        content.append(kMultiplexName).append(kMultiplexValue);
    }
    std::array<std::byte, kHeaderSize> header{};
    const std::uint8_t padding = paddingFor(content.size());
    encodeHeader({.type = RecordType::getValuesResult,
                  .contentLength = static_cast<std::uint16_t>(content.size()),
                  .paddingLength = padding},
                 header);
    append(replies_, header);
    replies_.append(content).append(padding, '\0');
}

}  // namespace muster::fastcgi
