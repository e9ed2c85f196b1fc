// A connection's socket: waiting, receiving, answering and the ways to close.
#include "fastcgi/server_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "fastcgi/response_writer.h"

namespace muster::fastcgi {
namespace {

/// How much a peer may go on sending after its answer.
constexpr std::size_t kDrainBytes = std::size_t{8} << 20;
/// How long a body in a hurry may pause.
constexpr std::uint64_t kMomentNs = 20 * kNsPerMs;
/// What a peer that was interrupted gets instead of its Patience.
constexpr std::uint64_t kShortDrainNs = 100 * kNsPerMs;

enum class Wait { ready, late, told };

/// Until the deadline, or until a signal has set `stop`.
Wait waitForMore(int fd, std::uint64_t deadlineNs, const volatile std::sig_atomic_t& stop) {
    while (stop == 0) {
        const std::uint64_t now = monotonicNs();
        if (now >= deadlineNs) {
            return Wait::late;
        }
        pollfd entry{fd, POLLIN, 0};
        const std::uint64_t milliseconds = (deadlineNs - now + kNsPerMs - 1) / kNsPerMs;
        const int ready =
            ::poll(&entry, 1, static_cast<int>(std::min<std::uint64_t>(milliseconds, INT_MAX)));
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return Wait::ready;  // an error shows when it is read
        }
    }
    return Wait::told;
}

/// False when the deadline has passed.
bool waitReadable(int fd, std::uint64_t deadlineNs) {
    for (;;) {
        const std::uint64_t now = monotonicNs();
        if (now >= deadlineNs) {
            return false;
        }
        pollfd entry{fd, POLLIN, 0};
        const std::uint64_t milliseconds = (deadlineNs - now + kNsPerMs - 1) / kNsPerMs;
        const int ready = ::poll(&entry, 1, static_cast<int>(milliseconds));
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return true;  // an error shows when it is read
        }
    }
}

}  // namespace

struct ServerConnection::State {
    State(ParamsLimits limits, Patience patienceWithPeers)
        : patience(patienceWithPeers), reader(limits) {}

    Receipt receive(int flags);
    bool receiveBody();
    bool sendReplies();
    bool drainBody(std::uint64_t deadlineNs);
    bool drainForNext();
    bool quiet(std::size_t& drained);
    void linger(std::size_t drained);
    void close();
    bool finish();
    [[nodiscard]] std::uint64_t deadlineIn(std::uint64_t ns) const {
        return monotonicNs() + (interrupted != 0 ? std::min(ns, kShortDrainNs) : ns);
    }

    const Patience patience;
    Lingerer lingerer;
    UniqueFd fd;
    RequestReader reader;
    ResponseWriter writer;
    const char* problem = "";
    std::uint64_t bodyBytes = 0;
    bool peerClosed = false;
    bool answered = false;  ///< something was said that must arrive
    bool keepAlive = false;
    bool aborted = false;
    bool stalled = false;
    bool hurried = false;  ///< the body must come at once
    // What a signal handler looks at or changes.
    volatile bool finished = true;
    volatile std::sig_atomic_t interrupted = 0;
    volatile std::sig_atomic_t replying = 0;
};

Receipt ServerConnection::State::receive(int flags) {
    const std::span<char> room = reader.room();
    for (;;) {
        const ssize_t n = ::recv(fd.get(), room.data(), room.size(), flags);
        if (n > 0) {
            reader.received(static_cast<std::size_t>(n));
            return Receipt::bytes;
        }
        if (n < 0 && errno == EINTR) {
            if (interrupted != 0 && flags == 0) {
                return Receipt::nothing;
            }
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return Receipt::nothing;
        }
        peerClosed = true;
        return Receipt::closed;
    }
}

// Asks first and waits then: most bodies come as fast as they are read.
bool ServerConnection::State::receiveBody() {
    if (patience.bodyNs == 0) {
        return receive(0) == Receipt::bytes;
    }
    for (;;) {
        const Receipt received = receive(MSG_DONTWAIT);
        if (received != Receipt::nothing) {
            return received == Receipt::bytes;
        }
        const Wait waited = waitForMore(fd.get(), monotonicNs() + patience.bodyNs, interrupted);
        if (waited != Wait::ready) {
            stalled = waited == Wait::late;
            return false;
        }
    }
}

bool ServerConnection::State::sendReplies() {
    if (!reader.hasReplies()) {
        return true;
    }
    answered = true;
    replying = 1;
    const bool sent = sendAll(fd.get(), reader.takeReplies());
    replying = 0;
    return sent;
}

