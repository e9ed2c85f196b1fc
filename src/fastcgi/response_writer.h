// The response of one request as records: bounded buffer, gather writes (spec fastcgi.md §7, §8).
//
// Borrows the connection's descriptor. Worker side; writes block. Consecutive output of one kind
// extends one record, so fragments arrive in the order they were made. A write that does not fit
// goes out from where it stands, without a copy, behind what is buffered. A failed write is final.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "fastcgi/record.h"

namespace muster::fastcgi {

class ResponseWriter {
  public:
    ResponseWriter();

    /// A new request on `fd`: nothing buffered, no failure.
    void begin(int fd, std::uint16_t requestId);

    /// STDOUT or STDERR. False when the peer is gone.
    bool write(RecordType type, const char* data, std::size_t n);
    bool flush();
    /// END_REQUEST behind everything buffered, in one system call.
    bool end();

    [[nodiscard]] bool failed() const { return failed_; }

    /// From now on a write that a signal cuts short has failed: for a peer that takes nothing.
    /// Async-signal-safe, as are the two questions below.
    void interrupt() { interrupted_ = 1; }
    void withdrawInterrupt() { interrupted_ = 0; }
    /// Amid write(), flush() or end(): what has left may be a part of a record.
    [[nodiscard]] bool isWriting() const { return writing_ != 0; }
    /// A byte of STDOUT may have left.
    [[nodiscard]] bool hasSentOutput() const { return sentOutput_ != 0; }

    /// Forgets STDOUT that has not left; STDERR stays.
    void takeBackOutput();

  private:
    bool sendBuffer();
    void noteOutputLeaves(bool more);
    bool writeRecord(RecordType type, const char* data, std::size_t n);
    [[nodiscard]] char* place() { return buffer_.get() + used_; }
    void openRecord(RecordType type, std::size_t contentLength);
    void closeRecord();
    bool writeThrough(RecordType type, const char* data, std::size_t n);

    std::unique_ptr<char[]> buffer_;
    std::size_t used_ = 0;
    std::size_t recordStart_ = 0;                    ///< of the open record
    RecordType openType_ = RecordType::unknownType;  ///< unknownType: none is open
    int fd_ = -1;
    std::uint16_t requestId_ = 0;
    bool failed_ = false;
    bool holdsOutput_ = false;  ///< STDOUT is in the buffer
    // What a signal handler may look at.
    volatile std::sig_atomic_t writing_ = 0;
    volatile std::sig_atomic_t sentOutput_ = 0;
    volatile std::sig_atomic_t interrupted_ = 0;
};

/// One request's whole STDOUT and its END_REQUEST in one system call. False when that takes not all
/// of it. Never blocks; async-signal-safe.
bool sendWholeResponse(int fd, std::uint16_t requestId, std::string_view out) noexcept;

/// Sends all of it; false when the peer is gone. Blocks; never raises SIGPIPE.
bool sendAll(int fd, std::string_view bytes);

}  // namespace muster::fastcgi
