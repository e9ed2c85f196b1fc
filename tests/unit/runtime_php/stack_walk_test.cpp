// The walk over a stack of calls in memory made up for it: whole, moving, and nonsense.
#include "runtime/php/stack_walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace muster::php {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kBase = 0x7f0000000000;
constexpr std::uint8_t kInternal = 1;
constexpr std::uint8_t kWritten = 2;
constexpr std::uint32_t kFunctionCall = 0;
constexpr std::uint32_t kCode = 1U << 16;
constexpr std::uint32_t kTop = 1U << 17;

StackLayout layout() {
    StackLayout layout;
    layout.currentFrame = kBase;
    layout.scriptPath = kBase + 8;
    layout.frame = {.size = 80, .instruction = 0, .function = 24, .callInfo = 40, .previous = 48};
    layout.function = {.type = 0, .name = 8, .file = 152, .internal = kInternal};
    layout.instructionLine = 24;
    layout.text = {.length = 16, .bytes = 24};
    layout.call = {.kind = kCode | kTop, .topOfFile = kCode | kTop};
    return layout;
}

/// Memory from kBase on; everything else cannot be read.
class Memory final : public MemoryReader {
  public:
    Memory() : bytes_(16) { scriptIs("/srv/index.php"); }

    bool read(std::uint64_t address, void* buffer, std::size_t n) noexcept override {
        if (address == kBase && onStart) {
            onStart(++starts_);
        }
        if (address < kBase || address - kBase > bytes_.size() ||
            bytes_.size() - (address - kBase) < n) {
            return false;
        }
        std::memcpy(buffer, bytes_.data() + (address - kBase), n);
        return true;
    }

    template <typename T>
    void put(std::uint64_t address, T value) {
        std::memcpy(bytes_.data() + (address - kBase), &value, sizeof value);
    }
    std::uint64_t room(std::size_t n) {
        const std::uint64_t address = kBase + bytes_.size();
        bytes_.resize(bytes_.size() + (n + 7) / 8 * 8);
        return address;
    }
    std::uint64_t text(const std::string& words) {
        const std::uint64_t address = room(24 + words.size() + 1);
        put<std::uint64_t>(address + 16, words.size());
        std::memcpy(bytes_.data() + (address + 24 - kBase), words.data(), words.size());
        return address;
    }
    std::uint64_t function(std::uint8_t type, std::uint64_t name, std::uint64_t file) {
        const std::uint64_t address = room(168);
        put(address, type);
        put(address + 8, name);
        put(address + 152, file);
        return address;
    }
    std::uint64_t written(const std::string& name, const std::string& file = "/srv/f.php") {
        return function(kWritten, name.empty() ? 0 : text(name), text(file));
    }
    std::uint64_t internal(const std::string& name) { return function(kInternal, text(name), 0); }
    /// A call that has come as far as `line`.
    std::uint64_t frame(std::uint64_t function, std::uint64_t previous, std::uint32_t line = 0,
                        std::uint32_t kind = kFunctionCall) {
        const std::uint64_t instruction = room(32);
        put(instruction + 24, line);
        const std::uint64_t address = room(80);
        put(address, line == 0 ? 0 : instruction);
        put(address + 24, function);
        put(address + 40, kind | 0x1234);
        put(address + 48, previous);
        return address;
    }
    /// The code of the script itself.
    std::uint64_t top(std::uint32_t line) {
        return frame(written("", "/srv/index.php"), 0, line, kCode | kTop);
    }
    void scriptIs(const std::string& path) {
        const std::uint64_t address = room(path.size() + 1);
        std::memcpy(bytes_.data() + (address - kBase), path.data(), path.size());
        put(kBase + 8, address);
    }
    void current(std::uint64_t frame) { put(kBase, frame); }

    std::function<void(int)> onStart;  ///< before each reading of the innermost frame's address

  private:
    std::vector<char> bytes_;
    int starts_ = 0;
};

