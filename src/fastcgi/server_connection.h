// The server's side of one FastCGI connection: framing, requests, bounded output (spec fastcgi.md).
//
// Owns the connection's descriptor and its buffers; the Params of the current request. Worker
// side, blocking reads and writes (EINTR restarted), one request at a time. Anything outside the
// protocol ends the connection; nothing a script left unread can become a request: the next head is
// read only after the present request's empty STDIN record. No exception leaves; memory is bounded
// by the limits. Objects are meant to be reused for all connections of a worker (open/close), so
// that buffers stay warm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/unique_fd.h"
#include "fastcgi/params.h"
#include "fastcgi/record.h"

namespace muster::fastcgi {

enum class HeadOutcome {
    request,   ///< a request's parameters are complete
    closed,    ///< the peer closed without beginning a request
    answered,  ///< GET_VALUES was answered, no request yet: wait for the next one
    protocol,  ///< outside the protocol or over a limit: close; problem() says what, for the log
};

/// How long a peer is waited for.
struct Patience {
    std::uint64_t firstByteNs = 5'000'000'000;  ///< on a fresh connection
    std::uint64_t drainNs = 2'000'000'000;      ///< while it still sends after its answer
};

class ServerConnection {
  public:
    explicit ServerConnection(ParamsLimits limits = {}, Patience patience = {});
    ~ServerConnection();
    ServerConnection(const ServerConnection&) = delete;
    ServerConnection& operator=(const ServerConnection&) = delete;

    /// Takes over a fresh, accepted, blocking connection.
    void open(UniqueFd fd);
    [[nodiscard]] bool isOpen() const;
    [[nodiscard]] int fd() const;

    /// Waits for the first byte of the next request. Fresh connection: at most 5 s (Patience),
    /// whatever stopFd says. Kept-alive: until a byte, the peer's close, or until `stopFd` (-1:
    /// none) is readable; a descriptor, because a flag set just before the wait would go unseen.
    /// Returns false when there will be no request: close.
    [[nodiscard]] bool waitForRequest(int stopFd = -1);

    /// Reads BEGIN_REQUEST and PARAMS to their end, or answers one GET_VALUES.
    [[nodiscard]] HeadOutcome readHead();
    [[nodiscard]] const char* problem() const;

    [[nodiscard]] Params& params();
    [[nodiscard]] std::uint16_t requestId() const;
    [[nodiscard]] bool keepAlive() const;  ///< the flag of this request, cleared by any failure
    void refuseKeepAlive();                ///< close after this request whatever the peer asked

    /// Body bytes: n of them unless STDIN ends before (or the peer aborts, see aborted()), so
    /// less than n means the end. Never delivers beyond the empty STDIN record; remembers the end.
    [[nodiscard]] std::size_t readBody(char* buffer, std::size_t n);
    /// ABORT_REQUEST, a vanished peer or a protocol violation amid the body.
    [[nodiscard]] bool aborted() const;

    /// Buffered output; big writes bypass the buffer. False when the peer is gone. After finish()
    /// output goes nowhere, which is no error.
    bool writeStdout(const char* data, std::size_t n);
    bool writeStderr(std::string_view text);
    bool flush();

    /// END_REQUEST with everything buffered in as few system calls as possible; then, without
    /// keep-alive, closes: at once when nothing is unread, otherwise a bounded lingering close.
    /// With keep-alive the rest of the body is drained to its empty STDIN record under a byte
    /// and time budget, else the connection is closed. Idempotent: true on the first call only.
    bool finish();
    [[nodiscard]] bool finished() const;

    /// Plain close without a word (protocol errors).
    void abandon();

    /// Transport bytes of the current request, for accounting.
    [[nodiscard]] std::uint64_t bodyBytesRead() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace muster::fastcgi
