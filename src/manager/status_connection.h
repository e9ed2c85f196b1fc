// One FastCGI connection to the manager itself: requests in, answers out, never a wait.
//
// Owns the descriptor. The caller watches it as wantsTo…() say, calls the matching member, and
// destroys the object once a member returned false or the deadline has passed. Bounded: small
// heads, one answer at a time, nothing is read while one waits to be taken. All input is hostile.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/unique_fd.h"
#include "fastcgi/params.h"
#include "fastcgi/request_reader.h"
#include "worker/parked_connection.h"

namespace muster::manager {

class StatusConnection {
  public:
    /// Whom a request came from.
    struct Asker {
        int connection = -1;
        unsigned reason = 0;        ///< why the manager itself answers; the caller's meaning
        std::uint64_t sinceNs = 0;  ///< first byte of the head, or the accept
    };
    /// The whole STDOUT for a request.
    using Answer = std::function<std::string(const fastcgi::Params&, const Asker&)>;

    /// As much as pm.status_listen needs.
    struct Bounds {
        fastcgi::ParamsLimits head{.totalBytes = std::size_t{64} << 10, .count = 256};
        /// Of a body, and again behind the last request.
        std::size_t drainBytes = std::size_t{256} << 10;
    };

    /// `answer` is borrowed.
    StatusConnection(UniqueFd fd, const Answer& answer, std::uint64_t nowNs, const Bounds& bounds);
    void setReason(unsigned reason) { reason_ = reason; }
    /// Takes over one from another generation; `head`: what was received of an incomplete head.
    /// False when that is none.
    [[nodiscard]] bool resume(const worker::ParkedFacts& facts, std::string_view head);

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] bool wantsToRead() const;
    [[nodiscard]] bool wantsToWrite() const { return sent_ < out_.size(); }
    /// There are received bytes to go on with: proceed() when the others had their turn.
    [[nodiscard]] bool wantsTurn() const;
    [[nodiscard]] std::uint64_t deadlineNs() const { return deadlineNs_; }
    /// Bytes that wait for the peer.
    [[nodiscard]] std::size_t pendingBytes() const { return out_.size() - sent_; }

    // All of these: false when the connection is to be closed.
    [[nodiscard]] bool receive(std::uint64_t nowNs);
    [[nodiscard]] bool send(std::uint64_t nowNs);
    [[nodiscard]] bool proceed(std::uint64_t nowNs);

    /// At rest between two requests: closing it breaks no request that was begun.
    [[nodiscard]] bool isIdle() const { return isMovable() && !reader_.headBegun(); }
    /// A request was answered on it.
    [[nodiscard]] bool isKnown() const { return facts_.keptAlive != 0; }
    /// Another process could take it up.
    [[nodiscard]] bool isMovable() const;
    [[nodiscard]] worker::ParkedFacts facts() const;
    [[nodiscard]] std::string partialHead() const { return reader_.partialHead(); }
    /// Gives the connection away; the object is good for nothing then.
    [[nodiscard]] UniqueFd release() { return std::move(fd_); }

  private:
    enum class Part { head, body, ending, lingering };

    [[nodiscard]] bool proceedInHead(std::uint64_t nowNs);
    [[nodiscard]] bool proceedInBody(std::uint64_t nowNs);
    [[nodiscard]] bool discard();
    [[nodiscard]] bool finish(std::uint64_t nowNs);
    void answerRequest(std::uint64_t nowNs);
    void takeReplies(std::uint64_t nowNs);
    void headEnded(std::uint64_t nowNs);

    UniqueFd fd_;
    const Answer* answer_;
    fastcgi::RequestReader reader_;
    Part part_ = Part::head;
    worker::ParkedFacts facts_;
    unsigned reason_ = 0;
    bool needsBytes_ = true;  ///< the reader has used up what it got
    bool consumed_ = false;   ///< the last request was read to its end
    bool peerClosed_ = false;
    std::size_t drainBytes_;
    std::size_t drained_ = 0;
    std::string out_;
    std::size_t sent_ = 0;
    std::uint64_t deadlineNs_;
};

}  // namespace muster::manager