std::vector<std::string> calls(const Backtrace& trace) {
    std::vector<std::string> lines;
    for (const BacktraceFrame& frame : trace.frames) {
        lines.push_back(frame.function + " " + frame.file + ":" + std::to_string(frame.line));
    }
    return lines;
}

Backtrace walk(Memory& memory, std::size_t depth = 20) {
    return walkStack(memory, layout(), depth);
}

TEST(StackWalk, NamesCallsInnermostFirstAndWhereTheyCameFrom) {
    Memory memory;
    const auto outer = memory.frame(memory.written("outer"), memory.top(7), 12);
    const auto map = memory.frame(memory.internal("array_map"), outer);
    const auto inner = memory.frame(memory.written("inner", "/srv/g.php"), map, 3);
    memory.current(memory.frame(memory.internal("sleep"), inner));
    const Backtrace trace = walk(memory);
    EXPECT_EQ(trace.script, "/srv/index.php");
    EXPECT_THAT(calls(trace), ElementsAre("sleep /srv/g.php:3", "inner /srv/f.php:12",
                                          "array_map /srv/f.php:12", "outer /srv/index.php:7"));
    EXPECT_EQ(trace.frames[1].address, inner);
    EXPECT_FALSE(trace.broken);
    EXPECT_FALSE(trace.moving);
}

TEST(StackWalk, ShowsNothingOfAScriptThatCallsNothing) {
    Memory memory;
    memory.current(memory.top(3));
    EXPECT_THAT(walk(memory).frames, IsEmpty());
    memory.current(0);
    EXPECT_THAT(walk(memory).frames, IsEmpty());
    EXPECT_FALSE(walk(memory).broken);
}

TEST(StackWalk, NamesCodeAndStrangersAsPhpFpmDoes) {
    Memory memory;
    const auto code = memory.frame(memory.written("", "/srv/part.php"), memory.top(2), 5, kCode);
    const auto placeholder = memory.frame(0, code);
    const auto odd = memory.frame(kBase + 3, placeholder);
    memory.current(memory.frame(memory.internal("f"), odd));
    EXPECT_THAT(calls(walk(memory)),
                ElementsAre("f unknown:0", "??? unknown:0", "??? /srv/part.php:5",
                            "[INCLUDE_OR_EVAL] /srv/index.php:2"));
}

TEST(StackWalk, AnInstructionThatIsNotSetIsLineZero) {
    Memory memory;
    memory.current(memory.frame(memory.internal("f"), memory.top(0)));
    EXPECT_THAT(calls(walk(memory)), ElementsAre("f /srv/index.php:0"));
}

TEST(StackWalk, GoesNoDeeperThanAskedButFindsTheLastCaller) {
    Memory memory;
    std::uint64_t last = memory.top(9);
    for (int i = 0; i < 1000; ++i) {
        last = memory.frame(memory.written("down"), last, 4);
    }
    memory.current(last);
    EXPECT_THAT(walk(memory, 3).frames, SizeIs(3));
    EXPECT_EQ(calls(walk(memory, 1)), std::vector<std::string>{"down /srv/f.php:4"});
    EXPECT_THAT(walk(memory, 5000).frames, SizeIs(1000));
    EXPECT_EQ(calls(walk(memory, 5000)).back(), "down /srv/index.php:9");
}

TEST(StackWalk, TextsEndAtANulAndAtTheirLimit) {
    Memory memory;
    memory.scriptIs("/" + std::string(5000, 's'));
    const auto cut = memory.frame(memory.internal(std::string("a\0b", 3)), memory.top(1));
    memory.current(memory.frame(memory.internal(std::string(5000, 'n')), cut));
    const Backtrace trace = walk(memory);
    EXPECT_EQ(trace.script, "/" + std::string(1022, 's'));
    EXPECT_EQ(trace.frames.at(0).function, std::string(1023, 'n'));
    EXPECT_EQ(trace.frames.at(1).function, "a");
}

