// Composes the header block in a buffer that lives as long as the process.
#include "runtime/php/headers.h"

#include <http_status_codes.h>
#include <strings.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "runtime/php/messages.h"
#include "runtime/php/module.h"
#include "runtime/php/state.h"

namespace muster::php {

namespace {

using std::string_view;

constexpr std::size_t kMaxStatusLine = 1023;
constexpr int kNotModified = 304;

// Never destroyed before the process ends, so a longjmp past a user of it skips nothing.
std::string& block() {
    static auto* const text = new std::string;
    return *text;
}

bool startsWithIgnoringCase(string_view text, string_view prefix) {
    return text.size() > prefix.size() &&
           strncasecmp(text.data(), prefix.data(), prefix.size()) == 0;
}

bool isStatus(string_view header) {
    return startsWithIgnoringCase(header, "Status:");
}

template <typename F>
void forEachHeader(sapi_headers_struct* headers, F&& f) {
    for (zend_llist_element* e = headers->headers.head; e != nullptr; e = e->next) {
        const auto* header = reinterpret_cast<const sapi_header_struct*>(e->data);
        f(string_view(header->header, header->header_len));
    }
}

const char* reasonOf(int code) {
    for (const http_response_status_code_pair* pair = http_status_map; pair->str != nullptr;
         ++pair) {
        if (pair->code == code) {
            return pair->str;
        }
    }
    return nullptr;
}

struct Status {
    int effective;  ///< code that decides about Content-Type
    bool written;   ///< a status line is in the block: Status: headers are not sent
};

/// The line for a response that is not a plain 200.
Status addStatusLine(sapi_headers_struct* headers, std::string& text) {
    Status status{headers->http_response_code, false};
    if (headers->http_response_code == 200 && !moduleSettings.nph) {
        return status;
    }
    const char* given = headers->http_status_line;
    const char* space = given != nullptr ? std::strchr(given, ' ') : nullptr;
    if (moduleSettings.rfc2616Headers && given != nullptr) {
        text += given;
    } else if (space != nullptr && space - given >= 5 && strncasecmp(given, "HTTP/", 5) == 0) {
        text.append("Status:").append(space);
    } else {
        bool own = false;
        forEachHeader(headers, [&own](string_view header) { own = own || isStatus(header); });
        if (own) {
            return status;
        }
        space = nullptr;
        text.append("Status: ").append(std::to_string(headers->http_response_code));
        if (const char* reason = reasonOf(headers->http_response_code)) {
            text.append(" ").append(reason);
        }
    }
    if (space != nullptr) {
        status.effective = static_cast<int>(std::strtol(space + 1, nullptr, 10));
    }
    if (text.size() > kMaxStatusLine) {
        text.resize(kMaxStatusLine);
    }
    text += "\r\n";
    status.written = true;
    return status;
}

void composeBlock(sapi_headers_struct* headers, std::string& text) {
    text.clear();
    Status status = addStatusLine(headers, text);
    forEachHeader(headers, [&](string_view header) {
        if (header.empty()) {
            return;
        }
        if (isStatus(header)) {
            if (status.written) {
                return;
            }
            status.written = true;
        } else if (status.effective == kNotModified &&
                   startsWithIgnoringCase(header, "Content-Type:")) {
            return;
        }
        text.append(header).append("\r\n");
    });
    text += "\r\n";
}

/// What a browser may use at once. A length or type would be that of a body that is not there.
void composeEarlyHints(sapi_headers_struct* headers, std::string& text) {
    text = "Status: 103 Early Hints\r\n";
    forEachHeader(headers, [&text](string_view header) {
        if (!header.empty() && !isStatus(header) && !startsWithIgnoringCase(header, "Content-") &&
            !startsWithIgnoringCase(header, "Transfer-Encoding:") &&
            !startsWithIgnoringCase(header, "X-Powered-By:")) {
            text.append(header).append("\r\n");
        }
    });
    text += "\r\n";
}

}  // namespace

int sendHeaders(sapi_headers_struct* headers) noexcept {
    RequestIo* io = state.io;
    if (SG(request_info).no_headers || io == nullptr || io->finished() || io->timeIsUp()) {
        return SAPI_HEADER_SENT_SUCCESSFULLY;
    }
    std::string& text = block();
    composeBlock(headers, text);
    if (!io->writeStdout(text.data(), text.size())) {
        peerIsGone();
    }
    return SAPI_HEADER_SENT_SUCCESSFULLY;
}

bool sendEarlyHints() noexcept {
    RequestIo* io = state.io;
    // Nobody older understands a response that is not the response.
    const char* protocol = io != nullptr ? io->params().get("SERVER_PROTOCOL") : nullptr;
    if (io == nullptr || io->finished() || SG(headers_sent) || SG(request_info).no_headers ||
        (protocol != nullptr && !string_view(protocol).starts_with("HTTP/1.1") &&
         !string_view(protocol).starts_with("HTTP/2") &&
         !string_view(protocol).starts_with("HTTP/3"))) {
        return false;
    }
    std::string& text = block();
    composeEarlyHints(&SG(sapi_headers), text);
    if (!io->writeStdout(text.data(), text.size()) || !io->flush()) {
        peerIsGone();
        return false;
    }
    return true;
}

std::string_view responseHeader(std::string_view name) noexcept {
    string_view value;
    forEachHeader(&SG(sapi_headers), [&](string_view header) {
        if (!value.empty() || header.size() <= name.size() || !header.starts_with(name) ||
            header[name.size()] != ':') {
            return;
        }
        value = header.substr(name.size() + 1);
        while (value.starts_with(' ')) {
            value.remove_prefix(1);
        }
    });
    return value;
}

}  // namespace muster::php
