// What a Transcript must say of a stream, told slowly by whole records.
//
// An independent model: knows nothing of buffers, cuts and phases in between. Streams below 64 KiB:
// the budgets for padding and for records of other requests are not modelled.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/streams/records.h"

namespace muster::fastcgi::streams {

struct Record {
    RecordHeader header;
    std::string content;
    bool whole = true;  ///< content and padding are there to their ends
};

/// One request that a server must see in a stream.
struct Told {
    std::uint16_t id = 0;
    bool keepAlive = false;
    std::vector<std::pair<std::string, std::string>> variables;
    std::string body;
    bool ended = false;  ///< with its empty STDIN record

    [[nodiscard]] std::string operator[](std::string_view name) const {
        for (const auto& [known, value] : variables) {
            if (known == name) {
                return value;
            }
        }
        return {};
    }
};

class Reference {
  public:
    explicit Reference(const std::string& stream, ParamsLimits limits = kSmallLimits)
        : limits_(limits), records_(split(stream)) {
        while (next_ < records_.size() && betweenRequests()) {
        }
    }

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] const std::vector<Told>& requests() const { return requests_; }
    /// The stream ends with a whole request or behind one: nothing more is waited for.
    [[nodiscard]] bool isWhole() const { return state_ == State::atRest && endsWithRecord_; }

  private:
    enum class State { atRest, amidRequest, over };

    std::vector<Record> split(const std::string& stream) {
        std::vector<Record> records;
        std::size_t at = 0;
        while (stream.size() - at >= kHeaderSize) {
            Record found;
            found.header = headerAt(stream, at);
            at += kHeaderSize;
            found.content = stream.substr(at, found.header.contentLength);
            const std::size_t size =
                std::size_t{found.header.contentLength} + found.header.paddingLength;
            found.whole = stream.size() - at >= size;
            at += std::min(size, stream.size() - at);
            endsWithRecord_ = found.whole;
            records.push_back(found);
        }
        endsWithRecord_ = endsWithRecord_ && at == stream.size();
        return records;
    }

