// Formats error-log lines and writes them, through an spdlog logger with a formatter and sinks of
// our own. spdlog decides what is filtered; the bytes of a line are made here.
#include "log/error_log.h"

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/escape.h"
#include "base/io.h"
#include "log/json_line.h"

namespace muster::log {
namespace {

// php-fpm's formatting buffer: lines shorter than this are never cut (spec logging.md §3.4).
constexpr std::size_t kFormatBuffer = 2048;
constexpr std::size_t kSmallestLimit = 64;
constexpr std::string_view kCutMark = "...";

spdlog::level::level_enum toSpdlog(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::notice:
            return spdlog::level::info;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
        case LogLevel::alert:
            return spdlog::level::critical;
    }
    return spdlog::level::info;
}

LogLevel fromSpdlog(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::trace:
        case spdlog::level::debug:
            return LogLevel::debug;
        case spdlog::level::warn:
            return LogLevel::warning;
        case spdlog::level::err:
            return LogLevel::error;
        case spdlog::level::critical:
            return LogLevel::alert;
        default:
            return LogLevel::notice;
    }
}

/// What a line looks like now; shared by the formatters of all sinks.
struct Format {
    ErrorLog::Style style = ErrorLog::Style::timestamped;
    bool detailed = false;  ///< level debug: microseconds, pid and place
    bool json = false;
    bool syslog = false;
    std::size_t limit = 1024;

    [[nodiscard]] bool isJson() const { return json && style != ErrorLog::Style::worker; }
    [[nodiscard]] std::string prefix(LogLevel level, std::uint64_t nowNs) const;
    [[nodiscard]] std::string line(LogLevel level, std::string_view text,
                                   std::uint64_t nowNs) const;
    [[nodiscard]] std::string jsonLine(LogLevel level, std::string_view text,
                                       std::uint64_t nowNs) const;
};

std::string Format::prefix(LogLevel level, std::uint64_t nowNs) const {
    constexpr const char* kPlace = "muster(), line 0: ";
    std::string prefix;
    if (syslog) {
        return prefix.append("[")
            .append(logLevelName(level))
            .append("] ")
            .append(detailed ? kPlace : "");
    }
    if (style == ErrorLog::Style::timestamped) {
        prefix += '[';
        prefix +=
            formatLocalTime(static_cast<std::int64_t>(nowNs / kNsPerSecond), "%d-%b-%Y %H:%M:%S");
        if (detailed) {
            char fraction[16];
            const auto micros = static_cast<unsigned>(nowNs % kNsPerSecond / 1000);
            std::snprintf(fraction, sizeof fraction, ".%06u", micros);
            prefix += fraction;
        }
        prefix += "] ";
    }
    prefix += logLevelName(level);
    prefix += ": ";
    if (detailed) {
        if (style == ErrorLog::Style::timestamped) {
            prefix += "pid " + std::to_string(::getpid()) + ", ";
        }
        prefix += kPlace;
    }
    return prefix;
}

std::string Format::line(LogLevel level, std::string_view text, std::uint64_t nowNs) const {
    if (isJson()) {
        return jsonLine(level, text, nowNs);
    }
    std::string line = prefix(level, nowNs);
    for (const char c : text) {
        // Longer than the buffer is decided; the rest of a huge text need not be looked at.
        if (line.size() > kFormatBuffer) {
            break;
        }
        // Messages quote hostile bytes, such as script names; one message stays one line. A
        // worker's are cut into lines and escaped by its manager, which believes nothing else it
        // says either.
        if (style != ErrorLog::Style::worker && isControl(c) && c != '\t') {
            appendEscaped(line, c);
        } else {
            line += c;
        }
    }
    if (line.size() >= kFormatBuffer) {
        line.resize(std::min(limit, kFormatBuffer) - 1 - kCutMark.size());
        line += kCutMark;
    }
    return line;
}

/// "www" and 12 of "[pool www] child 12 exited …".
struct Subject {
    std::string_view pool;
    std::optional<std::int64_t> child;
};

Subject subjectOf(std::string_view text) {
    constexpr std::string_view kPool = "[pool ";
    constexpr std::string_view kEnd = "] ";
    constexpr std::string_view kChild = "child ";
    Subject subject;
    const std::size_t end = text.find(kEnd);
    if (!text.starts_with(kPool) || end == std::string_view::npos) {
        return subject;
    }
    subject.pool = text.substr(kPool.size(), end - kPool.size());
    text.remove_prefix(end + kEnd.size());
    if (text.starts_with(kChild)) {
        text.remove_prefix(kChild.size());
        std::int64_t pid = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), pid).ec == std::errc()) {
            subject.child = pid;
        }
    }
    return subject;
}

std::string Format::jsonLine(LogLevel level, std::string_view text, std::uint64_t nowNs) const {
    std::string line;
    JsonLine record(line);
    record.time("time", nowNs);
    record.text("level", logLevelName(level));
    record.number("pid", ::getpid());
    const Subject subject = subjectOf(text);
    if (!subject.pool.empty()) {
        record.text("pool", subject.pool);
    }
    if (subject.child) {
        record.number("child", *subject.child);
    }
    const std::size_t most = std::max(limit, kFormatBuffer);
    if (text.size() < most) {
        record.text("message", text);
    } else {
        record.text("message",
                    std::string(text.substr(0, most - 1 - kCutMark.size())).append(kCutMark));
    }
    record.end();
    return line;
}