// Passes over the rest of the body; false when its end did not come within the budget. A
// deadline in the past takes only what is there already.
bool ServerConnection::State::drainBody(std::uint64_t deadlineNs) {
    std::size_t drained = 0;
    for (;;) {
        std::size_t taken = 0;
        const auto progress =
            reader.readBody(nullptr, std::numeric_limits<std::size_t>::max(), taken);
        drained += taken;
        bodyBytes += taken;
        if (progress == RequestReader::Progress::ended) {
            return sendReplies();
        }
        if (progress != RequestReader::Progress::needMore || drained > kDrainBytes ||
            !sendReplies()) {
            return false;
        }
        const Receipt received = receive(MSG_DONTWAIT);
        if (received == Receipt::closed ||
            (received == Receipt::nothing && !waitReadable(fd.get(), deadlineNs))) {
            return false;
        }
    }
}

// Waits for the last record at most: a peer whose upload was cut short may never finish it, and
// must see the end of this connection before it sends another request on it.
bool ServerConnection::State::drainForNext() {
    if (drainBody(0)) {
        return true;
    }
    const char* length = reader.params().get("CONTENT_LENGTH");
    const long long announced = length == nullptr ? 0 : std::atoll(length);
    return announced >= 0 && bodyBytes == static_cast<std::uint64_t>(announced) &&
           drainBody(deadlineIn(patience.restNs));
}

// Discards what is there; true when that was everything for now, or for ever.
bool ServerConnection::State::quiet(std::size_t& drained) {
    char scratch[16384];
    while (drained <= kDrainBytes) {
        const ssize_t n = ::recv(fd.get(), scratch, sizeof scratch, MSG_DONTWAIT);
        if (n > 0) {
            drained += static_cast<std::size_t>(n);
        } else if (n == 0 || errno != EINTR) {
            peerClosed = peerClosed || n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
            return true;
        }
    }
    return false;
}

// Let a peer finish that is still sending, within bounds.
void ServerConnection::State::linger(std::size_t drained) {
    ::shutdown(fd.get(), SHUT_WR);
    if (lingerer && lingerer(fd.get())) {
        return;
    }
    const std::uint64_t deadline = deadlineIn(patience.drainNs);
    if (!reader.betweenRequests() && drainBody(deadline) && reader.buffered() == 0) {
        return;  // that was all the peer had to say
    }
    while (quiet(drained) && !peerClosed && waitReadable(fd.get(), deadline)) {
    }
}

// Unread bytes turn a close into a reset, which takes away what the peer has not got yet.
void ServerConnection::State::close() {
    if (fd && answered && !peerClosed) {
        std::size_t drained = 0;
        const bool atEnd = finished && reader.betweenRequests() && reader.atRecordStart();
        const bool silent = atEnd && quiet(drained) && drained == 0;
        if (!silent && !peerClosed) {
            linger(drained);
        }
    }
    fd.reset();
}

ServerConnection::ServerConnection(ParamsLimits limits, Patience patience)
    : state_(std::make_unique<State>(limits, patience)) {}

ServerConnection::~ServerConnection() = default;

void ServerConnection::setLingerer(Lingerer lingerer) {
    state_->lingerer = std::move(lingerer);
}

void ServerConnection::open(UniqueFd fd) {
    State& s = *state_;
    s.fd = std::move(fd);
    s.reader.reset();
    s.problem = "";
    s.peerClosed = s.answered = s.keepAlive = s.aborted = s.stalled = s.hurried = false;
    s.finished = true;
    s.bodyBytes = 0;
}

bool ServerConnection::resume(UniqueFd fd, std::string_view partial,
                              RequestReader::LateData lateData) {
    open(std::move(fd));
    state_->answered = true;  // perhaps, by another object
    return state_->reader.resume(partial, lateData);
}

bool ServerConnection::isOpen() const {
    return static_cast<bool>(state_->fd);
}

int ServerConnection::fd() const {
    return state_->fd.get();
}

Receipt ServerConnection::receive() {
    return state_->receive(MSG_DONTWAIT);
}

HeadOutcome ServerConnection::readHead() {
    State& s = *state_;
    const auto progress = s.reader.readHead();
    if (!s.sendReplies()) {
        return HeadOutcome::closed;
    }
    switch (progress) {
        case RequestReader::Progress::request:
            s.keepAlive = s.reader.wantsKeepAlive();
            s.finished = s.aborted = s.stalled = s.hurried = false;
            s.interrupted = 0;
            s.bodyBytes = 0;
            s.writer.begin(s.fd.get(), s.reader.requestId());
            return HeadOutcome::request;
        case RequestReader::Progress::answered:
            return HeadOutcome::answered;
        case RequestReader::Progress::needMore:
            break;
        default:
            s.problem = s.reader.problem();
            return HeadOutcome::protocol;
    }
    if (!s.peerClosed) {
        return HeadOutcome::incomplete;
    }
    if (!s.reader.headBegun()) {
        return HeadOutcome::closed;
    }
    s.problem = "the connection ended amid a request's head";
    return HeadOutcome::protocol;
}

bool ServerConnection::headBegun() const {
    return state_->reader.headBegun();
}

std::string ServerConnection::partialHead() const {
    return state_->reader.partialHead();
}

RequestReader::LateData ServerConnection::lateData() const {
    return state_->reader.lateData();
}

