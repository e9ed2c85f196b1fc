// A script's stack of calls as read from outside, and through what it is read.
//
// Plain data; every text in it comes from the memory of a process nobody trusts and is to be
// escaped where it is shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace muster {

/// Memory in which any address may be wrong, and which may change under the reader.
class MemoryReader {
  public:
    /// All `n` bytes, or false.
    virtual bool read(std::uint64_t address, void* buffer, std::size_t n) noexcept = 0;

  protected:
    ~MemoryReader() = default;
};

struct BacktraceFrame {
    std::uint64_t address = 0;  ///< of the engine's own record of the call
    std::string function;       ///< what was called
    std::string file;           ///< where it was called from; "unknown" when nowhere in a script
    std::uint32_t line = 0;
};

struct Backtrace {
    std::string script;
    std::vector<BacktraceFrame> frames;  ///< innermost first
    /// The stack could not be read to its end: corrupted, or not to be read at all.
    bool broken = false;
    /// The script ran on while its stack was read: calls further in are not shown.
    bool moving = false;
};

}  // namespace muster
