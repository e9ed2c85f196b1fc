// Sends the soak's requests over blocking sockets with a deadline.
#include "visitor.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <charconv>

#include "base/io.h"

namespace muster::soak {

using fastcgi::ClientParams;
using fastcgi::ClientResponse;

namespace {

constexpr std::string_view kStatusHeader = "Status: ";
constexpr std::size_t kShown = 160;

int statusOf(std::string_view out) {
    const std::size_t end = out.find("\r\n\r\n");
    const std::size_t at = out.substr(0, end).find(kStatusHeader);
    if (at == std::string_view::npos) {
        return 200;
    }
    int status = 0;
    const std::string_view digits = out.substr(at + kStatusHeader.size(), 3);
    std::from_chars(digits.data(), digits.data() + digits.size(), status);
    return status;
}

std::string_view bodyOf(std::string_view out) {
    const std::size_t end = out.find("\r\n\r\n");
    return end == std::string_view::npos ? std::string_view{} : out.substr(end + 4);
}

}  // namespace

Visitor::Visitor(std::string address, std::string site, std::uint64_t seed, int timeoutSeconds)
    : address_(std::move(address)),
      site_(std::move(site)),
      random_(seed),
      timeoutSeconds_(timeoutSeconds) {}

std::uint64_t Visitor::number(std::uint64_t below) {
    return random_() % below;
}

std::string Visitor::noise(std::size_t bytes) {
    constexpr std::string_view kLetters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    static_assert(kLetters.size() == 64);
    std::string text(bytes, ' ');
    for (std::size_t at = 0; at < bytes;) {
        for (std::uint64_t bits = random_(), n = 0; n < 10 && at < bytes; ++n, bits >>= 6U) {
            text[at++] = kLetters[bits & 63U];
        }
    }
    return text;
}

ClientParams Visitor::get(std::string_view page, std::string_view query) const {
    const std::string name = "/" + std::string(page);
    const std::string uri = query.empty() ? name : name + "?" + std::string(query);
    return {{"QUERY_STRING", std::string(query)},
            {"REQUEST_METHOD", "GET"},
            {"CONTENT_TYPE", ""},
            {"CONTENT_LENGTH", ""},
            {"SCRIPT_NAME", name},
            {"REQUEST_URI", uri},
            {"DOCUMENT_URI", name},
            {"DOCUMENT_ROOT", site_},
            {"SERVER_PROTOCOL", "HTTP/1.1"},
            {"GATEWAY_INTERFACE", "CGI/1.1"},
            {"SERVER_SOFTWARE", "soak"},
            {"REMOTE_ADDR", "127.0.0.1"},
            {"SERVER_NAME", "localhost"},
            {"HTTP_HOST", "localhost"},
            {"HTTP_ACCEPT", "text/html,*/*"},
            {"SCRIPT_FILENAME", site_ + name}};
}

ClientParams Visitor::post(std::string_view page, std::string_view type, std::size_t length) const {
    ClientParams params = get(page);
    for (auto& [name, value] : params) {
        if (name == "REQUEST_METHOD") {
            value = "POST";
        } else if (name == "CONTENT_TYPE") {
            value = type;
        } else if (name == "CONTENT_LENGTH") {
            value = std::to_string(length);
        }
    }
    return params;
}

Result<UniqueFd> Visitor::connect() const {
    auto fd = fastcgi::connectTo(address_);
    if (fd) {
        const timeval limit{.tv_sec = timeoutSeconds_, .tv_usec = 0};
        for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
            if (::setsockopt(fd->get(), SOL_SOCKET, option, &limit, sizeof limit) != 0) {
                return errnoError("setsockopt");
            }
        }
    }
    return fd;
}

std::string Visitor::ask(const ClientParams& params, std::string_view body,
                         const Expected& expected) {
    const auto fd = connect();
    return fd ? askOn(fd->get(), params, body, expected, false) : fd.error().text();
}

std::string Visitor::askOn(int fd, const ClientParams& params, std::string_view body,
                           const Expected& expected, bool keep) {
    if (!sendAll(fd, fastcgi::encodeRequest(params, body, keep))) {
        return "the connection was closed under the request";
    }
    const auto response = fastcgi::readResponse(fd);
    return response ? judge(*response, expected) : response.error().text();
}

std::string judge(const ClientResponse& response, const Expected& expected) {
    const int status = statusOf(response.out);
    const std::string_view body = bodyOf(response.out);
    const bool fits =
        expected.exact ? body == expected.body : body.find(expected.body) != std::string_view::npos;
    if (response.protocolStatus == 0 && status == expected.status && fits) {
        return {};
    }
    return "status " + std::to_string(status) + ", end " + std::to_string(response.protocolStatus) +
           ", " + std::to_string(body.size()) + " bytes: " + std::string(body.substr(0, kShown)) +
           " | " + response.err.substr(0, kShown);
}

}  // namespace muster::soak
