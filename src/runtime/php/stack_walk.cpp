// Reads the chain of frames, then what they are called, then the chain once more.
#include "runtime/php/stack_walk.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"

namespace muster::php {
namespace {

constexpr std::size_t kMaxText = 1023;      // as php-fpm cuts names and paths
constexpr std::size_t kMaxDepth = 100'000;  // frames, whatever the configuration says
constexpr std::size_t kCallers = 64;        // beyond the depth, to find where a call came from
constexpr std::size_t kMaxFrame = 256;      // bytes; the engine's is 80
constexpr int kAttempts = 10;
constexpr std::uint64_t kPatienceNs = 20 * kNsPerMs;
constexpr std::uint64_t kPage = 4096;

struct Frame {
    std::uint64_t address = 0;
    std::uint64_t instruction = 0;
    std::uint64_t function = 0;
    std::uint64_t previous = 0;
    std::uint32_t kind = 0;
};

struct Chain {
    std::vector<Frame> frames;  ///< innermost first
    bool broken = false;        ///< ends where something could not be read
};

/// What is known about a function. Valid for one attempt: functions come and go.
struct Function {
    bool written = false;  ///< in PHP
    std::string name;
    bool hasName = false;
    std::string file;
};

template <typename T>
T valueAt(const char* record, std::size_t offset) {
    T value;
    std::memcpy(&value, record + offset, sizeof value);
    return value;
}

class Walk {
  public:
    Walk(MemoryReader& memory, const StackLayout& layout, std::size_t depth)
        : memory_(memory), layout_(layout), depth_(depth) {}

    /// A chain that is longer than asked for ends as if it was complete.
    Chain readChain();
    /// The innermost calls of `chain`, as far as they can be read.
    Backtrace describe(const Chain& chain);

  private:
    bool readFrame(std::uint64_t address, Frame& frame);
    std::optional<std::uint64_t> pointerAt(std::uint64_t address);
    std::optional<std::string> cString(std::uint64_t address);
    std::optional<std::string> engineString(std::uint64_t address);
    /// Null: unreadable.
    const Function* functionAt(std::uint64_t address);
    bool place(const Chain& chain, std::size_t index, BacktraceFrame& call);

    MemoryReader& memory_;
    const StackLayout& layout_;
    std::size_t depth_;
    std::unordered_map<std::uint64_t, std::optional<Function>> functions_;
};

bool isPlausible(std::uint64_t pointer) {
    return pointer != 0 && pointer % alignof(void*) == 0;
}

bool Walk::readFrame(std::uint64_t address, Frame& frame) {
    std::array<char, kMaxFrame> record;
    const StackLayout::Frame& at = layout_.frame;
    if (!isPlausible(address) || !memory_.read(address, record.data(), at.size)) {
        return false;
    }
    frame.address = address;
    frame.instruction = valueAt<std::uint64_t>(record.data(), at.instruction);
    frame.function = valueAt<std::uint64_t>(record.data(), at.function);
    frame.previous = valueAt<std::uint64_t>(record.data(), at.previous);
    frame.kind = valueAt<std::uint32_t>(record.data(), at.callInfo) & layout_.call.kind;
    return true;
}

std::optional<std::uint64_t> Walk::pointerAt(std::uint64_t address) {
    std::uint64_t pointer = 0;
    if (!memory_.read(address, &pointer, sizeof pointer)) {
        return std::nullopt;
    }
    return pointer;
}

Chain Walk::readChain() {
    Chain chain;
    const auto innermost = pointerAt(layout_.currentFrame);
    if (!innermost) {
        chain.broken = true;
        return chain;
    }
    std::unordered_set<std::uint64_t> seen;
    std::uint64_t next = *innermost;
    while (next != 0 && chain.frames.size() < depth_ + kCallers) {
        Frame frame;
        if (!seen.insert(next).second || !readFrame(next, frame)) {
            chain.broken = true;
            return chain;
        }
        chain.frames.push_back(frame);
        if (frame.kind == layout_.call.topOfFile) {
            return chain;
        }
        next = frame.previous;
    }
    return chain;
}

std::optional<std::string> Walk::cString(std::uint64_t address) {
    std::string text;
    std::array<char, 256> part;
    while (address != 0 && text.size() < kMaxText) {
        // Never over the end of a page: the next may not be there.
        const std::size_t n = std::min({part.size(), kMaxText - text.size(),
                                        static_cast<std::size_t>(kPage - address % kPage)});
        if (!memory_.read(address, part.data(), n)) {
            return std::nullopt;
        }
        const std::size_t filled = ::strnlen(part.data(), n);
        text.append(part.data(), filled);
        if (filled < n) {
            return text;
        }
        address += n;
    }
    return address == 0 ? std::nullopt : std::optional(std::move(text));
}

std::optional<std::string> Walk::engineString(std::uint64_t address) {
    const auto length = pointerAt(address + layout_.text.length);
    if (!length) {
        return std::nullopt;
    }
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(*length, kMaxText)), '\0');
    if (!memory_.read(address + layout_.text.bytes, text.data(), text.size())) {
        return std::nullopt;
    }
    text.resize(std::strlen(text.c_str()));
    return text;
}

