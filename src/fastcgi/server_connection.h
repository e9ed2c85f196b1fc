// The server's side of one FastCGI connection: framing, requests, bounded output (spec fastcgi.md).
//
// Owns the connection's descriptor and its buffers; the Params of the current request. Worker
// side; bodies and output block (EINTR restarted), heads never; one request at a time. Anything
// outside the protocol ends the connection; nothing a script left unread can become a request: the
// next head is read only after the present request's empty STDIN record. No exception leaves;
// memory is bounded by the limits. Objects are meant to be reused for all connections of a worker
// (open/close), so that buffers stay warm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "fastcgi/params.h"
#include "fastcgi/record.h"
#include "fastcgi/request_reader.h"

namespace muster::fastcgi {

enum class HeadOutcome {
    request,     ///< a request's parameters are complete
    incomplete,  ///< more has to be received
    closed,      ///< the peer closed without beginning a request
    answered,    ///< GET_VALUES was answered, no request yet: wait for the next one
    protocol,    ///< outside the protocol or over a limit: close; problem() says what, for the log
};

enum class Receipt { bytes, nothing, closed };

/// How long a peer is waited for.
struct Patience {
    std::uint64_t restNs = 100'000'000;     ///< for the record that ends a kept-alive request
    std::uint64_t drainNs = 2'000'000'000;  ///< while it still sends after its last answer
    std::uint64_t bodyNs = 0;               ///< for the next piece of a body; 0: without end
};

/// Takes a connection that was said the last word to, and whose peer still sends: keeps a number of
/// its own open until the peer is done, within bounds. False when it cannot.
using Lingerer = std::function<bool(int fd)>;

class ServerConnection {
  public:
    explicit ServerConnection(ParamsLimits limits = {}, Patience patience = {});
    ~ServerConnection();
    ServerConnection(const ServerConnection&) = delete;
    ServerConnection& operator=(const ServerConnection&) = delete;

    /// Who waits for peers that still send; without one, or when it cannot, this object does.
    void setLingerer(Lingerer lingerer);

    /// Takes over a fresh, accepted, blocking connection.
    void open(UniqueFd fd);
    /// Takes over one whose `partial` head another object received; false when that is none.
    [[nodiscard]] bool resume(UniqueFd fd, std::string_view partial,
                              RequestReader::LateData lateData);
    [[nodiscard]] bool isOpen() const;
    [[nodiscard]] int fd() const;

    /// Between requests and amid a head: takes what is there, without waiting. The peer's end
    /// shows in the next readHead().
    Receipt receive();
    /// Reads BEGIN_REQUEST and PARAMS, or answers one GET_VALUES, as far as they were received.
    [[nodiscard]] HeadOutcome readHead();
    /// True when bytes of a next head are here, whole or in part.
    [[nodiscard]] bool headBegun() const;
    /// What resume() of another object needs while the head is incomplete.
    [[nodiscard]] std::string partialHead() const;
    [[nodiscard]] RequestReader::LateData lateData() const;
    [[nodiscard]] const char* problem() const;

    [[nodiscard]] Params& params();
    [[nodiscard]] std::uint16_t requestId() const;
    [[nodiscard]] bool keepAlive() const;  ///< the flag of this request, cleared by any failure
    void refuseKeepAlive();                ///< close after this request whatever the peer asked

    /// Body bytes: n of them unless STDIN ends before (or the peer aborts, see aborted()), so
    /// less than n means the end. Never delivers beyond the empty STDIN record; remembers the end.
    [[nodiscard]] std::size_t readBody(char* buffer, std::size_t n);
    /// For the rest of this request readBody() waits for each piece only a moment: a body that has
    /// not come by then ends there, and is not aborted().
    void hurryBody();
    /// ABORT_REQUEST, a vanished peer, a protocol violation amid the body, or one that stalled.
    [[nodiscard]] bool aborted() const;
    /// Nothing of the body came for as long as Patience allows.
    [[nodiscard]] bool stalled() const;
    /// Every byte of the request at hand is here, and none behind it: what the socket has to read
    /// now, or later, begins with a record header.
    [[nodiscard]] bool endReceived() const;

    /// Buffered output; big writes bypass the buffer. False when the peer is gone. After finish()
    /// output goes nowhere, which is no error.
    bool writeStdout(const char* data, std::size_t n);
    bool writeStderr(std::string_view text);
    bool flush();
    /// The peer was seen to be gone.
    [[nodiscard]] bool outputFailed() const;

    /// END_REQUEST with everything buffered in as few system calls as possible; then, without
    /// keep-alive, closes as close() does. With keep-alive the rest of the body that is here is
    /// drained; when more than its empty STDIN record is missing, or that does not come in time,
    /// the connection is closed. Idempotent: true on the first call only.
    bool finish();
    [[nodiscard]] bool finished() const;

    /// Gives up waiting: a body that has to be waited for is aborted, output that nobody takes has
    /// failed. Lasts until withdrawInterrupt() or the next request. Async-signal-safe; only a
    /// signal that arrives amid the waiting ends it, so it may have to be repeated.
    void interrupt() noexcept;
    void withdrawInterrupt();

    /// finish() with `page`, a whole CGI response, in the place of all output that has not left.
    /// When some has, the connection is closed without END_REQUEST: nobody is to take a part for
    /// the whole. Never waits for a peer that still sends. True when the page was sent.
    bool finishInstead(std::string_view page);

    /// The same from a signal handler, as the last thing the process does: the page and END_REQUEST
    /// if nothing has left, else nothing. Async-signal-safe, never blocks.
    bool lastWord(std::string_view page) noexcept;

    /// Closes: at once when nothing was said or nothing is unread; otherwise a bounded lingering
    /// close, for a reset would take the answer away that is still on its way.
    void close();
    /// Lets go of the connection, which is somebody else's now.
    void abandon();

    /// Transport bytes of the current request, for accounting.
    [[nodiscard]] std::uint64_t bodyBytesRead() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace muster::fastcgi
