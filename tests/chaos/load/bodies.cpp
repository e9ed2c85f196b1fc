// Bodies that tell where each of their bytes belongs, and their comparison.
#include "bodies.h"

#include <algorithm>
#include <cstdio>

namespace muster::chaos {

namespace {

constexpr std::size_t kRepeats = 256;  ///< of a fingerprint, before the next one
constexpr std::size_t kShown = 80;

std::string shown(std::string_view text) {
    std::string out(text.substr(0, kShown));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < ' ' || c == ',' || c == '"'; }, ' ');
    return out;
}

}  // namespace

std::string fingerprint(std::string_view bytes) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : bytes) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    return text;
}

std::string address(const Request& request) {
    std::string path =
        "/" + *request.route + "/" + request.sort->name + ".php?id=" + std::to_string(request.id);
    if (request.sort->kind == Kind::script) {
        return path + "&ms=" + std::to_string(request.sort->amount);
    }
    return path + "&bytes=" + std::to_string(request.bytes);
}

std::string body(const Request& request) {
    std::string text;
    text.reserve(request.bytes);
    for (std::uint64_t block = 0; text.size() < request.bytes; ++block) {
        const std::string print =
            fingerprint(std::to_string(request.id) + ":" + std::to_string(block));
        for (std::size_t n = 0; n < kRepeats && text.size() < request.bytes; ++n) {
            text.append(print, 0, request.bytes - text.size());
        }
    }
    return text;
}

std::string judge(const Request& request, std::string_view answer) {
    if (request.sort->kind == Kind::download) {
        const std::string expected = body(request);
        const auto differ =
            std::mismatch(expected.begin(), expected.end(), answer.begin(), answer.end()).first;
        if (answer == expected) {
            return {};
        }
        return std::to_string(answer.size()) + " bytes instead of " +
               std::to_string(expected.size()) + " different from byte " +
               std::to_string(differ - expected.begin());
    }
    std::string expected = request.sort->name + " " + std::to_string(request.id);
    if (request.sort->kind == Kind::upload) {
        expected += " " + std::to_string(request.bytes) + " " + fingerprint(body(request));
    }
    return answer == expected ? std::string{} : "answer: " + shown(answer);
}

}  // namespace muster::chaos
