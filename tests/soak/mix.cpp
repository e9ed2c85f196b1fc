// The kinds of requests, well-behaved and not, and what each must get.
#include "mix.h"

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>

#include "base/io.h"
#include "fastcgi/record.h"

namespace muster::soak {
namespace {

using fastcgi::ClientParams;
using fastcgi::RecordType;

constexpr std::string_view kForm = "application/x-www-form-urlencoded";
constexpr std::string_view kBytes = "application/octet-stream";

// The pages answer with the length and FNV-1a of what they got: cheap on both sides.
std::string fingerprint(std::string_view text) {
    std::uint32_t hash = 2166136261U;
    for (const char letter : text) {
        hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
    }
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string digits;
    for (unsigned shift = 32; shift > 0;) {
        shift -= 4;
        digits.push_back(kDigits[hash >> shift & 15U]);
    }
    return std::to_string(text.size()) + " " + digits;
}

Outcome one(Visitor& visitor, std::string_view page, const Expected& expected) {
    return {1, visitor.ask(visitor.get(page), {}, expected)};
}

Outcome hello(Visitor& visitor) {
    return one(visitor, "hello.php", {.body = "hello"});
}

Outcome keptAlive(Visitor& visitor, unsigned requests, std::chrono::milliseconds pause) {
    const auto fd = visitor.connect();
    if (!fd) {
        return {1, fd.error().text()};
    }
    for (unsigned n = 1; n <= requests; ++n) {
        const bool keep = n < requests;
        std::string problem =
            visitor.askOn(fd->get(), visitor.get("hello.php"), {}, {.body = "hello"}, keep);
        if (!problem.empty()) {
            return {n, "request " + std::to_string(n) + " of a connection: " + problem};
        }
        std::this_thread::sleep_for(pause);
    }
    return {requests, {}};
}

Outcome helloKeptAlive(Visitor& visitor) {
    return keptAlive(visitor, 10, {});
}

// Nobody waits for this one: the connection is parked with the manager.
Outcome helloNowAndThen(Visitor& visitor) {
    return keptAlive(visitor, 4, std::chrono::milliseconds(5));
}

Outcome form(Visitor& visitor) {
    const std::string text = visitor.noise(100 + visitor.number(4000));
    const std::string body = "text=" + text + "&list[]=1&list[]=2";
    return {1, visitor.ask(visitor.post("form.php", kForm, body.size()), body,
                           {.body = fingerprint(text)})};
}

Outcome bigBody(Visitor& visitor) {
    const std::string body = visitor.noise(100'000 + visitor.number(200'000));
    return {1, visitor.ask(visitor.post("body.php", kBytes, body.size()), body,
                           {.body = fingerprint(body)})};
}

// A page that does not look at what it is sent.
Outcome unreadBody(Visitor& visitor) {
    const std::string body = visitor.noise(30'000);
    return {1,
            visitor.ask(visitor.post("hello.php", kBytes, body.size()), body, {.body = "hello"})};
}

Outcome upload(Visitor& visitor) {
    const std::string boundary = "frontier" + visitor.noise(12);
    const std::string content = visitor.noise(1000 + visitor.number(30'000));
    std::string body;
    for (const char* field : {"one", "two"}) {
        body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + field +
                "\"; filename=\"a.bin\"\r\n\r\n" + content + "\r\n";
    }
    body += "--" + boundary + "--\r\n";
    return {1, visitor.ask(visitor.post("upload.php", "multipart/form-data; boundary=" + boundary,
                                        body.size()),
                           body, {.body = fingerprint(content)})};
}

Outcome fatal(Visitor& visitor) {
    return one(visitor, "fatal.php", {.status = 500});
}
Outcome exception(Visitor& visitor) {
    return one(visitor, "exception.php", {.status = 500});
}
Outcome memoryLimit(Visitor& visitor) {
    return one(visitor, "memory.php", {.status = 500});
}
Outcome exits(Visitor& visitor) {
    return one(visitor, "exit.php", {.body = "before, after"});
}
Outcome litter(Visitor& visitor) {
    return one(visitor, "litter.php", {.body = "littered"});
}
Outcome includes(Visitor& visitor) {
    return one(visitor, "include.php", {.body = "435"});
}
Outcome data(Visitor& visitor) {
    return one(visitor, "data.php", {.body = "42 <b>42</b>"});
}
Outcome finish(Visitor& visitor) {
    return one(visitor, "finish.php", {.body = "sent"});
}
Outcome ping(Visitor& visitor) {
    return one(visitor, "ping", {.body = "pong"});
}

Outcome missing(Visitor& visitor) {
    return one(visitor, "no/such.php", {.status = 404, .body = "File not found.\n"});
}

Outcome forbidden(Visitor& visitor) {
    return one(visitor, "hello.txt", {.status = 403, .body = "Access denied.\n"});
}

Outcome status(Visitor& visitor) {
    constexpr std::array<std::string_view, 5> kForms{"", "json&full", "xml", "html&full",
                                                     "openmetrics"};
    const std::string_view form = kForms[visitor.number(kForms.size())];
    return {1, visitor.ask(visitor.get("status", form), {}, {.exact = false})};
}

Outcome session(Visitor& visitor) {
    ClientParams params = visitor.get("session.php");
    const std::string id = "visitor" + std::to_string(visitor.number(50));
    params.emplace_back("HTTP_COOKIE", "PHPSESSID=" + id);
    return {1, visitor.ask(params, {}, {.body = "session " + id})};
}

Outcome phpValue(Visitor& visitor) {
    ClientParams params = visitor.get("ini.php");
    params.emplace_back("PHP_VALUE", "precision=7\nuser_agent=soak");
    return {1, visitor.ask(params, {}, {.body = "7 soak"})};
}

Outcome big(Visitor& visitor) {
    const auto fd = visitor.connect();
    if (!fd || !sendAll(fd->get(), fastcgi::encodeRequest(visitor.get("big.php"), {}, false))) {
        return {1, "cannot send"};
    }
    const auto response = fastcgi::readResponse(fd->get());
    const bool whole = response && response->out.size() > 300'000 && response->appStatus == 0;
    return {1, whole ? "" : "a big response is not whole"};
}

Outcome slowReader(Visitor& visitor) {
    const auto fd = visitor.connect();
    if (!fd || !sendAll(fd->get(), fastcgi::encodeRequest(visitor.get("big.php"), {}, false))) {
        return {1, "cannot send"};
    }
    std::array<char, 16384> piece{};
    std::size_t got = 0;
    for (ssize_t n = 1; n > 0; got += n > 0 ? static_cast<std::size_t>(n) : 0U) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        n = ::recv(fd->get(), piece.data(), piece.size(), 0);
    }
    return {1, got > 300'000 ? "" : "a slow reader got " + std::to_string(got) + " bytes"};
}

Outcome slowSender(Visitor& visitor) {
    const auto fd = visitor.connect();
    const std::string bytes = fastcgi::encodeRequest(visitor.get("hello.php"), {}, false);
    if (!fd) {
        return {1, fd.error().text()};
    }
    constexpr std::size_t kPieces = 8;
    const std::size_t size = bytes.size() / kPieces + 1;
    for (std::size_t at = 0; at < bytes.size(); at += size) {
        if (!sendAll(fd->get(), std::string_view(bytes).substr(at, size))) {
            return {1, "a slow sender was cut off"};
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    const auto response = fastcgi::readResponse(fd->get());
    return {1, response ? judge(*response, {.body = "hello"}) : response.error().text()};
}

// Sends a part of a request, or all of it, and goes away without reading.
Outcome goesAway(Visitor& visitor) {
    const std::string body = visitor.noise(20'000);
    const std::string bytes =
        fastcgi::encodeRequest(visitor.post("body.php", kBytes, body.size()), body, false);
    const auto fd = visitor.connect();
    if (!fd) {
        return {1, fd.error().text()};
    }
    static_cast<void>(
        sendAll(fd->get(), std::string_view(bytes).substr(0, visitor.number(bytes.size() + 1))));
    return {1, {}};
}

// Leaves in the middle of an endless response.
Outcome stopsReading(Visitor& visitor) {
    const auto fd = visitor.connect();
    if (!fd || !sendAll(fd->get(), fastcgi::encodeRequest(visitor.get("flush.php"), {}, false))) {
        return {1, "cannot send"};
    }
    std::array<char, 65536> piece{};
    return {1, ::recv(fd->get(), piece.data(), piece.size(), 0) > 0 ? "" : "no response to leave"};
}

Outcome aborts(Visitor& visitor) {
    const auto fd = visitor.connect();
    if (!fd) {
        return {1, fd.error().text()};
    }
    const std::string body = visitor.noise(5000);
    std::string bytes =
        fastcgi::encodeRequest(visitor.post("body.php", kBytes, 2 * body.size()), body, false);
    bytes.resize(bytes.size() - fastcgi::kHeaderSize);  // the stream's end does not come
    fastcgi::appendRecord(bytes, RecordType::abortRequest, 1, {});
    static_cast<void>(sendAll(fd->get(), bytes));
    static_cast<void>(::shutdown(fd->get(), SHUT_WR));
    // Whatever the answer is, there must be an end.
    const auto response = fastcgi::readResponse(fd->get());
    const bool closed = response || response.error().code == std::errc::connection_reset;
    return {1, closed ? "" : "an aborted request does not end: " + response.error().text()};
}

Outcome garbage(Visitor& visitor) {
    const auto fd = visitor.connect();
    if (!fd) {
        return {1, fd.error().text()};
    }
    static_cast<void>(sendAll(fd->get(), visitor.noise(1 + visitor.number(300))));
    static_cast<void>(::shutdown(fd->get(), SHUT_WR));
    const auto response = fastcgi::readResponse(fd->get());
    const bool closed = response || response.error().code == std::errc::connection_reset;
    return {1, closed ? "" : "garbage keeps a connection open: " + response.error().text()};
}

constexpr Kind kKinds[] = {
    {"hello", 240, hello},
    {"hello, kept alive", 30, helloKeptAlive},  // ten requests each
    {"hello, now and then", 5, helloNowAndThen},
    {"form", 90, form},
    {"big body", 10, bigBody},
    {"unread body", 20, unreadBody},
    {"upload", 40, upload},
    {"fatal error", 40, fatal},
    {"exception", 20, exception},
    {"memory limit", 20, memoryLimit},
    {"exit", 30, exits},
    {"litter", 40, litter},
    {"includes", 50, includes},
    {"data", 20, data},
    {"finish_request", 20, finish},
    {"ping", 20, ping},
    {"404", 50, missing},
    {"403", 10, forbidden},
    {"status", 20, status},
    {"session", 50, session},
    {"PHP_VALUE", 10, phpValue},
    {"big response", 20, big},
    {"slow reader", 4, slowReader},
    {"slow sender", 6, slowSender},
    {"goes away", 30, goesAway},
    {"stops reading", 10, stopsReading},
    {"ABORT_REQUEST", 10, aborts},
    {"garbage", 10, garbage},
};

}  // namespace

std::span<const Kind> kinds() {
    return kKinds;
}

}  // namespace muster::soak