const Function* Walk::functionAt(std::uint64_t address) {
    const auto [entry, isNew] = functions_.try_emplace(address);
    std::optional<Function>& known = entry->second;
    if (!isNew) {
        return known ? &*known : nullptr;
    }
    const StackLayout::Function& at = layout_.function;
    std::uint8_t type = 0;
    const auto name = pointerAt(address + at.name);
    if (!name || !memory_.read(address + at.type, &type, sizeof type)) {
        return nullptr;
    }
    Function function;
    function.written = type != at.internal;
    function.hasName = *name != 0;
    if (function.hasName) {
        auto text = engineString(*name);
        if (!text) {
            return nullptr;
        }
        function.name = std::move(*text);
    }
    if (function.written) {
        const auto file = pointerAt(address + at.file);
        auto text = file ? engineString(*file) : std::nullopt;
        if (!text) {
            return nullptr;
        }
        function.file = std::move(*text);
    }
    known = std::move(function);
    return &*known;
}

/// Where the call came from: the innermost function written in PHP around it.
bool Walk::place(const Chain& chain, std::size_t index, BacktraceFrame& call) {
    call.file = "unknown";
    call.line = 0;
    for (std::size_t i = index + 1; i < chain.frames.size(); ++i) {
        const Frame& caller = chain.frames[i];
        if (!isPlausible(caller.function)) {
            return true;
        }
        const Function* function = functionAt(caller.function);
        if (function == nullptr) {
            return false;
        }
        if (function->written) {
            call.file = function->file;
            return caller.instruction == 0 ||
                   memory_.read(caller.instruction + layout_.instructionLine, &call.line,
                                sizeof call.line);
        }
    }
    return !chain.broken;
}

Backtrace Walk::describe(const Chain& chain) {
    functions_.clear();
    Backtrace trace;
    const auto path = pointerAt(layout_.scriptPath);
    if (auto script = path ? cString(*path) : std::nullopt) {
        trace.script = std::move(*script);
    } else {
        trace.broken = true;
        return trace;
    }
    for (std::size_t i = 0; i < chain.frames.size() && trace.frames.size() < depth_; ++i) {
        const Frame& frame = chain.frames[i];
        BacktraceFrame call;
        call.address = frame.address;
        if (!isPlausible(frame.function)) {
            call.function = "???";
        } else if (const Function* function = functionAt(frame.function); function == nullptr) {
            trace.broken = true;
            return trace;
        } else if (function->hasName) {
            call.function = function->name;
        } else if (frame.kind == layout_.call.topOfFile) {
            return trace;
        } else {
            call.function = "[INCLUDE_OR_EVAL]";
        }
        if (!place(chain, i, call)) {
            trace.broken = true;
            return trace;
        }
        trace.frames.push_back(std::move(call));
    }
    trace.broken = chain.broken && trace.frames.size() < depth_;
    return trace;
}

/// An instruction is compared where it is shown: of callers.
bool isSameFrame(const Frame& a, const Frame& b, bool isCaller) {
    return a.address == b.address && a.function == b.function && a.previous == b.previous &&
           a.kind == b.kind && (!isCaller || a.instruction == b.instruction);
}

/// What two readings of the chain share.
struct Common {
    std::size_t start;  ///< in the first one: from here outwards the calls were there both times
    bool settled;       ///< … which is all of one reading: a stack as it was at one moment
};

Common commonPart(const Chain& before, const Chain& after) {
    std::unordered_map<std::uint64_t, std::size_t> places;
    for (std::size_t i = 0; i < before.frames.size(); ++i) {
        places.emplace(before.frames[i].address, i);
    }
    const bool alike = before.broken == after.broken;
    for (std::size_t i = 0; i < after.frames.size(); ++i) {
        const auto place = places.find(after.frames[i].address);
        if (place == places.end()) {
            continue;
        }
        const std::size_t start = place->second;
        const std::size_t length = std::min(before.frames.size() - start, after.frames.size() - i);
        std::size_t same = 0;
        while (same < length &&
               isSameFrame(before.frames[start + same], after.frames[i + same], same > 0)) {
            ++same;
        }
        if (same == length) {
            return {start, alike && (start == 0 || i == 0)};
        }
        i += same;  // what is the same ends there, too
    }
    return {before.frames.size(), alike && before.frames.empty() && after.frames.empty()};
}

}  // namespace

Backtrace walkStack(MemoryReader& memory, const StackLayout& layout, std::size_t depth) {
    Walk walk(memory, layout, std::min(depth, kMaxDepth));
    const std::uint64_t until = monotonicNs() + kPatienceNs;
    std::optional<Backtrace> best;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const Chain before = walk.readChain();
        Backtrace trace = walk.describe(before);
        const Common common = commonPart(before, walk.readChain());
        const std::size_t lost = std::min(common.start, trace.frames.size());
        trace.frames.erase(trace.frames.begin(),
                           trace.frames.begin() + static_cast<std::ptrdiff_t>(lost));
        trace.moving = !common.settled;
        if (common.settled && !trace.broken) {
            return trace;
        }
        // One that broke off twice at the same place may be as good as it gets. Of the others the
        // one that knows most calls: what was lost does not count, deep stacks lose more.
        if (!best || (best->moving && common.settled) ||
            (best->moving == trace.moving && trace.frames.size() > best->frames.size())) {
            best = std::move(trace);
        }
        if (monotonicNs() >= until) {
            break;
        }
    }
    return std::move(*best);
}

}  // namespace muster::php
