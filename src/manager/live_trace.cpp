// Between the trace and its plain form.
#include "manager/live_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/clock.h"
#include "base/io.h"
#include "manager/tracing.h"

namespace muster::manager {
namespace {

using scoreboard::Stage;

struct PlainFrame {
    std::uint64_t address = 0;
    std::uint32_t line = 0;
    std::uint32_t reserved = 0;
    char function[512] = {};
    char file[2048] = {};
};

struct PlainTrace {
    std::uint32_t stage = 0;
    std::uint32_t frames = 0;
    std::uint32_t broken = 0;
    std::uint32_t moving = 0;
    std::uint32_t cut = 0;
    std::uint32_t reserved = 0;
    std::uint64_t elapsedNs = 0;
    char method[scoreboard::kMethodSize] = {};
    char uri[scoreboard::kUriSize] = {};
    char query[scoreboard::kQuerySize] = {};
    char script[2048] = {};
};

static_assert(std::is_trivially_copyable_v<PlainFrame> && std::is_trivially_copyable_v<PlainTrace>);

template <std::size_t n>
void setText(char (&place)[n], const std::string& text) {
    std::memcpy(place, text.data(), std::min(text.size(), n - 1));
}

template <std::size_t n>
std::string textIn(const char (&place)[n]) {
    return {place, ::strnlen(place, n)};
}

template <typename Plain>
void append(std::string& bytes, const Plain& plain) {
    bytes.append(reinterpret_cast<const char*>(&plain), sizeof plain);
}

/// Why a worker in this stage has nothing to show; null: it has.
const char* restOf(Stage stage) {
    switch (stage) {
        case Stage::starting:
        case Stage::idle:
        case Stage::offDuty:
            return "is idle";
        case Stage::readingHeaders:
        case Stage::keepAlive:
            return "waits for the head of a request";
        case Stage::gettingInfo:
        case Stage::running:
        case Stage::ending:
        case Stage::finishing:
            break;
    }
    return nullptr;
}

}  // namespace

std::size_t liveTraceSize() {
    return sizeof(PlainTrace) + kMostFrames * sizeof(PlainFrame);
}

Result<LiveTrace> traceNow(const Child& child, const scoreboard::Segment& segment,
                           Runtime& runtime) {
    const std::uint64_t now = monotonicNs();
    const auto worker = scoreboard::copyWorker(segment, child.slot, now);
    const char* rest = restOf(worker ? worker->stage : Stage::starting);
    if (rest != nullptr) {
        return plainError(fmt::format("worker {} {}: it runs no script", child.pid, rest));
    }
    auto stack = traceWorker(child, runtime, kMostFrames + 1);
    if (!stack) {
        return plainError(fmt::format("{}; it would work with process.dumpable = yes in this pool",
                                      stack.error().text()));
    }
    const std::uint64_t begun = std::max(worker->facts.acceptedNs, child.startedNs);
    LiveTrace trace;
    trace.stage = worker->stage;
    trace.elapsedNs = now > begun ? now - begun : 0;
    trace.method = worker->facts.method;
    trace.uri = worker->facts.uri;
    trace.query = worker->facts.query;
    trace.script = stack->script.empty() ? worker->facts.script : stack->script;
    trace.cut = stack->frames.size() > kMostFrames;
    stack->frames.resize(std::min(stack->frames.size(), kMostFrames));
    trace.stack = std::move(*stack);
    return trace;
}

Result<void> writeLiveTrace(int fd, const LiveTrace& trace) {
    PlainTrace head;
    head.stage = static_cast<std::uint32_t>(trace.stage);
    head.frames = static_cast<std::uint32_t>(std::min(trace.stack.frames.size(), kMostFrames));
    head.broken = trace.stack.broken ? 1 : 0;
    head.moving = trace.stack.moving ? 1 : 0;
    head.cut = trace.cut ? 1 : 0;
    head.elapsedNs = trace.elapsedNs;
    setText(head.method, trace.method);
    setText(head.uri, trace.uri);
    setText(head.query, trace.query);
    setText(head.script, trace.script);
    std::string bytes;
    append(bytes, head);
    for (std::size_t i = 0; i < head.frames; ++i) {
        const BacktraceFrame& frame = trace.stack.frames[i];
        PlainFrame plain;
        plain.address = frame.address;
        plain.line = frame.line;
        setText(plain.function, frame.function);
        setText(plain.file, frame.file);
        append(bytes, plain);
    }
    return writeAll(fd, bytes) ? Result<void>() : errnoError("write(trace)");
}

Result<LiveTrace> readLiveTrace(int fd) {
    const auto bytes = readDescriptor(fd, liveTraceSize());
    if (!bytes) {
        return tl::make_unexpected(bytes.error());
    }
    PlainTrace head;
    if (bytes->size() != liveTraceSize()) {
        return plainError("a trace of a wrong size");
    }
    std::memcpy(&head, bytes->data(), sizeof head);
    LiveTrace trace;
    trace.stage = head.stage <= static_cast<std::uint32_t>(Stage::keepAlive)
                      ? static_cast<Stage>(head.stage)
                      : Stage::idle;
    trace.elapsedNs = head.elapsedNs;
    trace.method = textIn(head.method);
    trace.uri = textIn(head.uri);
    trace.query = textIn(head.query);
    trace.script = textIn(head.script);
    trace.cut = head.cut != 0;
    trace.stack.script = trace.script;
    trace.stack.broken = head.broken != 0;
    trace.stack.moving = head.moving != 0;
    const std::size_t frames = std::min<std::size_t>(head.frames, kMostFrames);
    for (std::size_t i = 0; i < frames; ++i) {
        PlainFrame plain;
        std::memcpy(&plain, bytes->data() + sizeof head + i * sizeof plain, sizeof plain);
        trace.stack.frames.push_back(
            {plain.address, textIn(plain.function), textIn(plain.file), plain.line});
    }
    return trace;
}

}  // namespace muster::manager
