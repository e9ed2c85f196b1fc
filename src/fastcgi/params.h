// The variables of one request: FastCGI PARAMS as an ordered, mutable table.
//
// Order is newest first (spec fastcgi.md §4.1): iteration goes from the variable added last to
// the one added first; an overwritten variable keeps its place. Names and values are kept
// NUL-terminated in storage owned by the table, so they can be handed to C; a value ends for
// every reader at its first NUL. Pointers stay valid until clear(). No allocation per request
// once warm. Worker side; not thread safe; decode() takes hostile bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace muster::fastcgi {

/// Upper bounds of one request's parameters; beyond them the connection is closed.
struct ParamsLimits {
    std::size_t totalBytes = std::size_t{8} << 20;
    std::size_t count = 10000;
};

class Params {
  public:
    struct Entry {
        const char* name;  ///< NUL-terminated
        const char* value;
        std::uint32_t nameLength;
        std::uint32_t valueLength;  ///< up to the first NUL
        std::uint32_t hash;
    };

    Params();

    /// Forgets everything; keeps the storage (unless it has grown beyond reason).
    void clear();

    /// Adds a variable or overwrites its value. A name ends at its first NUL, too.
    void set(std::string_view name, std::string_view value);
    void erase(std::string_view name);

    /// The value, NUL-terminated, or null when absent (empty is present).
    [[nodiscard]] const char* get(std::string_view name) const;
    [[nodiscard]] const Entry* find(std::string_view name) const;

    /// Decodes name-value pairs; false when the bytes are malformed (a NUL in a name is), end
    /// inside a pair or exceed the limits (what was decoded until then stays).
    [[nodiscard]] bool decode(std::string_view bytes, const ParamsLimits& limits);

    [[nodiscard]] std::size_t size() const;

    /// Calls f(const Entry&) newest first.
    template <typename F>
    void forEach(F&& f) const {
        for (std::size_t i = entries_.size(); i-- > 0;) {
            if (entries_[i].name != nullptr) {
                f(entries_[i]);
            }
        }
    }

  private:
    [[nodiscard]] char* allocate(std::size_t n);
    [[nodiscard]] const char* keep(std::string_view text);
    [[nodiscard]] std::size_t probe(std::string_view name, std::uint32_t hash) const;
    void growIndex();

    struct Block {
        std::unique_ptr<char[]> bytes;
        std::size_t size;
    };
    /// Names come from clients (HTTP_*): the seed keeps them from choosing colliding ones. A
    /// member, because a runtime plugin has its own copy of this code and must find what we stored.
    std::uint64_t seed_;
    std::vector<Entry> entries_;        ///< oldest first; erased entries have a null name
    std::vector<std::uint32_t> index_;  ///< hash table: position in entries_ + 1, 0 is free
    std::size_t erased_ = 0;
    std::vector<Block> blocks_;  ///< texts; a block never moves
    std::size_t used_ = 0;       ///< of the last block
};

/// Takes one name-value pair off the front of `bytes`; false when they are malformed or cut.
[[nodiscard]] bool takePair(std::string_view& bytes, std::string_view& name,
                            std::string_view& value);

}  // namespace muster::fastcgi
