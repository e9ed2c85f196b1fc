// Splits, escapes, wraps, decorates and limits the output of one worker.
#include "log/worker_output.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/escape.h"
#include "log/json_line.h"

namespace muster::log {
namespace {

constexpr std::uint64_t kBurstSeconds = 4;
// Room for text on a line, however long the prefix is.
constexpr std::size_t kSmallestBudget = 16;
// What a record of JSON has besides its text, about.
constexpr std::size_t kRecordOverhead = 160;
// Room that is kept between lines; what a very long one took is given back.
constexpr std::size_t kKeptCapacity = 65536;
constexpr std::string_view kClosed = ", pipe is closed";

/// Bytes at the end that begin a UTF-8 character without completing it.
std::size_t incompleteTail(std::string_view text) {
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xC0U) != 0x80) {
            const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
            return length > back ? back : 0;
        }
    }
    return 0;
}

}  // namespace

WorkerOutput::WorkerOutput(ErrorLog& log, WorkerOutputOptions options)
    : log_(&log),
      options_(std::move(options)),
      tokens_(static_cast<std::int64_t>(options_.bytesPerSecond * kBurstSeconds)) {}

void WorkerOutput::feed(OutputStream stream, std::string_view bytes, std::uint64_t nowNs) {
    refill(nowNs);
    heard_ = true;
    if (stream != stream_) {
        endLine();
        stream_ = stream;
    }
    measure();
    if (stream == OutputStream::err) {
        feedErr(bytes);
    } else {
        append(bytes);
    }
    tick(nowNs_);
}

/// How much text a line has room for. The newline is within the limit, but php-fpm forgets it for
/// a bare line that is not buffered.
void WorkerOutput::measure() {
    const std::size_t limit = std::min({static_cast<std::size_t>(std::max(options_.lineLimit, 0)),
                                        kLongestLine, log_->longestLine()});
    overhead_ = options_.decorate ? prefix().size() + 3 : options_.buffer ? 1 : 0;
    if (log_->isJson()) {
        overhead_ = 1;
    }
    budget_ = limit > overhead_ + kSmallestBudget ? limit - overhead_ : kSmallestBudget;
}

void WorkerOutput::tick(std::uint64_t nowNs) {
    if (dropped_ > 0 && nowNs >= droppingSinceNs_ + kNsPerSecond) {
        reportDropped();
    }
}

void WorkerOutput::closed(OutputStream stream, bool atOnce) {
    if (stream == OutputStream::err) {
        flushMarker();
    }
    suffix_ = atOnce ? kClosed : std::string_view();
    endLine();
    suffix_ = {};
}

// The worker died within the marker: what is there of it is text after all.
void WorkerOutput::flushMarker() {
    if (markerSeen_ > 0) {
        if (stream_ != OutputStream::err) {
            endLine();
            stream_ = OutputStream::err;
        }
        append(kRequestEndMarker.substr(0, std::exchange(markerSeen_, 0)));
    }
}

void WorkerOutput::finish() {
    flushMarker();
    endLine();
    if (dropped_ > 0) {
        reportDropped();
    }
}

void WorkerOutput::refill(std::uint64_t nowNs) {
    nowNs_ = std::max(nowNs_, nowNs);
    if (nowNs_ - refilledNs_ < kNsPerMs) {
        return;
    }
    // No debt takes longer to pay off than this; it keeps the product below within its type.
    constexpr std::uint64_t kLongestMs = 3'600'000;
    const std::uint64_t passedMs = std::min((nowNs_ - refilledNs_) / kNsPerMs, kLongestMs);
    const auto most = static_cast<std::int64_t>(options_.bytesPerSecond * kBurstSeconds);
    const auto earned = static_cast<std::int64_t>(options_.bytesPerSecond * passedMs / 1000);
    tokens_ = std::min(most, tokens_ + earned);
    refilledNs_ = nowNs_;
}

// The marker's only proper prefix that is also a suffix is empty (its first NUL is not repeated
// before its end), so after a mismatch only the byte at hand can begin it anew.
void WorkerOutput::feedErr(std::string_view bytes) {
    while (!bytes.empty()) {
        if (markerSeen_ == 0) {
            const std::size_t start = std::min(bytes.find(kRequestEndMarker[0]), bytes.size());
            append(bytes.substr(0, start));
            bytes.remove_prefix(start);
            if (!bytes.empty()) {
                bytes.remove_prefix(1);
                markerSeen_ = 1;
            }
        } else if (bytes[0] == kRequestEndMarker[markerSeen_]) {
            bytes.remove_prefix(1);
            if (++markerSeen_ == kRequestEndMarker.size()) {
                markerSeen_ = 0;
                endLine();
            }
        } else {
            append(kRequestEndMarker.substr(0, std::exchange(markerSeen_, 0)));
        }
    }
}

