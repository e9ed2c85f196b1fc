// Reads a stack of calls out of the memory of a running engine, given where things lie in it.
//
// Knows no PHP header, so that it can be tried on any memory. Whatever is there, a walk ends after
// a bounded number of reads and keeps a bounded amount of text.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/backtrace.h"

namespace muster::php {

/// Where the engine keeps what: absolute addresses of its globals, offsets within its records.
struct StackLayout {
    std::uint64_t currentFrame = 0;  ///< address of the pointer to the innermost frame
    std::uint64_t scriptPath = 0;    ///< address of the pointer to the script's path, a C string
    struct Frame {
        std::size_t size = 0;
        std::size_t instruction = 0;
        std::size_t function = 0;
        std::size_t callInfo = 0;
        std::size_t previous = 0;
    } frame;
    struct Function {
        std::size_t type = 0;
        std::size_t name = 0;       ///< near the type: both are read at once
        std::size_t file = 0;       ///< of functions written in PHP
        std::uint8_t internal = 0;  ///< the type of those that are not
    } function;
    std::size_t instructionLine = 0;
    struct Text {
        std::size_t length = 0;
        std::size_t bytes = 0;
    } text;
    struct Call {
        std::uint32_t kind = 0;       ///< bits of callInfo
        std::uint32_t topOfFile = 0;  ///< … of the code of the script itself
    } call;
};

/// The innermost `depth` calls. Reads the stack twice, and again until two readings show it as it
/// was at one moment, a bounded number of times; after that what the best two had in common.
[[nodiscard]] Backtrace walkStack(MemoryReader& memory, const StackLayout& layout,
                                  std::size_t depth);

}  // namespace muster::php
