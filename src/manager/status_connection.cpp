// A connection's states: head, body, ending, lingering.
#include "manager/status_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <span>
#include <utility>

#include "base/clock.h"
#include "fastcgi/record.h"

namespace muster::manager {

using fastcgi::RecordType;
using Progress = fastcgi::RequestReader::Progress;

namespace {

constexpr std::uint64_t kHeadNs = 5 * kNsPerSecond;    // for a head, or a body nobody wants
constexpr std::uint64_t kIdleNs = 60 * kNsPerSecond;   // between two requests
constexpr std::uint64_t kStuckNs = 5 * kNsPerSecond;   // for the peer to take some of its answer
constexpr std::uint64_t kLingerNs = 2 * kNsPerSecond;  // for the peer to close
/// Largest content that needs no padding.
constexpr std::size_t kFullRecord = 65528;

void appendBytes(std::string& out, std::span<const std::byte> bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void appendOutput(std::string& out, std::uint16_t requestId, std::string_view content) {
    while (!content.empty()) {
        const std::string_view piece = content.substr(0, kFullRecord);
        const std::uint8_t padding = fastcgi::paddingFor(piece.size());
        std::array<std::byte, fastcgi::kHeaderSize> header{};
        fastcgi::encodeHeader({.type = RecordType::stdOut,
                               .requestId = requestId,
                               .contentLength = static_cast<std::uint16_t>(piece.size()),
                               .paddingLength = padding},
                              header);
        appendBytes(out, header);
        out.append(piece).append(padding, '\0');
        content.remove_prefix(piece.size());
    }
}

}  // namespace

StatusConnection::StatusConnection(UniqueFd fd, const Answer& answer, std::uint64_t nowNs,
                                   const Bounds& bounds)
    : fd_(std::move(fd)),
      answer_(&answer),
      reader_(bounds.head),
      drainBytes_(bounds.drainBytes),
      deadlineNs_(nowNs + kHeadNs) {
    facts_.sinceNs = nowNs;
    reader_.reset();
}

bool StatusConnection::resume(const worker::ParkedFacts& facts, std::string_view head) {
    facts_ = facts;
    deadlineNs_ =
        facts.sinceNs + (facts.keptAlive != 0 && facts.headBegun == 0 ? kIdleNs : kHeadNs);
    return reader_.resume(head, {facts.requestId, facts.lateData != 0});
}

bool StatusConnection::wantsToRead() const {
    return !peerClosed_ && (part_ == Part::lingering || (needsBytes_ && part_ != Part::ending &&
                                                         (part_ == Part::body || !wantsToWrite())));
}

bool StatusConnection::wantsTurn() const {
    return !needsBytes_ && !wantsToWrite() && part_ == Part::head;
}

bool StatusConnection::isMovable() const {
    return part_ == Part::head && needsBytes_ && !wantsToWrite() && !peerClosed_;
}

worker::ParkedFacts StatusConnection::facts() const {
    worker::ParkedFacts facts = facts_;
    const fastcgi::RequestReader::LateData lateData = reader_.lateData();
    facts.requestId = lateData.requestId;
    facts.lateData = lateData.expected ? 1 : 0;
    facts.headBegun = reader_.headBegun() ? 1 : 0;
    facts.forStatus = 1;
    return facts;
}

bool StatusConnection::receive(std::uint64_t nowNs) {
    if (part_ == Part::lingering) {
        return discard();
    }
    const std::span<char> room = reader_.room();
    const ssize_t n = ::recv(fd_.get(), room.data(), room.size(), MSG_DONTWAIT);
    if (n < 0) {
        return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
    }
    if (n == 0) {
        peerClosed_ = true;
        return wantsToWrite();  // it may have closed its half only
    }
    const bool wasIdle = isIdle();
    reader_.received(static_cast<std::size_t>(n));
    if (wasIdle) {
        facts_.sinceNs = nowNs;
        deadlineNs_ = std::min(deadlineNs_, nowNs + kHeadNs);
    }
    return proceed(nowNs);
}

// At most one answer, so that nobody keeps the manager by asking without end.
bool StatusConnection::proceed(std::uint64_t nowNs) {
    if (part_ == Part::head && !wantsToWrite() && !proceedInHead(nowNs)) {
        return false;
    }
    if (part_ == Part::body && !proceedInBody(nowNs)) {
        return false;
    }
    return send(nowNs);
}

bool StatusConnection::proceedInHead(std::uint64_t nowNs) {
    const Progress progress = reader_.readHead();
    needsBytes_ = progress == Progress::needMore;
    takeReplies(nowNs);
    if (progress == Progress::request) {
        answerRequest(nowNs);
        part_ = Part::body;
    } else if (progress == Progress::answered) {
        headEnded(nowNs);
    }
    if (progress != Progress::violation && progress != Progress::aborted) {
        return true;
    }
    // Nobody was told anything, or the answer before this may still be on its way.
    part_ = Part::ending;
    consumed_ = false;
    return facts_.keptAlive != 0;
}

// The answer is on its way already: what the request still says is only read over.
bool StatusConnection::proceedInBody(std::uint64_t nowNs) {
    std::size_t taken = 0;
    const Progress progress =
        reader_.readBody(nullptr, std::numeric_limits<std::size_t>::max(), taken);
    drained_ += taken;
    needsBytes_ = progress == Progress::needMore;
    takeReplies(nowNs);
    if (progress == Progress::needMore) {
        if (drained_ > drainBytes_) {
            part_ = Part::ending;
        }
        return true;
    }
    consumed_ = progress == Progress::ended;
    if (consumed_ && reader_.wantsKeepAlive()) {
        part_ = Part::head;
        needsBytes_ = reader_.buffered() == 0;
        headEnded(nowNs);
    } else {
        part_ = Part::ending;
    }
    return true;
}

void StatusConnection::answerRequest(std::uint64_t nowNs) {
    appendOutput(out_, reader_.requestId(),
                 (*answer_)(reader_.params(), {fd_.get(), reason_, facts_.sinceNs}));
    appendBytes(out_, fastcgi::endRequestRecord(reader_.requestId(),
                                                fastcgi::ProtocolStatus::requestComplete));
    drained_ = 0;
    consumed_ = false;
    deadlineNs_ = nowNs + kStuckNs;
}

void StatusConnection::takeReplies(std::uint64_t nowNs) {
    if (reader_.hasReplies()) {
        out_ += reader_.takeReplies();
        deadlineNs_ = std::max(deadlineNs_, nowNs + kStuckNs);
    }
}

void StatusConnection::headEnded(std::uint64_t nowNs) {
    facts_.keptAlive = 1;
    facts_.sinceNs = nowNs;
    deadlineNs_ = nowNs + (wantsToWrite() ? kStuckNs : kIdleNs);
}

bool StatusConnection::send(std::uint64_t nowNs) {
    while (wantsToWrite()) {
        const ssize_t n = ::send(fd_.get(), out_.data() + sent_, out_.size() - sent_,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        sent_ += static_cast<std::size_t>(n);
        deadlineNs_ = nowNs + kStuckNs;
    }
    if (!out_.empty()) {
        std::string().swap(out_);
        sent_ = 0;
        if (part_ == Part::head) {
            deadlineNs_ = nowNs + (reader_.headBegun() ? kHeadNs : kIdleNs);
        }
    }
    return finish(nowNs);
}

bool StatusConnection::finish(std::uint64_t nowNs) {
    if (peerClosed_) {
        return false;
    }
    if (part_ != Part::ending) {
        return true;
    }
    char byte = 0;
    if (consumed_ && reader_.buffered() == 0 &&
        ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) {
        return false;
    }
    // A peer that is still sending would lose our answer to a reset.
    ::shutdown(fd_.get(), SHUT_WR);
    part_ = Part::lingering;
    drained_ = 0;
    deadlineNs_ = nowNs + kLingerNs;
    return true;
}

bool StatusConnection::discard() {
    char block[16384];
    const ssize_t n = ::recv(fd_.get(), block, sizeof block, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
    }
    drained_ += static_cast<std::size_t>(n);
    return n > 0 && drained_ <= drainBytes_;
}

}  // namespace muster::manager