    static RecordHeader headerAt(const std::string& stream, std::size_t at) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(stream[at + i]); };
        return {.version = byte(0),
                .type = static_cast<RecordType>(byte(1)),
                .requestId = static_cast<std::uint16_t>(byte(2) * 256 + byte(3)),
                .contentLength = static_cast<std::uint16_t>(byte(4) * 256 + byte(5)),
                .paddingLength = byte(6)};
    }

    using Pairs = std::vector<std::pair<std::string, std::string>>;

    static bool takeLength(std::string_view& bytes, std::size_t& length) {
        const std::size_t size = !bytes.empty() && (bytes[0] & 0x80) != 0 ? 4 : 1;
        if (bytes.size() < size) {
            return false;
        }
        length = 0;
        for (std::size_t i = 0; i < size; ++i) {
            length = length * 256 + static_cast<unsigned char>(bytes[i]);
        }
        length &= size == 4 ? 0x7fffffffU : 0x7fU;
        bytes.remove_prefix(size);
        return true;
    }

    /// False when there is more than whole pairs; `pairs` has those before.
    static bool pairsIn(std::string_view bytes, Pairs& pairs) {
        while (!bytes.empty()) {
            std::size_t name = 0;
            std::size_t value = 0;
            if (!takeLength(bytes, name) || !takeLength(bytes, value) ||
                bytes.size() < name + value) {
                return false;
            }
            pairs.emplace_back(bytes.substr(0, name), bytes.substr(name, value));
            bytes.remove_prefix(name + value);
        }
        return true;
    }

    static bool asksForMultiplexing(const std::string& content) {
        Pairs pairs;
        pairsIn(content, pairs);
        return std::any_of(pairs.begin(), pairs.end(),
                           [](const auto& pair) { return pair.first == "FCGI_MPXS_CONNS"; });
    }

    bool violation() {
        text_ += "[violation]";
        state_ = State::over;
        return false;
    }

    bool betweenRequests() {
        const Record& r = records_[next_++];
        const RecordType type = r.header.type;
        const bool data = type == RecordType::data && filter_ && r.header.requestId == id_;
        if (r.header.version == 0) {
            return violation();
        }
        if (data ||
            (type == RecordType::stdIn && r.content.empty() && r.header.contentLength == 0)) {
            return r.whole;
        }
        if (type == RecordType::getValues) {
            text_ += r.whole ? "[answered]" : "";
            replies_ += asksForMultiplexing(r.content) ? 32U : 8U;
            return r.whole;
        }
        if (type != RecordType::beginRequest || r.header.contentLength != 8) {
            return violation();
        }
        if (!r.whole) {
            return false;
        }
        const auto role = static_cast<unsigned char>(r.content[1]);
        if (r.content[0] != 0 || role < 1 || role > 3) {
            return violation();
        }
        filter_ = role == 3;
        id_ = r.header.requestId;
        static constexpr const char* kRoles[] = {"RESPONDER", "AUTHORIZER", "FILTER"};
        role_ = kRoles[role - 1];
        keep_ = (r.content[2] & 1) != 0;
        state_ = State::amidRequest;
        return head();
    }

    bool foreign(const Record& r) {
        if (r.header.type == RecordType::beginRequest && r.whole) {
            replies_ += 16;
        }
        return r.whole;
    }

    bool head() {
        std::string pairs;
        while (next_ < records_.size()) {
            const Record& r = records_[next_++];
            const RecordType type = r.header.type;
            if (r.header.version == 0) {
                return violation();
            }
            if (r.header.requestId != id_) {
                if (!foreign(r)) {
                    return false;
                }
                continue;
            }
            const bool empty = r.header.contentLength == 0;
            if (empty && (type == RecordType::params || type == RecordType::stdIn)) {
                return r.whole && announce(pairs) && (type == RecordType::stdIn ? end() : body());
            }
            if (type != RecordType::params ||
                pairs.size() + r.header.contentLength > limits_.totalBytes) {
                return violation();
            }
            pairs += r.content;
            if (!r.whole) {
                return false;
            }
        }
        return false;
    }

    static void set(Pairs& table, const std::string& name, const std::string& value) {
        for (auto& [known, old] : table) {
            if (known == name) {
                old = value;
                return;
            }
        }
        table.emplace_back(name, value);
    }

    bool announce(const std::string& bytes) {
        Pairs given;
        if (!pairsIn(bytes, given) || given.size() > limits_.count) {
            return violation();
        }
        Pairs table{{"FCGI_ROLE", role_}};
        for (const auto& [name, value] : given) {
            if (name.find('\0') != std::string::npos) {
                return violation();
            }
            set(table, name, value.c_str());
        }
        text_ += "[request " + std::to_string(id_);
        for (auto pair = table.rbegin(); pair != table.rend(); ++pair) {
            text_ += " " + pair->first + "=" + pair->second;
        }
        text_ += keep_ ? " keep]" : " close]";
        requests_.push_back({id_, keep_, table, {}, false});
        return true;
    }

    bool end() {
        text_ += "[end " + std::to_string(replies_) + "]";
        requests_.back().ended = true;
        state_ = State::atRest;
        return true;
    }

    bool body() {
        while (next_ < records_.size()) {
            const Record& r = records_[next_++];
            const RecordType type = r.header.type;
            if (r.header.version == 0) {
                return violation();
            }
            if (r.header.requestId != id_ || (type == RecordType::data && filter_)) {
                if (!(r.header.requestId != id_ ? foreign(r) : r.whole)) {
                    return false;
                }
                continue;
            }
            if (type == RecordType::abortRequest) {
                text_ += "[aborted]";
                state_ = State::over;
                return false;
            }
            if (type != RecordType::stdIn) {
                return violation();
            }
            if (r.header.contentLength == 0) {
                return r.whole && end();
            }
            text_ += r.content;
            requests_.back().body += r.content;
            if (!r.whole) {
                return false;
            }
        }
        return false;
    }

    const ParamsLimits limits_;
    bool endsWithRecord_ = true;
    const std::vector<Record> records_;
    std::size_t next_ = 0;
    State state_ = State::atRest;
    std::string text_;
    std::vector<Told> requests_;
    std::size_t replies_ = 0;
    const char* role_ = "";
    std::uint16_t id_ = 0;
    bool filter_ = false;
    bool keep_ = false;
};

}  // namespace muster::fastcgi::streams