TEST(StackWalk, AHugeLengthReadsNothingBeyondTheLimit) {
    Memory memory;
    const auto name = memory.text("name");
    memory.put(name + 16, ~std::uint64_t{0});
    memory.room(2000);
    memory.current(memory.frame(memory.function(kInternal, name, 0), memory.top(1)));
    EXPECT_THAT(calls(walk(memory)), ElementsAre("name /srv/index.php:1"));
}

TEST(StackWalk, ARingOfCallsIsBroken) {
    Memory memory;
    const auto first = memory.frame(memory.written("a"), 0, 1);
    const auto second = memory.frame(memory.written("b"), first, 2);
    memory.put(first + 48, second);
    memory.current(second);
    const Backtrace trace = walk(memory, 1'000'000);
    EXPECT_TRUE(trace.broken);
    EXPECT_LE(trace.frames.size(), 2U);
}

TEST(StackWalk, WhatCannotBeReadEndsTheTraceNotTheCallsBefore) {
    Memory memory;
    const auto lost = memory.frame(memory.written("lost"), 0xdeadbeef0, 8);
    memory.current(memory.frame(memory.internal("sleep"), lost));
    Backtrace trace = walk(memory);
    EXPECT_TRUE(trace.broken);
    EXPECT_FALSE(trace.moving);
    EXPECT_THAT(calls(trace), ElementsAre("sleep /srv/f.php:8"));

    const auto nameless = memory.frame(memory.function(kInternal, 0x10, 0), memory.top(1));
    memory.current(
        memory.frame(memory.internal("f"), memory.frame(memory.written("g"), nameless, 6)));
    trace = walk(memory);
    EXPECT_TRUE(trace.broken);
    EXPECT_THAT(calls(trace), ElementsAre("f /srv/f.php:6"));
}

TEST(StackWalk, WithoutAScriptThereIsNoTrace) {
    Memory memory;
    memory.current(memory.top(1));
    for (const std::uint64_t path : {std::uint64_t{0}, std::uint64_t{1}}) {
        memory.put(kBase + 8, path);
        EXPECT_TRUE(walk(memory).broken);
    }
}

TEST(StackWalk, ACallThatReturnsMeanwhileIsNotShown) {
    Memory memory;
    const auto outer = memory.frame(memory.written("outer"), memory.top(7), 12);
    const auto inner = memory.frame(memory.internal("sleep"), outer);
    memory.onStart = [&](int start) { memory.current(start == 1 ? inner : outer); };
    const Backtrace trace = walk(memory);
    EXPECT_THAT(calls(trace), ElementsAre("outer /srv/index.php:7"));
    EXPECT_FALSE(trace.moving);
}

TEST(StackWalk, ACallThatIsMadeMeanwhileDoesNotMatter) {
    Memory memory;
    const auto outer = memory.frame(memory.written("outer"), memory.top(7), 12);
    const auto inner = memory.frame(memory.internal("sleep"), outer);
    memory.onStart = [&](int start) { memory.current(start == 1 ? outer : inner); };
    EXPECT_THAT(calls(walk(memory)), ElementsAre("outer /srv/index.php:7"));
}

TEST(StackWalk, AScriptThatNeverRestsShowsTheCallsThatStayed) {
    Memory memory;
    const auto outer = memory.frame(memory.written("outer"), memory.top(7), 12);
    const auto one = memory.frame(memory.internal("one"), outer);
    const auto other = memory.frame(memory.internal("other"), outer);
    memory.onStart = [&](int start) { memory.current(start % 2 == 0 ? one : other); };
    const Backtrace trace = walk(memory);
    EXPECT_THAT(calls(trace), ElementsAre("outer /srv/index.php:7"));
    EXPECT_TRUE(trace.moving);
    EXPECT_FALSE(trace.broken);
}

