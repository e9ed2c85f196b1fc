// Turns what a worker writes to its stdout and stderr into error-log lines (spec logging.md §3).
//
// Owned by the manager, one object per worker, both streams. Input is hostile: lines of any
// length, no newline, binary, floods; memory is bounded by the line limit (at most kLongestLine),
// control bytes are escaped so that no worker can forge a line of ours, and a flood is rate-limited
// with a line that says how much was dropped. With log.format = json each line is a record with
// the original text. Never blocks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "log/error_log.h"

namespace muster::log {

enum class OutputStream { out, err };

struct WorkerOutputOptions {
    std::string pool;
    int pid = 0;
    bool decorate = true;
    int lineLimit = 1024;  ///< log_limit
    bool buffer = true;    ///< log_buffering
    /// Log bytes of this worker, after a burst of four seconds' worth; beyond it lines are dropped
    /// and counted, reported once a second. A line that begins within the limit is written whole,
    /// however long it is, and paid off by those that follow. 0: no limit.
    std::uint64_t bytesPerSecond = 1 << 20;
};

class WorkerOutput {
  public:
    WorkerOutput(ErrorLog& log, WorkerOutputOptions options);

    /// Bytes just read from one of the pipes. `nowNs`: monotonic, for the rate limit.
    void feed(OutputStream stream, std::string_view bytes, std::uint64_t nowNs);
    /// Called now and then: reports what a flood lost once it is a second old.
    void tick(std::uint64_t nowNs);
    /// The end of one of the pipes: what is pending becomes a line. `atOnce`: it came together with
    /// the first output of this worker, which php-fpm tells as ", pipe is closed".
    void closed(OutputStream stream, bool atOnce);
    /// The worker is gone: what is pending becomes a line, what was dropped is reported.
    void finish();
    [[nodiscard]] bool heardAnything() const { return heard_; }

    /// A larger log_limit acts as this one.
    static constexpr std::size_t kLongestLine = std::size_t{16} << 20;

    /// Written by a worker to stderr after every request; removed here, ends a pending line.
    static constexpr std::string_view kRequestEndMarker{"\0fscf\0", 6};

  private:
    void refill(std::uint64_t nowNs);
    void measure();
    void feedErr(std::string_view bytes);
    void append(std::string_view bytes);
    void appendFitting(std::string_view text);
    void appendControl(char c);
    void flushMarker();
    void endLine();
    void emitFull();
    void emit(bool continued);
    void writeText();
    void writeRecord(bool continued);
    [[nodiscard]] bool mayWrite();
    void reportDropped();
    [[nodiscard]] std::string prefix() const;
    [[nodiscard]] std::size_t room() const;

    ErrorLog* log_;
    WorkerOutputOptions options_;
    OutputStream stream_ = OutputStream::out;  ///< whose bytes `text_` holds
    std::string text_;                         ///< the pending line, never above budget_
    std::string_view suffix_;                  ///< of the line being ended
    std::size_t budget_ = 0;                   ///< text bytes that fit on one line
    std::size_t overhead_ = 0;                 ///< what a line has besides its text, newline too
    std::size_t pendingRaw_ = 0;               ///< bytes of the worker behind `text_`
    std::size_t markerSeen_ = 0;               ///< bytes of the marker at the end of stderr so far
    bool heard_ = false;

    std::int64_t tokens_;  ///< bytes that may be written now; negative: a long line's debt
    std::uint64_t nowNs_ = 0;
    std::uint64_t refilledNs_ = 0;
    std::uint64_t dropped_ = 0;          ///< bytes of the worker, not yet reported
    std::uint64_t droppingSinceNs_ = 0;  ///< when the first of them was dropped
};

}  // namespace muster::log
