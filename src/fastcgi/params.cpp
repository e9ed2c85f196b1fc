// The table of a request's variables: arena for the texts, open addressing for the look-ups.
#include "fastcgi/params.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

namespace muster::fastcgi {
namespace {

constexpr std::size_t kFirstBlock = std::size_t{16} << 10;
constexpr std::size_t kKeptStorage = std::size_t{256} << 10;
constexpr std::size_t kKeptEntries = 1024;
constexpr std::size_t kFirstIndex = 128;

std::uint64_t randomSeed() {
    std::uint64_t value = 0x9e37'79b9'7f4a'7c15;
    [[maybe_unused]] const ssize_t ignored = ::getrandom(&value, sizeof value, GRND_NONBLOCK);
    return value;
}

std::uint64_t mix(std::uint64_t state, std::uint64_t word) {
    state ^= word;
    state *= 0xd6e8'feb8'6659'fd93;
    return state ^ state >> 32U;
}

std::uint32_t hashOf(std::string_view name, std::uint64_t seed) {
    std::uint64_t state = seed ^ name.size();
    while (name.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, name.data(), sizeof word);
        state = mix(state, word);
        name.remove_prefix(sizeof word);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, name.data(), name.size());
    state = mix(mix(state, rest), seed);
    return static_cast<std::uint32_t>(state);
}

std::string_view upToNul(std::string_view text) {
    return text.substr(0, std::min(text.find('\0'), text.size()));
}

// One length of a pair: a byte, or four with the high bit set.
bool takeLength(std::string_view& bytes, std::size_t& length) {
    if (bytes.empty()) {
        return false;
    }
    const auto byteAt = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
    };
    if (byteAt(0) < 0x80) {
        length = byteAt(0);
        bytes.remove_prefix(1);
        return true;
    }
    if (bytes.size() < 4) {
        return false;
    }
    length = (byteAt(0) & 0x7fU) << 24U | byteAt(1) << 16U | byteAt(2) << 8U | byteAt(3);
    bytes.remove_prefix(4);
    return true;
}

}  // namespace

bool takePair(std::string_view& bytes, std::string_view& name, std::string_view& value) {
    std::size_t nameLength = 0;
    std::size_t valueLength = 0;
    if (!takeLength(bytes, nameLength) || !takeLength(bytes, valueLength) ||
        nameLength > bytes.size() || valueLength > bytes.size() - nameLength) {
        return false;
    }
    name = bytes.substr(0, nameLength);
    value = bytes.substr(nameLength, valueLength);
    bytes.remove_prefix(nameLength + valueLength);
    return true;
}

void Params::clear() {
    if (blocks_.size() > 1) {
        std::size_t total = 0;
        for (const Block& block : blocks_) {
            total += block.size;
        }
        blocks_.clear();
        if (total <= kKeptStorage) {
            blocks_.push_back({std::make_unique<char[]>(total), total});
        }
    } else if (!blocks_.empty() && blocks_.front().size > kKeptStorage) {
        blocks_.clear();
    }
    used_ = 0;
    entries_.clear();
    erased_ = 0;
    if (entries_.capacity() > kKeptEntries) {
        entries_.shrink_to_fit();
        index_.clear();
        index_.shrink_to_fit();
    }
    std::fill(index_.begin(), index_.end(), 0U);
}

char* Params::allocate(std::size_t n) {
    if (blocks_.empty() || blocks_.back().size - used_ < n) {
        const std::size_t size = std::max(kFirstBlock, n);
        blocks_.push_back({std::make_unique<char[]>(size), size});
        used_ = 0;
    }
    char* place = blocks_.back().bytes.get() + used_;
    used_ += n;
    return place;
}

const char* Params::keep(std::string_view text) {
    char* copy = allocate(text.size() + 1);
    std::copy(text.begin(), text.end(), copy);
    copy[text.size()] = '\0';
    return copy;
}

// The place in the index of `name`, or the free place where it would go. Erased entries stay
// in the index as places that match nothing.
Params::Params() : seed_(randomSeed()) {}

std::size_t Params::probe(std::string_view name, std::uint32_t hash) const {
    const std::size_t mask = index_.size() - 1;
    for (std::size_t place = hash & mask;; place = (place + 1) & mask) {
        if (index_[place] == 0) {
            return place;
        }
        const Entry& entry = entries_[index_[place] - 1];
        if (entry.hash == hash && entry.name != nullptr &&
            name == std::string_view(entry.name, entry.nameLength)) {
            return place;
        }
    }
}

void Params::growIndex() {
    index_.assign(std::max(kFirstIndex, index_.size() * 2), 0U);
    const std::size_t mask = index_.size() - 1;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        std::size_t place = entries_[i].hash & mask;
        while (index_[place] != 0) {
            place = (place + 1) & mask;
        }
        index_[place] = static_cast<std::uint32_t>(i + 1);
    }
}

void Params::set(std::string_view name, std::string_view value) {
    name = upToNul(name);
    value = upToNul(value);
    if ((entries_.size() + 1) * 2 > index_.size()) {
        growIndex();
    }
    const std::uint32_t hash = hashOf(name, seed_);
    const std::size_t place = probe(name, hash);
    const char* kept = keep(value);
    const auto valueLength = static_cast<std::uint32_t>(value.size());
    if (index_[place] != 0) {
        Entry& entry = entries_[index_[place] - 1];
        entry.value = kept;
        entry.valueLength = valueLength;
        return;
    }
    entries_.push_back(
        {keep(name), kept, static_cast<std::uint32_t>(name.size()), valueLength, hash});
    index_[place] = static_cast<std::uint32_t>(entries_.size());
}

void Params::erase(std::string_view name) {
    if (index_.empty()) {
        return;
    }
    const std::size_t place = probe(name, hashOf(name, seed_));
    if (index_[place] != 0) {
        entries_[index_[place] - 1].name = nullptr;
        ++erased_;
    }
}

const Params::Entry* Params::find(std::string_view name) const {
    if (index_.empty()) {
        return nullptr;
    }
    const std::size_t place = probe(name, hashOf(name, seed_));
    return index_[place] == 0 ? nullptr : &entries_[index_[place] - 1];
}

const char* Params::get(std::string_view name) const {
    const Entry* entry = find(name);
    return entry == nullptr ? nullptr : entry->value;
}

bool Params::decode(std::string_view bytes, const ParamsLimits& limits) {
    if (bytes.size() > limits.totalBytes) {
        return false;
    }
    std::string_view name;
    std::string_view value;
    for (std::size_t count = 0; !bytes.empty(); ++count) {
        if (count == limits.count || !takePair(bytes, name, value) ||
            name.find('\0') != std::string_view::npos) {
            return false;
        }
        set(name, value);
    }
    return true;
}

std::size_t Params::size() const {
    return entries_.size() - erased_;
}

}  // namespace muster::fastcgi
