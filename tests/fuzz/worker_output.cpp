// Feeds a worker's hostile output to the manager's log.
//
// Input: a byte of options, a byte of line limit, then pieces that end with 0xfe (stdout) or 0xff
// (stderr).
#include "log/worker_output.h"

#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/io.h"
#include "input.h"
#include "markup.h"

namespace {

using namespace muster;

constexpr std::size_t kLongestPrefix = 90;  // "[time] WARNING: [pool w] child 7 said into stderr: "

/// The time stamp of a line, and what else every decorated one begins with.
bool isDecorated(std::string_view line) {
    constexpr std::string_view kStart = "] WARNING: [pool w] child 7 ";
    constexpr std::size_t kStamp = 21;  // "[20-Nov-2026 23:02:29"
    return line.starts_with('[') && line.size() > kStamp && line.substr(kStamp).starts_with(kStart);
}

void checkLine(std::string_view line, const log::WorkerOutputOptions& options, bool json) {
    if (json) {
        const auto record = nlohmann::json::parse(line, nullptr, false);
        fuzz::hold(record.is_object() && record.value("pool", "") == "w", "a record", line);
        return;
    }
    fuzz::hold(!fuzz::hasControl(line, true), "no control characters", line);
    fuzz::hold(!options.decorate || isDecorated(line), "nobody else's line", line);
    fuzz::hold(line.size() <= static_cast<std::size_t>(options.lineLimit) + kLongestPrefix,
               "no longer than the limit", line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const UniqueFd file(::memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    fuzz::hold(::ftruncate(file.get(), 0) == 0 && ::lseek(file.get(), 0, SEEK_SET) == 0, "a file");
    fuzz::Input input(data, size);
    const unsigned flags = input.byte();
    const bool json = (flags & 1U) != 0;
    log::WorkerOutputOptions options;
    options.pool = "w";
    options.pid = 7;
    options.decorate = json || (flags & 2U) == 0;
    options.buffer = (flags & 4U) == 0;
    options.bytesPerSecond = (flags & 8U) != 0 ? 64 : 0;
    options.lineLimit = 128 + static_cast<int>(input.byte());
    log::ErrorLog errors;
    errors.setTarget(file.get(), false);
    errors.setFormat(json ? config::LogFormat::json : config::LogFormat::text);
    log::WorkerOutput output(errors, options);
    std::uint64_t now = 1000 * kNsPerSecond;
    std::string piece;
    const auto feed = [&](log::OutputStream stream) {
        now += (flags & 16U) != 0 ? kNsPerSecond / 4 : 0;
        output.feed(stream, piece, now);
        output.tick(now);
        piece.clear();
    };
    while (!input.empty()) {
        const unsigned byte = input.byte();
        if (byte >= 0xfe) {
            feed(byte == 0xfe ? log::OutputStream::out : log::OutputStream::err);
        } else {
            piece += static_cast<char>(byte);
        }
    }
    feed(log::OutputStream::err);
    if ((flags & 32U) != 0) {
        output.closed(log::OutputStream::err, (flags & 64U) != 0);
    }
    output.finish();
    const std::string written = readDescriptor(file.get(), 1U << 24).value_or("unreadable");
    fuzz::hold(written.empty() || written.ends_with('\n'), "whole lines", written);
    for (const std::string_view line : fuzz::linesOf(written)) {
        checkLine(line, options, json);
    }
    return 0;
}