class LineFormatter final : public spdlog::formatter {
  public:
    explicit LineFormatter(const Format* format) : format_(format) {}
    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
        const auto since = message.time.time_since_epoch();
        const auto nowNs = std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
        const std::string line = format_->line(fromSpdlog(message.level),
                                               {message.payload.data(), message.payload.size()},
                                               static_cast<std::uint64_t>(nowNs));
        out.append(line.data(), line.data() + line.size());
    }
    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<LineFormatter>(format_);
    }

  private:
    const Format* format_;
};

/// Writes each line with one write(2), or sends it to syslog. The descriptor is borrowed; -1 writes
/// nothing.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  public:
    explicit DescriptorSink(const Format* format)
        : base_sink(std::make_unique<LineFormatter>(format)), format_(format) {}
    void setDescriptor(int fd) {
        fd_ = fd;
        syslog_.reset();
    }
    void setSyslog(int socket, const SyslogIdentity& identity) {
        fd_ = socket;
        syslog_.emplace(socket, identity);
    }
    [[nodiscard]] int descriptor() const { return fd_; }

    /// A line that is complete but for its newline.
    void put(LogLevel level, std::string_view line) {
        if (fd_ < 0) {
            return;
        }
        if (!syslog_) {
            writeAll(fd_, std::string(line).append(1, '\n'));
            return;
        }
        if (lost_ > 0 && syslog_->write(LogLevel::warning, lostText())) {
            lost_ = 0;
        }
        if (!syslog_->write(level, line)) {
            ++lost_;
        }
    }

  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        if (fd_ >= 0) {
            spdlog::memory_buf_t line;
            formatter_->format(message, line);
            put(fromSpdlog(message.level), {line.data(), line.size()});
        }
    }
    void flush_() override {}

  private:
    [[nodiscard]] std::string lostText() const {
        return format_->line(LogLevel::warning,
                             std::to_string(lost_) + " messages could not be sent to syslog",
                             wallNs());
    }

    const Format* format_;
    int fd_ = -1;
    std::optional<SyslogWriter> syslog_;
    std::uint64_t lost_ = 0;
};

}  // namespace

struct ErrorLog::State {
    Format format;
    LogLevel level = LogLevel::notice;
    std::shared_ptr<DescriptorSink> target = std::make_shared<DescriptorSink>(&format);
    std::shared_ptr<DescriptorSink> echo = std::make_shared<DescriptorSink>(&format);
    spdlog::logger logger{"muster", {target, echo}};
    Listener listener;
};

ErrorLog::ErrorLog() : state_(std::make_unique<State>()) {
    state_->target->setDescriptor(STDERR_FILENO);
    state_->echo->set_level(toSpdlog(LogLevel::notice));
    // A line that cannot be made or written is dropped: there is nowhere left to say so.
    state_->logger.set_error_handler([](const std::string&) {});
    setLevel(LogLevel::notice);
}

ErrorLog::~ErrorLog() = default;

void ErrorLog::setLevel(LogLevel level) {
    state_->level = level;
    state_->format.detailed = level == LogLevel::debug;
    state_->logger.set_level(toSpdlog(level));
}

LogLevel ErrorLog::level() const {
    return state_->level;
}

void ErrorLog::setStyle(Style style) {
    state_->format.style = style;
}

void ErrorLog::setFormat(config::LogFormat format) {
    state_->format.json = format == config::LogFormat::json;
}

bool ErrorLog::isJson() const {
    return state_->format.isJson();
}

void ErrorLog::setLimit(int bytes) {
    state_->format.limit = std::max(kSmallestLimit, static_cast<std::size_t>(std::max(bytes, 0)));
}

void ErrorLog::setTarget(int fd, bool echoToStderr) {
    state_->format.syslog = false;
    state_->target->setDescriptor(fd);
    // Never twice to the same place.
    state_->echo->setDescriptor(echoToStderr && fd != STDERR_FILENO ? STDERR_FILENO : -1);
}

void ErrorLog::setSyslog(int socket, const SyslogIdentity& identity, bool echoToStderr) {
    state_->format.syslog = true;
    state_->target->setSyslog(socket, identity);
    state_->echo->setDescriptor(echoToStderr ? STDERR_FILENO : -1);
}

int ErrorLog::target() const {
    return state_->target->descriptor();
}

std::size_t ErrorLog::longestLine() const {
    return state_->format.syslog ? kLongestSyslogText : std::numeric_limits<std::size_t>::max();
}

ErrorLog::Listener ErrorLog::setListener(Listener listener) {
    return std::exchange(state_->listener, std::move(listener));
}

void ErrorLog::write(LogLevel level, std::string_view text) {
    if (state_->listener) {
        state_->listener(level, text);
    }
    state_->logger.log(toSpdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

void ErrorLog::writeRaw(LogLevel level, std::string_view line) {
    state_->target->put(level, line);
}

std::string ErrorLog::prefix(LogLevel level) const {
    return state_->format.prefix(level, wallNs());
}

}  // namespace muster::log
