// What the fuzzers share: taking an input apart, and saying what does not hold.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace muster::fuzz {

/// Takes values off the front; what is not there is 0 or empty.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size)
        : rest_(reinterpret_cast<const char*>(data), size) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    [[nodiscard]] std::string_view rest() const { return rest_; }

    unsigned byte() {
        const std::string_view one = take(1);
        return one.empty() ? 0U : static_cast<unsigned char>(one.front());
    }
    /// Eight bytes, big-endian.
    std::uint64_t number() {
        std::uint64_t value = 0;
        for (int i = 0; i < 8; ++i) {
            value = value << 8U | byte();
        }
        return value;
    }
    /// At most n bytes.
    std::string_view take(std::size_t n) {
        const std::string_view taken = rest_.substr(0, n);
        rest_.remove_prefix(taken.size());
        return taken;
    }
    /// Up to the next `end`, which is taken, too.
    std::string_view upTo(char end) {
        const std::string_view taken = rest_.substr(0, rest_.find(end));
        rest_.remove_prefix(std::min(taken.size() + 1, rest_.size()));
        return taken;
    }

  private:
    std::string_view rest_;
};

[[noreturn]] inline void broken(const std::string& what, const std::string& expected,
                                const std::string& found) {
    std::fprintf(stderr, "%s\nexpected: %s\nfound:    %s\n", what.c_str(), expected.c_str(),
                 found.c_str());
    std::abort();
}

/// Aborts, saying what does not hold and for which value.
inline void hold(bool holds, const char* what, std::string_view value = {}) {
    if (!holds) {
        broken(what, "true", std::string(value));
    }
}

}  // namespace muster::fuzz
