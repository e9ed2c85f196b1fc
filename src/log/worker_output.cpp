// Splits, escapes, wraps, decorates and limits the output of one worker.
#include "log/worker_output.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/clock.h"
#include "log/escape.h"

namespace muster::log {
namespace {

constexpr std::uint64_t kBurstSeconds = 4;
// Room for text on a line, however long the prefix is.
constexpr std::size_t kSmallestBudget = 16;

}  // namespace

WorkerOutput::WorkerOutput(ErrorLog& log, WorkerOutputOptions options)
    : log_(&log), options_(std::move(options)), tokens_(options_.bytesPerSecond * kBurstSeconds) {}

void WorkerOutput::feed(OutputStream stream, std::string_view bytes, std::uint64_t nowNs) {
    refill(nowNs);
    const auto limit = static_cast<std::size_t>(std::max(options_.lineLimit, 0));
    overhead_ = 1 + (options_.decorate ? prefix().size() + 2 : 0);
    budget_ = limit > overhead_ + kSmallestBudget ? limit - overhead_ : kSmallestBudget;
    if (stream != stream_) {
        endLine();
        stream_ = stream;
    }
    if (stream == OutputStream::err) {
        feedErr(bytes);
    } else {
        append(bytes);
    }
    tick(nowNs_);
}

void WorkerOutput::tick(std::uint64_t nowNs) {
    if (dropped_ > 0 && nowNs >= droppingSinceNs_ + kNsPerSecond) {
        reportDropped();
    }
}

void WorkerOutput::finish() {
    if (markerSeen_ > 0) {
        // The worker died within the marker: what is there of it is text after all.
        if (stream_ != OutputStream::err) {
            endLine();
            stream_ = OutputStream::err;
        }
        append(kRequestEndMarker.substr(0, std::exchange(markerSeen_, 0)));
    }
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
    // Beyond the burst's time the bucket is full anyway.
    const std::uint64_t passedMs =
        std::min((nowNs_ - refilledNs_) / kNsPerMs, kBurstSeconds * 1000);
    const std::uint64_t most = options_.bytesPerSecond * kBurstSeconds;
    tokens_ = std::min(most, tokens_ + options_.bytesPerSecond * passedMs / 1000);
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
        const auto* special = std::find_if(bytes.begin(), bytes.end(),
                                           [](char c) { return isControl(c) && c != '\t'; });
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
            emit();
        }
        const std::string_view fitting = text.substr(0, room());
        text_ += fitting;
        pendingRaw_ += fitting.size();
        text.remove_prefix(fitting.size());
    }
}

void WorkerOutput::appendControl(char c) {
    if (room() < kEscapedSize) {
        emit();
    }
    appendEscaped(text_, c);
    ++pendingRaw_;
}

void WorkerOutput::endLine() {
    if (!text_.empty()) {
        emit();
    }
}

void WorkerOutput::emit() {
    const bool wanted = !options_.decorate || log_->level() <= LogLevel::warning;
    if (wanted) {
        // The whole line is charged, not only its text: a flood of short lines is one, too.
        const std::size_t cost = text_.size() + overhead_;
        if (options_.bytesPerSecond != 0 && cost > tokens_) {
            if (dropped_ == 0) {
                droppingSinceNs_ = nowNs_;
            }
            dropped_ += pendingRaw_;
        } else {
            tokens_ -= std::min<std::uint64_t>(tokens_, cost);
            log_->writeRaw(options_.decorate ? prefix() + '"' + text_ + '"' : text_);
        }
    }
    text_.clear();
    pendingRaw_ = 0;
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
