// The sequence-counter protocol between one writer and any number of readers, in one place.
//
// A writer makes the counter odd, stores its words, makes it even; a reader copies the words and
// believes the copy only if the counter was even and the same before and after. Nobody waits for
// anybody: a reader gives up after a bounded number of tries.
//
// Every word is stored with release and loaded with acquire order instead of being set between
// two fences. On x86-64 that is the same code, and on all machines it is free of data races in
// the language's own terms, so that ThreadSanitizer, which does not know fences, understands it:
// a reader that saw one word of a write also sees the odd counter that came before it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace muster::scoreboard {

/// Shared structs are read and written as these, whatever their fields are.
using Word = std::uint64_t __attribute__((may_alias));

/// `bytes` is a multiple of the word size; both sides are aligned to it.
inline void storeWords(void* shared, const void* from, std::size_t bytes) {
    auto* target = static_cast<Word*>(shared);
    const auto* source = static_cast<const Word*>(from);
    for (std::size_t i = 0; i < bytes / sizeof(Word); ++i) {
        __atomic_store_n(target + i, source[i], __ATOMIC_RELEASE);
    }
}

inline void loadWords(void* to, const void* shared, std::size_t bytes) {
    auto* target = static_cast<Word*>(to);
    const auto* source = static_cast<const Word*>(shared);
    for (std::size_t i = 0; i < bytes / sizeof(Word); ++i) {
        target[i] = __atomic_load_n(source + i, __ATOMIC_ACQUIRE);
    }
}

/// Where a writer goes on from: whatever a predecessor left behind, the next even number.
inline std::uint32_t nextEven(const std::atomic<std::uint32_t>& sequence) {
    return (sequence.load(std::memory_order_relaxed) + 1U) & ~1U;
}

/// Runs `write` with the counter odd. `own` is the writer's private copy of the counter: it never
/// takes the number from shared memory, where somebody else may have scribbled.
template <typename Write>
void publish(std::atomic<std::uint32_t>& sequence, std::uint32_t& own, Write&& write) {
    sequence.store(own + 1, std::memory_order_relaxed);
    write();
    own += 2;
    sequence.store(own, std::memory_order_release);
}

/// Looks at a counter this often before it takes its writer for preempted, dead or hostile: a write
/// takes far less.
inline constexpr int kOddLooks = 2000;

/// Runs `read` until it saw nothing but one state, at most `tries` times. When that fails, once
/// more without looking at the counter, and false: the copy may be a mixture.
template <typename Read>
bool readStable(const std::atomic<std::uint32_t>& sequence, int tries, Read&& read) {
    for (int i = 0; i < tries; ++i) {
        std::uint32_t before = sequence.load(std::memory_order_acquire);
        for (int looks = 0; (before & 1U) != 0 && looks < kOddLooks; ++looks) {
            before = sequence.load(std::memory_order_acquire);
        }
        if ((before & 1U) != 0) {
            break;
        }
        read();
        if (sequence.load(std::memory_order_relaxed) == before) {
            return true;
        }
    }
    read();
    return false;
}

}  // namespace muster::scoreboard
