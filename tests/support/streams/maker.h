// Makes valid FastCGI streams of every kind, and damages them.
#pragma once

#include <random>
#include <string>
#include <string_view>

#include "support/streams/records.h"

namespace muster::fastcgi::streams {

class StreamMaker {
  public:
    explicit StreamMaker(unsigned seed) : random_(seed) {}

    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

    std::string stream() {
        std::string bytes;
        for (unsigned requests = 1 + below(3); requests > 0; --requests) {
            if (below(6) == 0) {
                appendValues(bytes);
            }
            if (below(10) == 0) {
                bytes += record(RecordType::stdIn, 1, {}, padding());  // of nobody any more
            }
            appendRequest(bytes);
        }
        return bytes;
    }

    std::string mutated(std::string bytes) {
        for (unsigned changes = 1 + below(3); changes > 0 && !bytes.empty(); --changes) {
            const std::size_t at = below(static_cast<unsigned>(bytes.size()));
            switch (below(4)) {
                case 0:
                    bytes.erase(at, 1 + below(9));
                    break;
                case 1:
                    bytes.insert(at, 1 + below(9), static_cast<char>(below(12)));
                    break;
                case 2:
                    bytes.resize(at);
                    break;
                default:
                    bytes[at] = static_cast<char>(below(below(2) == 0 ? 12 : 256));
            }
        }
        return bytes;
    }

  private:
    std::uint8_t padding() { return static_cast<std::uint8_t>(below(3) == 0 ? below(256) : 0); }

    std::string text(unsigned atMost) {
        std::string made(below(atMost + 1), 'a');
        for (char& c : made) {
            c = static_cast<char>('a' + below(26));
        }
        return made;
    }

    void appendNoise(std::string& bytes, std::uint16_t id) {
        const auto other = static_cast<std::uint16_t>(id + 1 + below(3));
        if (below(8) == 0) {
            bytes += below(2) == 0 ? begin(other) : record(RecordType::stdIn, other, text(9));
        }
    }

    void appendPieces(std::string& bytes, RecordType type, std::uint16_t id, std::string_view all) {
        while (!all.empty()) {
            const std::size_t length = 1 + below(static_cast<unsigned>(all.size()));
            bytes += record(type, id, all.substr(0, length), padding());
            all.remove_prefix(length);
            appendNoise(bytes, id);
        }
        bytes += record(type, id, {}, padding());
    }

    void appendValues(std::string& bytes) {
        static constexpr const char* kNames[] = {"FCGI_MPXS_CONNS", "FCGI_MAX_CONNS", "X"};
        bytes +=
            record(RecordType::getValues, static_cast<std::uint16_t>(below(2)),
                   encodePairs({{kNames[below(3)], ""}, {kNames[below(3)], text(3)}}), padding());
    }

    ClientParams variables() {
        ClientParams params;
        for (unsigned count = below(6); count > 0; --count) {
            params.emplace_back(text(6), text(below(5) == 0 ? 300 : 12));
            if (below(12) == 0) {
                params.back().second += '\0' + text(5);
            }
            if (below(12) == 0) {
                params.emplace_back(params.front().first, text(9));
            }
        }
        return params;
    }

    void appendRequest(std::string& bytes) {
        static constexpr std::uint16_t kIds[] = {0, 1, 2, 65535};
        constexpr int kFilter = 3;
        const std::uint16_t id = kIds[below(4)];
        const int role = static_cast<int>(1 + below(3));
        const std::size_t start = bytes.size();
        bytes += begin(id, role, static_cast<int>(below(4)));
        if (below(16) == 0) {
            // The end of PARAMS may be missing where the body is empty.
            bytes += record(RecordType::stdIn, id, {}, padding());
            return;
        }
        appendPieces(bytes, RecordType::params, id, encodePairs(variables()));
        if (role == kFilter && below(2) == 0) {
            bytes += record(RecordType::data, id, text(20), padding());
        }
        appendPieces(bytes, RecordType::stdIn, id, text(below(2000) == 0 ? kMuch : 100));
        if (role == kFilter && below(2) == 0) {
            bytes += record(RecordType::data, id, text(20), padding());
            bytes += record(RecordType::data, id, {}, padding());
        }
        bytes[start] = static_cast<char>(below(8) == 0 ? 2 : 1);  // any version but 0 will do
    }

    static constexpr unsigned kMuch = 60000;
    std::mt19937 random_;
};

}  // namespace muster::fastcgi::streams