void WorkerOutput::append(std::string_view bytes) {
    while (!bytes.empty()) {
        const bool original = log_->isJson();
        const auto* special = std::find_if(bytes.begin(), bytes.end(), [original](char c) {
            return original ? c == '\n' : isControl(c) && c != '\t';
        });
        const auto plain = static_cast<std::size_t>(special - bytes.begin());
        appendFitting(bytes.substr(0, plain));
        bytes.remove_prefix(plain);
        if (!bytes.empty()) {
            if (bytes[0] == '\n') {
                endLine();
            } else {
                appendControl(bytes[0]);
            }
            bytes.remove_prefix(1);
        }
    }
}

std::size_t WorkerOutput::room() const {
    return budget_ > text_.size() ? budget_ - text_.size() : 0;
}

void WorkerOutput::appendFitting(std::string_view text) {
    while (!text.empty()) {
        // A full line is written when more comes, not before: a newline may be next.
        if (room() == 0) {
            emitFull();
        }
        const std::string_view fitting = text.substr(0, room());
        text_ += fitting;
        pendingRaw_ += fitting.size();
        text.remove_prefix(fitting.size());
    }
}

void WorkerOutput::appendControl(char c) {
    if (room() < kEscapedSize) {
        emitFull();
    }
    appendEscaped(text_, c);
    ++pendingRaw_;
}

void WorkerOutput::endLine() {
    if (!text_.empty()) {
        emit(false);
    }
}

void WorkerOutput::emitFull() {
    // Half a character would be lost from both records. The byte above the limit is only for a line
    // that ends there.
    const std::size_t tail = log_->isJson()                  ? incompleteTail(text_)
                             : overhead_ == 0 && room() == 0 ? 1
                                                             : 0;
    const std::string next = text_.substr(text_.size() - tail);
    text_.resize(text_.size() - tail);
    pendingRaw_ -= tail;
    emit(true);
    text_ = next;
    pendingRaw_ = tail;
}

void WorkerOutput::emit(bool continued) {
    const bool wanted = !options_.decorate || log_->level() <= LogLevel::warning;
    if (wanted && mayWrite()) {
        log_->isJson() ? writeRecord(continued) : writeText();
    }
    if (text_.capacity() > kKeptCapacity) {
        text_ = std::string();
    }
    text_.clear();
    pendingRaw_ = 0;
}

bool WorkerOutput::mayWrite() {
    if (options_.bytesPerSecond == 0) {
        return true;
    }
    if (tokens_ <= 0) {
        if (dropped_ == 0) {
            droppingSinceNs_ = nowNs_;
        }
        dropped_ += pendingRaw_;
        return false;
    }
    // The whole line is charged, not only its text: a flood of short lines is one, too.
    const std::size_t around = log_->isJson() ? kRecordOverhead : overhead_;
    tokens_ -= static_cast<std::int64_t>(text_.size() + around);
    return true;
}

void WorkerOutput::writeText() {
    if (!options_.decorate) {
        log_->writeRaw(LogLevel::warning, text_);
        return;
    }
    std::string line = prefix() + '"' + text_ + '"';
    const std::size_t room = budget_ - std::min(budget_, text_.size());
    line += suffix_.substr(0, room);
    log_->writeRaw(LogLevel::warning, line);
    if (suffix_.size() > room) {
        log_->writeRaw(LogLevel::warning, prefix().append(suffix_.substr(room)));
    }
}

void WorkerOutput::writeRecord(bool continued) {
    std::string line;
    JsonLine json(line);
    json.time("time", wallNs());
    json.text("level", logLevelName(LogLevel::warning));
    json.number("pid", ::getpid());
    json.text("pool", options_.pool);
    json.number("child", options_.pid);
    json.text("stream", stream_ == OutputStream::out ? "stdout" : "stderr");
    json.text("message", text_);
    if (continued) {
        json.flag("continued", true);
    }
    json.end();
    log_->writeRaw(LogLevel::warning, line);
}

void WorkerOutput::reportDropped() {
    log_->warning("[pool " + options_.pool + "] child " + std::to_string(options_.pid) +
                  " writes too much: " + std::to_string(std::exchange(dropped_, 0)) +
                  " bytes of its output were dropped");
}

std::string WorkerOutput::prefix() const {
    return log_->prefix(LogLevel::warning) + "[pool " + options_.pool + "] child " +
           std::to_string(options_.pid) + " said into " +
           (stream_ == OutputStream::out ? "stdout: " : "stderr: ");
}

}  // namespace muster::log
