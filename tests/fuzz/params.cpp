// Decodes arbitrary bytes as name-value pairs, then sets and erases, beside a slow table.
//
// Input: limits (2 bytes), length of the pairs (2 bytes), pairs, then operations: a byte that says
// which, a name and a value that end with a newline.
#include "fastcgi/params.h"

#include <optional>
#include <utility>
#include <vector>

#include "fastcgi/client.h"
#include "input.h"

namespace {

using namespace muster;

std::string upToNul(std::string_view text) {
    return std::string(text.substr(0, text.find('\0')));
}

/// Oldest first.
class SlowTable {
  public:
    void set(std::string_view name, std::string_view value) {
        const std::string key = upToNul(name);
        for (auto& [known, old] : pairs_) {
            if (known == key) {
                old = upToNul(value);
                return;
            }
        }
        pairs_.emplace_back(key, upToNul(value));
    }
    void erase(const std::string& name) {
        std::erase_if(pairs_, [&](const auto& pair) { return pair.first == name; });
    }
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& pairs() const {
        return pairs_;
    }

  private:
    std::vector<std::pair<std::string, std::string>> pairs_;
};

std::optional<std::size_t> lengthAt(std::string_view bytes, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    if (at < bytes.size() && byte(at) < 128) {
        return byte(at++);
    }
    if (bytes.size() - at < 4) {
        return std::nullopt;
    }
    at += 4;
    return (byte(at - 4) - 128U) * std::size_t{16777216} + byte(at - 3) * std::size_t{65536} +
           byte(at - 2) * std::size_t{256} + byte(at - 1);
}

bool decodeSlowly(std::string_view bytes, const fastcgi::ParamsLimits& limits, SlowTable& table) {
    if (bytes.size() > limits.totalBytes) {
        return false;
    }
    std::size_t count = 0;
    for (std::size_t at = 0; at < bytes.size(); ++count) {
        const auto name = lengthAt(bytes, at);
        const auto value = name ? lengthAt(bytes, at) : std::nullopt;
        if (!value || bytes.size() - at < *name + *value || count == limits.count ||
            bytes.substr(at, *name).find('\0') != std::string_view::npos) {
            return false;
        }
        table.set(bytes.substr(at, *name), bytes.substr(at + *name, *value));
        at += *name + *value;
    }
    return true;
}

void compare(const fastcgi::Params& params, const SlowTable& table) {
    fuzz::hold(params.size() == table.pairs().size(), "as many variables");
    auto expected = table.pairs().rbegin();
    params.forEach([&](const fastcgi::Params::Entry& entry) {
        fuzz::hold(expected != table.pairs().rend() && expected->first == entry.name &&
                       expected->second == entry.value &&
                       expected->first.size() == entry.nameLength &&
                       expected->second.size() == entry.valueLength,
                   "the same variables, newest first", entry.name);
        fuzz::hold(params.get(expected->first) == entry.value, "found by name", entry.name);
        ++expected;
    });
}

/// What was decoded, encoded and decoded again, is the same.
void checkRoundTrip(const fastcgi::Params& params, const SlowTable& table) {
    fastcgi::Params again;
    fuzz::hold(again.decode(fastcgi::encodePairs(table.pairs()), {}), "its own encoding decodes");
    compare(again, table);
    again.clear();
    fuzz::hold(again.size() == 0 && (params.size() == 0 || again.get("A") == nullptr), "cleared");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Used again and again as a worker does, so that its storage is warm.
    static fastcgi::Params params;
    fuzz::Input input(data, size);
    const fastcgi::ParamsLimits limits{.totalBytes = input.byte() * std::size_t{32},
                                       .count = input.byte()};
    const std::size_t length = input.byte() * std::size_t{256} + input.byte();
    const std::string_view pairs = input.take(length);
    SlowTable table;
    params.clear();
    const bool decoded = params.decode(pairs, limits);
    fuzz::hold(decoded == decodeSlowly(pairs, limits, table), "both decode it or both do not");
    compare(params, table);
    while (!input.empty()) {
        const bool erases = input.byte() % 4 == 0;
        const std::string name = upToNul(input.upTo('\n'));
        if (erases) {
            params.erase(name);
            table.erase(name);
        } else {
            const std::string_view value = input.upTo('\n');
            params.set(name, value);
            table.set(name, value);
        }
    }
    compare(params, table);
    checkRoundTrip(params, table);
    return 0;
}