const char* ServerConnection::problem() const {
    return state_->problem;
}

Params& ServerConnection::params() {
    return state_->reader.params();
}

std::uint16_t ServerConnection::requestId() const {
    return state_->reader.requestId();
}

bool ServerConnection::keepAlive() const {
    return state_->keepAlive;
}

void ServerConnection::refuseKeepAlive() {
    state_->keepAlive = false;
}

std::size_t ServerConnection::readBody(char* buffer, std::size_t n) {
    State& s = *state_;
    std::size_t total = 0;
    while (total < n && !s.finished && !s.aborted) {
        std::size_t taken = 0;
        const auto progress = s.reader.readBody(buffer + total, n - total, taken);
        total += taken;
        const bool replied = s.sendReplies();
        if (progress == RequestReader::Progress::ended) {
            break;
        }
        if (replied && s.hurried && progress == RequestReader::Progress::needMore &&
            !waitReadable(s.fd.get(), s.deadlineIn(kMomentNs))) {
            break;
        }
        if (!replied || progress == RequestReader::Progress::aborted ||
            progress == RequestReader::Progress::violation || (total < n && !s.receiveBody())) {
            s.aborted = true;
            s.keepAlive = false;
        }
    }
    s.bodyBytes += total;
    return total;
}

void ServerConnection::hurryBody() {
    state_->hurried = true;
}

bool ServerConnection::aborted() const {
    return state_->aborted;
}

bool ServerConnection::stalled() const {
    return state_->stalled;
}

bool ServerConnection::endReceived() const {
    return state_->reader.endReceived();
}

bool ServerConnection::writeStdout(const char* data, std::size_t n) {
    State& s = *state_;
    if (!s.finished && !s.writer.write(RecordType::stdOut, data, n)) {
        s.keepAlive = false;
    }
    return s.finished || !s.writer.failed();
}

bool ServerConnection::writeStderr(std::string_view text) {
    State& s = *state_;
    if (!s.finished && !s.writer.write(RecordType::stdErr, text.data(), text.size())) {
        s.keepAlive = false;
    }
    return s.finished || !s.writer.failed();
}

bool ServerConnection::flush() {
    State& s = *state_;
    if (!s.finished && !s.writer.flush()) {
        s.keepAlive = false;
    }
    return s.finished ? isOpen() : !s.writer.failed();
}

bool ServerConnection::outputFailed() const {
    return state_->writer.failed();
}

bool ServerConnection::State::finish() {
    if (finished) {
        return false;
    }
    finished = true;
    const bool sent = writer.end();
    answered = answered || sent;
    keepAlive = keepAlive && sent && !peerClosed;
    // What is left of the body is here already for most peers, also when nobody asked for it.
    if (sent && !peerClosed) {
        const bool ended = keepAlive ? drainForNext() : drainBody(0);
        keepAlive = keepAlive && ended;
    }
    if (!keepAlive) {
        close();
    }
    return true;
}

bool ServerConnection::finish() {
    return state_->finish();
}

void ServerConnection::interrupt() noexcept {
    state_->interrupted = 1;
    state_->writer.interrupt();
}

void ServerConnection::withdrawInterrupt() {
    state_->interrupted = 0;
    state_->writer.withdrawInterrupt();
}

bool ServerConnection::finishInstead(std::string_view page) {
    State& s = *state_;
    if (s.finished) {
        return false;
    }
    if (s.writer.failed() || s.writer.hasSentOutput()) {
        s.finished = true;
        s.keepAlive = false;
        s.fd.reset();
        return false;
    }
    s.interrupted = 1;
    s.writer.withdrawInterrupt();  // nothing has left, so there is room for the page
    s.writer.takeBackOutput();
    s.writer.write(RecordType::stdOut, page.data(), page.size());
    return s.finish();
}

bool ServerConnection::lastWord(std::string_view page) noexcept {
    State& s = *state_;
    if (s.finished || s.replying != 0 || s.writer.isWriting() || s.writer.hasSentOutput()) {
        return false;
    }
    constexpr std::size_t kBytesToDrain = std::size_t{1} << 20;
    const int fd = s.fd.get();
    const bool sent = sendWholeResponse(fd, s.reader.requestId(), page);
    ::shutdown(fd, SHUT_WR);
    // What is unread when the process ends would reset the connection under the page.
    char scratch[4096];
    for (std::size_t drained = 0; drained < kBytesToDrain; drained += sizeof scratch) {
        if (::recv(fd, scratch, sizeof scratch, MSG_DONTWAIT) <= 0) {
            break;
        }
    }
    return sent;
}

bool ServerConnection::finished() const {
    return state_->finished;
}

void ServerConnection::close() {
    state_->close();
}

void ServerConnection::abandon() {
    state_->fd.reset();
}

std::uint64_t ServerConnection::bodyBytesRead() const {
    return state_->bodyBytes;
}

}  // namespace muster::fastcgi
