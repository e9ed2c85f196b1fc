// Puts the lines and fields of an entry together.
#include "log/slow_log_entry.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/escape.h"
#include "log/json_line.h"

namespace muster::log {
namespace {

std::string_view scriptOf(const SlowRequest& request, const Backtrace& stack) {
    if (!stack.script.empty() || request.script == nullptr) {
        return stack.script;
    }
    return request.script;
}

std::string timeOf(std::uint64_t wallNs, bool detailed) {
    std::string time =
        formatLocalTime(static_cast<std::int64_t>(wallNs / kNsPerSecond), "%d-%b-%Y %H:%M:%S");
    if (detailed) {
        time += fmt::format(".{:06}", wallNs % kNsPerSecond / 1000);
    }
    return time;
}

std::string framesAsJson(const Backtrace& stack) {
    std::string frames = "[";
    for (const BacktraceFrame& frame : stack.frames) {
        if (frames.size() > 1) {
            frames += ',';
        }
        JsonLine json(frames);
        json.text("function", frame.function);
        json.text("file", frame.file);
        json.number("line", frame.line);
        json.end();
    }
    return frames += ']';
}

}  // namespace

std::string slowLogText(const SlowRequest& request, const Backtrace& stack, bool detailed) {
    std::string entry = fmt::format("\n[{}]  [pool {}] pid {}\nscript_filename = {}\n",
                                    timeOf(request.nowWallNs, detailed), request.pool, request.pid,
                                    escaped(scriptOf(request, stack)));
    for (const BacktraceFrame& frame : stack.frames) {
        entry += fmt::format("[0x{:016x}] {}() {}:{}\n", frame.address, escaped(frame.function),
                             escaped(frame.file), frame.line);
    }
    if (stack.broken) {
        entry += "+++ dump failed\n";
    } else if (stack.moving) {
        entry += "+++ the script ran on meanwhile: its innermost calls are missing\n";
    }
    return entry;
}

std::string slowLogJson(const SlowRequest& request, const Backtrace& stack) {
    std::string line;
    JsonLine json(line);
    json.time("time", request.nowWallNs);
    json.text("pool", request.pool);
    json.number("pid", request.pid);
    json.text("reason", request.reason);
    json.decimal("elapsed", static_cast<double>(request.elapsedNs) / 1e9, 6);
    json.textOrNull("method", request.method);
    json.textOrNull("uri", request.uri);
    json.textOrNull("query", request.query);
    json.text("script", scriptOf(request, stack));
    json.raw("frames", framesAsJson(stack));
    json.flag("broken", stack.broken);
    json.flag("moving", stack.moving);
    json.end();
    return line += '\n';
}

}  // namespace muster::log