TEST(StackWalk, OfManyRestlessReadingsTheOneThatKnowsMostCallsIsShown) {
    Memory memory;
    const auto top = memory.top(7);
    const auto outer = memory.frame(memory.written("outer"), top, 12);
    const auto deep = [&](const char* name) {
        return memory.frame(memory.internal(name), memory.frame(memory.written(name), outer, 20));
    };
    const std::array shallow{memory.frame(memory.internal("a"), top),
                             memory.frame(memory.internal("b"), top)};
    const std::array deeper{deep("c"), deep("d")};
    memory.onStart = [&](int start) {
        memory.current((start <= 2 ? shallow : deeper).at(static_cast<std::size_t>(start % 2)));
    };
    const Backtrace trace = walk(memory);
    EXPECT_THAT(calls(trace), ElementsAre("outer /srv/index.php:7"));
    EXPECT_TRUE(trace.moving);
}

TEST(StackWalk, ItIsReadAgainUntilItRests) {
    Memory memory;
    const auto outer = memory.frame(memory.written("outer"), memory.top(7), 12);
    const auto one = memory.frame(memory.internal("one"), outer);
    const auto other = memory.frame(memory.internal("other"), outer);
    memory.onStart = [&](int start) { memory.current(start % 2 == 0 || start > 5 ? one : other); };
    const Backtrace trace = walk(memory);
    EXPECT_THAT(calls(trace), ElementsAre("one /srv/f.php:12", "outer /srv/index.php:7"));
    EXPECT_FALSE(trace.moving);
}

TEST(StackWalk, ACallerThatGoesOnMeanwhileIsReadAgain) {
    Memory memory;
    const auto outer = memory.frame(memory.written("outer"), memory.top(7), 12);
    const auto later = memory.room(32);
    memory.put<std::uint32_t>(later + 24, 13);
    memory.current(memory.frame(memory.internal("f"), outer));
    memory.onStart = [&](int start) {
        if (start == 2) {
            memory.put(outer, later);
        }
    };
    EXPECT_THAT(calls(walk(memory)), ElementsAre("f /srv/f.php:13", "outer /srv/index.php:7"));
}

/// Whatever address: bytes from a small heap of them, now and then nothing.
class Noise final : public MemoryReader {
  public:
    explicit Noise(std::uint64_t seed) : random_(seed), cells_(64) {
        // Pointers that are taken for such lead on more often than not.
        for (std::uint64_t& cell : cells_) {
            const std::uint64_t value = random_();
            cell = value % 4 == 0 ? value : value & 0x1f8;
        }
        hostile_ = random_() % 64;
    }
    bool read(std::uint64_t address, void* buffer, std::size_t n) noexcept override {
        ++reads;
        if (random_() % 64 < hostile_ / 8) {
            return false;
        }
        auto* bytes = static_cast<char*>(buffer);
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint64_t at = address + i;
            bytes[i] = static_cast<char>(cells_[at / 8 % cells_.size()] >> (at % 8 * 8));
        }
        if (hostile_ % 8 == 0) {
            cells_[random_() % cells_.size()] = random_();
        }
        return true;
    }
    std::uint64_t reads = 0;

  private:
    std::mt19937_64 random_;
    std::vector<std::uint64_t> cells_;
    std::uint64_t hostile_ = 0;
};

TEST(StackWalk, NoMemoryMakesItCrashOrGoOnForEver) {
    constexpr std::size_t kDepth = 20;
    std::uint64_t most = 0;
    std::size_t deepest = 0;
    for (std::uint64_t seed = 0; seed < 100'000; ++seed) {
        Noise noise(seed);
        const Backtrace trace = walkStack(noise, layout(), kDepth);
        most = std::max(most, noise.reads);
        deepest = std::max(deepest, trace.frames.size());
        ASSERT_LE(trace.frames.size(), kDepth);
        ASSERT_LE(trace.script.size(), 1023U);
        for (const BacktraceFrame& frame : trace.frames) {
            ASSERT_LE(frame.function.size(), 1023U);
            ASSERT_LE(frame.file.size(), 1023U);
        }
    }
    EXPECT_LT(most, 20'000U);
    EXPECT_GT(deepest, 4U) << "the noise never looks like a stack";
}

}  // namespace
}  // namespace muster::php
